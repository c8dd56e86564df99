"""What a picture tower sees beside the classes of its classifier, such as a person or grass.

ImageNet has 118 dogs and nobody who holds their leads. For a dozen words that it lacks a logistic regression
on the pooled features was fitted on pictures that were looked at (assets/fit_things.py), and scaled so that
it says what was right of pictures that it had not seen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import safe_open
from scipy.special import expit

from mmdemo.settings import ASSETS

FILE = "things.safetensors"  # made by assets/fit_captions.py, with fit_things.py


@dataclass(frozen=True)
class Things:
    """T words of which each is seen or not, whatever else is."""

    names: tuple[str, ...]  # T captions
    weight: np.ndarray  # (K, T) float32, of pooled features of unit length
    bias: np.ndarray  # (T,) float32

    def seen(self, pooled: np.ndarray) -> np.ndarray:
        """(N, T) probabilities that (N, K) pooled features show each."""
        rows = unit(pooled)
        return np.asarray(expit(rows @ self.weight + self.bias))


def unit(pooled: np.ndarray) -> np.ndarray:
    """(N, K) float32 rows of unit length."""
    rows = np.asarray(pooled, dtype=np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-6))


def load_things(tower: str, folder: Path = ASSETS) -> Things | None:
    """Those of a network by its name in timm; None: nothing was fitted for it."""
    with safe_open(folder / FILE, framework="np") as tensors:
        if f"{tower}.weight" not in tensors.keys():  # noqa: SIM118 - it is no mapping
            return None
        weight, bias = (tensors.get_tensor(f"{tower}.{part}") for part in ("weight", "bias"))
        names = tuple(json.loads(tensors.metadata()["names"]))
    return Things(names, weight.astype(np.float32), bias.astype(np.float32))
