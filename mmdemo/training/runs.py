"""One run from its snapshot to a version: what the worker does, and what `mmdemo train` does in its own
process.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from mmdemo.errors import MmdemoError, UserError
from mmdemo.evaluation.comparison import calibrate, calibrate_pairs, comparison, moment_comparison
from mmdemo.evaluation.evaluate import head_of, localise
from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.pair_arrays import PairArrays, load_arrays, prepare_features, with_cells
from mmdemo.evaluation.transcripts import learn_vocabulary, measure_transcripts
from mmdemo.labeling.snapshot import Snapshot, require_data, take_snapshot
from mmdemo.models.aligner import Towers
from mmdemo.models.device import decide_compute, reproducible
from mmdemo.models.heads.fusion import FusedHead
from mmdemo.models.heads.residual import ResidualHead
from mmdemo.models.heads.saved import make_head, save_head
from mmdemo.models.manager import base_calibration, version_source
from mmdemo.models.presets import PROPOSED, Preset
from mmdemo.models.protocols import CAPTIONING, DEFAULT_TASK
from mmdemo.models.video.aligner import VideoAligner
from mmdemo.retrieval.transcripts import VOCABULARY, vocabulary_of
from mmdemo.store.media_store import is_disk_full, write_durably
from mmdemo.store.pairs import HELD_OUT, TRAIN
from mmdemo.store.tables import Run
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import EpochRecord, TrainSettings, settings_from_json
from mmdemo.training.head_trainer import train_head
from mmdemo.training.learning_curve import learning_curve
from mmdemo.training.lease import Lease, new_holder
from mmdemo.training.outcome import (
    add_version,
    discard_half_written,
    finish_run,
    is_lost,
    is_stopped,
    version_of,
)
from mmdemo.training.progress import append_progress, stop_flag

log = logging.getLogger(__name__)
REFERENCE_ROWS = 5000  # items whose features standardise the head's input


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
        promote: "when-better", or "ask": a person decides.
        snapshot: other pairs than the workspace's labels.
        holder: the worker that carries it out at once; empty: whichever is free.

    Raises:
        DataError: the labels lack something.
        UserError: a setting or method that cannot work.
    """
    if ws.versions.active(task) == PROPOSED:
        raise UserError("No captioner is active.", "Choose one under Base models first.")
    preset = version_source(ws, ws.versions.active(task)).preset
    if method not in preset.methods:
        raise UserError(
            f"{preset.id} cannot be trained by the method {method!r}.", f"Use: {' or '.join(preset.methods)}."
        )
    settings = replace(settings, head=settings.head or (preset.heads or ("",))[0])
    if preset.heads and settings.head not in preset.heads:
        raise UserError(f"{preset.id} has no head {settings.head!r}.", f"Use: {' or '.join(preset.heads)}.")
    settings.check()
    snapshot = snapshot or take_snapshot(ws, DEFAULT_TASK if task == CAPTIONING else task)
    require_data(ws, snapshot)
    values = asdict(settings) | {"promote": promote}
    return ws.runs.create(
        task,
        method,
        ws.versions.active(task),
        values,
        snapshot.sha256,
        holder,
        lambda run_id: snapshot.save(ws.run_folder(run_id) / "snapshot.json"),
    )


def execute_run(
    ws: Workspace,
    run_id: str,
    towers: Callable[[], Towers],
    progress: Callable[[EpochRecord], None] | None = None,
    holder: str = "",
) -> Run:
    """Claim a run and carry it out, or on from where it was interrupted; returns its row, which says
    `queued` where its slice of time is over.

    A run that cannot be claimed, because it has finished or is another worker's, is left as it is.

    Args:
        ws: the workspace.
        run_id: which run.
        towers: gives the towers of the version that it starts from, where they are needed.
        progress: hears of every epoch.
        holder: under which name it is claimed.
    """
    run = ws.runs.claim(holder or new_holder(), run_id)
    return ws.runs.get(run_id) if run is None else carry_out(ws, run, towers, progress)


def carry_out(
    ws: Workspace,
    run: Run,
    towers: Callable[[], Towers],
    progress: Callable[[EpochRecord], None] | None = None,
) -> Run:
    """Work on a run that was claimed until it has finished or its slice of time is over; returns its row."""
    with Lease(ws, run) as lease:
        flag = stop_flag(ws, run.id)

        def stopped() -> bool:
            return lease.lost or flag()

        try:
            with reproducible(bool(run.settings.get("deterministic"))):
                if run.method == "head":
                    _execute_head(ws, run, towers, progress, stopped)
                else:
                    from mmdemo.training import network_run

                    network_run.carry_out(ws, run, towers, progress, stopped)
        except Exception as e:
            if not is_lost(ws, run):  # else the version is the other worker's
                discard_half_written(ws, run)
            ws.runs.update(run.id, by=run.holder, status="failed", message=_why(run.id, e))
    done = ws.runs.get(run.id)
    if done.status == "done":  # there is nothing to go on from
        shutil.rmtree(ws.run_folder(run.id) / "state", ignore_errors=True)
    return done


def _why(run_id: str, e: Exception) -> str:
    """What to say of a run that failed."""
    if isinstance(e, MmdemoError):
        return str(e)
    if is_disk_full(e):
        return (
            "The disk is full. Free some space, then go on with the run: nothing it was trained on is lost."
        )
    log.error("%s failed", run_id, exc_info=e)
    return f"The run failed: {e}. Its labels are untouched."


def _execute_head(
    ws: Workspace,
    run: Run,
    towers: Callable[[], Towers],
    progress: Callable[[EpochRecord], None] | None,
    stopped: Callable[[], bool],
) -> None:
    folder = ws.run_folder(run.id)
    snapshot = Snapshot.load(folder / "snapshot.json")
    settings = settings_from_json(run.settings)
    compute = decide_compute(ws.settings.device, ws.settings.threads).training
    preset = version_source(ws, run.parent).preset
    prepare_features(ws, preset, snapshot.examples, towers)
    train = load_arrays(ws, preset, snapshot.of(TRAIN))
    measured = snapshot.of(HELD_OUT, match=True)
    held_out = load_arrays(ws, preset, measured)
    reference = reference_features(ws, preset)
    kind = settings.head or preset.heads[0]
    if kind == "cross-attention":
        train = with_cells(ws, towers(), snapshot.of(TRAIN), train)
        held_out = with_cells(ws, towers(), measured, held_out)
    last: ResidualHead | None = None
    slice_s = ws.settings.slice_s
    for record, head in _epochs(
        folder, train, held_out, reference, preset, settings, compute, stopped, slice_s
    ):
        last = head
        if progress is not None:
            progress(record)
    if last is None:
        if not is_lost(ws, run):
            ws.runs.update(run.id, status="stopped", message="Stopped before the first epoch was done.")
        return
    if is_lost(ws, run):
        return
    was_stopped = is_stopped(ws, run)
    if record.epoch < record.epochs and not was_stopped:
        ws.runs.give_back(run.id, run.holder, "Goes on in its next slice of time.")
        return
    old = head_of(ws, run.parent)
    if old is not None and old.shape.kind == "cross-attention" and held_out.cells is None:
        held_out = with_cells(ws, towers(), measured, held_out)
    before = measure(old, held_out, preset.dim)
    after = measure(last, held_out, preset.dim)
    result: dict[str, Any] = comparison(before, after, measured) | {
        "trained_on": {
            "match": int(train.match.sum()),
            "mismatch": int((~train.match).sum()),
            "held_out": len(measured),
        },
        "seconds": record.seconds,
    }
    target = ws.version_folder(version_of(run))
    head = make_head(last.shape)
    head.load_state_dict({name: t.cpu() for name, t in last.state_dict().items()})
    save_head(head.eval(), target)
    if preset.task == "video-text" and any(e.start is not None for e in measured):
        spans = [localise(ws, _video_aligner(towers(), one), measured) for one in (old, head)]
        result["moments"] = moment_comparison(*(s for s in spans if s is not None))
    if preset.task == "speech-text":
        result["vocabulary"] = learn_vocabulary(ws, towers(), snapshot.of(TRAIN))
        write_durably(target / VOCABULARY, json.dumps(result["vocabulary"]).encode())
    pairs = load_arrays(ws, preset, snapshot.of(HELD_OUT))
    calibration = calibrate(head, pairs, preset.dim, base_calibration(preset))
    if isinstance(head, FusedHead):
        if kind == "cross-attention":
            pairs = with_cells(ws, towers(), snapshot.of(HELD_OUT), pairs)
        result["pair_calibration"] = asdict(calibrate_pairs(head, pairs))
    add_version(ws, run, preset, snapshot, result, calibration)
    better = bool(measured) and after.mean_recall > before.mean_recall
    finish_run(ws, run, result, better=better, measured=bool(measured), stopped=was_stopped)
    if not was_stopped and len(measured) >= 2:
        curve = learning_curve(train, held_out, reference, preset.dim, settings, compute, stopped)
        if curve is not None:
            result["curve"] = curve.as_json()
            ws.runs.update(run.id, result=dict(result))
    if not was_stopped and measured and result.get("vocabulary"):
        tower = towers().media
        words, new = vocabulary_of(ws, run.parent), result["vocabulary"]
        rates = measure_transcripts(ws, (tower, words), (tower, new), measured, stopped)
        ws.runs.update(run.id, result=result | ({"transcripts": rates} if rates else {}))


def _epochs(
    folder: Path,
    train: PairArrays,
    held_out: PairArrays,
    reference: np.ndarray,
    preset: Preset,
    settings: TrainSettings,
    compute: Any,
    stopped: Callable[[], bool],
    slice_s: float,
) -> Iterator[tuple[EpochRecord, ResidualHead]]:
    with append_progress(folder) as write:
        for record, head in train_head(
            train, held_out, reference, preset.dim, settings, compute, folder / "state", stopped, slice_s
        ):
            write(record)
            yield record, head


def reference_features(ws: Workspace, preset: Preset) -> np.ndarray:
    """(M, F) features of items, labelled or not, that say how each channel spreads."""
    matrix = ws.vectors(preset.media_features, preset.feature_dim, np.float16).matrix()
    step = max(1, len(matrix) // REFERENCE_ROWS)
    return np.asarray(matrix[::step], dtype=np.float32)


def _video_aligner(towers: Towers, head: ResidualHead | None) -> VideoAligner:
    return VideoAligner("measured", "video-text", towers, head, towers.calibration)
