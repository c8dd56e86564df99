"""Pixels as they are meant: by their profile, their depth, their transparency."""

from __future__ import annotations

import io
import itertools
import logging
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from mmdemo.media.image import decode_image
from mmdemo.media.told_rarely import ToldRarely
from tests.media.test_image import saved

D50 = (0.9642, 1.0, 0.8249)
ADOBE = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))  # red, green, blue


def number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def xyz(value: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(map(number, value))


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + b"\0\0"


def profile(
    space: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ", kind: bytes = b"mntr"
) -> bytes:
    """An ICC profile, version 2, of these tags."""
    said = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"t\0" + b"\0" * 79
    tags = {b"desc": said, b"wtpt": xyz(D50), b"cprt": b"text\0\0\0\0x\0\0\0", **tags}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + b"\0" * (-len(data) % 4)
    whole = struct.pack(">I", len(tags)) + table + body
    head = struct.pack(">I", 128 + len(whole)) + b"\0\0\0\0\x02\x10\0\0" + kind + space + connection
    head += b"\0" * 12 + b"acsp" + b"\0" * 28 + b"".join(map(number, D50))
    return head.ljust(128, b"\0") + whole


def wide_rgb() -> bytes:
    colours = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), map(xyz, ADOBE), strict=True))
    return profile(b"RGB ", colours | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma(2.2)))


def inks() -> bytes:
    """A press whose black ink is red, and whose other inks are none: no guess would do that."""
    same = bytes(range(256))
    nodes = b"".join(
        bytes((130, 208, 195)) if k else bytes((255, 128, 128))
        for *_, k in itertools.product((0, 1), repeat=4)
    )
    lut = b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + b"".join(number(v) for v in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    return profile(b"CMYK", {b"A2B0": lut + same * 4 + nodes + same * 3}, b"Lab ", b"prtr")


def seen(image: Image.Image, kind: str, **options: object) -> tuple[int, ...]:
    """The colour in the middle of what is decoded of it."""
    shown = decode_image(saved(image, kind, **options))
    return shown.getpixel((shown.width // 2, shown.height // 2))  # type: ignore[return-value]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF"])
def test_a_wide_profile_is_taken_to_srgb_whatever_the_format(kind: str) -> None:
    options = {"quality": 100} if kind in {"JPEG", "AVIF"} else {"lossless": True} if kind == "WEBP" else {}
    plain = Image.new("RGB", (32, 32), (80, 160, 90))
    assert seen(plain, kind, **options) == pytest.approx((80, 160, 90), abs=3)
    red, green, blue = seen(plain, kind, icc_profile=wide_rgb(), **options)
    assert red < 40 and green == pytest.approx(161, abs=4) and blue == pytest.approx(84, abs=5)


def test_a_palette_and_what_is_half_transparent_follow_the_profile_too() -> None:
    plain = Image.new("RGB", (8, 8), (80, 160, 90))
    opaque = seen(plain, "PNG", icc_profile=wide_rgb())
    assert seen(plain.quantize(4), "PNG", icc_profile=wide_rgb()) == opaque
    half = plain.copy()
    half.putalpha(128)
    expected = tuple(round(127 / 255 * 255 + 128 / 255 * value) for value in opaque)
    assert seen(half, "PNG", icc_profile=wide_rgb()) == pytest.approx(expected, abs=1)
    clear = Image.new("P", (8, 8), 1)
    clear.putpalette([255, 0, 0, 0, 0, 255])
    assert seen(clear, "PNG", transparency=1) == (255, 255, 255)


def test_grey_with_a_profile_is_as_light_as_it_is_meant() -> None:
    grey = profile(b"GRAY", {b"kTRC": gamma(1.0)})
    assert seen(Image.new("L", (8, 8), 55), "PNG", icc_profile=grey) == pytest.approx((128,) * 3, abs=3)
    deep = Image.fromarray(np.full((8, 8), 55 * 257, np.uint16))
    assert seen(deep, "PNG", icc_profile=grey) == pytest.approx((128,) * 3, abs=3)
    assert seen(Image.new("L", (8, 8), 55), "JPEG", icc_profile=wide_rgb())[0] == pytest.approx(55, abs=9)


def test_inks_are_what_their_profile_says() -> None:
    black = Image.new("CMYK", (8, 8), (0, 0, 0, 255))
    assert max(seen(black, "TIFF")) < 60
    red, green, blue = seen(black, "TIFF", icc_profile=inks())
    assert red > 200 and green < 60 and blue < 60
    assert seen(black, "JPEG", icc_profile=inks(), quality=100)[0] > 200


def test_lab_is_a_picture_like_any_other() -> None:
    plain = Image.new("RGB", (8, 8), (200, 40, 90))
    change = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(plain, change)
    assert lab is not None
    assert seen(lab, "TIFF") == pytest.approx((200, 40, 90), abs=4)


@pytest.mark.parametrize("broken", [b"", b"no profile", wide_rgb()[:150], inks()])
def test_a_profile_that_cannot_be_used_does_not_stop_the_decoding(broken: bytes) -> None:
    assert seen(Image.new("RGB", (8, 8), (80, 160, 90)), "PNG", icc_profile=broken) == (80, 160, 90)


def ramp(most: int, kind: type = np.uint16) -> Image.Image:
    return Image.fromarray(np.linspace(0, most, 256).astype(kind)[None].repeat(8, 0))


@pytest.mark.parametrize(
    ("picture", "format", "lightest"),
    [
        (ramp(65_535), "PNG", 255),
        (ramp(4_095), "PNG", 255),
        (ramp(4_095), "TIFF", 255),
        (ramp(200), "PNG", 1),
        (ramp(200), "TIFF", 1),
        (ramp(255, np.int32), "TIFF", 255),
        (ramp(4_095, np.int32), "TIFF", 255),
        (ramp(65_535, np.int32), "TIFF", 255),
        (ramp(2**30, np.int32), "TIFF", 255),
        (ramp(1, np.float32), "TIFF", 255),
        (ramp(255, np.float32), "TIFF", 255),
        (ramp(4_095, np.float32), "TIFF", 255),
    ],
)
def test_grey_of_any_depth_is_seen_by_one_scale(picture: Image.Image, format: str, lightest: int) -> None:
    shown = np.asarray(decode_image(saved(picture, format)))
    assert shown[0, 0, 0] == 0 and shown[0, -1, 0] == lightest
    assert shown[0, 128, 0] == pytest.approx(lightest / 2, abs=1.5)


def test_numbers_below_0_and_gaps_in_a_picture_of_floats_leave_the_rest_as_it_is() -> None:
    values = np.linspace(-1, 1, 256).astype(np.float32)[None].repeat(8, 0)
    values[3, 10:13] = np.nan, np.inf, -np.inf
    shown = np.asarray(decode_image(saved(Image.fromarray(values), "TIFF")))[..., 0]
    assert (shown[0, 0], shown[0, -1]) == (0, 255) and shown[0, 128] == pytest.approx(128, abs=1)
    assert shown[3, 10:13].tolist() == [0, 255, 0]
    nothing = np.full((8, 8), np.nan, np.float32)
    assert not np.asarray(decode_image(saved(Image.fromarray(nothing), "TIFF"))).any()


def test_grey_of_16_bits_whose_0_is_white_is_not_seen_as_a_negative() -> None:
    data = bytearray(saved(ramp(65_535), "TIFF"))
    at = data.index(struct.pack("<HHI", 262, 3, 1)) + 8
    data[at : at + 2] = struct.pack("<H", 0)
    shown = np.asarray(decode_image(bytes(data)))
    assert (shown[0, 0, 0], shown[0, -1, 0]) == (255, 0)


def test_a_dark_picture_in_a_format_that_tells_its_depth_stays_dark() -> None:
    dark = b"P5 256 8 65535\n" + np.asarray(ramp(3000)).astype(">u2").tobytes()
    assert np.asarray(decode_image(dark)).max() == pytest.approx(12, abs=1)
    out = io.BytesIO()
    ramp(3000).save(out, "JPEG2000")
    assert np.asarray(decode_image(out.getvalue())).max() == pytest.approx(12, abs=1)


def test_a_profile_or_an_orientation_that_cannot_be_read_is_told_in_a_line_without_the_file_s_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "mmdemo")
    for module in ("colour", "image"):
        monkeypatch.setattr(f"mmdemo.media.{module}.TOLD", ToldRarely(logging.getLogger("mmdemo.media")))
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x04abc\0\0\0\0\0"  # a text
    file = tmp_path / "my test result.jpg"
    file.write_bytes(saved(Image.new("RGB", (8, 8)), "JPEG", icc_profile=b"none", exif=exif))
    for _ in range(3):  # and once, however often it is decoded
        assert decode_image(file).size == (8, 8)
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2 and "result" not in caplog.text and "Traceback" not in caplog.text, told
