"""Small pictures with a table, as many a second as go into the collection; beside Label Studio's import of
the same folder by its local storage, where MMDEMO_LABEL_STUDIO_PYTHON names a Python that has it. Each in
turn, in parts, so that both see the same machine.

python benchmarks/importing.py                     copies, by reference and Label Studio: pictures a second
python benchmarks/importing.py --memory 100000     what the import of so many by reference holds, and how long
                                                   labels wait beside it
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # `common` would bring PyTorch's memory

from mmdemo.data.importing import Order, Watch, carry_out, import_source
from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.store.workspace import Workspace

TASK, SIDE_PX, TINY_PX = "image-text", 64, 8
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def pictures(folder: Path, count: int, first: int = 0, side_px: int = SIDE_PX) -> Path:
    """Write so many JPEGs of noise, no two alike, with a table of a text each."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(first)
    with (folder / "metadata.csv").open("w", newline="") as f:
        table = csv.writer(f)
        table.writerow(["file_name", "text"])
        for number in range(first, first + count):
            noise = random.integers(0, 256, (side_px, side_px, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"{number:06}.jpg", quality=80)
            table.writerow([f"{number:06}.jpg", f"picture number {number}"])
    return folder


def ours(ws: Workspace, folder: Path, outside: bool = False) -> float:
    """Seconds of an import, with its files and rows on disk."""
    begun = time.perf_counter()
    report = import_source(ws, str(folder), TASK, outside=outside)
    spent = time.perf_counter() - begun
    assert not report.skipped, report.skipped[:3]
    return spent


def label_studio(python: str, data: Path, folder: Path) -> float:
    """Seconds of Label Studio's import."""
    script = Path(__file__).with_name("label_studio_sync.py")
    done = subprocess.run([python, script, data, folder], capture_output=True, text=True, check=True)
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["tasks"] == len(list(folder.glob("*.jpg"))), told
    return float(told["seconds"])


def compare(count: int, parts: int) -> None:
    """Print pictures a second of each, whose turns come part by part."""
    python = os.environ.get("MMDEMO_LABEL_STUDIO_PYTHON", "")
    spent: dict[str, list[float]] = {"copies": [], "by reference": [], "again": []}
    with tempfile.TemporaryDirectory() as place:
        base = Path(place)
        copies, outside = (
            Workspace(load_settings({}, workspace=base / name, samples=False)) for name in ("w", "v")
        )
        for part in range(parts):
            folder = pictures(base / f"in-{part}", count // parts, part * (count // parts))
            spent["copies"].append(ours(copies, folder))
            if python:
                data = base / f"label-studio-{part}"
                data.mkdir()
                spent.setdefault("Label Studio", []).append(label_studio(python, data, folder))
            spent["by reference"].append(ours(outside, folder, True))
            spent["again"].append(ours(copies, folder))
        copies.close()
        outside.close()
    theirs = sum(spent.get("Label Studio", []))
    for name, seconds in spent.items():
        ratio = f", {theirs / sum(seconds):.1f} times Label Studio" if theirs else ""
        print(f"{name}: {count} pictures in {sum(seconds):.1f} s, {count / sum(seconds):.0f} a second{ratio}")


def memory(count: int) -> None:
    """Print what the process holds at shares of a large import, and how long labels wait beside it."""
    with tempfile.TemporaryDirectory() as place:
        folder = pictures(Path(place) / "in", count, side_px=TINY_PX)
        ws = Workspace(load_settings({}, workspace=Path(place) / "w", samples=False))
        item = ws.add_media("image", ASSETS / "photos" / "coffee.jpg", "a.jpg", source="bench")
        with ws.database.write() as session:
            pair, _ = ws.pairs.add(session, TASK, item.id, "a cup of coffee", source="bench")
        over, waits = threading.Event(), []

        def label() -> None:
            while not over.wait(0.2):
                begun = time.perf_counter()
                ws.labels.add(pair.id, NewLabel("match"))
                waits.append(1000 * (time.perf_counter() - begun))

        shares = [0.1, 0.25, 0.5, 0.75, 1.0]

        def progress(done: int, total: int | None) -> None:
            if shares and total and done >= shares[0] * total:
                pages = int(Path("/proc/self/statm").read_text().split()[1])
                print(f"{100 * shares.pop(0):.0f} %: {pages * PAGE_BYTES / 1e6:.0f} MB resident", flush=True)

        thread = threading.Thread(target=label)
        thread.start()
        begun = time.perf_counter()
        report = carry_out(
            ws, Order(str(folder), TASK, outside=True), Watch(progress, ledgers=ws.folder / "imports")
        )
        spent = time.perf_counter() - begun
        over.set()
        thread.join()
        ws.close()
    waits.sort()
    print(f"{report.items} pictures in {spent:.0f} s, {report.items / spent:.0f} a second")
    print(
        f"{len(waits)} labels beside it: median {statistics.median(waits):.0f} ms, 95th percentile "
        f"{waits[int(0.95 * len(waits))]:.0f} ms, longest {waits[-1]:.0f} ms until it is on disk"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--parts", type=int, default=4)
    parser.add_argument("--memory", type=int, default=0)
    options = parser.parse_args()
    if options.memory:
        memory(options.memory)
    else:
        compare(options.pictures, options.parts)
    sys.stdout.flush()
