"""The pairs that came with a collection: neither proposals nor answers that people judged."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, select

from mmdemo.store.database import Database
from mmdemo.store.pairs import HARD_NEGATIVE, OF_ANSWERS
from mmdemo.store.tables import Pair


def imported_pairs(database: Database, task: str, split: str) -> list[tuple[str, str, str]]:
    """The item, the key of the text and the text of the imported pairs of a side, oldest first."""
    query = select(Pair.item_id, Pair.text_key, Pair.text).where(Pair.split == split, _came(task))
    with database.read() as session:
        return [(item, key, text) for item, key, text in session.execute(query.order_by(Pair.id))]


def latest_import(database: Database, task: str) -> int:
    """The number of the newest imported pair of a task; 0: there is none."""
    query = select(Pair.id).where(_came(task)).order_by(Pair.id.desc()).limit(1)
    with database.read() as session:
        return session.scalar(query) or 0


def _came(task: str) -> ColumnElement[bool]:
    own = Pair.source.not_in([HARD_NEGATIVE, *OF_ANSWERS])
    return and_(Pair.task == task, own, Pair.removed_id.is_(None))
