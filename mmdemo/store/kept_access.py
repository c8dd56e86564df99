"""Whom the owner lets in is said by the workspace, and by no backup: else one that is restored would let in
again whose invitation was taken back, and one of a stranger's whom that stranger likes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from mmdemo.store.tables import Grant, SignedIn, now

OF_ACCESS = (Grant, SignedIn)
IN_FORCE = "revoked_at IS NULL AND expires_at > ? AND (uses_left IS NULL OR uses_left > 0)"


def keep_access(current: sqlite3.Connection, fresh: sqlite3.Connection) -> None:
    """Have a database that takes another's place hold the invitations, tokens and sessions of that one."""
    with fresh:
        for table in OF_ACCESS:
            columns = [column.name for column in table.__table__.columns]
            names, values = ", ".join(columns), ", ".join("?" * len(columns))
            rows = current.execute(f"SELECT {names} FROM {table.__tablename__}").fetchall()
            fresh.execute(f"DELETE FROM {table.__tablename__}")
            fresh.executemany(f"INSERT INTO {table.__tablename__} ({names}) VALUES ({values})", rows)


def close_access(database: Path) -> int:
    """Take back every invitation and token of a database that is to be a new workspace's, and sign everybody
    out; returns how many of them let somebody in until then.
    """
    at = now().isoformat(" ", "microseconds")
    with closing(sqlite3.connect(database)) as open_one, open_one:
        count = len(_in_force(open_one, at))
        open_one.execute("UPDATE grants SET revoked_at = ? WHERE revoked_at IS NULL", (at,))
        open_one.execute("DELETE FROM sessions")
    return count


def not_brought(database: Path, current: Path) -> int:
    """How many invitations and tokens let somebody in by a database, and not by the one that is in use."""
    at = now().isoformat(" ", "microseconds")
    with closing(sqlite3.connect(database)) as one, closing(sqlite3.connect(current)) as other:
        return len(_in_force(one, at) - _in_force(other, at))


def _in_force(database: sqlite3.Connection, at: str) -> set[str]:
    return {digest for (digest,) in database.execute(f"SELECT digest FROM grants WHERE {IN_FORCE}", (at,))}
