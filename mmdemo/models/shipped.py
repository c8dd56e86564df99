"""The fits of probabilities that ship, and the background that they compare with.

Both are made by assets/fit_calibration.py.
"""

from __future__ import annotations

import json
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


def shipped_background(tower: str) -> np.ndarray:
    """(C, K) float32 pooled features of the background pictures, by a network's name in timm."""
    return load_file(BACKGROUND)[tower].astype(np.float32)
