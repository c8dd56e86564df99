"""Which import is on, beside the database: of one whose process was killed, or that was paused, the next
process can tell, and go on with it.

Whoever imports holds a lock, which the system takes back with the process; so a note that nobody holds is of
an import that waits. Whoever wants it to pause or to stop leaves a word beside it, from whatever process.
Nothing of that is part of a backup: a workspace that somebody has sent names no folder to be imported.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mmdemo.data.import_ledger import ledger_path, remove_ledger
from mmdemo.data.importing import Order
from mmdemo.media.listing import entries
from mmdemo.store.durable import replacing

NOTE, LOCK, WORD, LEDGERS = "import.json", "import.lock", "import.wanted", "imports"
PAUSE, STOP = "pause", "stop"  # words
LOOKED_AT_S = 1.0  # for so long at most another process that only looks at a note holds its lock


@dataclass(frozen=True)
class Noted:
    """An import that has not come to its end."""

    order: Order
    id: str = ""  # in the database; empty: it has no row there yet
    done: int = 0  # rows, at least
    total: int | None = None  # of how many; None: not known
    paused: bool = False  # by somebody; else its process is gone, unless it is on

    def as_json(self) -> dict[str, Any]:
        """What is told of it beside its state."""
        return {"name": self.order.name, "task": self.order.task, "done": self.done, "total": self.total}

    def __str__(self) -> str:
        rows = f"{self.done} rows" if self.total is None else f"{self.done} of {self.total} rows"
        if self.paused:
            return f"The import of {self.order.name} is paused after {rows}. Resume it to go on from there."
        return f"The import of {self.order.name} was broken off after {rows}. Resume it to go on from there."


@dataclass
class ImportNote:
    """The note of a workspace.

    Args:
        folder: the workspace's.
    """

    folder: Path
    _now: Noted | None = None  # that of this process
    _looking: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._path, self._word = self.folder / NOTE, self.folder / WORD
        self._lock = FileLock(self.folder / LOCK, thread_local=False)  # an import ends on another thread

    @property
    def ledgers(self) -> Path | None:
        """Where what is read is kept; None: nothing is noted."""
        return self.folder / LEDGERS if self._now is not None else None

    def begin(self, order: Order) -> bool:
        """An import begins, in the place of one that waited; nothing is noted where another one is on.

        Args:
            order: what is imported.
        """
        if not self._take(lambda: Noted(order)):
            return False
        for path in entries(self.folder / LEDGERS):  # of those that nobody has gone on with
            with suppress(OSError):
                remove_ledger(path)
        self._write()
        return True

    def go_on(self) -> Noted | None:
        """Take up the import that waits; None: none does, or another process has it."""
        if not self._take(self._read) or self._now is None:
            return None
        found = self._now
        self.come(paused=False)
        return found

    def _take(self, what: Callable[[], Noted | None]) -> bool:
        """Whether this process has the note from now on, with what is read under its lock."""
        with self._looking, suppress(OSError, Timeout):
            if self._now is None:
                self._lock.acquire(timeout=LOOKED_AT_S)
                try:
                    self._word.unlink(missing_ok=True)
                    self._now = what()
                finally:
                    if self._now is None:
                        self._lock.release()
                return self._now is not None
        return False

    def come(self, **to: Any) -> None:
        """It has come so far; where that cannot be written, the import goes on."""
        if self._now is not None:
            self._now = replace(self._now, **to)
            self._write()

    def _write(self) -> None:
        if self._now is not None:
            with suppress(OSError), replacing(self._path, lasting=False) as part:
                part.write_text(json.dumps(asdict(self._now)), encoding="utf-8")

    def end(self, paused: bool = False) -> bool:
        """It has ended; returns whether it can be gone on with.

        Args:
            paused: whether somebody means to go on with it.
        """
        if self._now is None:
            return False
        if paused:
            self.come(paused=True)
        with suppress(OSError):
            self._word.unlink(missing_ok=True)
            if not paused:
                self._path.unlink(missing_ok=True)
                remove_ledger(ledger_path(self.folder / LEDGERS, self._now.id))
        self._let_go()
        return paused

    def leave(self) -> bool:
        """It has ended by a fault; returns whether it can be gone on with."""
        if self._now is None:
            return False
        self._let_go()
        return self._path.is_file()  # else a full disk took no note of it

    def _let_go(self) -> None:
        with self._looking:  # else whoever takes it in between has no lock
            self._now = None
            self._lock.release(force=True)

    def waiting(self) -> Noted | None:
        """The import that was broken off or paused, if the last one was."""
        with self._looking, suppress(OSError, Timeout):
            if self._now is None and self._path.exists():
                with self._lock.acquire(timeout=0):
                    return self._read()
        return None

    def elsewhere(self) -> Noted | None:
        """The import that another process has on."""
        if self._now is not None or not self._path.exists() or self.waiting() is not None:
            return None
        return self._read()

    def _read(self) -> Noted | None:
        with suppress(OSError, ValueError, TypeError, KeyError):
            told = json.loads(self._path.read_text(encoding="utf-8"))
            return Noted(**{**told, "order": Order(**told["order"])})
        return None

    def ask(self, word: str) -> bool:
        """Ask the import that is on, in whatever process, to pause or to stop; whether there is one.

        Raises:
            OSError: that cannot be written.
        """
        if self._now is None and self.elsewhere() is None:
            return False
        with replacing(self._word, lasting=False) as part:
            part.write_text(word, encoding="utf-8")
        return True

    def asked(self) -> str:
        """The word that was left for this process's import; empty: there is none."""
        with suppress(OSError):
            return self._word.read_text(encoding="utf-8") if self._now is not None else ""
        return ""

    def drop(self) -> Noted | None:
        """Nobody goes on with the import that waits; returns which it was."""
        found = self.go_on()
        if found is not None:
            self.end()
        return found
