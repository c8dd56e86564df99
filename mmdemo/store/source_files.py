"""Which file of which folder each imported item was: by that a folder that is imported again is known again,
quickly, and items that are read from outside are found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from mmdemo.store.database import Database, in_parts
from mmdemo.store.tables import SourceFile

AT_ONCE = 1000  # rows of a folder that are gone through


def key_of(name: str) -> str:
    """By which a name is found, however long it is."""
    return hashlib.sha256(name.encode()).hexdigest()


class SourceFiles:
    """The files in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, folder: str, names: Sequence[str]) -> dict[str, list[SourceFile]]:
        """What is known of some files of a folder, by their names."""
        found: dict[str, list[SourceFile]] = {}
        with self._database.read() as session:
            for part in in_parts([key_of(name) for name in names]):
                query = select(SourceFile).where(SourceFile.folder == folder, SourceFile.key.in_(part))
                for row in session.scalars(query):
                    found.setdefault(row.name, []).append(row)
        return found

    def of_item(self, item_id: str) -> list[SourceFile]:
        """The files from outside that an item is read from."""
        query = select(SourceFile).where(SourceFile.item_id == item_id, SourceFile.outside)
        with self._database.read() as session:
            return list(session.scalars(query.order_by(SourceFile.mtime_ns.desc())))

    def outside(self, ids: Sequence[str] | None = None) -> set[str]:
        """The items that are read from outside, or were once; of those ids only."""
        query = select(SourceFile.item_id).where(SourceFile.outside).distinct()
        found: set[str] = set()
        with self._database.read() as session:
            if ids is None:
                return set(session.scalars(query))
            for part in in_parts(ids):
                found |= set(session.scalars(query.where(SourceFile.item_id.in_(part))))
        return found

    def has_outside(self) -> bool:
        """Whether any item is read from outside."""
        with self._database.read() as session:
            return session.scalar(select(SourceFile.key).where(SourceFile.outside).limit(1)) is not None

    def each(self, folder: str) -> Iterator[list[SourceFile]]:
        """The files of a folder, some of them at a time."""
        last = ("", "")
        query = select(SourceFile).where(SourceFile.folder == folder)
        query = query.order_by(SourceFile.key, SourceFile.item_id).limit(AT_ONCE)
        while True:
            with self._database.read() as session:
                rows = list(session.scalars(query.where(tuple_(SourceFile.key, SourceFile.item_id) > last)))
            if rows:
                yield rows
            if len(rows) < AT_ONCE:
                return
            last = (rows[-1].key, rows[-1].item_id)

    def names_of(self, folder: str, ids: Sequence[str]) -> dict[str, list[str]]:
        """The names that items have in a folder."""
        found: dict[str, list[str]] = {}
        query = select(SourceFile.item_id, SourceFile.name).where(SourceFile.folder == folder)
        with self._database.read() as session:
            for part in in_parts(ids):
                for item, name in session.execute(query.where(SourceFile.item_id.in_(part))):
                    found.setdefault(item, []).append(name)
        return found

    def forget(self, rows: Sequence[SourceFile]) -> None:
        """Files of these names are known no longer."""
        with self._database.write() as session:
            for row in rows:
                found = session.get(SourceFile, (row.folder, row.key, row.item_id))
                if found is not None:
                    session.delete(found)


def note_in(session: Session, files: Sequence[SourceFile]) -> None:
    """Note files of one folder within a write session, in the place of what was known of each so."""
    new = {(file.key, file.item_id): file for file in files}
    for part in in_parts(sorted({file.key for file in files})):
        query = select(SourceFile).where(SourceFile.folder == files[0].folder, SourceFile.key.in_(part))
        for known in session.scalars(query):
            file = new.pop((known.key, known.item_id), None)
            if file is not None:
                known.bytes, known.mtime_ns = file.bytes, file.mtime_ns
                known.outside = known.outside or file.outside
    session.add_all(new.values())
