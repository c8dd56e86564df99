"""What a picture will take when it is decoded, by what its file declares: asked before any pixel is decoded.

Only formats that are named here are opened; icons are none, for Pillow decodes them while it opens them. A
file says its size in its header, and some say another one in a part within: both are looked at.
"""

from __future__ import annotations

import re
import struct
from typing import IO, Any

from PIL import ImageFile

from mmdemo.errors import MediaError
from mmdemo.media.decode_budget import MOST_BYTES

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "PPM", "JPEG2000", "TGA", "HEIF")
# Bytes a pixel that a decoder holds beside the picture that it fills, as its source says: canvases of an
# animation (WebP), planes and their RGBA (AVIF, HEIF), a whole number a sample (JPEG 2000), a strip or a tile
# (TIFF).
OF_DECODER = {"WEBP": 12, "AVIF": 10, "HEIF": 10, "JPEG2000": 20, "TIFF": 4}
LONGEST_LEAP = 255  # rows that an escape of run-length coded BMP leaps over, the picture's last row too
OF_LEAP = 3  # bytes a pixel of what Pillow's decoder of that fills: what grows, what is added, and a copy
COEFFICIENT_BYTES = 2  # of each sample, while a JPEG that comes in several scans is not whole
MOST_SCANS = 100  # of a JPEG: programs write ten, and each costs a walk over the whole picture
TILE_BEYOND_PX = 1024  # how much larger than the picture a tile of TIFF may be
TILE_SIDES = (322, 323)  # the tags TileWidth and TileLength
BYTES_A_MEGAPIXEL = 6_400_000  # that a picture at the limit of megapixels may take, in any format
SMALL_BLOCKS = (
    130  # bytes a pixel of JPEG 2000 that is coded in blocks of 4 x 4: each has its own bookkeeping
)
LEAST_BLOCK = 10  # log2 of the samples of a block, below which it is that: programs write 32 x 32 and 64 x 64
CODING = re.compile(rb"\xff(?:\x52\x00.{7}|\x53\x00.{4,5})(..)", re.DOTALL)  # COD, COC: exponents less 2
CODESTREAM = b"\xff\x4f\xff\x51"  # where one of JPEG 2000 begins, with its size
START_OF_SCAN = b"\xff\xda"
READ_AT_ONCE = 1 << 20


def bytes_a_pixel(mode: str) -> int:
    """How Pillow keeps a pixel."""
    return 1 if mode in {"1", "L", "P"} else 2 if mode.startswith("I;16") else 4


def require_in_bounds(opened: ImageFile.ImageFile, name: str, max_megapixels: int) -> int:
    """Refuse a picture that declares more than may be decoded; returns the bytes that its decoder will hold
    beside the picture that it fills.

    Raises:
        MediaError: it is too large, or its parts contradict each other.
    """
    for width, height in (opened.size, _size_within(opened)):
        if width * height > max_megapixels * 1_000_000:
            raise MediaError(
                f"{name} is {width} x {height} pixels, over the limit of {max_megapixels} megapixels.",
                "Make it smaller first.",
            )
    if opened.format == "TIFF" and _has_giant_tiles(opened):
        raise MediaError(f"{name} has tiles that are larger than the picture.", "Save it again as a PNG.")
    width, height = opened.size
    held = width * height * OF_DECODER.get(opened.format or "", 0)
    if opened.format == "JPEG2000" and _has_small_blocks(opened.fp):
        held = width * height * SMALL_BLOCKS
    if any(tile[0] == "bmp_rle" for tile in opened.tile):
        held = (height + LONGEST_LEAP) * width * OF_LEAP
    if opened.format in {"JPEG", "MPO"}:
        scans = _scans(opened.fp)
        if scans > MOST_SCANS:
            raise MediaError(f"{name} has over {MOST_SCANS} scans.", "Save it again.")
        if scans > 1:  # its decoder keeps all of them until the end; a preview within the file looks alike
            held = width * height * len(opened.getbands()) * COEFFICIENT_BYTES
    if held > max(MOST_BYTES, max_megapixels * BYTES_A_MEGAPIXEL):
        raise MediaError(
            f"{name} is {width} x {height} pixels as {opened.format}, which takes {held / 1e6:.0f} MB.",
            "Make it smaller, or save it as a PNG or JPEG.",
        )
    return held


def _size_within(opened: ImageFile.ImageFile) -> tuple[int, int]:
    """The size that a part within the file declares, where it may be another; else that of the file."""
    if opened.format == "JPEG2000":
        head = _beginning(opened.fp)
        at = head.find(CODESTREAM)
        if at >= 0 and len(head) >= at + 24:
            right, bottom, left, top = struct.unpack_from(">IIII", head, at + 8)
            return max(0, right - left), max(0, bottom - top)
    return opened.size


def _has_giant_tiles(opened: Any) -> bool:
    longest = max(opened.size) + TILE_BEYOND_PX
    return any(int(opened.tag_v2.get(tag) or 0) > longest for tag in TILE_SIDES)


def _has_small_blocks(file: IO[bytes] | None) -> bool:
    """Whether a picture, one of its components or of its tiles may be coded in very small blocks."""
    if file is None:
        return False
    at, last = file.tell(), b""
    file.seek(0)
    try:
        while part := file.read(READ_AT_ONCE):
            for found in CODING.finditer(last + part):
                width, height = found.group(1)
                if width + 2 + height + 2 < LEAST_BLOCK and max(width, height) <= 8:
                    return True
            last = part[-16:]
        return False
    finally:
        file.seek(at)


def _scans(file: IO[bytes] | None) -> int:
    """How many scans a JPEG has at most: within one, this marker cannot occur."""
    if file is None:
        return 0
    at, found, last = file.tell(), 0, b""
    file.seek(0)
    while part := file.read(READ_AT_ONCE):
        found += (last + part).count(START_OF_SCAN)
        last = part[-1:]
    file.seek(at)
    return found


def _beginning(file: IO[bytes] | None) -> bytes:
    if file is None:
        return b""
    at = file.tell()
    file.seek(0)
    head = file.read(READ_AT_ONCE)
    file.seek(at)
    return head
