"""The sample collection: what a new workspace starts with, so that no tab is ever empty.

The drawings have titles that say what they show, and the sentences are what a synthesiser was given to say.
Those of the validation rows are taken as labels, so that there is something to measure on from the first
minute; those of the train rows wait to be labelled.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdemo.label_kinds import MATCH
from mmdemo.models.presets import PRESETS
from mmdemo.settings import ASSETS
from mmdemo.store.changes import REMOVE
from mmdemo.store.durable import replacing
from mmdemo.store.import_log import begin_in
from mmdemo.store.labels import NewLabel
from mmdemo.store.splits import HELD_OUT, SPLIT_NAMES, TRAIN
from mmdemo.store.tables import Import, Item, now
from mmdemo.store.workspace import Workspace

SPEECH = ASSETS / "speech"
SOURCE = "samples"


@dataclass(frozen=True)
class Collection:
    """The samples of one task: a table in assets/ and the stored features of its rows."""

    task: str
    modality: str
    table: Path  # file_name (below `root`), text, split, sha256, and what `describe` reads
    root: Path
    suffix: str
    features: Path | None  # None: they are made when they are first needed
    preset: str  # whose features they are
    annotator: str  # who said that the held-out texts fit
    describe: Callable[[dict[str, str]], dict[str, Any]]


COLLECTIONS = (
    Collection(
        "image-text",
        "image",
        ASSETS / "samples.csv",
        ASSETS,
        ".jpg",
        ASSETS / "samples.safetensors",
        "efficientnet-lite0-devise",
        "mmdemo's own titles",
        lambda row: {"width": int(row["width"]), "height": int(row["height"])},
    ),
    Collection(
        "speech-text",
        "audio",
        SPEECH / "samples.csv",
        SPEECH,
        ".ogg",
        SPEECH / "samples.safetensors",
        "whisper-tiny-en-minilm",
        "the synthesiser's own text",
        lambda row: {"duration_s": float(row["duration"])},
    ),
    Collection(
        "video-text",
        "video",
        ASSETS / "video" / "samples.csv",
        ASSETS,
        ".mp4",
        None,
        "efficientnet-lite0-minilm-video",
        "Open Clip Art Library",
        lambda row: {"duration_s": float(row["duration"]), "width": 320, "height": 240},
    ),
)


def seed_samples(ws: Workspace) -> int:
    """Put each task's samples into a workspace that has no item of its modality yet; returns how many."""
    return sum(_seed(ws, collection) for collection in COLLECTIONS)


def _seed(ws: Workspace, of: Collection) -> int:
    """One transaction, and files copied without decoding them: the table holds each one's hash and size."""
    if ws.items.count(of.modality) or not of.table.exists() or ws.changes.latest(REMOVE):
        return 0  # where they were removed they stay away
    with of.table.open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    files = {row["sha256"]: row for row in rows}  # a video has a row for each span
    for key, row in files.items():
        path = ws.media.path(key, of.suffix)
        if not path.exists():
            with replacing(path, lasting=False) as part:
                shutil.copyfile(of.root / row["file_name"], part)
    with ws.database.write() as session:
        if session.get(Item, rows[0]["sha256"]) is not None:
            return 0  # another process was first
        import_id = begin_in(session, SOURCE, of.task)
        session.get_one(Import, import_id).ended_at = now()
        for key, row in files.items():
            item = Item(
                id=key,
                modality=of.modality,
                name=row["file_name"].rsplit("/", 1)[-1],
                suffix=of.suffix,
                source=SOURCE,
                bytes=ws.media.path(key, of.suffix).stat().st_size,
                import_id=import_id,
                **of.describe(row),
            )
            session.add(item)
        session.flush()
        for row in rows:
            split = TRAIN if SPLIT_NAMES[row["split"]] == TRAIN else HELD_OUT  # they have these two sides
            span = {"start_s": float(row["start"]), "end_s": float(row["end"])} if row.get("start") else {}
            pair, _ = ws.pairs.add(
                session,
                of.task,
                row["sha256"],
                row["text"],
                source=SOURCE,
                split=split,
                import_id=import_id,
                **span,
            )
            if split == HELD_OUT:
                ws.labels.add_in(
                    session, pair, NewLabel(MATCH.name, annotator=of.annotator, origin="samples")
                )
    if of.features is not None:
        _seed_features(ws, of, of.features, list(files))
    return len(files)


def _seed_features(ws: Workspace, of: Collection, path: Path, ids: list[str]) -> None:
    import numpy as np
    from safetensors.numpy import load_file

    preset = PRESETS[of.preset]
    features = load_file(path)["features"]
    ws.vectors(preset.media_features, preset.feature_dim, np.float16).append(ids, features)
