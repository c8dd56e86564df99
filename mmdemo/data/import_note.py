"""How far an import under way is, beside the database: of one whose process was killed the next one can tell.

Whoever imports holds a lock, which the system takes back with the process; so a note that nobody holds is of
an import that was broken off.
"""

from __future__ import annotations

import json
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from mmdemo.store.durable import replacing

NOTE, LOCK = "import.json", "import.lock"


@dataclass(frozen=True)
class BrokenOff:
    """An import that did not end."""

    name: str  # of its source
    task: str  # whose items came
    done: int  # rows, at least
    total: int | None  # of how many; None: not known

    def __str__(self) -> str:
        rows = f"{self.done} rows" if self.total is None else f"{self.done} of {self.total} rows"
        return (
            f"The import of {self.name} was broken off after {rows}. "
            "Import it again: what is here already comes only once."
        )


class ImportNote:
    """The note of a workspace.

    Args:
        folder: the workspace's.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NOTE
        self._lock = FileLock(folder / LOCK, thread_local=False)  # an import ends on another thread
        self._mine = False  # whether this process has an import on that is noted
        self._looking = threading.Lock()

    def begin(self, name: str, task: str, total: int | None) -> None:
        """An import begins; nothing is noted where another process has one on."""
        with self._looking, suppress(OSError, Timeout):
            self._lock.acquire(timeout=0)
            self._mine = True
        self.write(name, task, 0, total)

    def write(self, name: str, task: str, done: int, total: int | None) -> None:
        """It has come so far; where that cannot be written, the import goes on."""
        if self._mine:
            with suppress(OSError), replacing(self._path, lasting=False) as part:
                part.write_text(json.dumps(asdict(BrokenOff(name, task, done, total))), encoding="utf-8")

    def end(self) -> None:
        """It has ended, whichever way."""
        if self._mine:
            self._mine = False
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            self._lock.release(force=True)

    def broken_off(self) -> BrokenOff | None:
        """The import that was broken off, if the last one was."""
        with self._looking, suppress(OSError, Timeout, ValueError, TypeError):
            if not self._mine and self._path.exists():
                with self._lock.acquire(timeout=0):
                    return BrokenOff(**json.loads(self._path.read_text(encoding="utf-8")))
        return None
