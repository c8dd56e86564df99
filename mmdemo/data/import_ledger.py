"""What the rows of an import have said so far, and which were passed over: on disk, so that a hundred
thousand of them take no memory, and whoever goes on after a kill knows it too.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
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
CREATE TABLE IF NOT EXISTS files (key BLOB PRIMARY KEY, kind TEXT, name TEXT, now TEXT, at INTEGER);
CREATE TABLE IF NOT EXISTS sides (file INTEGER PRIMARY KEY, side TEXT);
CREATE TABLE IF NOT EXISTS reached (one INTEGER PRIMARY KEY, at INTEGER);
"""
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
MADE_ANEW = "Resume the import: it is read from its beginning, in which what is here comes only once."
BESIDE = ("", "-wal", "-shm")  # what SQLite adds to a file's name


class Ledger:
    """The rows of one import, in a file of its own; one that is damaged, as after a power cut, begins anew.

    Args:
        path: the file; None: in memory.

    Raises:
        StorageError: it cannot be written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        with _told():
            if path is not None:
                path.parent.mkdir(exist_ok=True)
            try:
                self._file = _opened(path)
            except sqlite3.DatabaseError as e:
                if path is None or not _is_damaged(e):
                    raise
                remove_ledger(path)
                self._file = _opened(path)

    def reaches(self, done: int) -> bool:
        """Whether it has what that many rows have said; the newest may be missing after a power cut."""
        with _told():
            return self._reached() >= done

    def _reached(self) -> int:
        found = self._file.execute("SELECT at FROM reached").fetchone()
        return int(found[0]) if found else 0

    def go_back(self, done: int) -> None:
        """Forget all that comes after so many rows."""
        with _told(), self._file:
            for table in ("said", "skipped", "files"):
                self._file.execute(f"DELETE FROM {table} WHERE at > ?", (done,))
            self._file.execute("INSERT OR REPLACE INTO reached VALUES (1, ?)", (done,))

    def said(self, place: bytes) -> dict[bytes, int]:
        """What rows have said of a pair, and the first that did."""
        with _told():
            return dict(self._file.execute("SELECT word, row FROM said WHERE place = ?", (place,)))

    def say(self, place: bytes, word: bytes, row: int, at: int) -> None:
        """A row says a word of a pair."""
        with _told():
            self._file.execute("INSERT OR REPLACE INTO said VALUES (?, ?, ?, ?)", (place, word, row, at))

    def say_sides(self, sides: Mapping[int, str]) -> None:
        """Some rows say the sides of files of which others say none.

        Args:
            sides: by the keys of the files; nothing else holds of an earlier reading.
        """
        with _told(), self._file:
            self._file.execute("DELETE FROM sides")
            self._file.executemany("INSERT INTO sides VALUES (?, ?)", sides.items())

    def side(self, file: int) -> str:
        """The side that other rows say of a file; empty: none does."""
        with _told():
            found = self._file.execute("SELECT side FROM sides WHERE file = ?", (file,)).fetchone()
        return str(found[0]) if found else ""

    def skip(self, skipped: Skipped, at: int) -> None:
        """A row is passed over."""
        told = (at, skipped.row, _plain(skipped.file), _plain(skipped.reason))
        with _told():
            self._file.execute("INSERT INTO skipped VALUES (?, ?, ?, ?)", told)

    def skipped(self) -> list[Skipped]:
        """The rows that were passed over, in their order."""
        with _told():
            rows = self._file.execute("SELECT row, reason, file FROM skipped ORDER BY at, rowid")
            return [Skipped(*row) for row in rows]

    def file(self, kind: str, name: str, at: int, now: str = "", key: str = "") -> None:
        """Note what became of a file, in the place of what was noted of it.

        Args:
            kind: what, as `file_list.py` has it.
            name: of the file below the folder.
            at: the row until which that is known.
            now: its name now, where that is another one.
            key: by what the file is told from others; empty: its name.
        """
        with _told():
            told = (digest(key or now or name), kind, _plain(name), _plain(now), at)
            self._file.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", told)

    def files(self, kind: str, most: int = -1) -> list[tuple[str, str]]:
        """The first names of files of a kind, each with its name now where that is another one."""
        with _told():
            query = "SELECT name, now FROM files WHERE kind = ? ORDER BY name LIMIT ?"
            return [(str(name), str(now)) for name, now in self._file.execute(query, (kind, most))]

    def file_counts(self) -> dict[str, int]:
        """How many files there are of each kind."""
        with _told():
            return dict(self._file.execute("SELECT kind, COUNT(*) FROM files GROUP BY kind").fetchall())

    def commit(self, at: int) -> None:
        """Keep what was written, of the rows until one.

        Raises:
            StorageError: the disk refused.
        """
        with _told():
            self._file.execute("INSERT OR REPLACE INTO reached VALUES (1, ?)", (at,))
            self._file.commit()

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


def _opened(path: Path | None) -> sqlite3.Connection:
    file = sqlite3.connect(path or ":memory:", check_same_thread=False)
    try:
        file.executescript(TABLES)
        (found,) = file.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            damaged = sqlite3.DatabaseError(found)
            damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damaged
    except BaseException:
        file.close()
        raise
    return file


def _is_damaged(e: Exception) -> bool:
    return getattr(e, "sqlite_errorcode", 0) & 0xFF in DAMAGED


@contextmanager
def _told() -> Iterator[None]:
    """What the file refuses within this block is said in a sentence."""
    try:
        yield
    except (OSError, sqlite3.Error) as e:
        if _is_damaged(e):
            raise StorageError("What was noted of the import's rows is damaged.", MADE_ANEW) from e
        why = f"What the import has read could not be noted: {reason(e)}."
        raise StorageError(why, "Free some disk space.") from e
