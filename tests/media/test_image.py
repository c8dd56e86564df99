from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmdemo.errors import MediaError
from mmdemo.media.image import decode_image, pixels, probe_image, thumbnail
from mmdemo.modality import MODALITIES
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from tests.conftest import drawing, png


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def test_a_renamed_pdf_is_called_no_picture() -> None:
    with pytest.raises(MediaError, match="not a picture that can be read"):
        decode_image(b"%PDF-1.7 and so on")


def test_an_empty_file_is_called_empty() -> None:
    with pytest.raises(MediaError, match="empty"):
        decode_image(b"")


def test_a_truncated_picture_is_called_cut_off() -> None:
    data = drawing("mosquito").read_bytes()
    with pytest.raises(MediaError, match="cut off or damaged"):
        decode_image(data[: len(data) // 2])


def test_a_bomb_is_refused_before_its_pixels_are_decoded() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    with pytest.raises(MediaError, match="30000 x 30000 pixels, over the limit of 100 megapixels"):
        decode_image(bomb)


def test_of_an_animation_the_first_frame_counts() -> None:
    frames = [Image.new("RGB", (8, 8), c) for c in ("red", "blue")]
    image = decode_image(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert image.getpixel((4, 4)) == (255, 0, 0)


def test_cmyk_and_16_bit_become_8_bit_rgb() -> None:
    assert decode_image(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")).getpixel((4, 4))[0] > 200
    deep = Image.fromarray(np.full((8, 8), 32_768, np.uint16))
    value = decode_image(saved(deep, "PNG")).getpixel((4, 4))
    assert value[0] == value[1] == value[2] and abs(value[0] - 127) <= 1


def test_exif_turns_the_picture_upright() -> None:
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[274] = 6  # rotated by 90 degrees
    assert decode_image(saved(image, "JPEG", exif=exif)).size == (20, 40)


def test_what_is_transparent_becomes_white() -> None:
    assert decode_image(saved(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "PNG")).getpixel((1, 1)) == (
        255,
        255,
        255,
    )


def test_a_large_jpeg_may_be_decoded_smaller_but_never_below_what_is_asked() -> None:
    data = saved(Image.new("RGB", (2000, 1500), "green"), "JPEG")
    assert min(decode_image(data, at_least_px=224).size) in range(224, 1000)
    assert decode_image(data).size == (2000, 1500)


def test_the_suffix_follows_the_bytes_and_not_the_name() -> None:
    assert probe_image(png()).suffix == ".png"
    assert probe_image(drawing("mosquito").read_bytes()).suffix == ".jpg"


def test_pixels_are_channels_first_between_minus_one_and_one() -> None:
    values = pixels(decode_image(png((255, 0, 0))), 16)
    assert values.shape == (3, 16, 16) and values.dtype == np.float32
    assert values[0].min() == 1.0 and values[1].max() == -1.0


def test_a_thumbnail_keeps_the_shape_and_never_grows() -> None:
    small = Image.open(io.BytesIO(thumbnail(Image.new("RGB", (1000, 500)), 320)))
    assert small.size == (320, 160)
    assert Image.open(io.BytesIO(thumbnail(Image.new("RGB", (10, 10)), 320))).size == (10, 10)


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"no\.jpg does not exist"):
        decode_image(tmp_path / "no.jpg")


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            r"it is a HEIC picture that is damaged, .* Export it as a JPEG",
        ),
        (b"\0\0\0\x1cftypmif1\0\0\0\0", "it is a HEIC picture"),
        (b"\xff\x0a\x30\x54", r"it is a JPEG XL picture\. Save it as a JPEG"),
        (b"\0\0\0\x0cJXL \x0d\x0a\x87\x0a", "it is a JPEG XL picture"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"<svg xmlns=", "a drawing in SVG"),
    ],
)
def test_a_picture_in_a_format_that_is_not_read_is_called_by_its_name_with_what_to_do(
    tmp_path: Path, head: bytes, told: str
) -> None:
    path = tmp_path / "IMG_0001.HEIC"
    path.write_bytes(head + b"\0" * 100)
    with pytest.raises(MediaError, match=rf"^IMG_0001\.HEIC is not a picture that can be read: .*{told}"):
        probe_image(path)
    assert MODALITIES.get("image").claims(path)


def test_of_what_moves_or_has_pages_the_first_is_looked_at_and_that_is_told(app: App) -> None:
    frames = [Image.new("RGB", (40, 40), c) for c in ("red", "blue", "lime")]
    more: dict[str, object] = {"save_all": True, "append_images": frames[1:]}
    for kind, told in (
        ("GIF", "moves"),
        ("PNG", "moves"),
        ("WEBP", "moves"),
        ("AVIF", "moves"),
        ("TIFF", "several pages"),
    ):
        item = app.ws.add_media("image", saved(frames[0], kind, **more), f"moves.{kind}", source="test")
        assert told in app.media.not_looked_at(item) and "first" in app.media.not_looked_at(item)
        with Image.open(app.ws.thumbnail(item, 320)) as shown:
            red, green, blue = shown.convert("RGB").getpixel((20, 20))
            assert red > 200 > 60 > max(green, blue)
    still = app.ws.add_media("image", saved(frames[0], "PNG"), "still.png", source="test")
    assert app.media.not_looked_at(still) == ""
    moving = next(i for i in app.ws.items.listed("image") if i.name == "moves.GIF")
    assert "moves" in ask(app, "explain", item=moving.id, texts="red")["note"]
    assert "moves" in app.media.align(moving, ["red"])["note"]
