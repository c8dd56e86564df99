"""Grey pictures whose values are not bytes, to bytes: 12 and 16 bits, whole numbers, and floats with gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFile

BYTE, BITS_12, BITS_16 = 255.0, 4095.0, 65535.0  # white
BITS_A_SAMPLE, PHOTOMETRIC = 258, 262  # tags of TIFF
WHITE_IS_ZERO = 0
WHITE_OF_BITS = {10: 1023.0, 12: BITS_12, 14: 16383.0, 16: BITS_16}
# Their decoders bring every depth to 16 bits; of others nobody knows but by the values.
SCALED = frozenset(["PPM", "JPEG2000"])
ROWS_AT_ONCE_PX = 4_000_000


@dataclass(frozen=True)
class Scale:
    """What is black and what is white."""

    black: float
    white: float

    def to_bytes(self, image: Image.Image) -> Image.Image:
        """The picture in mode L; what is no number is black."""
        values = np.asarray(image).astype(np.float32)
        with np.errstate(all="ignore"):
            shown = (values - np.float32(self.black)) * np.float32(BYTE / (self.white - self.black))
        return Image.fromarray(np.nan_to_num(shown, nan=0.0).clip(0, BYTE).round().astype(np.uint8), "L")


def is_deep(mode: str) -> bool:
    """Whether the values of a picture of this mode are not bytes."""
    return mode.startswith("I;16") or mode in {"I", "F"}


def scale_of(opened: ImageFile.ImageFile) -> Scale:
    """The one scale of a decoded picture, turned round where its file says that 0 is white."""
    scale = _scale(opened)
    return Scale(scale.white, scale.black) if _is_negative(opened) else scale


def _scale(opened: ImageFile.ImageFile) -> Scale:
    """The scale of values that grow with the light.

    Cameras of 12 bits write their values as they are into files of 16: a picture whose lightest value is
    below 4,096 is taken for one of theirs, unless the file says otherwise or it is so dark that its values
    would be bytes.
    """
    low, high = _range(opened)
    if opened.mode == "F" and low >= 0 and high <= 1:
        return Scale(0.0, 1.0)
    if low < 0 or high > BITS_16:
        return Scale(min(low, 0.0), high if high > min(low, 0.0) else 1.0)
    if opened.mode in {"I", "F"} and opened.format not in SCALED and high <= BYTE:
        return Scale(0.0, BYTE)
    if white := _told(opened):
        return Scale(0.0, max(white, high))
    return Scale(0.0, BITS_12 if BYTE < high <= BITS_12 else BITS_16)


def _is_negative(opened: ImageFile.ImageFile) -> bool:
    tags = getattr(opened, "tag_v2", None)
    return tags is not None and tags.get(PHOTOMETRIC) == WHITE_IS_ZERO


def _told(opened: ImageFile.ImageFile) -> float | None:
    """White, where the file says of how many bits it is."""
    if opened.format in SCALED:
        return BITS_16
    tags = getattr(opened, "tag_v2", None)
    bits = tags.get(BITS_A_SAMPLE) if tags is not None else None
    told = bits[0] if isinstance(bits, tuple) and bits else bits
    return WHITE_OF_BITS.get(told) if told != 16 and isinstance(told, int) else None


def _range(image: Image.Image) -> tuple[float, float]:
    """The lowest and highest value that is a number."""
    width, height = image.size
    rows = max(1, ROWS_AT_ONCE_PX // max(1, width))
    low, high = np.inf, -np.inf
    for top in range(0, height, rows):
        values = np.asarray(image.crop((0, top, width, min(height, top + rows))))
        known = values[np.isfinite(values)] if image.mode == "F" else values
        if known.size:
            low, high = min(low, float(known.min())), max(high, float(known.max()))
    return (low, high) if low <= high else (0.0, 0.0)
