"""Items: one row a file, whatever its modality; those that are listed make the collection."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import Session

from mmdemo.errors import UserError
from mmdemo.label_kinds import UNLABELLED
from mmdemo.modality import MODALITIES
from mmdemo.store.database import Database, in_parts
from mmdemo.store.tables import Item, Pair

Number = ColumnElement[int]
ITEM_STATES: dict[
    str, Callable[[Number, Number], ColumnElement[bool]]
] = {  # of numbers of pairs, of labelled
    "all": lambda pairs, labelled: true(),
    "labelled": lambda pairs, labelled: labelled > 0,
    UNLABELLED: lambda pairs, labelled: (pairs > 0) & (labelled == 0),
    "unpaired": lambda pairs, labelled: pairs == 0,
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
        there.listed = there.listed or item.listed
    session.flush()
    return found


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
                item.listed = True

    def get(self, item_id: str) -> Item | None:
        """The item of that id."""
        with self._database.read() as session:
            return session.get(Item, item_id)

    def of(self, ids: Sequence[str]) -> dict[str, Item]:
        """The items of those ids."""
        found: dict[str, Item] = {}
        with self._database.read() as session:
            for part in in_parts(ids):
                rows = session.scalars(select(Item).where(Item.id.in_(part)))
                found.update({item.id: item for item in rows})
        return found

    def listed(
        self, modality: str, names: Sequence[str] | None = None, limit: int | None = None
    ) -> list[Item]:
        """The collection of a modality, oldest first; of those names only, at most `limit`."""
        query = select(Item).where(Item.listed, Item.modality == modality)
        if names is not None:
            query = query.where(Item.name.in_(names))
        with self._database.read() as session:
            return list(session.scalars(query.order_by(Item.created_at, Item.id).limit(limit)))

    def ids(self, modality: str, source: str = "") -> list[str]:
        """The ids of the collection of a modality, oldest first; of a source only."""
        query = select(Item.id).where(Item.listed, Item.modality == modality)
        if source:
            query = query.where(Item.source == source)
        with self._database.read() as session:
            return list(session.scalars(query.order_by(Item.created_at, Item.id)))

    def count(self, modality: str) -> int:
        """How many items the collection of a modality has."""
        with self._database.read() as session:
            return session.scalar(select(func.count()).where(Item.listed, Item.modality == modality)) or 0

    def bytes(self) -> int:
        """Of all files, those that no collection has yet as well."""
        with self._database.read() as session:
            return int(session.scalar(select(func.sum(Item.bytes))) or 0)

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
            state: all, labelled (at least one pair is), unlabelled (pairs, none labelled) or unpaired.
            split: train, validation or held-out.
            source: where the item comes from.
            contains: characters of its name.
            limit: at most so many.
            offset: how many to pass over.

        Raises:
            UserError: there is no such state.
        """
        of_item = (Pair.item_id == Item.id) & (Pair.task == task)
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
