"""A recording as a picture."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

HEIGHT = 0.3  # of the width
INK, PAPER = (37, 99, 235), (255, 255, 255)


def draw_waveform(peaks: np.ndarray, width_px: int) -> Image.Image:
    """The waveform of (N, 2) int8 lowest and highest samples, one stroke a column."""
    height = max(1, round(width_px * HEIGHT))
    image = Image.new("RGB", (width_px, height), PAPER)
    pen = ImageDraw.Draw(image)
    middle = (height - 1) / 2
    bounds = np.linspace(0, len(peaks), width_px + 1).astype(int)
    for x in range(width_px):
        part = peaks[bounds[x] : max(bounds[x] + 1, bounds[x + 1])]
        low, high = (int(part[:, 0].min()), int(part[:, 1].max())) if len(part) else (0, 0)
        pen.line([(x, middle * (1 - high / 127)), (x, middle * (1 - low / 127))], fill=INK)
    return image
