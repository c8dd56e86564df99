"""A sprite strip: small frames of a whole video side by side in one picture, for a look while one points."""

from __future__ import annotations

import io
import math

from PIL import Image

CELL_PX = (96, 54)
MOST_CELLS = 100  # 9,600 pixels wide, about 150 kB


class StripMaker:
    """Takes in frames as they are decoded, and keeps some of them, small.

    Args:
        frames: how many will come.
    """

    def __init__(self, frames: int) -> None:
        self._each = max(1, math.ceil(frames / MOST_CELLS))
        self._seen = 0
        self.times_s: list[float] = []
        self._cells: list[Image.Image] = []

    def add(self, time_s: float, image: Image.Image) -> None:
        """The next frame."""
        self._seen += 1
        if (self._seen - 1) % self._each or len(self._cells) >= MOST_CELLS:
            return
        small = image.copy()
        small.thumbnail(CELL_PX)
        cell = Image.new("RGB", CELL_PX)
        cell.paste(small, ((CELL_PX[0] - small.width) // 2, (CELL_PX[1] - small.height) // 2))
        self.times_s.append(time_s)
        self._cells.append(cell)

    def webp(self) -> bytes:
        """The strip; empty where no frame came."""
        if not self._cells:
            return b""
        strip = Image.new("RGB", (CELL_PX[0] * len(self._cells), CELL_PX[1]))
        for i, cell in enumerate(self._cells):
            strip.paste(cell, (CELL_PX[0] * i, 0))
        out = io.BytesIO()
        strip.save(out, "WEBP", quality=70, method=2)
        return out.getvalue()

    def restore(self, seen: int, times_s: list[float], webp: bytes) -> None:
        """Go on from what was kept."""
        self._seen, self.times_s = seen, times_s
        if webp:
            strip = Image.open(io.BytesIO(webp)).convert("RGB")
            boxes = [(CELL_PX[0] * i, 0, CELL_PX[0] * (i + 1), CELL_PX[1]) for i in range(len(times_s))]
            self._cells = [strip.crop(box) for box in boxes]
