"""Imports in the database, each with how far it has come, which is written with the rows it tells of; what
each brought says so, and can be taken out as a whole.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Subquery, case, func, select
from sqlalchemy.orm import Session

from mmdemo.store.database import Database
from mmdemo.store.tables import Import, Item, Pair, now


@dataclass(frozen=True)
class ImportView:
    """An import with what is left of what it brought."""

    id: str
    name: str  # of its source
    task: str
    person: str  # who imported it, where they have a name
    begun: datetime
    ended: datetime | None  # None: it goes on, or can be gone on with
    items: int  # that it brought and that are here
    pairs: int
    labelled: int  # of these pairs
    hidden: int  # of these items and pairs

    def as_json(self) -> dict[str, Any]:
        """A row of `imports`."""
        told = {"begun": f"{self.begun:%Y-%m-%dT%H:%M:%SZ}", "ended": None}
        if self.ended is not None:
            told["ended"] = f"{self.ended:%Y-%m-%dT%H:%M:%SZ}"
        return asdict(self) | told


class ImportLog:
    """The imports of a workspace."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, name: str, task: str, person: str = "") -> str:
        """A new import by somebody of that name; returns its id."""
        with self._database.write() as session:
            return begin_in(session, name, task, person)

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

    def listed(self, task: str, limit: int, offset: int = 0) -> list[ImportView]:
        """The imports of a task of which something is left, the newest first."""
        items = _counted(Item, Item.listed.is_(True), func.count())
        pairs = _counted(Pair, Pair.removed_id.is_(None) & (Pair.task == task), func.count(Pair.label_id))
        columns = (items.c.n, pairs.c.n, pairs.c.labelled, items.c.hidden, pairs.c.hidden)
        query = (
            select(Import, *(func.coalesce(one, 0) for one in columns))
            .outerjoin(items, items.c.import_id == Import.id)
            .outerjoin(pairs, pairs.c.import_id == Import.id)
            .where(Import.task == task, items.c.n.is_not(None) | pairs.c.n.is_not(None))
            .order_by(Import.created_at.desc(), Import.id)
            .limit(limit)
            .offset(offset)
        )
        with self._database.read() as session:
            return [_view(*row) for row in session.execute(query)]


def _view(one: Import, items: int, pairs: int, labelled: int, *hidden: int) -> ImportView:
    told = one.id, one.name, one.task, one.person, one.created_at, one.ended_at
    return ImportView(*told, int(items), int(pairs), int(labelled), int(sum(hidden)))


def _counted(table: type[Item] | type[Pair], which: ColumnElement[bool], labelled: Any) -> Subquery:
    """By import: how many rows, labelled and hidden ones there are."""
    hidden = func.sum(case((table.hidden, 1), else_=0)).label("hidden")
    query = select(table.import_id, func.count().label("n"), labelled.label("labelled"), hidden)
    return query.where(which).group_by(table.import_id).subquery()


def begin_in(session: Session, name: str, task: str, person: str = "") -> str:
    """A new import within a write session; returns its id."""
    made = Import(id=secrets.token_hex(8), name=name[:120], task=task, person=person[:120])
    session.add(made)
    session.flush()
    return made.id


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
