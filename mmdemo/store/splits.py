"""The side on which each item and text falls.

A split is given once. An item's side comes from its hash when it gets its first pair; a text takes the
side of the first item it is paired with, and an item whose first text has a side takes that one. A pair
whose item and text are on different sides belongs to neither: it is kept, shown and exported, but never
trained or measured on, because either would leak. Train is learned from, validation chooses between epochs,
held-out decides between versions and does nothing else.

A text with four items or more is a class: a label from a closed set, which is learned and measured on items
of its own on every side.

What a source says of an item holds: it gets that side, unless it has one, and its texts do not change it. A
text that a source has on several sides is shared by them, as a class is; equal texts count as equal in what
is measured.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mmdemo.label_kinds import names_of
from mmdemo.store.database import Database, in_parts
from mmdemo.store.tables import HARD_NEGATIVE, Item, Label, Pair, TextSplit

TRAIN, VALIDATION, HELD_OUT = "train", "validation", "held-out"
SIDES = (TRAIN, VALIDATION, HELD_OUT)
ALL = "all"  # of them
SIDES_OR_ALL = (HELD_OUT, VALIDATION, TRAIN, ALL)  # what can be measured on
VALIDATION_SHARE = 1 / 6  # of what would be train: with a fourth held out, half as many as those
CLASS = "class"  # instead of the side of a text that has items on every side
SHARED = "shared"  # instead of that of a text which a source has on several, without being a class
NO_SIDE = frozenset({CLASS, SHARED})
CLASS_ITEMS = 4  # with so many a text is a class
SMALL_CLASS = 50  # items, below which more of a class are held out
SMALL_CLASS_SHARE = 0.4  # of those: 20 items and 5 classes need so many to show a gain
VALIDATION_NAMES = ("validation", "validate", "valid", "val", "dev", "eval", "evaluation")
HELD_OUT_NAMES = ("held-out", "held_out", "holdout", "test", "testing")
SPLIT_NAMES = {  # a table that has no test rows is measured on its validation rows; see `split_names`
    "train": TRAIN,
    "training": TRAIN,
    "restval": TRAIN,  # of COCO, by Karpathy's splits
    "trainval": TRAIN,
    **dict.fromkeys((*HELD_OUT_NAMES, *VALIDATION_NAMES), HELD_OUT),
}


def split_names(found: Iterable[str]) -> dict[str, str]:
    """What the names of splits in a table mean: where it has rows to measure on, its validation rows choose
    epochs and decide nothing.

    Args:
        found: the names in it, in lower case.
    """
    if not set(HELD_OUT_NAMES) & set(found):
        return SPLIT_NAMES
    return SPLIT_NAMES | dict.fromkeys(VALIDATION_NAMES, VALIDATION)


def validates(item_id: str, share: float = VALIDATION_SHARE) -> bool:
    """Whether an item that could be trained on is one of those that epochs are compared by.

    Other digits of its hash say so than those that say whether it is held out.
    """
    return int(item_id[8:16], 16) / 2**32 < share


class Sides:
    """Gives items and texts their sides, within the sessions that write pairs."""

    def __init__(self, database: Database, held_out_share: float) -> None:
        self._database = database
        self._held_out_share = held_out_share

    def declare_classes(self, keys: Iterable[str]) -> None:
        """Say of texts that they will have many items, before the first of them comes; one that has a side
        keeps it until it has them.

        Args:
            keys: as `text_key` makes them.
        """
        with self._database.write() as session:
            for key in sorted(set(keys)):
                if session.get(TextSplit, key) is None:
                    session.add(TextSplit(key=key, split=CLASS))

    def closed(self, keys: Iterable[str]) -> set[str]:
        """Those texts, by their keys, that are classes."""
        found: set[str] = set()
        with self._database.read() as session:
            for part in in_parts(sorted(set(keys))):
                query = select(TextSplit.key).where(TextSplit.key.in_(part), TextSplit.split == CLASS)
                found |= set(session.scalars(query))
        return found

    def shared_by(self, import_id: str) -> int:
        """How many texts that an import brought are on several sides without being classes."""
        query = select(func.count(Pair.text_key.distinct())).join(TextSplit, TextSplit.key == Pair.text_key)
        query = query.where(Pair.import_id == import_id, TextSplit.split == SHARED)
        with self._database.read() as session:
            return session.scalar(query) or 0

    def of_texts(self, session: Session, keys: Iterable[str]) -> dict[str, TextSplit]:
        """What is known of texts, by their keys."""
        found: dict[str, TextSplit] = {}
        for part in in_parts(sorted(set(keys))):
            rows = session.scalars(select(TextSplit).where(TextSplit.key.in_(part)))
            found |= {row.key: row for row in rows}
        return found

    def place(
        self,
        session: Session,
        item: Item,
        key: str,
        wanted: str | None,
        texts: dict[str, TextSplit] | None = None,
    ) -> str | None:
        """The side of an item with a text, by its key; both have one afterwards. None: the two differ.

        Args:
            session: a write session.
            item: the item.
            key: the text's.
            wanted: the side that its source says, which it gets where it has none; None: by its hash.
            texts: what is known of texts, this one among them; it is added there too. None: it is asked for.
        """
        texts = self.of_texts(session, [key]) if texts is None else texts
        of_text = texts.get(key)
        if of_text is not None and of_text.split != CLASS:
            self._open_class(session, of_text)
        if wanted is not None:
            item.split = item.split or wanted
            if of_text is None:
                texts[key] = TextSplit(key=key, split=item.split)
                session.add(texts[key])
            elif of_text.split not in NO_SIDE and of_text.split != item.split:
                of_text.split = SHARED
            return item.split
        if of_text is not None and of_text.split == CLASS:
            if item.split is None:
                item.split = self._by_class(session, item.id, key)
            return item.split
        shared = of_text is not None and of_text.split == SHARED
        if item.split is None:
            item.split = of_text.split if of_text and not shared else self._hashed(item.id)
        if shared:
            return item.split
        if of_text is None:
            texts[key] = of_text = TextSplit(key=key, split=item.split)
            session.add(of_text)
        return item.split if of_text.split == item.split else None

    def _open_class(self, session: Session, of_text: TextSplit) -> None:
        """Make a class of a text that has items enough; what has a side, or lies across, stays as it is."""
        if len(_items_of_text(session, of_text.key)) >= CLASS_ITEMS:
            of_text.split = CLASS

    def _by_class(self, session: Session, item_id: str, key: str) -> str:
        """The side of a new item of a class: held out where the class has too few of those."""
        sides = list(_items_of_text(session, key).values())
        count = len(sides) + 1
        share = max(self._held_out_share, SMALL_CLASS_SHARE if count < SMALL_CLASS else 0.0)
        if self._held_out_share and sides.count(HELD_OUT) < int(share * count + 0.5):
            return HELD_OUT
        return VALIDATION if validates(item_id) else TRAIN

    def _hashed(self, item_id: str) -> str:
        """The side that an item's hash says."""
        if int(item_id[:8], 16) / 2**32 < self._held_out_share:
            return HELD_OUT
        return VALIDATION if validates(item_id) else TRAIN


def _items_of_text(session: Session, key: str) -> dict[str, str | None]:
    """The items that a text belongs to, and their sides: no proposals, nothing that was marked as wrong."""
    own = (
        select(Item.id, Item.split)
        .join(Pair, Pair.item_id == Item.id)
        .outerjoin(Label, Label.id == Pair.label_id)
        .where(Pair.text_key == key, Pair.removed_id.is_(None))
        .where(Label.verdict.is_(None) | Label.verdict.not_in(names_of("negative")))
        .where((Pair.source != HARD_NEGATIVE) | Label.verdict.in_(names_of("positive")))
    )
    return {item: side for item, side in session.execute(own)}
