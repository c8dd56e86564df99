"""Bytes to pixels: one way in for every picture, with its limits, and thumbnails on the way out."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from mmdemo.errors import MediaError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "JPEG2000", "ICO", "TGA")
MAX_MEGAPIXELS = 100

# Pillow's own guard raises inside Image.open, before the size is known; ours is checked right after, before
# a single pixel is decoded, and can say how large the picture is.
Image.MAX_IMAGE_PIXELS = None
ImageFile.LOAD_TRUNCATED_IMAGES = False


def decode_image(
    source: bytes | Path,
    *,
    at_least_px: int | None = None,
    max_megapixels: int = MAX_MEGAPIXELS,
) -> Image.Image:
    """A picture as 8-bit RGB, upright, transparency on white; the first frame of an animation.

    Args:
        source: the file's bytes or its path.
        at_least_px: a JPEG may be decoded at a reduced size as long as both sides keep this many pixels,
            which is what makes embedding large photographs quick.
        max_megapixels: a larger picture is refused before its pixels are decoded.

    Raises:
        MediaError: not a picture, truncated, or too large, in one sentence.
    """
    name = source.name if isinstance(source, Path) else "This file"
    if isinstance(source, bytes) and not source:
        raise MediaError("This file is empty.", "Choose another one.")
    try:
        opened = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as e:
        if isinstance(e, FileNotFoundError):
            raise MediaError(f"{name} does not exist.", "Check the path.") from e
        raise MediaError(
            f"{name} is not a picture that can be read.",
            "Use a JPEG, PNG, WebP, GIF, TIFF, BMP or AVIF file.",
        ) from e
    with opened:
        width, height = opened.size
        if width * height > max_megapixels * 1_000_000:
            raise MediaError(
                f"{name} is {width} x {height} pixels, over the limit of {max_megapixels} megapixels.",
                "Make it smaller first.",
            )
        try:
            if at_least_px and opened.format == "JPEG":
                opened.draft("RGB", (at_least_px, at_least_px))
            opened.load()
            return _to_rgb(ImageOps.exif_transpose(opened))
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as e:
            raise MediaError(f"{name} is cut off or damaged.", "Export or download it again.") from e


def image_suffix(source: bytes | Path) -> str:
    """The suffix that fits the bytes, whatever the file was called; .img for what is no picture."""
    try:
        with Image.open(
            io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS
        ) as image:
            name = (image.format or "img").lower()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        name = "img"
    return {"jpeg": ".jpg", "mpo": ".jpg", "jpeg2000": ".jp2", "tiff": ".tif"}.get(name, f".{name}")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode in {"I", "F"}:
        values = np.asarray(image, dtype=np.float32)
        if image.mode == "F" and values.size and values.max() <= 1.0:
            values = values * 255.0
        elif values.size and values.max() > 255:
            values = values / 257.0  # 65535 / 255
        return Image.fromarray(values.clip(0, 255).astype(np.uint8), "L").convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        return Image.alpha_composite(white, layer).convert("RGB")
    return image.convert("RGB")


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
