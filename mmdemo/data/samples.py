"""The sample collection: what a new workspace starts with, so that no tab is ever empty.

The drawings' titles are their authors' own. Those of the `validation` rows are taken as labels, so that
there is something to measure on from the first minute; those of the `train` rows wait to be labelled.
"""

from __future__ import annotations

import csv
import shutil

from mmdemo.models.presets import PRESETS
from mmdemo.settings import ASSETS
from mmdemo.store.labels import NewLabel
from mmdemo.store.pairs import HELD_OUT, SPLIT_NAMES
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace

SOURCE = "samples"
AUTHORS = "Open Clip Art Library"  # the annotator of the authors' own titles
FEATURES_OF = "efficientnet-lite0-minilm"


def seed_samples(ws: Workspace) -> int:
    """Put the sample collection into a workspace that has no item yet; returns how many items were added.

    It is one transaction and copies files without decoding them: the table holds each one's hash and size.
    """
    if ws.items.count("image") or not (ASSETS / "samples.csv").exists():
        return 0
    with (ASSETS / "samples.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    for row in rows:
        path = ws.media.path(row["sha256"], ".jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            shutil.copyfile(ASSETS / row["file_name"], path)
    with ws.database.write() as session:
        if session.get(Item, rows[0]["sha256"]) is not None:
            return 0  # another process was first
        for row in rows:
            item = Item(
                id=row["sha256"],
                modality="image",
                name=row["file_name"].rsplit("/", 1)[-1],
                suffix=".jpg",
                source=SOURCE,
                bytes=ws.media.path(row["sha256"], ".jpg").stat().st_size,
                width=int(row["width"]),
                height=int(row["height"]),
            )
            session.add(item)
            split = SPLIT_NAMES[row["split"]]
            pair, _ = ws.pairs.add(session, "image-text", item.id, row["text"], source=SOURCE, split=split)
            if split == HELD_OUT:
                ws.labels.add_in(session, pair, NewLabel("match", annotator=AUTHORS, origin="samples"))
    _seed_features(ws, [row["sha256"] for row in rows])
    return len(rows)


def _seed_features(ws: Workspace, ids: list[str]) -> None:
    import numpy as np
    from safetensors.numpy import load_file

    preset = PRESETS[FEATURES_OF]
    features = load_file(ASSETS / "samples.safetensors")["features"]
    ws.vectors(preset.media_features, preset.feature_dim, np.float16).append(ids, features)
