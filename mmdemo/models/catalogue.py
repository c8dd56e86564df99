"""The models that are offered by name: one row each, in catalogue.csv.

id, task     how it is called, and what for
loader       a row of LOADERS
weights      the name in timm or of faster-whisper, a Hub id (ID@REVISION pins one), or two towers
package      the installed package that carries the weights
dim, states  D of the shared space, and the features beside the untrained vector that a head learns from
texts        own: its text tower comes with it; else MiniLM
trained      no: from scratch, nobody has trained it
devise       yes: DeViSE is a part of its vector
published    a percentage that others measured, untrained on the data; it orders the models of a task.
             Empty: none is known that compares, so the model is neither begun with nor offered
published_as of what, and where it stands
size_mb      of the weights, as the Hub gives it for model.safetensors
"""

from __future__ import annotations

import csv
from pathlib import Path

from mmdemo.models.presets import MINILM, PRESETS, Preset


def _preset(row: dict[str, str]) -> Preset:
    dim = int(row["dim"])
    return Preset(
        id=row["id"],
        task=row["task"],
        architecture=row["architecture"],
        media_tower=row["weights"],
        licence=row["licence"],
        about=row["about"],
        size_mb=int(row["size_mb"]),
        halved=bool(row["format"]),
        loader=row["loader"],
        media_package=row["package"],
        input_px=int(row["input_px"] or 0),
        dim=dim,
        feature_dim=dim + int(row["states"]),
        text_tower="" if row["texts"] == "own" else MINILM,
        scratch=row["trained"] == "no",
        devise=row["devise"] == "yes",
        published=float(row["published"] or 0),
        published_as=row["published_as"],
    )


with (Path(__file__).parent / "catalogue.csv").open(encoding="utf-8", newline="") as _file:
    for _row in csv.DictReader(_file):
        PRESETS.add(_row["id"], _preset(_row))
