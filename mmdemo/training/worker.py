"""The worker: takes one run after another from the queue, which is the table of runs.

    python -m mmdemo.training.worker [--page PID --seat FILE]

A page starts one as a process of its own before it is needed. It works for as long as the page is alive and
its seat, a file that the page removes when it closes, is there; then it finishes what it has begun and no
more. Without a page it works until it is interrupted. Progress, results and stop requests are on disk, so a
page that comes later sees them as well.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from mmdemo.errors import MmdemoError
from mmdemo.models.device import decide_compute
from mmdemo.models.manager import ModelManager
from mmdemo.models.version_source import version_source
from mmdemo.settings import load_settings
from mmdemo.store.runs import UNFINISHED
from mmdemo.store.tables import Run
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import EpochRecord
from mmdemo.training.lease import new_holder
from mmdemo.training.page_worker import take_seat
from mmdemo.training.recipes.base import RECIPES
from mmdemo.training.runs import carry_out
from mmdemo.training.trainer import make_accelerator

log = logging.getLogger(__name__)
LOOK_S = 0.25  # an idle worker looks into the queue this often; a look takes a third of a millisecond


class Worker:
    """Carries out runs, a slice of time after another.

    Args:
        ws: the workspace.
        models: gives the models that runs start from and are measured by.
        name: under which it claims runs.
    """

    def __init__(self, ws: Workspace, models: ModelManager, name: str = "") -> None:
        self._ws = ws
        self._models = models
        self.name = name or new_holder()

    def take(self, run_id: str = "", progress: Callable[[EpochRecord], None] | None = None) -> Run | None:
        """Claim the run that waits longest, or a certain one, and work on it until it has finished or its
        slice is over; returns its row, or None where there is nothing to claim.
        """
        run = self._ws.runs.claim(self.name, run_id)
        return None if run is None else carry_out(self._ws, run, self._models, progress)

    def see_to(self, run_id: str, progress: Callable[[EpochRecord], None] | None = None) -> Run:
        """Work until a run has finished. When its slice is over, those that wait longer have theirs first; so
        it may also be another worker that finishes it.
        """
        self.take(run_id, progress)
        while (run := self._ws.runs.get(run_id)).status in UNFINISHED:
            waiting = self._ws.runs.waiting(self.name)
            first = waiting[0].id if waiting else ""
            if not first or self.take(first, progress if first == run_id else None) is None:
                time.sleep(LOOK_S)
        return run

    def work_while(self, wanted: Callable[[], bool]) -> None:
        """Work until nobody wants it any more, looked at between runs."""
        while wanted():
            try:
                if self._ws.follow():
                    self._models.forget()
                worked = self.take() is not None
            except MmdemoError as e:  # such as a run that was removed meanwhile, or a database out of reach
                log.warning("%s", e)
                worked = False
            if not worked:
                time.sleep(LOOK_S)


def page_is_there(pid: int, seat: Path) -> Callable[[], bool]:
    """What tells whether the page that wants a worker is alive and open, on any system."""
    try:
        page = psutil.Process(pid)
    except psutil.NoSuchProcess:
        return lambda: False

    def there() -> bool:
        try:  # a process that was killed, and that nobody has asked how it ended, is still in the list
            return seat.exists() and page.is_running() and page.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    return there


def main() -> None:
    """Work for a page, or until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m mmdemo.training.worker", description=__doc__)
    parser.add_argument("--page", type=int, default=0, help="the process that wants it")
    parser.add_argument("--seat", type=Path, help="a file that is there as long as it is wanted")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stderr)
    wanted = page_is_there(options.page, options.seat) if options.page else lambda: True
    settings = load_settings()
    ws = Workspace(settings)
    models = ModelManager(settings, ws.versions.active, lambda v: version_source(ws, v))
    # What a run needs is imported before there is one: nobody should wait for it.
    list(RECIPES)
    make_accelerator(decide_compute(settings.device, settings.threads).training)
    if options.seat is None or take_seat(options.seat):
        Worker(ws, models, options.seat.name if options.seat else "").work_while(wanted)
    if options.seat:
        options.seat.unlink(missing_ok=True)  # a page that was killed has left it
    ws.close()


if __name__ == "__main__":
    main()
