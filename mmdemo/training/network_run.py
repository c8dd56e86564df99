"""The training of a network in a run, whatever it learns: by one process, or by several together.

What differs between pairs, transcripts and captions is a `Recipe`; the modules pair_run, writing_run and
caption_run each open one and say what is measured when it is over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmdemo.labeling.snapshot import Snapshot
from mmdemo.models.aligner import Towers
from mmdemo.models.device import decide_compute
from mmdemo.models.manager import version_source
from mmdemo.store.tables import Run
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import EpochRecord, settings_from_json
from mmdemo.training.outcome import is_lost
from mmdemo.training.progress import append_progress, step_writer, stop_flag
from mmdemo.training.recipes import captions, pairs, transcripts
from mmdemo.training.recipes.base import FinishedRun, Kind, Recipe
from mmdemo.training.trainer import NetworkTraining, make_accelerator
from mmdemo.training.writing import Method

RECIPES: dict[str, Any] = {"pairs": pairs, "transcripts": transcripts, "captions": captions}


def kind_of(ws: Workspace, run: Run) -> Any:
    """The module that carries a run of LoRA or full training out."""
    return RECIPES[version_source(ws, run.parent).preset.recipe]


def learn(
    ws: Workspace,
    run: Run,
    recipe: Recipe,
    progress: Callable[[EpochRecord], None] | None,
    stopped: Callable[[], bool],
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
        recipe.trainable,
        settings_from_json(run.settings),
        run.method,
        compute,
        folder / "state",
        stopped,
        told,
        recipe.check,
        ws.settings.slice_s if accelerator.num_processes == 1 else 0.0,
        step_writer(folder) if first else lambda done, total, left_s: None,
    )
    with append_progress(folder) as write:
        for record in training.epochs():
            if first:
                write(record)
                if progress is not None:
                    progress(record)
    if first and is_lost(ws, run):
        return None
    if training.sliced:
        if first:
            ws.runs.give_back(run.id, run.holder, "Goes on in its next slice of time.")
        return None
    if record is None and first:
        ws.runs.update(run.id, status="stopped", message="Stopped before the first epoch was done.")
    return record


def open_recipe(ws: Workspace, run: Run, snapshot: Snapshot) -> Recipe:
    """What a run learns, and from what."""
    kind: Kind = kind_of(ws, run)
    asked, preset = settings_from_json(run.settings), version_source(ws, run.parent).preset
    how = Method(run.method, asked.seed, preset.adapter, asked.recompute)
    return kind.open_recipe(ws, run, snapshot, how)


def carry_out(
    ws: Workspace,
    run: Run,
    towers: Callable[[], Towers],
    progress: Callable[[EpochRecord], None] | None,
    stopped: Callable[[], bool],
) -> None:
    """From the snapshot to a version."""
    kind: Kind = kind_of(ws, run)
    snapshot = Snapshot.load(ws.run_folder(run.id) / "snapshot.json")
    recipe = open_recipe(ws, run, snapshot)
    record = learn(ws, run, recipe, progress, stopped)
    if record is not None:
        kind.conclude(FinishedRun(ws, run, snapshot, recipe, record, towers))


def take_part(ws: Workspace, run_id: str) -> None:
    """Learn with the first process of a launch until it is done; nothing is written."""
    run = ws.runs.get(run_id)
    snapshot = Snapshot.load(ws.run_folder(run_id) / "snapshot.json")
    learn(ws, run, open_recipe(ws, run, snapshot), None, stop_flag(ws, run_id))
