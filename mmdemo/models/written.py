"""What is written in pictures, read by rapidocr (PP-OCRv6 small in ONNX, Apache-2.0) where it is installed.

pip install -r requirements-more.txt
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mmdemo.heavy_imports import heavy

if TYPE_CHECKING:
    from PIL import Image

READER = "rapidocr"  # the package, and what its texts are filed under
LEAST_SURE = 0.6  # of a line, below which textures are read as letters
LONGEST = 2000  # characters of one picture that are kept


def can_read() -> bool:
    """Whether the package is installed."""
    return importlib.util.find_spec(READER) is not None


class Reader:
    """Reads text in pictures; it loads in about a second."""

    def __init__(self) -> None:
        logging.getLogger("RapidOCR").setLevel(logging.ERROR)  # it tells each step
        self._engine: Any = heavy(READER).RapidOCR(params={"Global.log_level": "error"})

    def read(self, pictures: Sequence[Image.Image]) -> str:
        """The lines of text in pictures of one item, each once, in the order of reading."""
        lines: dict[str, None] = {}
        for picture in pictures:
            found = self._engine(np.asarray(picture.convert("RGB"))[:, :, ::-1])  # it takes BGR
            for line, sure in zip(found.txts or (), found.scores or (), strict=True):
                if sure >= LEAST_SURE and line.strip():
                    lines.setdefault(line.strip())
        return " ".join(lines)[:LONGEST]
