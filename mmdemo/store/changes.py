"""What is removed, hidden, shown again and edited, by whom and when.

What is removed is out of the collection as soon as the change is in the database; its files follow
(`removal.py`). Labels stay in the log: a pair of which somebody said something stays as a row with its words,
and one of which nobody did keeps its number and nothing else.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, false, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from mmdemo.errors import UserError
from mmdemo.store.database import Database
from mmdemo.store.pairs import PairStore
from mmdemo.store.tables import Change, Import, Item, Label, Pair
from mmdemo.store.texts import clean_text, short_id, text_key
from mmdemo.store.words import PAIR, put_in

REMOVE, HIDE, SHOW, EDIT = "remove", "hide", "show", "edit"


@dataclass(frozen=True)
class Target:
    """What a change is about: items, pairs, and what an import brought."""

    items: tuple[str, ...] = ()
    pairs: tuple[int, ...] = ()
    import_id: str = ""  # empty: of none


@dataclass(frozen=True)
class Amount:
    """How much a change is about."""

    items: int = 0
    pairs: int = 0  # those of the items among them
    labels: int = 0  # on these pairs, which nobody has taken back
    bytes: int = 0  # of the items' files


@dataclass(frozen=True)
class ChangeView:
    """One change that was made."""

    id: int
    action: str  # remove, hide, show or edit
    person: str  # who, where they have a name
    at: datetime
    done: bool  # whether what was removed is gone from the disk, too
    details: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """A row of `changes`."""
        return asdict(self) | {"at": f"{self.at:%Y-%m-%dT%H:%M:%SZ}"}


class ChangeLog:
    """Changes of the collection in the database."""

    def __init__(self, database: Database, pairs: PairStore) -> None:
        self._database = database
        self._pairs = pairs

    def latest(self, action: str = "") -> int:
        """The number of the newest change, of any kind or one: what was made of the rows before is out of
        date where it has grown, in whichever process. 0: there is none.
        """
        query = select(func.max(Change.id))
        with self._database.read() as session:
            return session.scalar(query.where(Change.action == action) if action else query) or 0

    def last(self, count: int) -> list[ChangeView]:
        """The newest changes, the last one first."""
        with self._database.read() as session:
            rows = session.scalars(select(Change).order_by(Change.id.desc()).limit(count))
            return [ChangeView(r.id, r.action, r.person, r.created_at, r.done, r.details) for r in rows]

    def amount(self, action: str, target: Target) -> Amount:
        """How much a change would be about.

        Raises:
            UserError: something that is named is not there.
        """
        with self._database.read() as session:
            return _amount(session, action, target)

    def pairs_of(self, target: Target) -> set[int]:
        """The pairs that would go with what is removed."""
        with self._database.read() as session:
            return set(session.scalars(select(Pair.id).where(_pairs(REMOVE, target))))

    def make(self, action: str, target: Target, person: str = "") -> tuple[int, Amount]:
        """Remove, hide or show; returns the number of the change, 0 where there was nothing to do, and how
        much it was.

        Raises:
            UserError: something that is named is not there; nothing has changed.
        """
        with self._database.write() as session:
            amount = _amount(session, action, target)
            if not amount.items and not amount.pairs:
                return 0, amount
            named = {"items": list(target.items), "pairs": list(target.pairs), "import": target.import_id}
            if target.import_id:
                named["name"] = session.get_one(Import, target.import_id).name
            change = _noted(session, action, person, {"amount": asdict(amount)} | named)
            change.done = action != REMOVE
            new: dict[str, Any] = {"hidden": action == HIDE}
            if action == REMOVE:
                new = {"removed_id": change.id, "hidden": False}
            of_item = {"listed": False} if action == REMOVE else {}
            for table, which, values in (
                (Pair, _pairs(action, target), new),  # first: they are found by their items
                (Item, _items(action, target), new | of_item),
            ):
                changed = update(table).where(which).values(**values)
                session.execute(changed, execution_options={"synchronize_session": False})
            return change.id, amount

    def edit_item(self, item_id: str, name: str, source: str, person: str = "") -> Item:
        """Give an item another name or source; what is empty stays as it is.

        Raises:
            UserError: there is no such item in the collection, or a name that cannot be used.
        """
        with self._database.write() as session:
            item = session.get(Item, item_id)
            if item is None or not item.listed:
                raise UserError(f"There is no item {short_id(item_id)}.", "Choose another one.")
            was = {"name": item.name, "source": item.source}
            item.name = clean_text(name) if name.strip() else item.name
            item.source = clean_text(source) if source.strip() else item.source
            now_is = {"name": item.name, "source": item.source}
            if was != now_is:
                _noted(session, EDIT, person, {"item": item_id, "was": was, "is": now_is})
        return item

    def edit_pair(
        self,
        pair_id: int,
        text: str,
        start_s: float | None = None,
        end_s: float | None = None,
        whole: bool = False,
        person: str = "",
    ) -> tuple[int, int]:
        """Give a pair another text or span: that is another pair, without a label, and the one before is
        removed, with what was said of it. A text that differs in capitals, width or blanks only stays the
        same pair. Returns the number of the pair and of the labels that stay behind.

        Args:
            pair_id: its number.
            text: the new one; empty: it stays.
            start_s: of the new span; None: it stays.
            end_s: the same.
            whole: whether it is about the whole file from now on.
            person: who does it.

        Raises:
            UserError: there is no such pair, or a text or span that cannot be used.
        """
        with self._database.write() as session:
            old = session.get(Pair, pair_id)
            if old is None or old.removed_id is not None:
                raise UserError(f"There is no pair {pair_id}.", "Choose another one.")
            text = clean_text(text) if text.strip() else old.text
            start_s = None if whole else old.start_s if start_s is None else start_s
            end_s = None if whole else old.end_s if end_s is None else end_s
            was = {"text": old.text, "start": old.start_s, "end": old.end_s}
            now_is = {"text": text, "start": start_s, "end": end_s}
            if was == now_is:
                return pair_id, 0
            if (text_key(text), start_s, end_s) == (old.text_key, old.start_s, old.end_s):
                old.text = text
                put_in(session, old.item_id, PAIR, str(old.id), text)
                _noted(session, EDIT, person, {"pair": pair_id, "into": pair_id, "was": was, "is": now_is})
                return pair_id, 0
            kept = old.import_id
            made, _ = self._pairs.add(
                session,
                old.task,
                old.item_id,
                text,
                source=old.source,
                start_s=start_s,
                end_s=end_s,
                import_id=kept,
            )
            made.hidden = made.hidden or old.hidden
            labels = session.scalar(_labels_on(Pair.id == pair_id)) or 0
            what = {"pair": pair_id, "into": made.id, "labels": labels, "is": now_is}
            change = _noted(session, EDIT, person, what | ({"was": was} if labels else {}))
            change.done, old.removed_id = False, change.id
            return made.id, labels


def _noted(session: Session, action: str, person: str, details: dict[str, Any]) -> Change:
    change = Change(action=action, person=person[:120], details=details)
    session.add(change)
    session.flush()
    return change


def _amount(session: Session, action: str, target: Target) -> Amount:
    _require_there(session, target)
    items, size = session.execute(
        select(func.count(Item.id), func.coalesce(func.sum(Item.bytes), 0)).where(_items(action, target))
    ).one()
    pairs = session.scalar(select(func.count(Pair.id)).where(_pairs(action, target))) or 0
    labels = session.scalar(_labels_on(_pairs(action, target))) or 0
    return Amount(int(items), int(pairs), int(labels), int(size))


def _labels_on(pairs: ColumnElement[bool]):  # type: ignore[no-untyped-def]
    undo = aliased(Label)
    query = select(func.count(Label.id)).join(Pair, Pair.id == Label.pair_id)
    query = query.outerjoin(undo, undo.undoes == Label.id)
    return query.where(pairs, Label.undoes.is_(None), undo.id.is_(None))


def _require_there(session: Session, target: Target) -> None:
    """Refuse what is not in the collection.

    Raises:
        UserError: the first of what is not there.
    """
    there = set(session.scalars(select(Item.id).where(Item.listed, Item.id.in_(target.items))))
    if lacking := next((one for one in target.items if one not in there), None):
        raise UserError(f"There is no item {short_id(lacking)}.", "Choose others.")
    of_pairs = select(Pair.id).where(Pair.id.in_(target.pairs), Pair.removed_id.is_(None))
    known = set(session.scalars(of_pairs))
    if (absent := next((one for one in target.pairs if one not in known), None)) is not None:
        raise UserError(f"There is no pair {absent}.", "Choose others.")
    if target.import_id and session.get(Import, target.import_id) is None:
        raise UserError(f"There is no import {target.import_id[:60]!r}.", "List them to see their ids.")


def _items(action: str, target: Target) -> ColumnElement[bool]:
    """The items that a change is about: those that are named, and those that an import brought and that have
    no pairs of another one, nor any that somebody made and labelled.
    """
    found = Item.listed & or_(Item.id.in_(target.items), _brought(target))
    return found if action == REMOVE else found & (Item.hidden != (action == HIDE))


def _brought(target: Target) -> ColumnElement[bool]:
    if not target.import_id:
        return false()
    by_hand = Pair.import_id.is_(None) & Pair.label_id.is_not(None)
    of_others = or_(Pair.import_id != target.import_id, by_hand)
    others = select(Pair.item_id).where(of_others, Pair.removed_id.is_(None))
    return (Item.import_id == target.import_id) & Item.id.not_in(others)


def _pairs(action: str, target: Target) -> ColumnElement[bool]:
    """The pairs that a change is about: those that are named, those that an import brought, and where items
    are removed all of theirs. What is hidden with its item is not hidden by itself.
    """
    of_import: ColumnElement[bool] = false()
    if target.import_id:
        of_import = Pair.import_id == target.import_id
        if action == HIDE:
            of_import &= Pair.item_id.not_in(select(Item.id).where(_brought(target)))
    of_items: ColumnElement[bool] = false()
    if action == REMOVE:
        of_items = Pair.item_id.in_(select(Item.id).where(_items(REMOVE, target)))
    found = Pair.removed_id.is_(None) & or_(Pair.id.in_(target.pairs), of_import, of_items)
    return found if action == REMOVE else found & (Pair.hidden != (action == HIDE))
