"""A disk fills while people label, import, train and back up, and has room again: what is stored afterwards?

    python benchmarks/full_disk.py [--rounds 5] [--people 20]

The workspace is on a file system of its own, in memory, which is filled for some seconds in each round, each
time to another number of bytes. It needs the right to mount one. In the end the store must hold just what was
acknowledged, and what was broken off must go on: imports, runs of training and backups.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import common  # noqa: F401  puts the project on the path
from sqlalchemy import create_engine

from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.workspace import Workspace
from tests import crowd, small_disk
from tests.waiting import wait_for

MEGABYTES = 250
FULL_S = 6.0  # for which the disk stays full in each round
LEFT = (0, 8_000, 60_000, 400_000, 3_000_000)  # bytes that the filler leaves, a round after another
TASK = "image-text"
MOST_AGAIN = 3


def measured(disk: Path, rounds: int, people: int) -> list[str]:
    """Fill the disk so often; what came of it, a line each."""
    workspace, told, runs = disk / "w", Counter[str](), []
    with crowd.serving(workspace, disk.parent / "log", MMDEMO_SAMPLES="true") as server:

        def ask(operation: str, **body: Any) -> dict[str, Any]:
            status, said = crowd.ask(server.address, operation, body)
            told[f"{operation}: {status} {said.get('error', '')}"] += 1
            return said

        wait_for(lambda: crowd.ask(server.address, "label_counts", {"task": TASK})[1].get("pairs", 0) > 300)
        everybody = crowd.Crowd(server.address, unlabelled(workspace), people)
        everybody.begin()
        for n in range(rounds):
            enough = len(everybody.acknowledged) + 100
            wait_for(lambda: len(everybody.acknowledged) > enough, told=lambda: str(everybody.answers))  # noqa: B023
            run = ask("start_training", task=TASK, epochs=60, members=1, seed=n).get("run", "")
            wait_for(lambda: state_of(server, run) != "queued", 300)  # noqa: B023
            ask("import_start", source=str(ASSETS / "photos"), task=TASK)
            small_disk.fill(disk, LEFT[n % len(LEFT)])
            until = time.monotonic() + FULL_S
            ask("backup")
            while time.monotonic() < until:
                ask("training_status", run=run)
                time.sleep(0.5)
            small_disk.make_room(disk)
            runs.append(run)
        everybody.end()
        ends = Counter(end_of(server, run) for run in runs)
        ask("backup")
        wait_for(lambda: crowd.ask(server.address, "import_state", {})[1]["status"] != "running")
        ask("import_start", source=str(ASSETS / "photos"), task=TASK)
        wait_for(lambda: crowd.ask(server.address, "import_state", {})[1]["status"] == "done")
        imported = ask("import_state").get("error") or "whole"
    engine = create_engine(f"sqlite:///{workspace / 'mmdemo.sqlite3'}")
    wrong, faults = crowd.differences(engine, everybody.acknowledged), crowd.faults(engine)
    engine.dispose()
    return [
        f"{rounds} times full under {people} people: {len(everybody.acknowledged)} acknowledged, "
        f"{len(wrong)} not stored as they were, {len(faults)} faults of the database",
        *(f"  {one}" for one in [*wrong[:9], *faults[:9]]),
        f"with room again: of {rounds} runs {dict(ends)}, an import is {imported}",
        *(f"  {count} times a label: {status} {said}" for (status, said), count in everybody.answers.items()),
        *(f"  {count} times {what}" for what, count in told.items()),
    ]


def unlabelled(workspace: Path) -> list[int]:
    """Pairs to label."""
    ws = Workspace(load_settings({}, workspace=workspace))
    try:
        return [pair.id for pair in ws.pairs.browse(TASK, state="unlabelled", limit=200)]
    finally:
        ws.close()


def state_of(server: crowd.Server, run: str) -> str:
    """How a run stands."""
    return str(crowd.ask(server.address, "training_status", {"run": run})[1].get("status", "queued"))


def end_of(server: crowd.Server, run: str) -> str:
    """How a run ends; what failed for want of room is gone on with."""
    again = 0
    while True:
        wait_for(lambda: state_of(server, run) in ("done", "failed", "stopped"), 300)
        if state_of(server, run) != "failed" or again == MOST_AGAIN:
            return f"{state_of(server, run)} after {again} resumptions" if again else state_of(server, run)
        again += 1
        crowd.ask(server.address, "resume_training", {"run": run})


def main() -> None:
    """Print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--people", type=int, default=20)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mmdemo-full-disk-"))
    try:
        with small_disk.small_disk(folder / "disk", MEGABYTES) as disk:
            print("\n".join(measured(disk, options.rounds, options.people)), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
