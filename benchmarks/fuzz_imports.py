"""Mutated inputs of every layout through an import.

    python benchmarks/fuzz_imports.py
    python benchmarks/fuzz_imports.py --sources 2000 --seed 2

In a table or text of each, bits are flipped, its end is cut off, lines are repeated, fields swapped, values
put in the place of others, or it is written in other letters. One in ten is imported into a workspace, which
must be whole at the end; of the others all rows are read. Told are the faults: tracebacks, rows that are
neither imported, known nor skipped with a sentence, and what the check of the workspace finds.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

import common  # noqa: F401  finds the package

from mmdemo.service.app import App
from mmdemo.service.checking import check
from mmdemo.settings import load_settings
from tests.data.layouts_to_mutate import inputs
from tests.mutated import Mutated, take

IMPORTED_EVERY = 10


def main() -> int:
    """Take so many; the exit status is 1 where one of them is a fault."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sources", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    logging.getLogger("mmdemo").setLevel(logging.WARNING)
    chance, told, begun = random.Random(wanted.seed), Mutated(), time.perf_counter()
    with tempfile.TemporaryDirectory() as place:
        app = App(load_settings({}, workspace=Path(place) / "workspace", samples=False, device="cpu"))
        made = inputs(Path(place) / "in")
        for number in range(wanted.sources):
            source, folder = made[number % len(made)]
            take(app.ws, source, folder, chance, told, whole=number // len(made) % IMPORTED_EVERY == 0)
        report = check(app.context)
        told.faults += [str(fault) for fault in report.faults]
        app.close()
    print(f"{told.sources} mutated sources of {len(made)} inputs in {time.perf_counter() - begun:.0f} s:")
    print(f"  {told.rows} rows, {told.skipped} of them skipped; {told.refused} sources refused in a sentence")
    print(f"  {told.imported} were imported; the slowest took {told.slowest_s:.1f} s")
    print(f"  {len(told.faults)} faults", *sorted(set(told.faults))[:60], sep="\n    ")
    return 1 if told.faults else 0


if __name__ == "__main__":
    sys.exit(main())
