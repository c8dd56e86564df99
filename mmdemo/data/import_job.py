"""An import that nobody has to wait for: it belongs to the process, any page can see, pause and stop it, and
one that was paused or killed goes on where it was.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmdemo.data.file_list import LIST
from mmdemo.data.import_note import LEDGERS, PAUSE, STOP, ImportNote, Noted
from mmdemo.data.import_report import ImportReport
from mmdemo.data.importing import Before, Order, Progress, Watch, carry_out
from mmdemo.errors import MmdemoError, UserError
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
MOST_SHOWN = 1000  # skipped rows that a state holds; a page polls it
MOST_FILES = 200  # names of files of each kind that it holds
FILES = ("same", "changed", "renamed", "gone", "left_out")
LOOKED_S = 0.2  # how often it is looked whether somebody wants it to pause
NOTHING_WAITS = UserError("No import waits.", "Import something.")
Then = Callable[[Order], None]  # told what was imported


class ImportJob:
    """One import at a time, with its progress.

    Args:
        ws: the workspace, which knows of an import that was paused or killed until the next one.
        upload_goes: told of the folder of an upload when nobody can go on with its import any more.
    """

    def __init__(self, ws: Workspace, upload_goes: Callable[[Path], None] = lambda folder: None) -> None:
        self._ws = ws
        self._upload_goes = upload_goes
        self._note = ImportNote(ws.folder)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._state: dict[str, Any] = {"status": "none"}
        self._waits = False  # whether the last one of this process can be gone on with
        self._word, self._looked_s = "", 0.0
        self._rate = (0.0, 0)  # since when, and from which row on it is counted

    def start(self, order: Order, then: Then) -> None:
        """Begin an import; `then` is called when it has ended, however it ended.

        Args:
            order: what, and how.
            then: brings the index up to date.

        Raises:
            UserError: one is on already.
        """
        with self._lock:
            self._require_idle()
            self._note_new(order)
            self._follow(order, None, then)

    def resume(self, then: Then) -> None:
        """Go on with the import that was paused or broken off, as `start` begins one.

        Raises:
            UserError: there is none, or what it reads is gone.
        """
        with self._lock:
            self._require_idle()
            found = self._taken_up()
            self._follow(found.order, found, then)

    def run(self, order: Order, progress: Progress) -> ImportReport:
        """Import while somebody waits for it; where another process has one on, nobody can go on with it.

        Raises:
            UserError: this process has one on already, or as `carry_out`.
        """
        with self._lock:
            self._require_none_here()
            self._note_new(order)
        return self._run_here(order, None, progress)

    def run_on(self, progress: Progress) -> ImportReport:
        """Go on, while somebody waits for it, with the import that was paused or broken off.

        Raises:
            UserError: there is none, or what it reads is gone.
        """
        with self._lock:
            self._require_idle()
            found = self._taken_up()
        return self._run_here(found.order, found, progress)

    def _taken_up(self) -> Noted:
        """The import that waits, which nobody else goes on with from now on.

        Raises:
            UserError: none waits, another process has it, or its upload is gone.
        """
        found = self._note.go_on()
        if found is None:
            other = self._note.elsewhere()
            raise _is_on(other.order.name) if other is not None else NOTHING_WAITS
        if found.order.within is not None and not found.order.within.is_dir():
            self._note.end()
            raise UserError(
                f"The upload of {found.order.name} went with the process that had it.",
                "Upload it again: what is here already comes only once.",
            )
        self._set_out(found.order, found)
        return found

    def _follow(self, order: Order, before: Noted | None, then: Then) -> None:
        follow = threading.Thread(
            target=self._run, args=(order, before, then), name="mmdemo-import", daemon=True
        )
        follow.start()

    def _require_idle(self) -> None:
        self._require_none_here()
        if (other := self._note.elsewhere()) is not None:
            raise _is_on(other.order.name)

    def _require_none_here(self) -> None:
        # What follows one that has paused or is done, as the index, keeps no other from beginning.
        if self._state["status"] == "running":
            raise _is_on(self._state["name"])

    def _note_new(self, order: Order) -> None:
        """Note a new import; one that waited is given up for it."""
        left = self._note.waiting()
        if self._note.begin(order) and left is not None and left.order.uploaded != order.uploaded:
            self._give_up(left.order)
        self._set_out(order, None)

    def _give_up(self, order: Order) -> None:
        """Nobody can go on with an import."""
        if order.within is not None:
            self._upload_goes(order.within)

    def _set_out(self, order: Order, before: Noted | None) -> None:
        self._stop.clear()
        self._waits = False
        self._word, self._looked_s = "", 0.0
        self._rate = time.monotonic(), before.done if before else 0
        self._state = {
            "status": "running",
            "id": before.id if before and before.id else secrets.token_hex(4),
            "name": order.name,
            "task": order.task,
            "phase": "Going on" if before else "Reading",
            "done": before.done if before else 0,
            "total": before.total if before else None,
            "eta_s": None,
        }

    def pause(self) -> None:
        """Ask the import that is on to pause, in whatever process it is.

        Raises:
            UserError: none is on.
        """
        self._looked_s = 0.0
        if not self._note.ask(PAUSE):
            raise UserError("No import is on.", "Nothing needs to be done.")

    def stop(self) -> None:
        """Ask it to stop, and give up one that waits; what was imported until then stays."""
        self._stop.set()
        if self._note.ask(STOP):
            return
        if (left := self._note.drop()) is not None:
            self._give_up(left.order)
        self._waits = False
        if self._state["status"] == "paused":
            self._state["status"] = "done"

    def state(self) -> dict[str, Any]:
        """Where it stands; of one that waits, why."""
        if self._state["status"] == "running":
            return dict(self._state)
        if (left := self._note.waiting()) is not None:
            told = {"status": "paused" if left.paused else "broken-off", "id": left.id or "broken-off"}
            why = f"{self._state.get('error', '')} {left}".strip()
            return told | left.as_json() | {"why": why}
        if (other := self._note.elsewhere()) is not None:
            told = {"status": "running", "id": other.id, "phase": "Importing"}
            return told | other.as_json()
        if self._waits:  # whoever has gone on with it, or given it up, is another process
            self._waits, self._state = False, {"status": "none"}
        return dict(self._state)

    def file_list(self) -> Path:
        """The table of all files and rows of the last import.

        Raises:
            UserError: there is none.
        """
        path = self._note.folder / LEDGERS / LIST
        if not path.is_file():
            raise UserError("There is no list of the files of an import.", "Import something first.")
        return path

    def tell_broken_off(self) -> None:
        """Say in the log that the last import was broken off, if it was."""
        if (left := self._note.waiting()) is not None:
            log.warning("%s", left)

    def _run(self, order: Order, before: Noted | None, then: Then) -> None:
        error, report = "", ImportReport()
        try:
            report = self._carry_out(order, before, self._report)
        except MmdemoError as e:
            error = str(e)
        except Exception:
            log.exception("the import failed")
            error = "Something went wrong in mmdemo. What was imported until then is kept; its log says what."
        self._end(order, report, error)
        then(order)

    def _run_here(self, order: Order, before: Noted | None, progress: Progress) -> ImportReport:
        def told(done: int, total: int | None) -> None:
            self._report(done, total)
            progress(done, total)

        try:
            report = self._carry_out(order, before, told)
        except BaseException as e:
            self._end(order, ImportReport(), str(e) if isinstance(e, MmdemoError) else "")
            if isinstance(e, KeyboardInterrupt):
                self.tell_broken_off()
            raise
        self._end(order, report)
        return report

    def _end(self, order: Order, report: ImportReport, error: str = "") -> None:
        """Tell how an import has ended; its upload goes, unless it can be gone on with."""
        shown = report.as_json()
        shown["skipped"] = shown["skipped"][:MOST_SHOWN]
        shown |= {kind: shown[kind][:MOST_FILES] for kind in FILES}
        told = {"report": shown | {"skipped_rows": report.passed_over}, "error": error}
        if not self._waits:
            self._give_up(order)
        paused = report.stopped and self._waits
        self._state |= told | {"stopped": report.stopped, "status": "paused" if paused else "done"}

    def _carry_out(self, order: Order, before: Noted | None, progress: Progress) -> ImportReport:
        def begun(import_id: str, total: int | None) -> None:
            self._note.come(id=import_id, total=total)
            self._rate = time.monotonic(), self._rate[1]
            self._state |= {"phase": "Importing", "total": total}

        watch = Watch(progress, self._is_over, begun, self._note.ledgers)
        going_on = Before(before.id, before.total) if before is not None and before.id else None
        try:
            report = carry_out(self._ws, order, watch, going_on)
        except BaseException as e:
            if isinstance(e, UserError) and before is None:
                self._note.end()
            else:  # the disk, Ctrl-C, a folder that is away: it can be gone on with
                self._waits = self._note.leave()
            raise
        self._waits = self._note.end(paused=report.stopped and self._word == PAUSE)
        return report

    def _is_over(self) -> bool:
        """Whether somebody wants it to end, here or from another process."""
        if self._stop.is_set():
            self._word = STOP
        elif time.monotonic() - self._looked_s > LOOKED_S:
            self._looked_s = time.monotonic()
            self._word = self._note.asked()
        return bool(self._word)

    def _report(self, done: int, total: int | None) -> None:
        if done < self._rate[1]:  # it is read from its beginning again
            self._rate = time.monotonic(), done
        since, first = self._rate
        spent, new = time.monotonic() - since, done - first
        eta = spent / new * (total - done) if total and new > 0 else None
        self._state |= {"done": done, "total": total, "eta_s": eta}
        self._note.come(done=done, total=total)


def _is_on(name: str) -> UserError:
    return UserError(f"{name} is being imported already.", "Wait, or stop it first.")
