"""The training of a network in a run, whatever it learns: by one process, or by several together.

What differs between pairs, transcripts and captions is a `Lesson`; the modules pair_run, writing_run and
caption_run each open one and say what is measured when it is over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mmdemo.models.aligner import Towers
from mmdemo.models.base import CAPTIONING
from mmdemo.models.device import decide_compute
from mmdemo.models.manager import version_source
from mmdemo.models.presets import Preset
from mmdemo.store.pairs import HELD_OUT
from mmdemo.store.tables import Run
from mmdemo.store.workspace import Workspace
from mmdemo.training.dataset import Example, Snapshot
from mmdemo.training.learnable import Learnable
from mmdemo.training.loop import EpochRecord, settings_from_json
from mmdemo.training.network import NetworkTraining, make_accelerator
from mmdemo.training.outcome import is_stopped
from mmdemo.training.progress import append_progress, step_writer, stop_flag
from mmdemo.training.writing import Method

BY_PAIRS = {"dual", "frames"}  # loaders of models whose encoders are trained on pairs
CHECKED = 10  # one item in so many is kept off training, to choose the best epoch by
LEAST_CHECKED = 5  # pairs, below which no epoch is chosen


@dataclass(frozen=True)
class Lesson:
    """What is learned from what."""

    learnable: Learnable
    save: Callable[[Path], None]  # writes what was learned into a new folder
    examples: list[Example]  # that it is trained on
    check: Callable[[], float] | None = None  # on examples kept apart, in percent

    @property
    def trained_on(self) -> dict[str, int]:
        """For the card."""
        matches = sum(e.match for e in self.examples)
        return {"match": matches, "mismatch": len(self.examples) - matches}


@dataclass(frozen=True)
class Ended:
    """A training that is over, to be measured and kept."""

    ws: Workspace
    run: Run
    snapshot: Snapshot
    lesson: Lesson
    record: EpochRecord  # of its last epoch
    towers: Callable[[], Towers]  # of the version before

    @property
    def preset(self) -> Preset:
        """Of the version before."""
        return version_source(self.ws, self.run.parent).preset

    @property
    def was_stopped(self) -> bool:
        """Whether somebody stopped it."""
        return is_stopped(self.ws, self.run)

    @property
    def measured(self) -> list[Example]:
        """The held-out matches, on which before and after are measured."""
        return self.snapshot.of(HELD_OUT, match=True)

    @property
    def facts(self) -> dict[str, Any]:
        """What every result holds."""
        on = self.lesson.trained_on | {"held_out": len(self.measured)}
        return {"seconds": self.record.seconds, "trained_on": on}


class Kind(Protocol):
    """A module that trains networks of one kind."""

    def open_lesson(self, ws: Workspace, run: Run, snapshot: Snapshot, how: Method) -> Lesson:
        """Load the network and its examples."""
        ...

    def conclude(self, ended: Ended) -> None:
        """Measure before and after, and write the version."""
        ...


def kind_of(ws: Workspace, run: Run) -> Any:
    """The module that carries a run of LoRA or full training out."""
    from mmdemo.training import caption_run, pair_run, writing_run

    if run.task == CAPTIONING:
        return caption_run
    return pair_run if version_source(ws, run.parent).preset.loader in BY_PAIRS else writing_run


def apart(examples: list[Example]) -> tuple[list[Example], list[Example]]:
    """What to train on, and some matches of other items to choose the best epoch by."""
    items = sorted({e.item for e in examples})
    chosen = set(items[::CHECKED])
    checked = [e for e in examples if e.item in chosen and e.match]
    if len(checked) < LEAST_CHECKED:
        return examples, []
    return [e for e in examples if e.item not in chosen], checked


def learn(
    ws: Workspace, run: Run, lesson: Lesson, progress: Callable[[EpochRecord], None] | None
) -> EpochRecord | None:
    """Train; in every process of a launch alike, of which the first writes what is written.

    Returns:
        None: it was stopped before an epoch was done, or waits for its next slice; its row says which.
    """
    folder = ws.run_folder(run.id)
    compute = decide_compute(ws.settings.device, ws.settings.threads).training
    accelerator = make_accelerator(compute)
    first = bool(accelerator.is_main_process)

    def told(message: str) -> None:
        if first:
            ws.runs.update(run.id, message=message)

    record: EpochRecord | None = None
    training = NetworkTraining(
        lesson.learnable,
        settings_from_json(run.settings),
        run.method,
        compute,
        folder / "state",
        stop_flag(ws, run.id),
        told,
        lesson.check,
        ws.settings.slice_s if accelerator.num_processes == 1 else 0.0,
        step_writer(folder) if first else lambda done, total, left_s: None,
    )
    with append_progress(folder) as write:
        for record in training.epochs():
            if first:
                write(record)
                if progress is not None:
                    progress(record)
    if training.sliced:
        if first:
            ws.runs.update(run.id, status="queued", message="Goes on in its next slice of time.")
        return None
    if record is None and first:
        ws.runs.update(run.id, status="stopped", message="Stopped before the first epoch was done.")
    return record


def open_lesson(ws: Workspace, run: Run, snapshot: Snapshot) -> Lesson:
    """What a run learns, and from what."""
    kind: Kind = kind_of(ws, run)
    asked, preset = settings_from_json(run.settings), version_source(ws, run.parent).preset
    how = Method(run.method, asked.seed, preset.adapter, asked.recompute)
    return kind.open_lesson(ws, run, snapshot, how)


def carry_out(
    ws: Workspace, run: Run, towers: Callable[[], Towers], progress: Callable[[EpochRecord], None] | None
) -> None:
    """From the snapshot to a version."""
    kind: Kind = kind_of(ws, run)
    snapshot = Snapshot.load(ws.run_folder(run.id) / "snapshot.json")
    lesson = open_lesson(ws, run, snapshot)
    record = learn(ws, run, lesson, progress)
    if record is not None:
        kind.conclude(Ended(ws, run, snapshot, lesson, record, towers))


def take_part(ws: Workspace, run_id: str) -> None:
    """Learn with the first process of a launch until it is done; nothing is written."""
    run = ws.runs.get(run_id)
    snapshot = Snapshot.load(ws.run_folder(run_id) / "snapshot.json")
    learn(ws, run, open_lesson(ws, run, snapshot), None)
