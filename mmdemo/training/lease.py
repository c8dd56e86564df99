"""A run that this process has claimed, and keeps for as long as it is alive."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from types import TracebackType

from mmdemo.errors import MmdemoError
from mmdemo.store.runs import LEASE_S, UNFINISHED
from mmdemo.store.tables import Run
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
RENEWED_EVERY_S = LEASE_S / 4


def new_holder() -> str:
    """A name under which to claim runs; no other worker has it."""
    return f"{socket.gethostname()[:80]}-{os.getpid()}-{secrets.token_hex(4)}"


class Lease:
    """Renews the lease on a run within its block, on a thread of its own, and ends it afterwards.

    Args:
        ws: the workspace.
        run: as it was claimed.
    """

    def __init__(self, ws: Workspace, run: Run) -> None:
        self._ws = ws
        self._run, self._holder = run.id, run.holder or ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="mmdemo-lease", daemon=True)
        self.lost = False  # whether another worker has the run by now

    def __enter__(self) -> Lease:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self.lost:
            return
        try:
            self._ws.runs.free(self._holder)  # broken off: nobody need wait for its end
        except MmdemoError as e:
            log.warning("the lease on %s ends by itself: %s", self._run, e)

    def _renew(self) -> None:
        while not self._over.wait(RENEWED_EVERY_S):
            try:
                if not self._ws.runs.renew(self._run, self._holder):
                    self.lost = self._ws.runs.get(self._run).status in UNFINISHED  # else it is done here
                    return
            except MmdemoError as e:  # such as a disk that is full for a while: tried again until it is lost
                log.warning("the lease on %s could not be renewed: %s", self._run, e)
