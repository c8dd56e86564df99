"""The fits of probabilities that ship, and the background that they compare with.

Both are made by assets/fit_calibration.py. A fit is named by its preset, or as PRESET/tuned where it is the
prior of versions that learn from it. Where a task has several probabilities, such as that a text was said
and that it is what they speak about, the kind follows: PRESET#about, PRESET/tuned#about.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from mmdemo.models.calibration import PairFit
from mmdemo.settings import ASSETS

FITS = ASSETS / "calibration.json"
BACKGROUND = ASSETS / "background.safetensors"


@cache
def _fits() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FITS.read_text(encoding="utf-8"))
    return found


def shipped_fit(name: str) -> PairFit | None:
    """The fit of that name, such as efficientnet-lite0-devise/tuned; None: there is none."""
    row = _fits().get(name)
    return PairFit.of(row) if row is not None else None


def fits_of_version(base: str, card: Mapping[str, Any]) -> dict[str, PairFit]:
    """The fits behind a version's probabilities, by their kind; the only one of most tasks has no name.

    Args:
        base: the id of the preset that it stands on.
        card: the version's; empty: it is the base version.
    """
    if card.get("pair_calibration"):
        return {}  # a fused head says how likely a pair is by itself
    stem = f"{base}/tuned" if card else base
    found = {
        name.partition("#")[2]: PairFit.of(row)
        for name, row in _fits().items()
        if name.partition("#")[0] == stem
    }
    return found | ({"": PairFit.of(card["fit"])} if card.get("fit") else {})


def shipped_background(tower: str) -> np.ndarray:
    """(C, K) float32 pooled features of the background pictures, by a network's name in timm."""
    return load_file(BACKGROUND)[tower].astype(np.float32)
