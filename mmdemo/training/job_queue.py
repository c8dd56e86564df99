"""Runs as the page sees them: start, stop, where it stands, promote, keep, roll back; and the page's worker.

The queue is the table of runs (store/runs.py). A worker takes from it what waits longest, whoever started it:
this page, another one, the command line.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmdemo.errors import UserError
from mmdemo.modality import CAPTIONING, DEFAULT_TASK
from mmdemo.store.tables import Run, now
from mmdemo.store.workspace import Workspace
from mmdemo.training.activation import activate
from mmdemo.training.lease import new_holder

log = logging.getLogger(__name__)
CLOSE_S = 10.0  # an idle worker ends within a second; one that works is not waited for
SEAT = ".lock"  # a backup leaves such files out
MOST_DEATHS = 3  # of workers that work on one run; then it is the run's fault
RESTART_S = 5.0  # a worker that dies at once is not started again more often than this


def shown_with(task: str) -> tuple[str, ...]:
    """The tasks whose runs are shown together: captioners are trained where pictures are."""
    return (task, CAPTIONING) if task == DEFAULT_TASK else (task,) if task else ()


_left: list[subprocess.Popen[bytes]] = []  # workers that outlive their page: kept, not collected


@dataclass(frozen=True)
class PageWorker:
    """The worker process of a page."""

    process: subprocess.Popen[bytes]
    seat: Path  # there for as long as the page wants it; its name is the worker's in the queue
    started_at: float  # monotonic seconds

    @property
    def died(self) -> bool:
        """Whether it ended though it was wanted."""
        return self.process.poll() is not None


class JobRunner:
    """Answers for every run of the workspace, and sees to it that there is a worker where runs wait."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._worker: PageWorker | None = None
        self._deaths: Counter[str] = Counter()  # of workers, by the run that they worked on
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Start the worker before it is needed; its imports take seconds that nobody should wait for."""
        with self._lock:
            if self._worker is None:
                self._worker = self._start_worker()

    def resume_interrupted(self) -> list[str]:
        """See to the runs that wait, those that were broken off when a process was killed among them; returns
        their ids.
        """
        self._see_to_waiting()
        return [run.id for run in self._ws.runs.waiting()]

    def start(self, task: str, method: str, settings: dict[str, Any], promote: str) -> str:
        """Queue a run, which a worker takes when those before it are done; returns its id.

        Raises:
            UserError: the labels lack something, or a setting cannot work.
        """
        from mmdemo.training.config import settings_from_json
        from mmdemo.training.runs import create_run

        run_id = create_run(self._ws, task, method, settings_from_json(settings), promote)
        self._see_to_waiting()
        return run_id

    def stop(self, run_id: str = "") -> str:
        """Ask a run, by default the latest, to stop; returns its id.

        Raises:
            UserError: there is no such run, or it has finished.
        """
        run = self._find(run_id)
        if run.status not in {"queued", "running"}:
            raise UserError(f"{run.id} is {run.status} already.", "There is nothing to stop.")
        (self._ws.run_folder(run.id) / "stop").touch()
        self._ws.runs.withdraw(run.id, "Taken out of the queue.")
        return run.id

    def resume(self, run_id: str) -> str:
        """Go on with a run that was stopped or failed, from its last check-point; returns its id.

        What it had made when it was stopped stays; what it makes now is a version of its own.

        Raises:
            UserError: there is no such run, or it is not one that can go on.
        """
        run = self._ws.runs.get(run_id)
        if run.status not in {"stopped", "failed"}:
            raise UserError(f"{run.id} is {run.status}.", "Only one that was stopped or failed can go on.")
        self._ws.versions.get(run.parent)
        again = int(run.settings.get("again", 0)) + bool(run.version_id)
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
        self._see_to_waiting()
        return run.id

    def remove(self, run_id: str) -> str:
        """Forget a run with its check-points and curves; the version it made stays; returns its task.

        Raises:
            UserError: there is no such run, or it is under way.
        """
        run = self._ws.runs.get(run_id)
        if run.status in {"queued", "running"}:
            raise UserError(f"{run.id} is {run.status}.", "Stop it first.")
        self._ws.runs.remove(run.id)
        shutil.rmtree(self._ws.run_folder(run.id), ignore_errors=True)
        return run.task

    def list(self, task: str) -> list[dict[str, Any]]:
        """The runs of a task, newest first."""
        return [
            {
                "run": run.id,
                "status": run.status,
                "method": run.method,
                "head": run.settings.get("head", ""),
                "parent": run.parent,
                "model": run.version_id,
                "decision": run.decision,
                "message": run.message,
                "task": run.task,
                "recall": ((run.result or {}).get("after") or {}).get("mean_recall"),
                "bleu": (((run.result or {}).get("captions") or {}).get("after") or {}).get("BLEU-4"),
                "created": run.created_at.isoformat(timespec="seconds") + "Z",
            }
            for run in self._ws.runs.of_tasks(shown_with(task))
        ]

    def status(self, run_id: str = "", task: str = "") -> dict[str, Any]:
        """The JSON of `/training_status`, with the curves."""
        run = self._ws.runs.get(run_id) if run_id else self._ws.runs.latest(shown_with(task))
        if run is None:
            return {"run": None, "status": "none"}
        from mmdemo.training.progress import read_progress, read_steps

        self._see_to_waiting()
        run = self._ws.runs.get(run.id)
        records = read_progress(self._ws, run.id)
        last = records[-1] if records else {}
        steps = read_steps(self._ws, run.id) if run.status == "running" else {}
        result = run.result or {}
        return {
            "run": run.id,
            "status": run.status,
            "epoch": last.get("epoch", 0),
            "epochs": last.get("epochs", 0),
            "loss": last.get("loss"),
            "recall": last.get("validation_recall"),
            "eta_s": steps.get("eta_s", last.get("eta_s")) if run.status == "running" else 0.0,
            "step": steps.get("step"),
            "steps": steps.get("steps"),
            "before": result.get("before"),
            "after": result.get("after"),
            "model": run.version_id,
            "promoted": run.decision == "promoted",
            "decision": run.decision,
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
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is None:
            return
        worker.seat.unlink(missing_ok=True)
        try:
            worker.process.wait(0 if worker.seat.name in self._ws.runs.holders() else CLOSE_S)
        except subprocess.TimeoutExpired:
            log.info("the worker finishes its run without the page")
            _left.append(worker.process)

    def _find(self, run_id: str) -> Run:
        run = self._ws.runs.get(run_id) if run_id else self._ws.runs.latest()
        if run is None:
            raise UserError("There is no run yet.", "Start one in the Fine-tune tab.")
        return run

    def _see_to_waiting(self) -> None:
        """Where runs wait, have a worker. What one that died held, waits from now on and not only when its
        lease is over.
        """
        with self._lock:
            if self._worker is not None and self._worker.died:
                self._count_deaths(self._ws.runs.free(self._worker.seat.name))
                if time.monotonic() - self._worker.started_at < RESTART_S:
                    return
                log.warning("the worker died; its run goes on in a new one")
                self._worker.seat.unlink(missing_ok=True)
                self._worker = None
            if self._worker is None and self._ws.runs.waiting():
                self._worker = self._start_worker()

    def _count_deaths(self, runs: Sequence[str]) -> None:
        """Fail the runs that worker after worker died of, such as for want of memory."""
        for run_id in runs:
            self._deaths[run_id] += 1
            if self._deaths[run_id] >= MOST_DEATHS:
                del self._deaths[run_id]
                why = f"Its worker died {MOST_DEATHS} times, perhaps for want of memory."
                cure = "Start again with a smaller batch or micro-batch."
                self._ws.runs.update(run_id, status="failed", message=f"{why} {cure}")

    def _start_worker(self) -> PageWorker:
        settings = asdict(self._ws.settings)
        variables = {f"MMDEMO_{name.upper()}": str(value) for name, value in settings.items()}
        variables["PYTHONPATH"] = os.pathsep.join(
            filter(None, [str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH")])
        )
        seat = self._ws.folder / "runs" / f"{new_holder()}{SEAT}"
        seat.touch()
        command = [sys.executable, "-m", "mmdemo.training.worker", "--page", str(os.getpid())]
        with (self._ws.folder / "runs" / "worker.log").open("a") as output:
            process = subprocess.Popen(
                [*command, "--seat", str(seat)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | variables,
            )
        return PageWorker(process, seat, time.monotonic())
