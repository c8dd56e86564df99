"""A decoded frame as it is meant to be seen: upright, its pixels square, its two fields not mixed."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.video.reformatter import Colorspace
from PIL import Image

from mmdemo.media.container import MOST_FRAME_PX

WIDEST = 10  # a pixel that is said to be more times as wide as it is high, or as high, is square
UNSPECIFIED = 2  # colours that are not named
HD_PX = 720  # rows from which players take colours that a file does not name for those of television in HD


def shown_size(frame: av.VideoFrame, pixel: Fraction | None) -> tuple[int, int]:
    """Width and height as shown.

    Args:
        frame: as it was decoded.
        pixel: width by height of a pixel, as the file says; None: it does not.
    """
    width, height = _square(frame.width, frame.height, pixel)
    return (height, width) if frame.rotation % 180 else (width, height)


def shown_image(frame: av.VideoFrame, pixel: Fraction | None, at_least_px: int | None) -> Image.Image:
    """The frame as RGB, its shorter side no smaller than `at_least_px` unless it was."""
    width, height = _square(frame.width, frame.height, pixel)
    if at_least_px and min(width, height) > at_least_px:
        scale = at_least_px / min(width, height)
        width, height = round(width * scale), round(height * scale)
    if frame.colorspace == UNSPECIFIED and frame.height >= HD_PX:
        frame.colorspace = Colorspace.ITU709
    if frame.interlaced_frame:  # one half of its rows was filmed later: the first half is shown
        half = np.ascontiguousarray(frame.to_ndarray(format="rgb24")[::2])  # (H / 2, W, 3)
        image = Image.fromarray(half).resize((width, height), Image.Resampling.BICUBIC)
    else:
        image = frame.to_image(width=width, height=height, interpolation="AREA")
    return image.rotate(frame.rotation, expand=True) if frame.rotation else image


def _square(width: int, height: int, pixel: Fraction | None) -> tuple[int, int]:
    """The size in square pixels: the side that is too short is stretched."""
    if not pixel or not 1 / WIDEST <= pixel <= WIDEST:
        return width, height
    wide, high = (width * float(pixel), float(height)) if pixel > 1 else (float(width), height / float(pixel))
    scale = min(1.0, (MOST_FRAME_PX / (wide * high)) ** 0.5)
    return max(1, round(wide * scale)), max(1, round(high * scale))
