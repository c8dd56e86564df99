"""Imports in the database, each with how far it has come: that is written with the rows it tells of."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from mmdemo.store.database import Database
from mmdemo.store.tables import Import, now


class ImportLog:
    """The imports of a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, name: str, task: str) -> str:
        """A new import; returns its id."""
        made = Import(id=secrets.token_hex(8), name=name[:120], task=task)
        with self._database.write() as session:
            session.add(made)
        return made.id

    def get(self, import_id: str) -> Import | None:
        """One import."""
        with self._database.read() as session:
            return session.get(Import, import_id)

    def end(self, import_id: str, counts: Mapping[str, Any]) -> None:
        """It has come to its end."""
        with self._database.write() as session:
            found = session.get(Import, import_id)
            if found is not None:
                found.counts, found.ended_at = dict(counts), now()


def come_in(session: Session, import_id: str, done: int, mark: str, counts: Mapping[str, Any]) -> None:
    """Note within a write session how far an import has come.

    Args:
        session: in which its rows are written.
        import_id: of it.
        done: rows of its source.
        mark: a digest of what they were.
        counts: what they brought.
    """
    found = session.get(Import, import_id)
    if found is not None:
        found.done, found.mark, found.counts = done, mark, dict(counts)
