"""One run from its snapshot to a version, in the process that has claimed it: a worker, or `mmdemo train`."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict

from mmdemo.errors import MmdemoError, StorageError, UserError, is_disk_full, unforeseen
from mmdemo.labeling.snapshot import Snapshot, require_data, take_snapshot, with_files
from mmdemo.modality import labelled_task
from mmdemo.models.device import reproducible
from mmdemo.models.manager import ModelManager
from mmdemo.models.presets import PROPOSED
from mmdemo.models.version_source import version_source
from mmdemo.store.runs import new_run_id
from mmdemo.store.tables import Run
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import EpochRecord, TrainSettings, require_settings_of_run, settings_for
from mmdemo.training.disk_room import disk_full, needed_bytes
from mmdemo.training.lease import Lease
from mmdemo.training.outcome import add_version, discard_half_written, finish_run, is_lost
from mmdemo.training.progress import append_progress, step_writer, stop_flag
from mmdemo.training.promotion import judge
from mmdemo.training.recipes.base import FinishedRun, OpenedRun, Recipe, StartedRun, recipe_of
from mmdemo.training.trainer import Trainer, make_accelerator

log = logging.getLogger(__name__)
Told = Callable[[EpochRecord], None]


def create_run(
    ws: Workspace,
    task: str,
    method: str,
    settings: TrainSettings,
    promote: str,
    snapshot: Snapshot | None = None,
    holder: str = "",
) -> str:
    """Freeze the labels and queue a run; returns its id.

    Args:
        ws: the workspace.
        task: whose labels.
        method: head, or lora or full where the model's preset allows it.
        settings: how to train.
        promote: "when-better"; "ask": the gate is asked and a person decides; "never": it is not even asked.
        snapshot: other pairs than the workspace's labels.
        holder: the worker that carries it out at once; empty: whichever is free.

    Raises:
        DataError: the labels lack something.
        UserError: a setting or method that cannot work.
        StorageError: it cannot be written; nothing of it stays.
    """
    if ws.versions.active(task) == PROPOSED:
        raise UserError("No captioner is active.", "Choose one under Base models first.")
    preset = version_source(ws, ws.versions.active(task)).preset
    settings = settings_for(preset, method, settings)
    snapshot = require_data(ws, snapshot or take_snapshot(ws, labelled_task(task))).snapshot
    values = asdict(settings) | {"promote": promote}
    run_id = new_run_id()
    folder = ws.run_folder(run_id)
    try:
        snapshot.save(folder / "snapshot.json")  # before a worker can claim it
        ws.runs.create(task, method, ws.versions.active(task), values, snapshot.sha256, holder, run_id)
    except Exception:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return run_id


def carry_out(ws: Workspace, run: Run, models: ModelManager, progress: Told | None = None) -> Run:
    """Work on a run that was claimed, from its beginning or on from where it was broken off, until it has
    finished or its slice of time is over; returns its row, which says `queued` then.

    Args:
        ws: the workspace.
        run: as it was claimed.
        models: what is loaded here, or will be where it is needed.
        progress: hears of every epoch.

    Raises:
        StorageError: what became of it cannot be recorded, such as on a full disk. Its lease ends by itself:
            who claims it then goes on with it from its last check-point.
    """
    with Lease(ws, run) as lease:
        flag = stop_flag(ws, run.id)
        try:
            with reproducible(bool(run.settings.get("deterministic"))):
                _leave_out_lost(ws, run)
                started = _start(ws, run, models, lambda: lease.lost or flag())
                recipe = recipe_of(ws, run)
                opened = recipe.open(started)
                finished = _train(started, opened, progress)
                if finished is not None:
                    _conclude(recipe, finished)
        except Exception as e:
            _fail(ws, run, e)
    done = ws.runs.get(run.id)
    if done.status == "done":  # there is nothing to go on from
        shutil.rmtree(ws.run_folder(run.id) / "state", ignore_errors=True)
    return done


def _fail(ws: Workspace, run: Run, e: Exception) -> None:
    """Record why a run failed, after what it has left half-made is gone, which may be the room for that."""
    try:
        lost = is_lost(ws, run)
    except StorageError:  # nobody else can have claimed it: that could not be recorded either
        lost = False
    if not lost:  # else the version is the other worker's
        discard_half_written(ws, run)
    why = _why(ws, run.id, e)
    try:
        ws.runs.update(run.id, by=run.holder, status="failed", message=why)
    except StorageError:
        log.warning("%s waits for room to say: %s", run.id, why)
        raise


def take_part(ws: Workspace, run_id: str, models: ModelManager) -> None:
    """Learn with the first process of a launch until it is done; nothing is written."""
    run = ws.runs.get(run_id)
    started = _start(ws, run, models, stop_flag(ws, run_id))
    _train(started, recipe_of(ws, run).open(started), None)


def _leave_out_lost(ws: Workspace, run: Run) -> None:
    """Take the labels out of a run whose files went while it waited. One that has learned goes on with all:
    what is kept of it says at which of its examples it stands.

    Raises:
        DataError: what is left lacks something.
    """
    folder = ws.run_folder(run.id)
    if (folder / "state").exists():
        return
    before = Snapshot.load(folder / "snapshot.json")
    snapshot = with_files(ws, before)
    if snapshot.lost > before.lost:
        require_data(ws, snapshot)
        snapshot.save(folder / "snapshot.json")
        ws.runs.update(run.id, by=run.holder, snapshot_sha256=snapshot.sha256)


def _start(ws: Workspace, run: Run, models: ModelManager, stopped: Callable[[], bool]) -> StartedRun:
    require_settings_of_run(version_source(ws, run.parent).preset, run.method, run.settings)
    return StartedRun(ws, run, Snapshot.load(ws.run_folder(run.id) / "snapshot.json"), models, stopped)


def _train(started: StartedRun, opened: OpenedRun, progress: Told | None) -> FinishedRun | None:
    """Train; in every process of a launch alike, of which the first writes what is written.

    Returns:
        None: it was stopped before an epoch was done, waits for its next slice, or is another worker's; its
        row says which.
    """
    ws, run, compute = started.ws, started.run, started.compute
    folder, accelerator = ws.run_folder(run.id), make_accelerator(compute)
    first = bool(accelerator.is_main_process)

    def told(message: str) -> None:
        if first:
            ws.runs.update(run.id, by=run.holder, message=message)

    record: EpochRecord | None = None
    trainer = Trainer(
        opened.trainable,
        started.settings,
        run.method,
        compute,
        folder / "state",
        started.stopped,
        told,
        opened.check,
        ws.settings.slice_s if accelerator.num_processes == 1 else 0.0,
        step_writer(folder) if first else lambda done, total, left_s: None,
    )
    with append_progress(folder) as write:
        for record in trainer.epochs():
            if first:
                write(record)
                if progress is not None:
                    progress(record)
    if not first:
        return None
    if is_lost(ws, run):
        return None
    if trainer.sliced:
        ws.runs.give_back(run.id, run.holder, "Goes on in its next slice of time.")
        return None
    if record is None:
        message = "Stopped before the first epoch was done."
        ws.runs.update(run.id, by=run.holder, status="stopped", message=message)
        return None
    return FinishedRun(started, opened, record, trainer.learned_share)


def _conclude(recipe: Recipe, finished: FinishedRun) -> None:
    """Measure, add the version and decide on it; then what nobody should wait for."""
    started, was_stopped = finished.started, finished.was_stopped
    ws, run = started.ws, started.run
    found = recipe.conclude(finished)
    if is_lost(ws, run):
        return
    verdict = judge(ws, run, started.snapshot, found, stopped=was_stopped)
    result = found.result | {"gate": verdict.as_json()}
    add_version(ws, run, started.preset, started.snapshot, result, found.calibration)
    kept = finish_run(ws, run, result, verdict, stopped=was_stopped)
    for more in found.later if kept and not was_stopped else ():
        result |= more()
        ws.runs.update(run.id, result=dict(result))


def _why(ws: Workspace, run_id: str, e: Exception) -> str:
    """What to say of a run that failed."""
    if isinstance(e, MmdemoError):
        return str(e)
    if is_disk_full(e):
        return str(disk_full(needed_bytes(ws.run_folder(run_id) / "state")))
    log.error("%s failed", run_id, exc_info=e)
    return unforeseen("The run failed, and its labels are untouched", e)
