"""What strangers may make a page spend: memory for the worst pictures, and what many requests leave behind.

    python benchmarks/in_bounds.py pictures

pictures: three PNGs of 10,000 x 10,000 pixels with transparency, of 400 kB each, are uploaded at once, looked
at and aligned with a text; by how much the largest memory of the page's process grows.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import tempfile
import time
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common import running

SERVE = [sys.executable, "-m", "mmdemo", "serve"]
SIDE_PX = 10_000
WORST = 3
TIMEOUT_S = 300


def huge_png(number: int) -> bytes:
    """A large picture of one colour, of its own by its number."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = b"\0" + bytes([number, 90, 160, 200]) * SIDE_PX
    packed = b"".join(packer.compress(row) for _ in range(SIDE_PX)) + packer.flush()
    header = struct.pack(">IIBBBBB", SIDE_PX, SIDE_PX, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def post(address: str, path: str, body: bytes, kind: str = "application/json") -> dict[str, Any]:
    """The JSON that a page answers."""
    request = urllib.request.Request(f"{address}mmdemo/{path}", body, {"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        return dict(json.load(answer))


def memory_mb(pid: int, which: str) -> float:
    """VmRSS or VmHWM, the memory of a process now and at its most."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(which)) / 1000


def align(address: str, picture: bytes) -> None:
    """Upload a picture, look at it and align it."""
    item = post(address, "upload?name=p.png&task=image-text", picture, "image/png")["item"]
    urllib.request.urlopen(f"{address}mmdemo/thumb/{item}", timeout=TIMEOUT_S).read()
    post(address, "api/align", json.dumps({"item": item, "texts": ["a wall"]}).encode())


def pictures(address: str, pid: int) -> None:
    """The worst pictures at once."""
    small = (Path(__file__).resolve().parent.parent / "assets" / "photos" / "coffee.jpg").read_bytes()
    align(address, small)  # the model is loaded
    before = memory_mb(pid, "VmHWM")
    worst = [huge_png(i) for i in range(WORST)]
    begun = time.perf_counter()
    with ThreadPoolExecutor(WORST) as pool:
        list(pool.map(lambda data: align(address, data), worst))
    print(f"{WORST} pictures of {len(worst[0]) / 1000:.0f} kB in {time.perf_counter() - begun:.1f} s:")
    print(f"  {memory_mb(pid, 'VmHWM') - before:.0f} MB more than the {before:.0f} MB before")


MEASURED = {"pictures": pictures}


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=list(MEASURED))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        variables = {"MMDEMO_WORKSPACE": folder, "MMDEMO_DEVICE": "cpu"}
        with running(SERVE, variables) as (process, address, _):
            MEASURED[asked.what](address, process.pid)


if __name__ == "__main__":
    main()
