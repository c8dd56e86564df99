"""Damaged files of twenty-three formats through an import and through the page.

    python benchmarks/damaged_files.py
    python benchmarks/damaged_files.py --files 2500 --seed 2

Bits are flipped, ends are cut off, parts doubled, tags and lengths changed. Each file is imported as a source
of its own, and media are uploaded as a visitor does and looked at. Told are the faults, which are tracebacks
in the log, answers of a page that broke, and files that took over five seconds; how long the slowest file
took; and what the process held after each quarter of the files.
"""

from __future__ import annotations

import argparse
import gc
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

import common  # noqa: F401  finds the package
import psutil

from mmdemo.service.app import App
from mmdemo.settings import load_settings
from tests.damaged import Takes, damaged, whole_files

LONGEST_S = 5.0


def memory_mb() -> float:
    """What this process holds, less what only waits to be collected."""
    gc.collect()
    return psutil.Process().memory_info().rss / 1e6


def main() -> int:
    """Take so many files; the exit status is 1 where one of them is a fault."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    logging.getLogger("httpx").setLevel(logging.WARNING)
    chance, files = random.Random(wanted.seed), whole_files()
    names = sorted(files)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "in"
        folder.mkdir()
        app = App(load_settings({}, workspace=Path(place) / "workspace", samples=False, device="cpu"))
        takes = Takes(app, folder, LONGEST_S)
        begun, memory = time.perf_counter(), list[float]()
        for number in range(wanted.files):
            name = names[number % len(names)]
            takes.take(name, damaged(files[name], chance))
            if (number + 1) % (wanted.files // 4) == 0:
                memory.append(memory_mb())
        told = takes.told
        app.close()
    print(f"{told.files} damaged files of {len(names)} formats in {time.perf_counter() - begun:.0f} s:")
    print(f"  {told.imported} were imported, {told.uploaded} looked at, the others refused in a sentence")
    print(f"  the slowest took {told.slowest_s:.1f} s")
    print("  memory after each quarter:", ", ".join(f"{mb:.0f} MB" for mb in memory))
    print(f"  {len(told.faults)} faults", *told.faults[:40], sep="\n    ")
    return 1 if told.faults else 0


if __name__ == "__main__":
    sys.exit(main())
