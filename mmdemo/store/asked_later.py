"""Pairs that somebody wants to be asked about: what they chose among answers, to label it another time."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from mmdemo.asker import Asker
from mmdemo.store.database import Database, in_parts
from mmdemo.store.pairs import NewPair, PairStore, is_hidden
from mmdemo.store.tables import AskedLater, Item, Pair

AT_ONCE = 100  # pairs in one transaction: labels do not wait for more


class LaterPairs:
    """The pairs that people chose to be asked about. They are in the database, and so in backups."""

    def __init__(self, database: Database, pairs: PairStore) -> None:
        self._database = database
        self._pairs = pairs

    def keep(self, task: str, pairs: Sequence[NewPair], asker: Asker) -> tuple[list[int], int]:
        """Let somebody be asked about pairs, which are made where there are none; returns those, and how
        many of the others have a label already.

        Raises:
            UserError: no such item, or a text that cannot be used.
        """
        kept: list[int] = []
        answered = 0
        for part in in_parts(pairs, AT_ONCE):
            with self._database.write() as session:
                for pair in dict.fromkeys(pair for pair, _ in self._pairs.add_all(session, task, part)):
                    if pair.label_id is not None:
                        answered += 1
                    else:
                        session.merge(AskedLater(pair_id=pair.id, person=asker.person))
                        kept.append(pair.id)
        return kept, answered

    def waiting(self, task: str, asker: Asker) -> list[int]:
        """The pairs that somebody is still to be asked about, as they were chosen."""
        query = select(Pair.id).join(AskedLater, AskedLater.pair_id == Pair.id)
        query = query.join(Item, Item.id == Pair.item_id)
        query = query.where(AskedLater.person == asker.person, Pair.task == task, Pair.label_id.is_(None))
        query = query.where(Pair.removed_id.is_(None), ~is_hidden())
        with self._database.read() as session:
            return list(session.scalars(query.order_by(AskedLater.created_at, Pair.id)))
