"""Measuring a version: on the workspace's held-out matches, or on a manifest that never enters it."""

from __future__ import annotations

from typing import Any

from mmdemo.data.importing import source_rows
from mmdemo.data.rows import Row
from mmdemo.errors import UserError
from mmdemo.media.audio import decode_audio
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.video import FrameFeatures
from mmdemo.retrieval.embed import decode_file, embed_items, encode_stream, feature_file, text_vectors
from mmdemo.retrieval.frames import span_features
from mmdemo.retrieval.metrics import Retrieval, evaluate_retrieval
from mmdemo.store.media_store import sha256
from mmdemo.store.pairs import HELD_OUT, SPLIT_NAMES
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace
from mmdemo.training.dataset import take_snapshot


def evaluate_workspace(ws: Workspace, aligner: HeadAligner) -> Retrieval:
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
    if aligner.towers.media.modality == "video":
        features = span_features(ws, aligner.towers.media.id, [(e.item, e.start, e.end) for e in examples])
    else:
        features = feature_file(ws, aligner.towers).get([e.item for e in examples])
    media = aligner.project_media(features)
    text = aligner.project_text(text_vectors(ws, aligner.towers, [e.text for e in examples]))
    ids = [e.medium for e in examples], [text_key(e.text) for e in examples]
    return evaluate_retrieval(media, text, *ids)


def evaluate_manifest(aligner: HeadAligner, source: str, split: str | None = None) -> Retrieval:
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
    rows = [r for r in rows if r.verdict in {"", "match"} and (wanted is None or r.split == wanted)]

    def load(row: Row) -> Any:
        source = row.data if row.data is not None else row.file or b""
        if row.start_s is not None and aligner.towers.media.modality == "audio":
            return decode_audio(source, row.start_s, row.end_s)
        medium = decode_file(aligner.towers.media, source)
        if row.start_s is not None and isinstance(medium, FrameFeatures):
            return medium.cut(row.start_s, row.end_s)
        return medium

    kept: list[Row] = []
    features = []
    for batch, part in encode_stream(aligner.towers.media, load, rows):
        kept += batch
        features.append(aligner.project_media(part))
    if len(kept) < 2:
        raise UserError(
            f"{source} has {len(kept)} pairs to measure on.", "Name a manifest with at least two."
        )
    import numpy as np

    texts = [r.corrected or r.text for r in kept]
    ids = [_place(r) for r in kept]
    return evaluate_retrieval(
        np.concatenate(features), aligner.encode_text(texts), ids, [text_key(t) for t in texts]
    )


def _place(row: Row) -> str:
    """What tells one medium from another: the bytes, and the span of those."""
    data = row.data if row.data is not None else row.file.read_bytes() if row.file else b""
    return sha256(data) + ("" if row.start_s is None else f" {row.start_s} {row.end_s}")
