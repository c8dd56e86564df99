"""What every run ends with, whatever it trained: a card, a version, a decision."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from mmdemo.evaluation.gate import Verdict
from mmdemo.labeling.snapshot import Snapshot
from mmdemo.models.calibration import Calibration
from mmdemo.models.presets import Preset
from mmdemo.models.version_source import ADAPTER, NETWORK
from mmdemo.store.cards import write_card
from mmdemo.store.durable import sync_tree
from mmdemo.store.splits import TRAIN
from mmdemo.store.tables import Run, Version, now
from mmdemo.store.versions import BY_GATE
from mmdemo.store.workspace import Workspace


def version_of(run: Run) -> str:
    """The id of the version that a run makes; one that goes on after a stop makes another."""
    again = run.settings.get("again", 0)  # looked at before anything is trained
    more = f"-{again + 1}" if isinstance(again, int) and again else ""
    return run.id.replace("run-", "tuned-") + more


def is_stopped(ws: Workspace, run: Run) -> bool:
    """Whether somebody stopped a run."""
    return (ws.run_folder(run.id) / "stop").exists()


def is_lost(ws: Workspace, run: Run) -> bool:
    """Whether a run that was claimed is another worker's by now, as after a sleep of this machine."""
    return run.holder is not None and not ws.runs.renew(run.id, run.holder)


def discard_half_written(ws: Workspace, run: Run) -> None:
    """Remove the folder of a version that was not finished, such as on a full disk."""
    version_id = version_of(run)
    if version_id not in {v.id for v in ws.versions.of_task(run.task)}:
        shutil.rmtree(ws.version_folder(version_id), ignore_errors=True)


def save_learned(preset: Preset, run: Run, target: Path, save: Callable[[Path], None]) -> Preset:
    """Write an adapter or a whole network into a version's folder; returns the preset that loads it."""
    if run.method == "lora":
        save(target / ADAPTER)
        return replace(preset, adapter=str(target / ADAPTER), adapter_of=version_of(run))
    save(target / NETWORK)
    return replace(preset, media_tower=str(target / NETWORK), adapter="", adapter_of=version_of(run))


def add_version(
    ws: Workspace,
    run: Run,
    preset: Preset,
    snapshot: Snapshot,
    result: dict[str, Any],
    calibration: Calibration,
) -> str:
    """Write the card beside the weights that are on disk, then the row: a version that is listed can be
    loaded.
    """
    version_id = version_of(run)
    card = {
        "version": version_id,
        "task": run.task,
        "method": run.method,
        "base": preset.name,
        "base_licence": preset.licence,
        "parent": run.parent,
        "run": run.id,
        "created": now().isoformat(timespec="seconds") + "Z",
        "settings": run.settings,
        "labels": [e.label for e in snapshot.examples],
        "learned_labels": [e.label for e in snapshot.of(TRAIN)],
        "labels_sha256": snapshot.sha256,
        "trained_on": result["trained_on"],
        "before": result.get("before"),
        "after": result.get("after"),
        "gains": result.get("gains"),
        "captions": result.get("captions"),
        "transcripts": result.get("transcripts"),
        "moments": result.get("moments"),
        "calibration": asdict(calibration),
        "pair_calibration": result.get("pair_calibration"),
        "gate": result.get("gate"),
        "accuracy": result.get("accuracy"),
        "fit": result.get("fit"),
    }
    write_card(ws.version_folder(version_id), card)
    sync_tree(ws.version_folder(version_id))
    ws.versions.add(Version(id=version_id, task=run.task, base=preset.name, parent=run.parent, run_id=run.id))
    return version_id


def finish_run(ws: Workspace, run: Run, result: dict[str, Any], verdict: Verdict, *, stopped: bool) -> bool:
    """Promote the run's version where it was asked to and is certainly better, and say what became of it;
    False: the run is another worker's by now, and nothing was changed.
    """
    version_id = version_of(run)
    if is_lost(ws, run):
        return False
    by_itself = run.settings.get("promote") == "when-better"
    promoted = by_itself and verdict.certain and not stopped
    if promoted:
        ws.versions.activate(version_id, BY_GATE)
    ws.runs.update(
        run.id,
        status="stopped" if stopped else "done",
        version_id=version_id,
        result=result,
        decision="promoted" if promoted else "candidate" if by_itself else "",
        message="Stopped; what it had learned until then is kept as a version." if stopped else "",
    )
    return True
