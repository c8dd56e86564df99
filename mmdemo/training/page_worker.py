"""The worker process of a page: started where runs wait and again where it dies, left to finish its run.

For as long as the page wants a worker there is a file, its seat. While the worker imports, it has another
name, and the worker may claim runs only once it has renamed it. So of a worker that imports and its page that
closes one comes first: either the page removes the file, and ends a process that can claim nothing, or it
waits for one that may have.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from mmdemo.errors import StorageError
from mmdemo.store.workspace import Workspace
from mmdemo.training.lease import new_holder

log = logging.getLogger(__name__)
CLOSE_S = 10.0  # an idle worker ends within a second; one that works is not waited for
SEAT = ".lock"  # a backup leaves such files out
MOST_DEATHS = 3  # of workers that work on one run; then it is the run's fault
RESTART_S = 5.0  # a worker that dies at once is not started again more often than this
_left: list[subprocess.Popen[bytes]] = []  # workers that outlive their page: kept, not collected


def kept_free(seat: Path) -> Path:
    """What the seat of a worker is called until it takes it."""
    return seat.with_name(f"{seat.name.removesuffix(SEAT)}.starting{SEAT}")


def take_seat(seat: Path) -> bool:
    """The worker is about to look for runs; False: its page has closed meanwhile."""
    try:
        kept_free(seat).rename(seat)
    except FileNotFoundError:
        return False
    return True


@contextmanager
def _later(what: str) -> Iterator[None]:
    """What the disk or the database refuses within this block is told in the log, and can be tried again."""
    try:
        yield
    except (StorageError, OSError) as e:
        log.warning("%s: %s", what, e)


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

    def leave_seat(self) -> bool:
        """It is not wanted any more; returns whether it has taken its seat, and may hold a run."""
        try:
            kept_free(self.seat).unlink()
        except FileNotFoundError:
            self.seat.unlink(missing_ok=True)
            return True
        return False


class WorkerKeeper:
    """Sees to it that there is a worker where runs wait."""

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self.worker: PageWorker | None = None
        self._deaths: Counter[str] = Counter()  # of workers, by the run that they worked on
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Start the worker before it is needed; its imports take seconds that nobody should wait for."""
        with self._lock, _later("no worker could be started"):
            if self.worker is None:
                self.worker = self._start_worker()

    def close(self) -> None:
        """Let the worker finish what it has begun, and end."""
        with self._lock:
            worker, self.worker = self.worker, None
        if worker is None:
            return
        if not worker.leave_seat():  # it imports, which takes seconds, and would end then
            worker.process.kill()
        works = True
        with _later("whether the worker works is not known"):
            works = worker.seat.name in self._ws.runs.holders()
        try:
            worker.process.wait(0 if works else CLOSE_S)
        except subprocess.TimeoutExpired:
            log.info("the worker finishes its run without the page")
            _left.append(worker.process)

    def see_to_waiting(self) -> None:
        """Where runs wait, have a worker. What one that died held, waits from now on and not only when its
        lease is over. What a full disk or a database out of reach does not let be done is done the next time.
        """
        with self._lock, _later("runs wait"):
            if self.worker is not None and self.worker.died:
                self._count_deaths(self._ws.runs.free(self.worker.seat.name))
                if time.monotonic() - self.worker.started_at < RESTART_S:
                    return
                log.warning("the worker died; its run goes on in a new one")
                self.worker.leave_seat()
                self.worker = None
            if self.worker is None and self._ws.runs.waiting():
                self.worker = self._start_worker()

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
        kept_free(seat).touch()
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
