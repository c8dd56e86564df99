"""The records that a run appends to its folder, an epoch a line."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmdemo.store.durable import replacing
from mmdemo.store.workspace import Workspace

if TYPE_CHECKING:
    from mmdemo.training.config import EpochRecord

PROGRESS = "progress.jsonl"
STEPS = "steps.json"
STEPS_EVERY_S = 0.5
EARLIER = {"recall": "validation_recall", "likelihood": "validation_likelihood"}  # what fields were called


def stop_flag(ws: Workspace, run_id: str) -> Callable[[], bool]:
    """What a training asks before each step: whether somebody stopped it."""
    return (ws.run_folder(run_id) / "stop").exists


@contextmanager
def append_progress(folder: Path) -> Iterator[Callable[[EpochRecord], None]]:
    """A function that puts an epoch's record safely on disk."""
    path = folder / PROGRESS
    cut_off = path.exists() and not path.read_bytes().endswith(b"\n")
    with path.open("a", encoding="utf-8") as file:
        if cut_off:  # by a kill: what follows has a line of its own
            file.write("\n")

        def write(record: EpochRecord) -> None:
            if record.loss is not None:  # a record without one only hands over what was finished before
                file.write(json.dumps(asdict(record)) + "\n")
                file.flush()
                os.fsync(file.fileno())

        yield write


def step_writer(folder: Path) -> Callable[[int, int, float], None]:
    """A function that notes, now and then, how many steps are done, of how many, and the seconds left."""
    noted = 0.0

    def note(done: int, total: int, left_s: float) -> None:
        nonlocal noted
        if time.perf_counter() - noted > STEPS_EVERY_S or done == total:
            noted = time.perf_counter()
            told = json.dumps({"step": done, "steps": total, "eta_s": round(left_s, 1)})
            with suppress(OSError), replacing(folder / STEPS, lasting=False) as part:  # the run goes on
                part.write_text(told, encoding="utf-8")

    return note


def read_steps(ws: Workspace, run_id: str) -> dict[str, Any]:
    """What `step_writer` noted last; empty where nothing was."""
    try:
        found: dict[str, Any] = json.loads((ws.run_folder(run_id) / STEPS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if _is_of_numbers(found) else {}


def read_progress(ws: Workspace, run_id: str) -> list[dict[str, Any]]:
    """The records of the epochs so far; of equal epochs, as after a resume, the last counts."""
    path = ws.run_folder(run_id) / PROGRESS
    records: dict[int, dict[str, Any]] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue  # a line cut off by a kill
            if not _is_of_numbers(record) or not isinstance(record.get("epoch"), int):
                continue  # none of ours
            facts: dict[str, Any] = record
            records[facts["epoch"]] = {EARLIER.get(name, name): value for name, value in facts.items()}
    return [records[epoch] for epoch in sorted(records)]


def _is_of_numbers(found: Any) -> bool:
    """Whether it is an object whose values are finite numbers, or none: what is drawn and reckoned with."""
    return isinstance(found, dict) and all(
        value is None or (isinstance(value, int | float) and math.isfinite(value)) for value in found.values()
    )
