"""Runs as the page sees them: start, stop, where it stands, promote, keep, roll back.

The queue is the table of runs (store/runs.py). A worker takes from it what waits longest, whoever started it:
this page, another one, the command line.
"""

from __future__ import annotations

import shutil
from typing import Any

from mmdemo.errors import UserError, cannot_write
from mmdemo.labeling.snapshot import Snapshot
from mmdemo.modality import CAPTIONING, DEFAULT_TASK
from mmdemo.store.runs import UNFINISHED
from mmdemo.store.tables import Run, now
from mmdemo.store.workspace import Workspace
from mmdemo.training.activation import activate
from mmdemo.training.disk_room import require_disk_room
from mmdemo.training.page_worker import WorkerKeeper


def shown_with(task: str) -> tuple[str, ...]:
    """The tasks whose runs are shown together: captioners are trained where pictures are."""
    return (task, CAPTIONING) if task == DEFAULT_TASK else (task,) if task else ()


def _mean_gain(run: Run) -> float | None:
    """By how many points its version's mean recall is above that of the version before; None: unknown."""
    gain = ((run.result or {}).get("gains") or {}).get("mean_recall") or {}
    value = gain.get("gain")
    return float(value) if isinstance(value, int | float) else None


class JobRunner:
    """Answers for every run of the workspace, and sees to it that there is a worker where runs wait."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._workers = WorkerKeeper(ws)

    def warm_up(self) -> None:
        """Start the worker before it is needed; its imports take seconds that nobody should wait for."""
        self._workers.warm_up()

    def resume_interrupted(self) -> list[str]:
        """See to the runs that wait, those that were broken off when a process was killed among them; returns
        their ids.
        """
        self._workers.see_to_waiting()
        return [run.id for run in self._ws.runs.waiting()]

    def start(self, task: str, method: str, settings: dict[str, Any], promote: str) -> str:
        """Queue a run, which a worker takes when those before it are done; returns its id.

        Raises:
            UserError: the labels lack something, or a setting cannot work.
        """
        from mmdemo.training.config import settings_from_json
        from mmdemo.training.runs import create_run

        run_id = create_run(self._ws, task, method, settings_from_json(settings), promote)
        self._workers.see_to_waiting()
        return run_id

    def stop(self, run_id: str = "") -> str:
        """Ask a run, by default the latest, to stop; returns its id.

        Raises:
            UserError: there is no such run, or it has finished.
            StorageError: the disk is full, and a worker has it, who cannot be told.
        """
        run = self._find(run_id)
        if run.status not in UNFINISHED:
            raise UserError(f"{run.id} is {run.status} already.", "There is nothing to stop.")
        folder, refused = self._ws.run_folder(run.id), None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "stop").touch()
        except OSError as e:
            refused = e
        self._workers.see_to_waiting()  # of a worker that died nobody is told
        withdrawn = self._ws.runs.withdraw(run.id, "Taken out of the queue.")
        if refused is not None and not withdrawn:
            raise cannot_write(f"{run.id} could not be stopped", refused) from refused
        return run.id

    def _require_kept(self, run_id: str) -> None:
        """Refuse to go on with labels of pairs that were removed since.

        Raises:
            UserError: there are some.
        """
        examples = Snapshot.load(self._ws.run_folder(run_id) / "snapshot.json").examples
        removed = sum(pair.removed for pair in self._ws.pairs.views([one.pair for one in examples]))
        if removed:
            what = f"{removed} of the pairs that {run_id} learned from were removed."
            raise UserError(what, "Start a new one: it learns from what is there.")

    def resume(self, run_id: str) -> str:
        """Go on with a run that was stopped or failed, from its last check-point; returns its id.

        What it had made when it was stopped stays; what it makes now is a version of its own.

        Raises:
            UserError: there is no such run, or it is not one that can go on; or its settings, which a backup
                may have brought, are none that a run could be started with.
            DamagedError: what it learns from is damaged.
            StorageError: the disk has no room for it.
        """
        from mmdemo.models.version_source import version_source
        from mmdemo.training.config import require_settings_of_run

        run = self._ws.runs.get(run_id)
        if run.status not in {"stopped", "failed"}:
            raise UserError(f"{run.id} is {run.status}.", "Only one that was stopped or failed can go on.")
        parent = version_source(self._ws, run.parent)
        require_settings_of_run(parent.preset, run.method, run.settings)
        if not (self._ws.run_folder(run.id) / "snapshot.json").is_file():
            raise UserError(f"What {run.id} learned from is gone.", "Remove it, and start a new one.")
        self._require_kept(run.id)
        require_disk_room(self._ws, run.id)
        again = run.settings.get("again", 0) + bool(run.version_id)
        (self._ws.run_folder(run.id) / "stop").unlink(missing_ok=True)
        self._ws.runs.update(
            run.id,
            status="queued",
            queued_at=now(),
            message="",
            version_id=None,
            decision="",
            result=None,
            settings=run.settings | {"again": again},
        )
        self._workers.see_to_waiting()
        return run.id

    def remove(self, run_id: str) -> str:
        """Forget a run with its check-points and curves; the version it made stays; returns its task.

        The files go first: on a full disk they are the room without which the table cannot change.

        Raises:
            UserError: there is no such run, or it is under way.
        """
        run = self._ws.runs.get(run_id)
        if run.status in UNFINISHED:
            raise UserError(f"{run.id} is {run.status}.", "Stop it first.")
        shutil.rmtree(self._ws.run_folder(run.id), ignore_errors=True)
        self._ws.runs.remove(run.id)
        return run.task

    def _status(self, run: Run) -> str:
        """As it is shown: what a worker has left without a word waits to be gone on with."""
        left = run.status == "running" and any(one.id == run.id for one in self._ws.runs.waiting())
        return "queued" if left else run.status

    def list(self, task: str) -> list[dict[str, Any]]:
        """The runs of a task, newest first."""
        runs = self._ws.runs.of_tasks(shown_with(task))
        active = {self._ws.versions.active(known) for known in {run.task for run in runs}}
        return [
            {
                "run": run.id,
                "status": self._status(run),
                "method": run.method,
                "head": run.settings.get("head", ""),
                "parent": run.parent,
                "model": run.version_id,
                "decision": run.decision,
                "active": run.version_id in active,  # else what was promoted was in use, and is no more
                "message": run.message,
                "gain": _mean_gain(run),
                "task": run.task,
                "recall": ((run.result or {}).get("after") or {}).get("mean_recall"),
                "bleu": (((run.result or {}).get("captions") or {}).get("after") or {}).get("BLEU-4"),
                "created": run.created_at.isoformat(timespec="seconds") + "Z",
            }
            for run in runs
        ]

    def status(self, run_id: str = "", task: str = "") -> dict[str, Any]:
        """The JSON of `/training_status`, with the curves."""
        run = self._ws.runs.get(run_id) if run_id else self._ws.runs.latest((task,) if task else ())
        if run is None:
            return {"run": None, "status": "none"}
        from mmdemo.training.progress import read_progress, read_steps

        self._workers.see_to_waiting()
        run = self._ws.runs.get(run.id)
        status = self._status(run)
        records = read_progress(self._ws, run.id)
        last = records[-1] if records else {}
        steps = read_steps(self._ws, run.id) if status == "running" else {}
        result = run.result or {}
        return {
            "run": run.id,
            "status": status,
            "epoch": last.get("epoch", 0),
            "epochs": last.get("epochs", 0),
            "loss": last.get("loss"),
            "recall": last.get("validation_recall"),
            "eta_s": steps.get("eta_s", last.get("eta_s")) if status == "running" else 0.0,
            "step": steps.get("step"),
            "steps": steps.get("steps"),
            "before": result.get("before"),
            "after": result.get("after"),
            "model": run.version_id,
            "promoted": run.decision == "promoted",
            "decision": run.decision,
            "active": run.version_id is not None and run.version_id == self._ws.versions.active(run.task),
            "message": run.message,
            "method": run.method,
            "settings": run.settings,
            "queued": sum(one.status == "queued" and one.id != run.id for one in self._ws.runs.unfinished()),
            "parent": run.parent,
            "seconds": result.get("seconds", last.get("seconds")),
            "gains": result.get("gains"),
            "changes": result.get("changes"),
            "trained_on": result.get("trained_on"),
            "curve": result.get("curve"),
            "vocabulary": result.get("vocabulary"),
            "transcripts": result.get("transcripts"),
            "moments": result.get("moments"),
            "captions": result.get("captions"),
            "gate": result.get("gate"),
            "accuracy": result.get("accuracy"),
            "task": run.task,
            "progress": records,
            "validation_recall": last.get("validation_recall"),
            "validation_likelihood": last.get("validation_likelihood"),
            "no_curve": result.get("no_curve"),
        }

    def decide(self, run_id: str, promote: bool, annotator: str = "") -> str:
        """Promote what a run made, or keep the version before it; returns the run's task.

        Raises:
            UserError: the run made no version.
        """
        run = self._find(run_id)
        if not run.version_id:
            raise UserError(f"{run.id} has made no version.", "Start a new run.")
        if promote:
            activate(self._ws, run.version_id, annotator)
        elif self._ws.versions.active(run.task) == run.version_id:
            self._ws.versions.activate(run.parent, annotator)
        self._ws.runs.update(run.id, decision="promoted" if promote else "kept-old")
        return run.task

    def roll_back(self, task: str, annotator: str = "") -> str:
        """Activate the parent of the active version; returns its id.

        Raises:
            UserError: the base version is active, which has none.
        """
        parent = self._ws.versions.previous(task)
        if parent is None:
            raise UserError(
                "The base version is active; there is nothing before it.", "Train and promote first."
            )
        self._ws.versions.activate(parent, annotator)
        return parent

    def close(self) -> None:
        """Let the worker finish what it has begun, and end."""
        self._workers.close()

    def _find(self, run_id: str) -> Run:
        run = self._ws.runs.get(run_id) if run_id else self._ws.runs.latest()
        if run is None:
            raise UserError("There is no run yet.", "Start one in the Fine-tune tab.")
        return run
