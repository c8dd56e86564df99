"""Searches that stand under a name for everybody here."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select

from mmdemo.asker import Asker
from mmdemo.errors import UserError
from mmdemo.store.database import Database
from mmdemo.store.short_links import LONGEST, is_state
from mmdemo.store.tables import SavedSearch
from mmdemo.store.texts import clean_text

MOST, MOST_OF_ONE = 200, 50  # of a task; the owner may have all of them
LONGEST_NAME = 120  # characters, as the database keeps it


@dataclass(frozen=True)
class SearchView:
    """A saved search."""

    id: int
    name: str
    state: str  # as an address says it after the question mark
    person: str  # who saved it, told whoever may label; empty: somebody without a name
    own: bool  # whether whoever asks may remove it
    mine: bool  # whether whoever asks saved it


class SavedSearches:
    """The searches of a workspace. They are in the database, and so in backups."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, task: str, asker: Asker) -> list[SearchView]:
        """Those of a task, by their names."""
        query = select(SavedSearch).where(SavedSearch.task == task)
        with self._database.read() as session:
            ordered = query.order_by(func.lower(SavedSearch.name), SavedSearch.id)
            rows = list(session.scalars(ordered.limit(MOST)))  # a backup may bring more
        return [_view(row, asker) for row in rows]

    def keep(self, task: str, name: str, state: str, asker: Asker) -> SearchView:
        """Save a search; one of that name that one may remove makes room for it.

        Raises:
            UserError: it is no state, or too long; the name cannot be used, or is another's; or there are
                as many as may be.
        """
        if not name.strip():
            raise UserError("The search has no name.", "Write one.")
        name = clean_text(name)
        if len(name) > LONGEST_NAME:
            raise UserError(f"The name has {len(name)} characters, over {LONGEST_NAME}.", "Shorten it.")
        if len(state) > LONGEST or not is_state(state):
            raise UserError("This is no search that can be saved.", "Save it from the page.")
        with self._database.write() as session:
            of_task = SavedSearch.task == task
            row = session.scalar(select(SavedSearch).where(of_task, SavedSearch.name == name))
            if row is not None and not _may_change(row, asker):
                raise UserError("Somebody else saved a search under this name.", "Choose another name.")
            if row is None:
                counted = select(func.count()).select_from(SavedSearch).where(of_task)
                if (session.scalar(counted) or 0) >= MOST:
                    raise UserError(f"{MOST} searches are saved already.", "Remove one.")
                own = session.scalar(counted.where(SavedSearch.maker == asker.person)) or 0
                if own >= MOST_OF_ONE and not asker.may("owner"):
                    raise UserError(f"You have saved {MOST_OF_ONE} searches already.", "Remove one.")
                row = SavedSearch(task=task, name=name)
                session.add(row)
            row.state, row.maker, row.person = state, asker.person, asker.name
            session.flush()
            return _view(row, asker)

    def remove(self, search: int, asker: Asker) -> bool:
        """Remove a search; returns whether it was there.

        Raises:
            UserError: somebody else saved it.
        """
        with self._database.write() as session:
            row = session.get(SavedSearch, search)
            if row is None:
                return False
            if not _may_change(row, asker):
                raise UserError("Somebody else saved this search.", "Ask them, or the owner, to remove it.")
            session.delete(row)
            return True


def _may_change(row: SavedSearch, asker: Asker) -> bool:
    return asker.may("owner") or (asker.may("annotator") and row.maker == asker.person)


def _view(row: SavedSearch, asker: Asker) -> SearchView:
    person = row.person if asker.may("annotator") else ""
    mine = asker.may("annotator") and row.maker == asker.person
    return SearchView(row.id, row.name, row.state, person, _may_change(row, asker), mine)
