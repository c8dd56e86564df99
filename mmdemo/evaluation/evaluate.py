"""Measuring a version: on the workspace's held-out matches, or on a manifest that never enters it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdemo.data.importing import source_rows
from mmdemo.data.rows import Row
from mmdemo.errors import MediaError, UserError
from mmdemo.evaluation.localisation import Localisation, Span, best_overlap
from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.metrics import Retrieval, evaluate_retrieval, evaluate_scores
from mmdemo.evaluation.pair_arrays import load_arrays, prepare_features, with_cells
from mmdemo.label_kinds import training_of
from mmdemo.labeling.snapshot import Example, take_snapshot
from mmdemo.modality import modality_of
from mmdemo.models.aligner import HeadAligner, Towers
from mmdemo.models.fused_aligner import cells_of
from mmdemo.models.heads.fusion import FusedHead, pair_logits
from mmdemo.models.heads.residual import ResidualHead
from mmdemo.models.heads.saved import has_head, load_head
from mmdemo.models.manager import version_source
from mmdemo.models.presets import Preset
from mmdemo.models.video.aligner import VideoAligner
from mmdemo.models.video.moments import moments_of
from mmdemo.retrieval.embed import decode_file, embed_items, media_vectors, text_vectors
from mmdemo.retrieval.encode_stream import encode_stream
from mmdemo.retrieval.frames import kept_features
from mmdemo.store.media_store import file_sha256, sha256
from mmdemo.store.pairs import HELD_OUT, SPLIT_NAMES
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measured:
    """What a version reaches: retrieval, and of videos with spans, how well they are found."""

    retrieval: Retrieval
    moments: Localisation | None = None

    def as_json(self) -> dict[str, Any]:
        """The JSON of `evaluate`, less task and model."""
        spans = {"moments": self.moments.as_json()} if self.moments is not None else {}
        return self.retrieval.as_json() | spans


def evaluate_workspace(ws: Workspace, aligner: HeadAligner) -> Measured:
    """Retrieval over the held-out matches.

    Raises:
        UserError: there are none.
    """
    examples = take_snapshot(ws, aligner.task).of(HELD_OUT, match=True)
    if not examples:
        raise UserError(
            "There are no held-out matches to measure on.", "Label some, or name a manifest with --pairs."
        )
    embed_items(ws, aligner.towers, list(ws.items.of([e.item for e in examples]).values()))
    if aligner.fuses:
        preset = version_source(ws, aligner.version).preset
        return Measured(retrieval_with(ws, preset, lambda: aligner.towers, aligner.head, examples))
    spans = modality_of(aligner.task).spans
    moments = spans.localise(ws, aligner, examples) if spans is not None else None
    media = media_vectors(ws, aligner, [(e.item, e.start, e.end) for e in examples])
    text = aligner.project_text(text_vectors(ws, aligner.towers, [e.text for e in examples]))
    ids = [e.medium for e in examples], [text_key(e.text) for e in examples]
    return Measured(evaluate_retrieval(media, text, *ids), moments)


def head_of(ws: Workspace, version_id: str) -> ResidualHead | None:
    """The head of a version; None: it has none."""
    folder = ws.version_folder(version_id)
    return load_head(folder) if has_head(folder) else None


def retrieval_with(
    ws: Workspace,
    preset: Preset,
    towers: Callable[[], Towers],
    head: ResidualHead | None,
    measured: Sequence[Example],
) -> Retrieval:
    """Retrieval on examples by towers and a head; the towers are loaded only if a feature is lacking."""
    prepare_features(ws, preset, measured, towers)
    arrays = load_arrays(ws, preset, measured)
    if head is not None and head.shape.kind == "cross-attention":
        arrays = with_cells(ws, towers(), measured, arrays)
    return measure(head, arrays, preset.dim)


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
    wanted = SPLIT_NAMES.get(split, split) if split else None
    rows = [r for r in source_rows(source)[1] if isinstance(r, Row) and r.text.strip()]
    rows = [
        r
        for r in rows
        if (not r.verdict or training_of(r.verdict) == "positive") and (wanted is None or r.split == wanted)
    ]

    kept: list[Row] = []
    vectors = []
    overlaps: list[float] = []
    cells: list[np.ndarray] = []
    spans = modality_of(aligner.task).spans
    if spans is not None:
        for row, medium in _media(aligner, rows):
            kept.append(row)
            span = medium if row.start_s is None else spans.cut(medium, row.start_s, row.end_s)
            vectors.append(aligner.encode_media([span]))
            if row.start_s is not None:
                right = (row.start_s, row.end_s if row.end_s is not None else spans.end_s(medium))
                overlaps.append(best_overlap(aligner.place(medium, row.corrected or row.text), [right]))
    else:
        for batch, part in encode_stream(aligner.towers.media, lambda row: _load(aligner, row), rows):
            kept += batch
            vectors.append(part if aligner.fuses else aligner.project_media(part))
            if aligner.fuses:
                media = [_load(aligner, row) for row in batch]
                cells.append(cells_of(aligner.towers.media, media, part))
    if len(kept) < 2:
        raise UserError(
            f"{source} has {len(kept)} pairs to measure on.", "Name a manifest with at least two."
        )
    texts = [r.corrected or r.text for r in kept]
    ids = [_place(r) for r in kept], [text_key(t) for t in texts]
    if isinstance(aligner.head, FusedHead):
        base = aligner.towers.text.encode(texts)
        table = pair_logits(aligner.head, np.concatenate(cells), np.concatenate(vectors), base)
        return Measured(evaluate_scores(lambda rows, columns: table[np.ix_(rows, columns)], *ids))
    retrieval = evaluate_retrieval(np.concatenate(vectors), aligner.encode_text(texts), *ids)
    return Measured(retrieval, Localisation(np.array(overlaps)) if overlaps else None)


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
    known = file_sha256(row.file) if row.data is None and row.file else sha256(row.data or b"")
    return known + ("" if row.start_s is None else f" {row.start_s} {row.end_s}")
