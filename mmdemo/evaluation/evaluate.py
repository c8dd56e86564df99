"""Measuring a version: on the workspace's held-out matches, or on a manifest that never enters it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.errors import MediaError, UserError
from mmdemo.evaluation.localisation import Localisation, Span, best_overlap
from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.metrics import Retrieval, codes
from mmdemo.evaluation.pair_arrays import AskedPairs, PairArrays, load_arrays, prepare_features, with_cells
from mmdemo.label_kinds import training_of
from mmdemo.labeling.snapshot import Example, Snapshot, take_snapshot, told_lost, with_files
from mmdemo.modality import Spans, modality_of
from mmdemo.models.aligner import HeadAligner, Towers
from mmdemo.models.calibration import PairFit
from mmdemo.models.fused_aligner import cells_of
from mmdemo.models.heads.residual import ResidualHead
from mmdemo.models.heads.saved import has_head, load_head
from mmdemo.models.presets import Preset
from mmdemo.models.version_source import version_source
from mmdemo.models.video.aligner import VideoAligner
from mmdemo.models.video.moments import moments_of
from mmdemo.retrieval.embed import decode_file, text_vectors
from mmdemo.retrieval.encode_stream import encode_stream
from mmdemo.retrieval.evidence import remembered
from mmdemo.retrieval.hubness import has_hubs
from mmdemo.retrieval.speech.sounds_alike import SoundIndex
from mmdemo.retrieval.video.frames import kept_features
from mmdemo.store.cards import read_card, reading
from mmdemo.store.media_store import id_of
from mmdemo.store.splits import ALL, HELD_OUT, SIDES, SPLIT_NAMES, VALIDATION, VALIDATION_NAMES
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """What a version reaches: retrieval, and of videos with spans, how well they are found."""

    retrieval: Retrieval
    moments: Localisation | None = None
    lost: int = 0  # pairs that were left out, as their files are gone

    def as_json(self) -> dict[str, Any]:
        """The JSON of `evaluate`, less task and model; its figures are null where a note says why."""
        spans = {"moments": self.moments.as_json()} if self.moments is not None else {}
        left = {"left_out": self.lost} if self.lost else {}
        return self.retrieval.as_json() | spans | {"note": self.retrieval.note} | left


def evaluate_workspace(ws: Workspace, aligner: HeadAligner, split: str = HELD_OUT) -> Measured:
    """Retrieval over the matches of a side, the held-out ones unless another is asked for.

    Args:
        ws: the workspace.
        aligner: the version to measure.
        split: one of the workspace's sides, a manifest's name for one, or all.

    Raises:
        UserError: there are none.
    """
    side = split if split in SIDES else SPLIT_NAMES.get(split, split)
    wanted = take_snapshot(ws, aligner.task).of(side, match=True)
    known = with_files(ws, Snapshot(aligner.task, tuple(wanted)))
    examples = list(known.examples)
    if known.lost and not examples:
        raise UserError(told_lost(known.lost), "Import the files again.")
    if not examples:
        raise UserError(
            f"There are no {'' if side == ALL else f'{side} '}matches to measure on.",
            "Label some, or name a manifest with --pairs.",
        )
    preset = version_source(ws, aligner.version).preset
    retrieval = retrieval_with(ws, preset, lambda: aligner.towers, aligner.head, examples, aligner.judge.fit)
    spans = modality_of(aligner.task).spans
    moments = spans.localise(ws, aligner, examples) if spans is not None else None
    return Measured(retrieval, moments, known.lost)


def head_of(ws: Workspace, version_id: str) -> ResidualHead | None:
    """The head of a version; None: it has none."""
    folder = ws.version_folder(version_id)
    return load_head(folder) if has_head(folder) else None


def fit_of(ws: Workspace, version_id: str) -> PairFit | None:
    """The fit of all that is known of a pair that a version has of its own; None: the one that ships.

    Raises:
        StorageError: its card is damaged.
    """
    folder = ws.version_folder(version_id)
    card = read_card(folder)
    with reading(folder):
        return PairFit.of(card["fit"]) if card.get("fit") else None


def retrieval_with(
    ws: Workspace,
    preset: Preset,
    towers: Callable[[], Towers],
    head: ResidualHead | None,
    measured: Sequence[Example],
    fit: PairFit | None = None,
) -> Retrieval:
    """Retrieval on examples by towers and a head, ranked as a search ranks.

    The towers are loaded only if a feature is lacking, or more is to be asked of pairs. `fit` is the
    version's own; None: the one that ships.
    """
    prepare_features(ws, preset, measured, towers)
    arrays = load_arrays(ws, preset, measured, towers)
    if head is not None and head.looks_at_parts:
        arrays = with_cells(ws, towers(), measured, arrays)
    return measure(head, arrays, preset.dim, fit)


def localise(ws: Workspace, aligner: VideoAligner, examples: Sequence[Example]) -> Localisation | None:
    """How well a version finds the spans of labels in their videos; None: no label has a span."""
    wanted = [e for e in examples if e.start is not None]
    if not wanted:
        return None
    right: dict[tuple[str, str], list[Span]] = {}
    for e in wanted:
        right.setdefault((e.item, text_key(e.text)), []).append((e.start or 0.0, e.end or float("inf")))
    queries = aligner.project_text(text_vectors(ws, aligner.towers, [e.text for e in wanted]))
    frames = {e.item: kept_features(ws, aligner.towers.media.id, e.item) for e in wanted}
    vectors = {item: aligner.frame_vectors(kept) for item, kept in frames.items() if kept is not None}
    iou = []
    for example, query in zip(wanted, queries, strict=True):
        found, kept = None, frames[example.item]
        if kept is not None:
            best = moments_of(kept.times, vectors[example.item] @ query, kept.shots)
            found = (best[0].start, best[0].end) if best else None
        iou.append(best_overlap(found, right[example.item, text_key(example.text)]))
    return Localisation(np.array(iou))


def evaluate_manifest(aligner: HeadAligner, source: str, split: str | None = None) -> Measured:
    """Retrieval over the pairs of a manifest, mismatches left out.

    Args:
        aligner: the version to measure.
        source: what `import` takes.
        split: only rows of this split, where the manifest has one.

    Raises:
        UserError: nothing there can be measured on.
    """
    with open_source(source, task=aligner.task) as opened:
        rows = [r for r in opened.rows() if isinstance(r, Row) and r.text.strip()]
        return _evaluate_rows(aligner, source, rows, split)


def _evaluate_rows(aligner: HeadAligner, source: str, rows: list[Row], split: str | None) -> Measured:
    wanted = SPLIT_NAMES.get(split, split) if split else None
    if split in VALIDATION_NAMES and any(r.split == VALIDATION for r in rows):
        wanted = VALIDATION
    rows = [
        r
        for r in rows
        if (not r.verdict or training_of(r.verdict) == "positive") and (wanted is None or r.split == wanted)
    ]
    spans = modality_of(aligner.task).spans
    found = _of_clips(aligner, rows, spans) if spans is not None else _of_media(aligner, rows)
    kept, arrays, overlaps = found
    if len(kept) < 2:
        raise UserError(
            f"{source} has {len(kept)} pairs to measure on.", "Name a manifest with at least two."
        )
    retrieval = measure(aligner.head, arrays, aligner.dim, aligner.judge.fit)
    return Measured(retrieval, Localisation(np.array(overlaps)) if overlaps else None)


Found = tuple[list[Row], PairArrays, list[float]]  # what could be read, and how well spans were found


def _of_media(aligner: HeadAligner, rows: Sequence[Row]) -> Found:
    """The tower outputs of rows whose media have one text each."""
    kept: list[Row] = []
    features: list[np.ndarray] = []
    cells: list[np.ndarray] = []
    media: dict[str, Any] = {}  # by place, where they are asked about texts
    tower = aligner.towers.media
    for batch, part in encode_stream(tower, lambda row: _load(aligner, row), rows):
        kept += batch
        features.append(part)
        if aligner.fuses:
            cells.append(cells_of(tower, [_load(aligner, row) for row in batch], part))
        if aligner.evidence_of_towers:
            media |= {_place(row): tower.prepare(_load(aligner, row)) for row in batch}
    arrays = _arrays(aligner, kept, np.concatenate(features) if features else np.empty((0, 0)))
    if cells:
        arrays = replace(arrays, cells=np.concatenate(cells))
    if media:
        places, texts = tuple(_place(row) for row in kept), tuple(_text(row) for row in kept)
        ask = remembered(lambda place, asked: aligner.evidence(media[place], asked))
        depths = aligner.reranks, aligner.reranks_texts
        sounds = SoundIndex({place: getattr(medium, "heard", "") for place, medium in media.items()})
        asked = AskedPairs(ask, aligner.decided, places, texts, *depths, sounds)
        arrays = replace(arrays, asked=asked)
    return kept, arrays, []


def _of_clips(aligner: HeadAligner, rows: Sequence[Row], spans: Spans) -> Found:
    """The same where spans have texts of their own."""
    kept: list[Row] = []
    clips: list[Any] = []
    overlaps: list[float] = []
    for row, medium in _media(aligner, rows):
        kept.append(row)
        clips.append(medium if row.start_s is None else spans.cut(medium, row.start_s, row.end_s))
        if row.start_s is not None:
            right = (row.start_s, row.end_s if row.end_s is not None else spans.end_s(medium))
            overlaps.append(best_overlap(aligner.place(medium, _text(row)), [right]))
    features = aligner.towers.media.encode(clips) if clips else np.empty((0, 0))
    return kept, replace(_arrays(aligner, kept, features), clips=clips), overlaps


def _arrays(aligner: HeadAligner, rows: Sequence[Row], features: np.ndarray) -> PairArrays:
    return PairArrays(
        features,
        aligner.towers.text.encode([_text(row) for row in rows]),
        np.ones(len(rows), bool),
        codes([_place(row) for row in rows]),
        codes([text_key(_text(row)) for row in rows]),
        grounds=aligner.towers.grounds if has_hubs(aligner.task) else None,
    )


def _text(row: Row) -> str:
    return row.corrected or row.text


def _load(aligner: HeadAligner, row: Row) -> Any:
    source = row.data if row.data is not None else row.file or b""
    tower, decode_span = aligner.towers.media, modality_of(aligner.task).decode_span
    if row.start_s is not None and decode_span is not None:
        return decode_span(tower, source, row.start_s, row.end_s)
    return decode_file(tower, source)


def _media(aligner: HeadAligner, rows: Sequence[Row]) -> Iterator[tuple[Row, Any]]:
    """Rows with their whole media; rows of one file that follow each other decode it once."""
    last: tuple[Any, Any] = (None, None)
    for row in rows:
        source = row.data if row.data is not None else row.file
        if last[0] != source:
            try:
                last = source, decode_file(aligner.towers.media, source or b"")
            except (MediaError, OSError) as e:
                log.warning("passed over: %s", e)
                last = source, None
        if last[1] is not None:
            yield row, last[1]


def _place(row: Row) -> str:
    """What tells one medium from another: the bytes, and the span of those."""
    known = id_of(row.file if row.data is None and row.file else row.data or b"")
    return known + ("" if row.start_s is None else f" {row.start_s} {row.end_s}")
