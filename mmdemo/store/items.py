"""Items: one row a file, whatever its modality; those that are listed make the collection.

One that was removed stays as a row where pairs refer to it: its side holds, should it come again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session

from mmdemo.errors import UserError
from mmdemo.label_kinds import UNLABELLED
from mmdemo.modality import MODALITIES
from mmdemo.store.database import Database, in_parts
from mmdemo.store.tables import Item, Pair, Scratch, SourceFile, now

Number = ColumnElement[int]
HIDDEN = "hidden"  # from what answers show
ITEM_STATES: dict[
    str, Callable[[Number, Number], ColumnElement[bool]]
] = {  # of numbers of pairs, of labelled
    "all": lambda pairs, labelled: true(),
    "labelled": lambda pairs, labelled: labelled > 0,
    UNLABELLED: lambda pairs, labelled: (pairs > 0) & (labelled == 0),
    "unpaired": lambda pairs, labelled: pairs == 0,
    HIDDEN: lambda pairs, labelled: Item.hidden.is_(True),
}


def read_as_more(known: Item, item: Item) -> None:
    """Make a known item of the modality as which its file is read now, where that holds the one before."""
    if known.modality in MODALITIES.get(item.modality).holds:  # a video's sound was heard before
        known.modality, known.width, known.height = item.modality, item.width, item.height


def add_in(session: Session, item: Item) -> tuple[Item, bool]:
    """Add an item within a write session, or list one that was known but not listed; returns it, and whether
    it is new to the collection.
    """
    return add_all_in(session, [item])[0]


def add_all_in(session: Session, items: Sequence[Item]) -> list[tuple[Item, bool]]:
    """As `add_in` for several, of which some may be the same."""
    known: dict[str, Item] = {}
    for part in in_parts(sorted({item.id for item in items})):
        known |= {item.id: item for item in session.scalars(select(Item).where(Item.id.in_(part)))}
    found = []
    for item in items:
        there = known.setdefault(item.id, item)
        if there is item:
            session.add(item)
            found.append((item, item.listed))
            continue
        read_as_more(there, item)
        found.append((there, item.listed and not there.listed))
        if item.listed and not there.listed:
            _list_again(there, item)
    session.flush()
    return found


def _list_again(known: Item, item: Item) -> None:
    """An item that is known comes into the collection; one that was removed is called as it comes now."""
    known.listed, known.import_id = True, item.import_id
    if known.removed_id is not None:
        known.removed_id, known.hidden = None, False
        known.name, known.source, known.created_at = item.name, item.source, now()


def enlist_in(session: Session, item: Item) -> None:
    """Make an item part of the collection within a write session.

    Raises:
        UserError: it was removed, and nobody has brought its file again.
    """
    if item.removed_id is not None:
        if not _is_held(session, item.id):
            raise UserError(f"{item.name or 'This file'} was removed meanwhile.", "Bring it again first.")
        item.removed_id, item.import_id, item.hidden = None, None, False
    item.listed = True


def _is_held(session: Session, item_id: str) -> bool:
    """Whether somebody has brought an item's file to look at."""
    return session.scalar(select(Scratch.item_id).where(Scratch.item_id == item_id).limit(1)) is not None


def is_gone(session: Session, item_id: str) -> bool:
    """Whether there is no such item any more, so that nothing need be kept of it."""
    item = session.get(Item, item_id)
    return item is None or (item.removed_id is not None and not _is_held(session, item_id))


class ItemStore:
    """Items in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, item: Item) -> bool:
        """Add an item, or list one that was known but not listed; returns whether it is new to the
        collection.
        """
        with self._database.write() as session:
            return add_in(session, item)[1]

    def enlist(self, item_id: str) -> None:
        """Make an item part of the collection."""
        with self._database.write() as session:
            item = session.get(Item, item_id)
            if item is not None:
                enlist_in(session, item)

    def get(self, item_id: str) -> Item | None:
        """The item of that id."""
        with self._database.read() as session:
            return session.get(Item, item_id)

    def was_removed(self, item_id: str) -> bool:
        """Whether an item was taken out of the collection, and stays as a row."""
        item = self.get(item_id)
        return item is not None and item.removed_id is not None

    def of(self, ids: Sequence[str]) -> dict[str, Item]:
        """The items of those ids."""
        found: dict[str, Item] = {}
        with self._database.read() as session:
            for part in in_parts(ids):
                rows = session.scalars(select(Item).where(Item.id.in_(part)))
                found.update({item.id: item for item in rows})
        return found

    def listed(
        self,
        modality: str,
        names: Sequence[str] | None = None,
        limit: int | None = None,
        *,
        shown: bool = False,
    ) -> list[Item]:
        """The collection of a modality, oldest first; of those names only, at most `limit`, or only what is
        not hidden.
        """
        query = select(Item).where(Item.listed, Item.modality == modality)
        if shown:
            query = query.where(~Item.hidden)
        if names is not None:
            query = query.where(Item.name.in_(names))
        with self._database.read() as session:
            return list(session.scalars(query.order_by(Item.created_at, Item.id).limit(limit)))

    def ids(self, modality: str, source: str = "", *, shown: bool = False) -> list[str]:
        """The ids of the collection of a modality, oldest first; of a source, or of what is shown only."""
        query = select(Item.id).where(Item.listed, Item.modality == modality)
        if shown:
            query = query.where(~Item.hidden)
        if source:
            query = query.where(Item.source == source)
        with self._database.read() as session:
            return list(session.scalars(query.order_by(Item.created_at, Item.id)))

    def out_of_sight(self, modality: str) -> set[str]:
        """The items that no answer may show: what is hidden, and what was removed."""
        query = select(Item.id).where(Item.modality == modality, Item.hidden | Item.removed_id.is_not(None))
        with self._database.read() as session:
            return set(session.scalars(query))

    def count(self, modality: str) -> int:
        """How many items the collection of a modality has."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).where(Item.listed, Item.modality == modality)) or 0

    def bytes(self) -> int:
        """Of the collection's files, without those that stay outside."""
        outside = select(SourceFile.item_id).where(SourceFile.outside)
        own = select(func.sum(Item.bytes)).where(Item.listed, Item.id.not_in(outside))
        with self._database.read() as session:
            return int(session.scalar(own) or 0)

    def browse(
        self,
        modality: str,
        task: str,
        *,
        state: str = "all",
        split: str | None = None,
        source: str | None = None,
        contains: str = "",
        limit: int | None = None,
        offset: int = 0,
    ) -> list[tuple[Item, int, int]]:
        """Items of the collection with their numbers of pairs and of labelled pairs of a task, oldest first.

        Args:
            modality: its name.
            task: whose pairs are counted.
            state: all, labelled (at least one pair is), unlabelled (pairs, none labelled), unpaired, or
                hidden.
            split: train, validation or held-out.
            source: where the item comes from.
            contains: characters of its name.
            limit: at most so many.
            offset: how many to pass over.

        Raises:
            UserError: there is no such state.
        """
        of_item = (Pair.item_id == Item.id) & (Pair.task == task) & Pair.removed_id.is_(None)
        pairs, labelled = func.count(Pair.id), func.count(Pair.label_id)
        query = select(Item, pairs, labelled).outerjoin(Pair, of_item).group_by(Item.id)
        query = query.where(Item.listed, Item.modality == modality)
        if state not in ITEM_STATES:
            raise UserError(f"No items are {state!r}.", f"Use one of: {', '.join(ITEM_STATES)}.")
        query = query.having(ITEM_STATES[state](pairs, labelled))
        if split:
            query = query.where(Item.split == split)
        if source:
            query = query.where(Item.source == source)
        if contains:
            query = query.where(Item.name.icontains(contains, autoescape=True))
        query = query.order_by(Item.created_at, Item.id).limit(limit).offset(offset)
        with self._database.read() as session:
            return [(item, n, done) for item, n, done in session.execute(query)]

    def sources(self, modality: str) -> list[str]:
        """Where the items of a modality come from."""
        query = select(Item.source).where(Item.listed, Item.modality == modality).distinct()
        with self._database.read() as session:
            return list(session.scalars(query.order_by(Item.source)))
