"""What the rows of an import have said so far, and which were passed over: on disk, so that a hundred
thousand of them take no memory, and whoever goes on after a kill knows it too.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

from mmdemo.data.rows import Skipped
from mmdemo.errors import StorageError, reason

TABLES = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=OFF;
CREATE TABLE IF NOT EXISTS said (
    place BLOB, word BLOB, row INTEGER, at INTEGER, PRIMARY KEY (place, word)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS skipped (at INTEGER, row INTEGER, file TEXT, reason TEXT);
"""
BESIDE = ("", "-wal", "-shm")  # what SQLite adds to a file's name


class Ledger:
    """The rows of one import, in a file of its own.

    Args:
        path: the file; None: in memory.

    Raises:
        StorageError: it cannot be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        try:
            if path is not None:
                path.parent.mkdir(exist_ok=True)
            self._file = sqlite3.connect(path or ":memory:", check_same_thread=False)
            self._file.executescript(TABLES)
        except (OSError, sqlite3.Error) as e:
            raise _refused(e) from e

    def go_back(self, done: int) -> None:
        """Forget all that comes after so many rows."""
        with self._file:
            for table in ("said", "skipped"):
                self._file.execute(f"DELETE FROM {table} WHERE at > ?", (done,))

    def said(self, place: bytes) -> dict[bytes, int]:
        """What rows have said of a pair, and the first that did."""
        return dict(self._file.execute("SELECT word, row FROM said WHERE place = ?", (place,)))

    def say(self, place: bytes, word: bytes, row: int, at: int) -> None:
        """A row says a word of a pair."""
        self._file.execute("INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?)", (place, word, row, at))

    def skip(self, skipped: Skipped, at: int) -> None:
        """A row is passed over."""
        told = (at, skipped.row, _plain(skipped.file), _plain(skipped.reason))
        self._file.execute("INSERT INTO skipped VALUES (?, ?, ?, ?)", told)

    def skipped(self) -> list[Skipped]:
        """The rows that were passed over, in their order."""
        rows = self._file.execute("SELECT row, reason, file FROM skipped ORDER BY at, rowid")
        return [Skipped(*row) for row in rows]

    def commit(self) -> None:
        """Keep what was written.

        Raises:
            StorageError: the disk refused.
        """
        try:
            self._file.commit()
        except sqlite3.Error as e:
            raise _refused(e) from e

    def rollback(self) -> None:
        """Forget what was written since."""
        self._file.rollback()

    def close(self, remove: bool) -> None:
        """Close it.

        Args:
            remove: whether nobody goes on with it.
        """
        with closing(self._file):
            self._file.rollback()
        if self._path is not None and remove:
            remove_ledger(self._path)


def ledger_path(folder: Path, import_id: str) -> Path:
    """The file of an import."""
    return folder / f"{import_id}.sqlite3"


def remove_ledger(path: Path) -> None:
    """Remove the file of an import that nobody goes on with."""
    for end in BESIDE:
        path.with_name(path.name + end).unlink(missing_ok=True)


def digest(*parts: object) -> bytes:
    """16 bytes that stand for some values."""
    told = "\x1f".join(map(repr, parts))
    return hashlib.blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _refused(e: Exception) -> StorageError:
    return StorageError(f"What the import has read could not be noted: {reason(e)}.", "Free some disk space.")
