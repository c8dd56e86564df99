"""What is in a database beside its rows: whether its tables and triggers are mmdemo's own.

A trigger, a view or a check in a table runs whenever somebody labels, so a database from elsewhere is
compared with one that the same migrations have made.
"""

from __future__ import annotations

import re
import sqlite3
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmdemo.errors import UserError
from mmdemo.store.database import MIGRATIONS, Database

CURE = "Choose another backup."
Shape = tuple[frozenset[Any], ...]  # columns, indices and references of a table
Things = dict[tuple[str, str], str]  # kind and name of a table, an index, a trigger or a view, and its SQL


def revision_of(database: sqlite3.Connection) -> str:
    """By which migration its tables were made last; empty: it is none of mmdemo's."""
    try:
        found = database.execute("SELECT version_num FROM alembic_version").fetchall()
    except sqlite3.DatabaseError:
        return ""
    return str(found[0][0]) if len(found) == 1 else ""


def require_own_schema(database: sqlite3.Connection, name: str) -> None:
    """Refuse a database that holds more or less than what its migrations have made.

    Args:
        database: SQLite's.
        name: what it is called, as "the database of b.zip".

    Raises:
        UserError: what is wrong, in one sentence.
    """
    revision = revision_of(database)
    if not revision:
        raise UserError(f"{name} is none of mmdemo's.", CURE)
    if not any(file.stem.split("_")[0] == revision for file in (MIGRATIONS / "versions").glob("m*.py")):
        raise UserError(f"{name} was made by a newer version of mmdemo.", "Restore it with that one.")
    (own, own_shapes), found = _made_by(revision), _things(database)
    if strange := next((one for one in found if one not in own), None):
        raise UserError(f"{name} holds a {strange[0]} {strange[1][:60]!r} that is none of mmdemo's.", CURE)
    if lost := next((one for one in own if one not in found), None):
        raise UserError(f"{name} lacks the {lost[0]} {lost[1]!r}.", CURE)
    for (kind, one), sql in found.items():
        if not _is_alike(kind, sql, own[kind, one]):
            raise UserError(f"The {kind} {one!r} of {name} is not as mmdemo makes it.", CURE)
    for table, shape in own_shapes.items():
        if _shape_of(database, table) != shape:
            raise UserError(f"The table {table!r} of {name} is not as mmdemo makes it.", CURE)


def _shape_of(database: sqlite3.Connection, table: str) -> Shape:
    """What SQLite has made of a table's words, in whatever order they stand: its columns with their types,
    which may be empty and which are its key; what is unique or indexed; and what refers where.
    """
    columns = database.execute('SELECT name, upper(type), "notnull", pk FROM pragma_table_xinfo(?)', (table,))
    listed = database.execute('SELECT name, "unique", partial FROM pragma_index_list(?)', (table,)).fetchall()
    parts = 'SELECT name, "desc", coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno'
    indices = [
        (unique, partial, *database.execute(parts, (name,)).fetchall()) for name, unique, partial in listed
    ]
    references = database.execute(
        'SELECT "from", "table", on_delete FROM pragma_foreign_key_list(?)', (table,)
    )
    return frozenset(columns.fetchall()), frozenset(indices), frozenset(references.fetchall())


def _is_alike(kind: str, sql: str, own: str) -> bool:
    """Triggers are the same; a table or an index has the same words, whichever library wrote them down."""
    if kind in ("trigger", "view") or "virtual" in own.lower():
        return sql.split() == own.split()
    words, known = (set(re.findall(r"\w+", text.lower())) for text in (sql, own))
    return words <= known


def _things(database: sqlite3.Connection) -> Things:
    rows = database.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
    return {(kind, name): sql for kind, name, sql in rows if not name.startswith("sqlite_")}


@lru_cache(maxsize=4)
def _made_by(revision: str) -> tuple[Things, dict[str, Shape]]:
    """What the migrations make up to one of them, and the shapes of its tables."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "own.sqlite3"
        Database(f"sqlite:///{file}", revision).close()
        database = sqlite3.connect(file)
        try:
            made = _things(database)
            return made, {name: _shape_of(database, name) for kind, name in made if kind == "table"}
        finally:
            database.close()
