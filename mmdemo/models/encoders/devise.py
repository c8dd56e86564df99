"""DeViSE without a picture (after Frome et al. 2013): a classifier's own weights say where pictures lie among
texts.

A row of the last layer is what the network looks for in pictures of a class, and the class has a vector in
the text space: a thousand pairs that cost nothing. A ridge regression carries the one to the other, and then
the pooled features of pictures. ConSE knows the ten likeliest classes only; this looks at every channel, for
what is no class too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn.functional import normalize

from mmdemo.settings import ASSETS

FILE = "devise.safetensors"  # made by assets/build_devise.py


@dataclass(frozen=True)
class DeviseMap:
    """Carries pooled features into the text space."""

    weight: Tensor  # (K, D) float32
    mean: Tensor  # (D,) float32 mean of what it makes of drawings, subtracted from every vector

    def carried(self, pooled: Tensor) -> Tensor:
        """(N, D) unit vectors of (N, K) pooled features, before the mean is subtracted."""
        return normalize(normalize(pooled, dim=1) @ self.weight, dim=1)

    def vectors(self, pooled: Tensor) -> Tensor:
        """(N, D) unit vectors of (N, K) pooled features; gradients pass."""
        return normalize(self.carried(pooled) - self.mean, dim=1)

    def to(self, device: torch.device) -> DeviseMap:
        """The same on a device."""
        return DeviseMap(self.weight.to(device), self.mean.to(device))


def load_devise(tower: str, folder: Path = ASSETS) -> DeviseMap:
    """The map of a network by its name in timm. It ships."""
    with safe_open(folder / FILE, framework="pt") as tensors:  # of the other network nothing is read
        return DeviseMap(*(tensors.get_tensor(f"{tower}.{part}").float() for part in ("weight", "mean")))
