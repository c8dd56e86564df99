"""Whether a database and the files beside it are whole and such as mmdemo writes: asked of a backup before it
is taken in, and of a workspace by `mmdemo check`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from mmdemo.errors import OutsideError, UserError, reason
from mmdemo.media.below import below
from mmdemo.store.media_store import file_sha256
from mmdemo.store.schema import CURE, require_own_schema

HASH = re.compile(r"[0-9a-f]{64}")
SUFFIX = re.compile(r"(?:\.[A-Za-z0-9_-]+)*")
ID = re.compile(r"[A-Za-z0-9(][A-Za-z0-9._()-]*")  # of a version or a run: it is the name of a folder
NAMED = {  # what names a file or a folder, by table and column
    ("items", "id"): HASH,
    ("items", "suffix"): SUFFIX,
    ("versions", "id"): ID,
    ("runs", "id"): ID,
}


def read_only(file: Path, *, private: bool = False) -> sqlite3.Connection:
    """A database that is looked at and not believed (sqlite.org/security.html).

    Args:
        file: SQLite's.
        private: whether nobody else has it open, so that nothing is written beside it.
    """
    how = "mode=ro&immutable=1" if private else "mode=ro"
    database = sqlite3.connect(f"file:{quote(str(file))}?{how}", uri=True)
    database.execute("PRAGMA trusted_schema=OFF")
    database.execute("PRAGMA cell_size_check=ON")
    return database


def require_sound_database(file: Path, name: str) -> None:
    """Refuse a database file that is damaged, is not mmdemo's, or names files as mmdemo does not.

    Args:
        file: SQLite's.
        name: what it is called, at the beginning of a sentence.

    Raises:
        UserError: what is wrong with it, in one sentence.
    """
    if not file.stat().st_size:
        raise UserError(f"{name} is empty.", CURE)
    try:
        with closing(read_only(file, private=True)) as database:
            if faults := damage(database):
                raise UserError(f"{name} is damaged: {faults[0]}.", CURE)
            require_own_schema(database, name)
            if faults := [*lost_references(database), *odd_names(database)]:
                raise UserError(f"{name} is damaged: {faults[0]}.", CURE)
    except (sqlite3.Error, UnicodeDecodeError) as e:
        raise UserError(f"{name} is damaged: {reason(e)}.", CURE) from e


def damage(database: sqlite3.Connection) -> list[str]:
    """What SQLite itself finds wrong with a database; empty: nothing."""
    try:
        found = [str(row[0]) for row in database.execute("PRAGMA integrity_check(10)")]
    except sqlite3.DatabaseError as e:
        return [reason(e)]
    return [] if found == ["ok"] else [one.rstrip(".") for one in found]


def lost_references(database: sqlite3.Connection) -> list[str]:
    """The rows that refer to none, by table, one of each."""
    lost = {(row[0], row[2]) for row in database.execute("PRAGMA foreign_key_check")}
    return [f"a row of {table} refers to none of {parent}" for table, parent in sorted(lost)]


def odd_names(database: sqlite3.Connection) -> Iterator[str]:
    """The values that name files or folders and are none that mmdemo writes."""
    for (table, column), form in NAMED.items():
        for (value,) in database.execute(f"SELECT {column} FROM {table}"):
            if not isinstance(value, str) or not form.fullmatch(value):
                yield f"{str(value)[:60]!r} is no {column} of {table}"


def media_faults(items: Iterable[tuple[str, str, int, str]], folder: Path) -> Iterator[tuple[str, str, bool]]:
    """The items whose file is not the one that they are named after.

    Args:
        items: the id, suffix, bytes and name of each.
        folder: of the media.

    Yields:
        The item's id, a part of a sentence on what is wrong, and whether the file is merely not there.
    """
    for item, suffix, size, name in items:
        shown = str(name)[:60]
        try:
            path = below(folder, item[:2], f"{item[2:]}{suffix}")
        except OutsideError:
            yield item, f"the file of {shown} lies outside the workspace", False
            continue
        where = f"media/{item[:2]}/{item[2:]}{suffix}"
        if not path.is_file():
            yield item, f"the file of {shown} is missing: {where}", True
        elif path.stat().st_size != size:
            yield item, f"the file of {shown} has {path.stat().st_size} bytes and not {size}: {where}", False
        elif file_sha256(path) != item:
            yield item, f"the file of {shown} is not the one that was kept: {where}", False
