"""Pictures that declare more than they hold, or hold more than they declare, cost no memory to speak of."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mmdemo.asker import Asker, asking
from mmdemo.errors import MediaError
from mmdemo.media.decode_budget import DecodeBudget
from mmdemo.media.image import LARGE_PX, decode_image, probe_image
from mmdemo.store.workspace import Workspace
from tests.media.test_image import saved
from tests.waiting import wait_for

MOST_MB = 450  # for three; the pixels of one are 196 MB (benchmarks/in_bounds.py has larger ones)
AT_ONCE = """
import resource, sys, threading
from pathlib import Path
from typing import Any
from mmdemo.media.image import decode_image, thumbnail

def look(path):
    thumbnail(decode_image(path), 320)

def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000

look(Path(sys.argv[1]))  # what is loaded once
before = peak_mb()
threads = [threading.Thread(target=look, args=(Path(path),)) for path in sys.argv[2:]]
for t in threads: t.start()
for t in threads: t.join()
print(peak_mb() - before)
"""


def huge_png(width: int, height: int, colour: int = 2) -> bytes:
    """A picture of one colour: RGB (2) or RGBA (6)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    row = b"\0" + b"\x40" * width * {2: 3, 6: 4}[colour]
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def webp_canvas(width: int, height: int) -> bytes:
    """An animation of one small frame on a canvas of that size."""
    frame = saved(Image.new("RGB", (8, 8), "red"), "WEBP", lossless=True)[12:]

    def chunk(kind: bytes, data: bytes) -> bytes:
        return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)

    def three(n: int) -> bytes:
        return struct.pack("<I", n)[:3]

    body = chunk(b"VP8X", b"\x02\0\0\0" + three(width - 1) + three(height - 1))
    body += chunk(b"ANIM", b"\0" * 6)
    body += chunk(b"ANMF", three(0) * 2 + three(7) * 2 + three(100) + b"\0" + frame)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


@pytest.mark.slow
def test_three_of_the_worst_pictures_at_once_take_little_more_than_one(tmp_path: Path) -> None:
    small = tmp_path / "small.png"
    small.write_bytes(saved(Image.new("RGB", (64, 64)), "PNG"))
    worst = [tmp_path / f"{i}.png" for i in range(3)]
    for path in worst:
        path.write_bytes(huge_png(7000, 7000, 6))
    assert worst[0].stat().st_size < 1_000_000
    ran = subprocess.run(
        [sys.executable, "-c", AT_ONCE, str(small), *map(str, worst)], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) < MOST_MB


def test_a_large_picture_is_handed_out_small_and_told_as_large_as_it_is() -> None:
    data = huge_png(6000, 4000, 6)
    image = decode_image(data)
    assert image.width * image.height <= LARGE_PX and image.size == (3000, 2000)
    assert image.getpixel((1500, 1000)) == (207, 207, 207)  # 0x40 of 255 opaque, on white
    assert min(decode_image(data, at_least_px=300).size) in range(300, 400)
    facts = probe_image(data)
    assert (facts.width, facts.height, facts.suffix) == (6000, 4000, ".png")


def test_strips_join_to_the_very_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 255, (700, 500, 4), dtype=np.uint8)
    data = saved(Image.fromarray(values, "RGBA"), "PNG")
    whole = decode_image(data)
    monkeypatch.setattr("mmdemo.media.image.STRIP_PX", 3000)
    assert np.array_equal(np.asarray(decode_image(data)), np.asarray(whole))
    deep = saved(Image.fromarray(rng.integers(0, 65535, (700, 500), dtype=np.uint16)), "PNG")
    by_strips = np.asarray(decode_image(deep))
    monkeypatch.undo()
    assert np.array_equal(by_strips, np.asarray(decode_image(deep)))


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_a_turned_picture_is_upright_and_so_is_its_told_size(kind: str, orientation: int) -> None:
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[274] = orientation
    options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    data = saved(image, kind, exif=exif, **options)
    upright = (40, 20) if orientation == 3 else (20, 40)
    facts = probe_image(data)
    assert decode_image(data).size == (facts.width, facts.height) == upright


def an_icon_with_a_bomb() -> bytes:
    inside = huge_png(500, 500)
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inside), 22) + inside


def a_jpeg_2000_with_another_size_within() -> bytes:
    data = saved(Image.new("RGB", (16, 16)), "JPEG2000")
    at = data.index(b"\xff\x4f\xff\x51")
    return data[: at + 8] + struct.pack(">II", 20_000, 20_000) + data[at + 16 :]


def a_tiff_with_a_giant_tile() -> bytes:
    entries = [(256, 16), (257, 16), (258, 8), (259, 8), (262, 1), (277, 1), (322, 40_000), (323, 40_000)]
    entries += [(324, 8), (325, 8)]
    body = b"II*\0" + struct.pack("<I", 16) + zlib.compress(b"")[:8].ljust(8, b"\0")
    body += struct.pack("<H", len(entries))
    return body + b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries) + b"\0" * 4


def a_jpeg_of_a_thousand_scans() -> bytes:
    data = saved(Image.new("RGB", (64, 64), "green"), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 1000 + b"\xff\xd9"


def a_bmp(width: int, height: int, coded: bytes) -> bytes:
    """Run-length coded, of 256 colours."""
    begins = 14 + 40 + 1024
    head = struct.pack("<2sIHHI", b"BM", begins + len(coded), 0, 0, begins)
    told = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(coded), 0, 0, 256, 0)
    return head + told + bytes(1024) + coded


def a_bmp_that_leaps_over_255_rows() -> bytes:
    return a_bmp(4_000_000, 1, b"\0\2\0\xff\0\1")


def test_a_run_length_coded_picture_is_read() -> None:
    assert decode_image(a_bmp(40, 2, b"\x28\1\0\0\x28\2\0\1")).size == (40, 2)


@pytest.mark.parametrize(
    ("bomb", "told"),
    [
        (a_jpeg_2000_with_another_size_within, "20000 x 20000 pixels, over the limit"),
        (a_tiff_with_a_giant_tile, "tiles that are larger than the picture"),
        (a_jpeg_of_a_thousand_scans, "over 100 scans"),
        (a_bmp_that_leaps_over_255_rows, "4000000 x 1 pixels as BMP, which takes"),
        (lambda: webp_canvas(9000, 9000), "9000 x 9000 pixels as WEBP, which takes"),
    ],
)
def test_what_is_larger_within_than_it_looks_is_refused(bomb: Callable[[], bytes], told: str) -> None:
    with pytest.raises(MediaError, match=told):
        decode_image(bomb())


@pytest.mark.parametrize(
    "data",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg" width="90000" height="90000"></svg>',
        b"8BPS\0\x01" + b"\0" * 6 + struct.pack(">HIIHH", 3, 30_000, 30_000, 8, 3),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90000 90000\n",
        b"DDS " + struct.pack("<I", 124) + b"\0" * 120,
        an_icon_with_a_bomb(),
    ],
    ids=["svg", "psd", "eps", "dds", "ico"],
)
def test_formats_that_are_not_named_are_not_opened(data: bytes) -> None:
    with pytest.raises(MediaError, match="not a picture that can be read"):
        decode_image(data)


def test_a_visitor_may_bring_25_megapixels_and_sees_what_is_larger_in_the_collection(ws: Workspace) -> None:
    item = ws.add_media("image", huge_png(6000, 5000), "large.png", source="import")
    with asking(Asker("viewer", session="s")):
        with pytest.raises(MediaError, match=r"6000 x 4400 pixels, over the limit of 25 megapixels"):
            ws.add_media("image", huge_png(6000, 4400), "mine.png", source="upload")
        assert ws.thumbnail(item, 320).is_file()


def test_no_more_bytes_and_places_are_held_than_there_are_and_all_have_their_turn() -> None:
    budget = DecodeBudget(100, at_once=3)
    held, most, done = [0, 0], [0, 0], []
    lock = threading.Lock()

    def work(needed: int) -> None:
        with budget.taken(needed):
            with lock:
                held[0], held[1] = held[0] + min(needed, 100), held[1] + 1
                most[0], most[1] = max(most[0], held[0]), max(most[1], held[1])
            threading.Event().wait(0.001)
            with lock:
                held[0], held[1] = held[0] - min(needed, 100), held[1] - 1
                done.append(needed)

    needs = [1, 60, 30, 100, 500, 10] * 8  # one needs more than there is: it has all to itself
    threads = [threading.Thread(target=work, args=(n,)) for n in needs]
    for t in threads:
        t.start()
    for t in threads:
        t.join(20)
    assert sorted(done) == sorted(needs) and most[0] <= 100 and most[1] <= 3


def test_a_large_decode_is_not_overtaken_for_ever_by_small_ones() -> None:
    budget, large_in = DecodeBudget(100, at_once=10), threading.Event()
    order: list[str] = []

    def take(name: str, needed: int) -> None:
        with budget.taken(needed):
            order.append(name)
            if name == "first":
                large_in.wait(10)

    threads = [threading.Thread(target=take, args=("first", 50))]
    threads[0].start()
    wait_for(lambda: order == ["first"])
    for name, needed in (("large", 100), ("small", 1)):
        threads.append(threading.Thread(target=take, args=(name, needed)))
        threads[-1].start()
        wait_for(lambda: len(budget._waiting) == len(threads) - 1)
    large_in.set()
    for t in threads:
        t.join(10)
    assert order == ["first", "large", "small"]


def jpeg2000(path: Path, **how: Any) -> Path:
    """One of 2,000 pixels a side."""
    Image.new("RGB", (2000, 2000)).save(path, **how)
    return path


@pytest.mark.slow
def test_a_jpeg_2000_in_tiny_blocks_that_says_it_is_large_is_refused_and_a_usual_one_is_not(
    tmp_path: Path,
) -> None:
    """Five kilobytes that took two gigabytes: each block of 4 x 4 has its own bookkeeping."""
    assert probe_image(jpeg2000(tmp_path / "usual.jp2")).width == 2000
    told = jpeg2000(tmp_path / "tiny.jp2", codeblock_size=(4, 4), num_resolutions=6)
    larger = told.read_bytes().replace((2000).to_bytes(4, "big"), (4990).to_bytes(4, "big"))
    told.write_bytes(larger)
    with pytest.raises(MediaError, match="as JPEG2000, which takes 3237 MB"):
        probe_image(told, 25)
