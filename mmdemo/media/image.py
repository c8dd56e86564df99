"""Bytes to pixels: one way in for every picture, with its limits, and thumbnails on the way out.

What is large is handed out small: nothing that looks at a picture here needs more than some megapixels, and
decoded pictures are what memory goes into.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pi_heif import register_heif_opener
from PIL import ExifTags, Image, ImageFile, UnidentifiedImageError

from mmdemo.errors import MediaError
from mmdemo.media.colour import to_rgb
from mmdemo.media.decode_budget import DECODES
from mmdemo.media.decoding import decoding
from mmdemo.media.deep_pixels import is_deep, scale_of
from mmdemo.media.not_read import AT_ONCE, what_it_is
from mmdemo.media.picture_bounds import FORMATS, bytes_a_pixel, require_in_bounds
from mmdemo.media.told_rarely import ToldRarely

MAX_MEGAPIXELS = 100
LARGE_PX = 16_000_000  # pixels: what has more is made smaller while it is decoded
STRIP_PX = 1_000_000  # pixels that are converted at a time
CHECKED_PX = 64  # the least side that is decoded to see whether a file is whole
FIRST_FRAME = "This picture moves: only its first frame is looked at."
MAIN_ONE = "This file has several pictures: only the main one is looked at."
ONE_PAGE = "This picture has several pages: only the first is looked at."
SUFFIX_OF = {"mpo": ".jpg", "jpeg": ".jpg", "jpeg2000": ".jp2", "tiff": ".tif", "heif": ".heic"}
UPRIGHT = {  # what undoes an orientation of Exif
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TURNED = frozenset([5, 6, 7, 8])  # orientations that swap width and height

TOLD = ToldRarely(logging.getLogger(__name__))

# Pillow's own guard raises inside Image.open, before the size is known; ours is checked right after, before
# a single pixel is decoded, and can say how large the picture is.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = False
# Pillow asks for memory in blocks of 16 MB. The C library keeps freed ones of up to 32 MB, for each thread;
# larger ones go back to the system at once.
Image.core.set_block_size(64 << 20)
register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=2)
# What it says of odd Exif and tags, on standard error, nobody can do anything about.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")


@dataclass(frozen=True)
class PictureFacts:
    """What a file says of its picture."""

    width: int  # pixels, upright
    height: int
    suffix: str  # that fits the bytes, whatever the file was called


def decode_image(
    source: bytes | Path,
    *,
    at_least_px: int | None = None,
    max_megapixels: int = MAX_MEGAPIXELS,
) -> Image.Image:
    """A picture as 8-bit RGB, upright, transparency on white; the first frame of an animation.

    One of over 16 megapixels is made smaller, both its sides by the same whole number.

    Args:
        source: the file's bytes or its path.
        at_least_px: both sides keep at least this many pixels of a picture that is made smaller, and a JPEG
            may be decoded at a reduced size, which is what makes embedding large photographs quick.
        max_megapixels: a larger picture is refused before its pixels are decoded.

    Raises:
        MediaError: not a picture, truncated, or too large, in one sentence.
    """
    return _decoded(source, at_least_px, max_megapixels)[0]


def probe_image(source: bytes | Path, max_megapixels: int = MAX_MEGAPIXELS) -> PictureFacts:
    """Say what is there; decoded whole, so that a damaged file is refused at once.

    Raises:
        MediaError: not a picture, truncated, or too large, in one sentence.
    """
    return _decoded(source, CHECKED_PX, max_megapixels)[1]


def _decoded(
    source: bytes | Path, at_least_px: int | None, max_megapixels: int
) -> tuple[Image.Image, PictureFacts]:
    name = source.name if isinstance(source, Path) else "This file"
    with decoding(name), _opened(source, name) as opened:
        held = require_in_bounds(opened, name, max_megapixels)
        width, height = opened.size
        kind = (opened.format or "img").lower()
        if opened.format == "JPEG" and (at_least_px or width * height > LARGE_PX):
            least = (at_least_px, at_least_px) if at_least_px else _within_large(width, height)
            opened.draft("RGB", least)
        factor = _factor(*opened.size, at_least_px)
        filled = opened.width * opened.height
        held += filled * bytes_a_pixel(opened.mode) + filled // factor**2 * bytes_a_pixel("RGB")
        with DECODES.taken(held):
            opened.load()
            turn = _orientation(opened)
            image = _small_rgb(opened, factor)
    if turn in UPRIGHT:
        image = image.transpose(UPRIGHT[turn])
    width, height = (height, width) if turn in TURNED else (width, height)
    return image, PictureFacts(width, height, SUFFIX_OF.get(kind, f".{kind}"))


def not_looked_at(source: Path) -> str:
    """What of a file is not looked at, as a sentence: an animation's frames and a document's pages after the
    first. Empty: it is all there is.

    Raises:
        MediaError: not a picture.
    """
    name = source.name
    with decoding(name), _opened(source, name) as opened:
        if opened.format == "MPO" or not getattr(opened, "is_animated", False):
            return ""  # MPO is a photograph with what the camera made of it
        return {"TIFF": ONE_PAGE, "HEIF": MAIN_ONE}.get(opened.format or "", FIRST_FRAME)


@contextmanager
def _opened(source: bytes | Path, name: str) -> Iterator[ImageFile.ImageFile]:
    if isinstance(source, bytes) and not source:
        raise MediaError("This file is empty.", "Choose another one.")
    try:
        opened = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as e:
        if isinstance(e, FileNotFoundError):
            raise MediaError(f"{name} does not exist.", "Check the path.") from e
        what, cure = what_it_is(_head(source))
        told = f": it is {what}" if what else ""
        raise MediaError(f"{name} is not a picture that can be read{told}.", cure) from e
    with opened:
        yield opened


def _head(source: bytes | Path) -> bytes:
    if isinstance(source, bytes):
        return source[:AT_ONCE]
    with source.open("rb") as file:
        return file.read(AT_ONCE)


def _orientation(opened: ImageFile.ImageFile) -> int:
    """What its Exif says of how it was held; 1, upright, where that cannot be read: the picture still can."""
    try:
        told = opened.getexif().get(ExifTags.Base.Orientation)
        return int(told[0] if isinstance(told, (tuple, bytes)) else told or 1)
    except Exception as e:  # Exif of other programs' making fails in every way
        TOLD.tell(logging.INFO, f"The Exif of a picture cannot be read: {type(e).__name__}")
        return 1


def _within_large(width: int, height: int) -> tuple[int, int]:
    """The sides of a large picture with as many pixels as one may have."""
    scale = (LARGE_PX / (width * height)) ** 0.5
    return max(1, int(width * scale)), max(1, int(height * scale))


def _factor(width: int, height: int, at_least_px: int | None) -> int:
    """By which whole number a picture is made smaller: 1, or of a large one what leaves enough of it."""
    if width * height <= LARGE_PX:
        return 1
    needed = int(np.ceil((width * height / LARGE_PX) ** 0.5))
    return max(needed, min(width, height) // at_least_px) if at_least_px else needed


def _small_rgb(image: ImageFile.ImageFile, factor: int) -> Image.Image:
    """The picture as RGB, made smaller strip by strip: no second copy of a large one is held."""
    scale = scale_of(image) if is_deep(image.mode) else None
    convert = to_rgb(image)
    width, height = image.size
    small = Image.new("RGB", (-(-width // factor), -(-height // factor)))
    rows = max(1, STRIP_PX // max(1, width * factor)) * factor
    for top in range(0, height, rows):
        strip = image.crop((0, top, width, min(height, top + rows)))
        strip = convert(scale.to_bytes(strip) if scale else strip)
        small.paste(strip.reduce(factor) if factor > 1 else strip, (0, top // factor))
    return small


def pixels(image: Image.Image, size_px: int) -> np.ndarray:
    """(3, size_px, size_px) float32 in [-1, 1]: squashed to a square by bicubic resampling.

    Squashing instead of cropping keeps what is at the edge, which a caption may speak of.
    """
    square = image.resize((size_px, size_px), Image.Resampling.BICUBIC)
    values = np.asarray(square, dtype=np.float32)  # (H, W, 3)
    return np.ascontiguousarray(values.transpose(2, 0, 1)) / 127.5 - 1.0


def thumbnail(image: Image.Image, side_px: int) -> bytes:
    """The picture as WebP bytes, its longer side at most `side_px`."""
    small = image.copy()
    small.thumbnail((side_px, side_px), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=82, method=2)
    return out.getvalue()
