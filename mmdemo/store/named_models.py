"""Which models were named at this machine, once the database of a workspace came from elsewhere.

A version says on which model it stands, by a name that may be that of a folder or of the Hub; and a database
may come from somebody's backup. So the first restore writes down what was named here until then, and what is
named here later is added; what else a database names is not loaded. The file is no part of a backup.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock

from mmdemo.errors import cannot_write
from mmdemo.store.durable import write_durably

FILE = "models.json"


class NamedModels:
    """The names of models, as versions have them.

    Args:
        folder: the workspace's.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = FileLock(folder / f"{FILE}.lock", thread_local=False)
        self._read_at = -1  # the time of the file that `_known` was read from, in nanoseconds
        self._known: frozenset[str] = frozenset()

    def knows(self, name: str) -> bool:
        """Whether a name is of this machine: each is where nothing was ever restored."""
        known = self._names()
        return known is None or name in known

    def note(self, name: str) -> None:
        """Somebody at this machine has named a model.

        Raises:
            StorageError: that cannot be noted.
        """
        if not self.knows(name):
            self._write([name], anew=False)

    def begin(self, names: Iterable[str]) -> None:
        """From now on only these are of this machine, and what is noted later.

        Raises:
            StorageError: that cannot be written.
        """
        if self._names() is None:
            self._write(names, anew=True)

    def _write(self, names: Iterable[str], anew: bool) -> None:
        try:
            with self._lock:
                known = self._names()
                if anew and known is not None:  # another process was first
                    return
                write_durably(self.path, json.dumps(sorted({*(known or ()), *names}), indent=1).encode())
        except OSError as e:
            raise cannot_write("Which models were named here could not be noted", e) from e

    def _names(self) -> frozenset[str] | None:
        """What the file holds; None: there is none. One that cannot be read holds nothing."""
        try:
            written = self.path.stat().st_mtime_ns
            if written != self._read_at:
                found = json.loads(self.path.read_text(encoding="utf-8"))
                self._known = frozenset(one for one in found if isinstance(one, str))
                self._read_at = written
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, RecursionError):
            self._known, self._read_at = frozenset(), -1
        return self._known
