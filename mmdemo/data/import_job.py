"""An import that nobody has to wait for: it belongs to the process, and any page can see and stop it."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmdemo.data.import_note import ImportNote
from mmdemo.data.importing import ImportReport
from mmdemo.errors import MmdemoError, UserError

log = logging.getLogger(__name__)
BROKEN_OFF = "broken-off"  # in the place of an import's id
Work = Callable[[Callable[[int, int | None], None], Callable[[], bool]], ImportReport]


class ImportJob:
    """One import at a time, with its progress.

    Args:
        folder: the workspace's, where an import that was killed is told of until the next one.
    """

    def __init__(self, folder: Path) -> None:
        self._note = ImportNote(folder)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._state: dict[str, Any] = {"status": "none"}
        self._begun = 0.0

    def start(self, name: str, task: str, total: int | None, work: Work, then: Callable[[], None]) -> None:
        """Begin an import; `then` is called when it has ended, however it ended.

        Args:
            name: what the page calls it.
            task: whose items come.
            total: its rows, if that is known.
            work: does it, given a progress and a stop function.
            then: brings the index up to date.

        Raises:
            UserError: one is on already.
        """
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                raise UserError(
                    f"{self._state['name']} is being imported already.", "Wait, or stop it first."
                )
            self._stop.clear()
            self._begun = time.monotonic()
            self._note.begin(name, task, total)
            self._state = {
                "status": "running",
                "id": secrets.token_hex(4),
                "name": name,
                "task": task,
                "phase": "Importing",
            }
            self._state |= {"done": 0, "total": total, "eta_s": None}
            self._thread = threading.Thread(
                target=self._run, args=(work, then), name="mmdemo-import", daemon=True
            )
            self._thread.start()

    def stop(self) -> None:
        """Ask it to stop; what was imported until then stays."""
        self._stop.set()

    def state(self) -> dict[str, Any]:
        """Where it stands; of one that another process did not bring to its end, why."""
        if self._state["status"] == "none" and (left := self._note.broken_off()) is not None:
            told = {"report": ImportReport().as_json(), "error": str(left), "stopped": False}
            return {"status": "done", "id": BROKEN_OFF, "name": left.name, "task": left.task} | told
        return dict(self._state)

    def tell_broken_off(self) -> None:
        """Say in the log that the last import was broken off, if it was."""
        if (left := self._note.broken_off()) is not None:
            log.warning("%s", left)

    def _run(self, work: Work, then: Callable[[], None]) -> None:
        error = ""
        report = ImportReport()
        try:
            report = work(self._report, self._stop.is_set)
        except MmdemoError as e:
            error = str(e)
        except Exception:
            log.exception("the import failed")
            error = "Something went wrong in mmdemo. What was imported until then is kept; its log says what."
        self._state |= {
            "report": report.as_json(),
            "error": error,
            "stopped": report.stopped,
        }
        self._state["status"] = "done"
        self._note.end()
        then()

    def _report(self, done: int, total: int | None) -> None:
        total = total or self._state["total"]
        spent = time.monotonic() - self._begun
        eta = spent / done * (total - done) if total and done else None
        self._state |= {"done": done, "total": total, "eta_s": eta}
        self._note.write(self._state["name"], self._state["task"], done, total)
