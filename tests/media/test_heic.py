"""HEIC, as phones write it, is read as it is meant, in the bounds of every picture."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from mmdemo.asker import Asker, asking
from mmdemo.data.exporting import export_labels
from mmdemo.data.importing import import_source
from mmdemo.errors import MediaError
from mmdemo.media.image import decode_image, not_looked_at, probe_image
from mmdemo.media.trial import probed
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK
from tests.heic import heic, painted
from tests.media.test_decoding import entry

NEAR = 12  # of 255


def colours(image: Image.Image) -> list[tuple[int, ...]]:
    """Those in the middle of the quarters, in the order of `painted`."""
    width, height = image.size
    return [image.getpixel((width * x // 4, height * y // 4)) for y in (1, 3) for x in (1, 3)]  # type: ignore[misc]


def assert_alike(image: Image.Image, meant: Image.Image) -> None:
    assert image.size == meant.size
    assert np.abs(np.array(colours(image)) - np.array(colours(meant))).max() <= NEAR


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("tile_px", [None, 64])
def test_a_photograph_of_a_phone_is_upright_whatever_its_exif_says_beside_its_container(
    bits: int, tile_px: int | None
) -> None:
    picture = painted(192, 128)
    data = heic(picture, turned=3, exif=entry(3, 1, b"\6"), bits=bits, tile_px=tile_px)
    assert_alike(decode_image(data), picture.rotate(-90, expand=True))
    facts = probe_image(data)
    assert (facts.width, facts.height, facts.suffix) == (128, 192, ".heic")


@pytest.mark.parametrize("brand", [b"mif1", b"msf1", b"heix", b"hevc"])
def test_it_is_read_whatever_its_file_calls_itself(brand: bytes) -> None:
    assert_alike(decode_image(heic(painted(64, 64), brand=brand)), painted(64, 64))


def test_a_folder_of_a_phone_comes_in_and_leaves_as_it_was(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "DCIM").mkdir()
    data = heic(painted(64, 64))
    (tmp_path / "DCIM" / "IMG_0001.HEIC").write_bytes(data)
    (tmp_path / "DCIM" / "IMG_0001.txt").write_text("four colours")
    report = import_source(ws, str(tmp_path / "DCIM"), TASK, "match")
    assert (report.imported, report.skipped) == (1, [])
    export_labels(ws, tmp_path / "out", TASK, "jsonl")
    (sent,) = (path for path in (tmp_path / "out").rglob("*") if path.suffix.lower() == ".heic")
    assert sent.name.startswith("IMG_0001") and sent.read_bytes() == data


def test_its_colours_are_those_of_its_profile() -> None:
    swapped = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    # a profile whose red is sRGB's blue, and the other way round
    red, blue = swapped.find(b"rXYZ"), swapped.find(b"bXYZ")
    named = bytearray(swapped)
    named[red : red + 4], named[blue : blue + 4] = b"bXYZ", b"rXYZ"
    first, _, third, _ = colours(decode_image(heic(painted(128, 128), profile=bytes(named))))
    assert first[2] > 150 and first[0] < 80 and third[0] > 150 and third[2] < 80


def test_of_several_pictures_the_main_one_is_looked_at_and_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "burst.heic"
    path.write_bytes(heic(painted(64, 64), others=[Image.new("RGB", (64, 64), "white")]))
    assert_alike(decode_image(path), painted(64, 64))
    assert not_looked_at(path) == "This file has several pictures: only the main one is looked at."
    path.write_bytes(heic(painted(64, 64)))
    assert not_looked_at(path) == ""


def test_one_that_is_too_large_or_damaged_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "IMG_0001.HEIC"
    data = heic(painted(128, 128))
    path.write_bytes(data)
    with pytest.raises(
        MediaError, match=r"^IMG_0001\.HEIC is 128 x 128 pixels, over the limit of 0 megapixels"
    ):
        probe_image(path, 0)
    for damaged in (data[:-200], data[: len(data) // 3], data.replace(b"hvcC", b"hvcX")):
        path.write_bytes(damaged)
        with pytest.raises(MediaError, match=r"^IMG_0001\.HEIC .*\.$"):
            probe_image(path)


@pytest.mark.parametrize("said", [(64, 64), (9000, 9000), (30_000, 30_000)])
def test_one_whose_container_says_another_size_than_is_coded_in_it_is_refused(said: tuple[int, int]) -> None:
    meant = struct.pack(">II", 128, 128)
    with pytest.raises(MediaError, match=r"damaged|megapixels|which takes"):
        decode_image(heic(painted(128, 128)).replace(meant, struct.pack(">II", *said)))
    tiled = heic(painted(128, 128), tile_px=64)
    grid = struct.pack(">BBHH", 1, 1, 128, 128)
    assert grid in tiled
    with pytest.raises(MediaError):
        decode_image(tiled.replace(grid, struct.pack(">BBHH", 1, 1, *said)))


def test_a_visitors_is_tried_in_a_process_of_its_own_and_has_a_thumbnail(ws: Workspace) -> None:
    data = heic(painted(192, 128), turned=1)
    with asking(Asker("viewer", "one's")):
        assert probed("image", data, 1).width == 128
        item = ws.add_media("image", data, "IMG_0001.HEIC", source="test", listed=False)
        assert item.suffix == ".heic"
        with Image.open(ws.thumbnail(item, 320)) as small:
            assert small.format == "WEBP"
            assert_alike(small.convert("RGB"), painted(192, 128).rotate(90, expand=True))
    assert io.BytesIO(ws.media_path(item).read_bytes()).read() == data
