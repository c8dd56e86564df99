"""Damaged files of twenty-three formats through an import and through the page.

    python benchmarks/damaged_files.py
    python benchmarks/damaged_files.py --files 2500 --seed 2

Bits are flipped, ends are cut off, parts doubled, tags and lengths changed. Each file is imported as a source
of its own, and media are uploaded as a visitor does and looked at. Told are the faults, which are tracebacks
in the log, answers of a page that broke, and files that took over five seconds; how long the slowest file
took; and by how much the largest memory of the process grew after the first tenth of the files.
"""

from __future__ import annotations

import argparse
import logging
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import common  # noqa: F401  finds the package

from mmdemo.service.app import App
from mmdemo.settings import load_settings
from tests.damaged import Takes, damaged, whole_files

LONGEST_S = 5.0


def peak_mb() -> float:
    """The largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


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
        begun, early = time.perf_counter(), 0.0
        for number in range(wanted.files):
            name = names[number % len(names)]
            takes.take(name, damaged(files[name], chance))
            if number == wanted.files // 10:
                early = peak_mb()
        told = takes.told
        app.close()
    print(f"{told.files} damaged files of {len(names)} formats in {time.perf_counter() - begun:.0f} s:")
    print(f"  {told.imported} were imported, {told.uploaded} looked at, the others refused in a sentence")
    print(
        f"  the slowest took {told.slowest_s:.1f} s; memory grew by {peak_mb() - early:.0f} MB from {early:.0f} MB"
    )
    print(f"  {len(told.faults)} faults", *told.faults[:40], sep="\n    ")
    return 1 if told.faults else 0


if __name__ == "__main__":
    sys.exit(main())
