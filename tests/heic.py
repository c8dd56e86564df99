"""Pictures as phones write them, HEIC: HEVC in a container that says how it is shown."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from PIL import Image

HVCC, EXIF = b"hvcC", b"Exif\0\0"


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full_box(kind: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    return box(kind, bytes([version]), flags.to_bytes(3, "big"), *parts)


def coded(image: Image.Image, bits: int) -> tuple[bytes, bytes]:
    """A picture as HEVC: how its decoder is set up, and the picture itself."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx265", rate=1, options={"x265-params": "log-level=none", "crf": "4"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = image.size
        stream.pix_fmt = "yuv420p" if bits == 8 else "yuv420p10le"
        frame = av.VideoFrame.from_image(image.convert("RGB"))
        frame.pts, frame.time_base = 0, Fraction(1, 1)
        for packet in (*stream.encode(frame), *stream.encode(None)):
            packet.pts = packet.dts = 0
            out.mux(packet)
    data = file.getvalue()
    setup, media = data.find(HVCC) - 4, data.find(b"mdat") - 4
    sizes = [struct.unpack_from(">I", data, at)[0] for at in (setup, media)]
    return data[setup : setup + sizes[0]], data[media + 8 : media + sizes[1]]


def heic(
    image: Image.Image,
    *,
    turned: int = 0,
    exif: bytes = b"",
    profile: bytes = b"",
    bits: int = 8,
    tile_px: int | None = None,
    brand: bytes = b"heic",
    others: Sequence[Image.Image] = (),
) -> bytes:
    """A file with a picture.

    Args:
        image: as it is coded.
        turned: by how many quarters anticlockwise it is shown, as the container says.
        exif: a TIFF with what else is said of it.
        profile: an ICC profile.
        bits: of a sample: 8 or 10.
        tile_px: code it in squares of that side, as iPhones do; its sides are multiples of it.
        brand: what the file calls itself.
        others: further pictures in the file, of the same size.
    """
    side = tile_px or 0
    boxes = (
        [
            (x, y, x + side, y + side)
            for y in range(0, image.height, side)
            for x in range(0, image.width, side)
        ]
        if side
        else []
    )
    tiles = [image.crop(b) for b in boxes] or [image, *others]
    every = [coded(tile, bits) for tile in tiles]
    kinds, contents = [b"hvc1"] * len(every), [data for _, data in every]
    main, linked = 1, b""
    if tile_px:
        across, down = image.width // tile_px, image.height // tile_px
        kinds.append(b"grid")
        contents.append(struct.pack(">BBBBHH", 0, 0, down - 1, across - 1, image.width, image.height))
        main = len(kinds)
        ids = struct.pack(f">{len(every)}H", *range(1, main))
        linked += box(b"dimg", struct.pack(">HH", main, len(every)), ids)
    if exif:
        kinds.append(b"Exif")
        contents.append(struct.pack(">I", len(EXIF)) + EXIF + exif)
        linked += box(b"cdsc", struct.pack(">HHH", len(kinds), 1, main))

    width, height = tiles[0].size
    colour = b"prof" + profile if profile else b"nclx" + struct.pack(">HHHB", 1, 13, 6, 0)
    properties = [
        every[0][0],
        full_box(b"ispe", 0, 0, struct.pack(">II", width, height)),
        full_box(b"ispe", 0, 0, struct.pack(">II", *image.size)),
        full_box(b"pixi", 0, 0, bytes([3, bits, bits, bits])),
        box(b"colr", colour),
        box(b"irot", bytes([turned])),
    ]
    shown = {i: [0x81, 2, 4, 5, 0x86] for i, kind in enumerate(kinds, 1) if kind == b"hvc1"}
    if tile_px:
        shown = {i: [0x81, 2, 4, 5] for i in shown} | {main: [3, 4, 5, 0x86]}
    of = b"".join(struct.pack(">HB", i, len(which)) + bytes(which) for i, which in shown.items())

    def begin(first: int) -> bytes:
        """All before the data, which begins at `first`."""
        at, places, named = first, b"", b""
        for i, (kind, content) in enumerate(zip(kinds, contents, strict=True), 1):
            places += struct.pack(">HHHII", i, 0, 1, at, len(content))
            hidden = int(bool(tile_px) and kind == b"hvc1")
            named += full_box(b"infe", 2, hidden, struct.pack(">HH", i, 0), kind, b"\0")
            at += len(content)
        count = struct.pack(">H", len(kinds))
        return box(b"ftyp", brand, b"\0\0\0\0", b"mif1heic") + full_box(
            b"meta",
            0,
            0,
            full_box(b"hdlr", 0, 0, b"\0\0\0\0pict", b"\0" * 13),
            full_box(b"pitm", 0, 0, struct.pack(">H", main)),
            full_box(b"iloc", 0, 0, b"\x44\0", count, places),
            full_box(b"iinf", 0, 0, count, named),
            full_box(b"iref", 0, 0, linked) if linked else b"",
            box(
                b"iprp", box(b"ipco", *properties), full_box(b"ipma", 0, 0, struct.pack(">I", len(shown)), of)
            ),
        )

    return begin(len(begin(0)) + 8) + box(b"mdat", *contents)


def painted(width: int, height: int) -> Image.Image:
    """A picture whose quarters are red, green, blue and grey, from the left above to the right below."""
    pixels = np.zeros((height, width, 3), np.uint8)
    rows, columns = (
        (slice(0, height // 2), slice(height // 2, height)),
        (slice(0, width // 2), slice(width // 2, width)),
    )
    pixels[rows[0], columns[0]] = (200, 30, 30)
    pixels[rows[0], columns[1]] = (30, 180, 30)
    pixels[rows[1], columns[0]] = (30, 30, 200)
    pixels[rows[1], columns[1]] = 128
    return Image.fromarray(pixels)
