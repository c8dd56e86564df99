"""Pairs of an item and a text, with the label in force; their sides come from `splits.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select, true, tuple_
from sqlalchemy.orm import Session, aliased

from mmdemo.errors import UserError
from mmdemo.label_kinds import LABEL_KINDS, UNLABELLED, Training, names_of, training_of
from mmdemo.store.answers import is_left
from mmdemo.store.database import Database, in_parts
from mmdemo.store.items import HIDDEN, enlist_in
from mmdemo.store.splits import Sides
from mmdemo.store.tables import HARD_NEGATIVE, Item, Label, Pair
from mmdemo.store.texts import clean_text, short_id, text_key
from mmdemo.store.words import LABEL, PAIR, add_in, put_in

WAITING = "waiting"  # the state of a pair whose turn in the queue is still to come
READ_AT_ONCE = 1000  # pairs of a collection that is gone through
Place = tuple[str, str, float | None, float | None]  # item, key of the text, span
MOVED_WORD = "span"  # the source of pairs that say when a word is said
# The sources of pairs that exist because somebody judged an answer: without that label they say nothing.
OF_ANSWERS = frozenset({"search", "caption", "align", "moment", MOVED_WORD, "transcribe"})


@dataclass(frozen=True)
class PairView:
    """A pair with its item and its label in force, as pages, exports and training see it."""

    id: int
    task: str
    item: str
    name: str
    suffix: str
    text: str  # as paired
    start_s: float | None
    end_s: float | None
    split: str | None
    source: str
    label: int | None = None
    verdict: str | None = None
    corrected: str = ""  # the label's corrected text
    annotator: str = ""
    comment: str = ""
    duration_s: float | None = None  # of the item
    hidden: bool = False  # it, or its item: no answer shows it
    removed: bool = False  # its labels are in the log, and count for nothing
    in_force: int | None = None  # the number of its label in force, also where `label` is another of its

    @property
    def training(self) -> Training:
        """What the label in force means for training."""
        return training_of(self.verdict)

    @property
    def is_confirmed(self) -> bool:
        """Whether somebody said that the text belongs to the item."""
        return self.training == "positive"

    @property
    def is_own(self) -> bool:
        """Whether the text is the item's: no proposal or answer that nobody confirms, nor marked as wrong."""
        proposed = self.source == HARD_NEGATIVE or self.source in OF_ANSWERS
        return self.is_confirmed or (self.training != "negative" and not proposed)

    @property
    def is_word(self) -> bool:
        """Whether it says when one word of a recording is said: the word is no text of the whole."""
        return self.source == MOVED_WORD

    @property
    def final_text(self) -> str:
        """The corrected text where there is one."""
        return self.corrected or self.text


def check_span(start_s: float | None, end_s: float | None) -> None:
    """Refuse a span that does not run forward; either end may be open.

    Raises:
        UserError: it does not.
    """
    if start_s is not None and end_s is not None and not 0 <= start_s < end_s:
        raise UserError(
            f"The span {start_s}-{end_s} s does not run forward.",
            "Give start and end in seconds, start first.",
        )


@dataclass(frozen=True)
class NewPair:
    """A pair that is to be there."""

    item_id: str
    text: str
    source: str  # where the pairing comes from
    split: str | None = None  # the side that this says
    start_s: float | None = None
    end_s: float | None = None
    import_id: str | None = None  # that brings it


def _place_of(pair: NewPair) -> Place:
    """What tells a pair from others of its task.

    Raises:
        UserError: its text or its span cannot be used.
    """
    text = clean_text(pair.text)
    check_span(pair.start_s, pair.end_s)
    return pair.item_id, text_key(text), pair.start_s, pair.end_s


def _pairs_of(session: Session, task: str, items: Sequence[str], places: Iterable[Place]) -> Iterator[Pair]:
    """The pairs of some items that have one of some texts."""
    keys = {key for _, key, _, _ in places}
    for part in in_parts(items):
        query = select(Pair).where(Pair.task == task, Pair.item_id.in_(part))
        if len(keys) == 1:  # an item may have thousands of texts
            query = query.where(Pair.text_key.in_(keys))
        yield from (pair for pair in session.scalars(query) if pair.text_key in keys)


def removed_pair(pair_id: int) -> UserError:
    """The refusal of a label on what was removed."""
    return UserError(f"The pair {pair_id} was removed from the collection.", "Label another one.")


class PairStore:
    """Pairs in the database."""

    def __init__(self, database: Database, held_out_share: float, answers: int = 1) -> None:
        self._database = database
        self._answers = answers  # people of whom each pair waits for one
        self.sides = Sides(database, held_out_share)

    def add(
        self,
        session: Session,
        task: str,
        item_id: str,
        text: str,
        *,
        source: str,
        split: str | None = None,
        start_s: float | None = None,
        end_s: float | None = None,
        import_id: str | None = None,
    ) -> tuple[Pair, bool]:
        """The pair of that item, text and span within a write session, and whether it is new; one that was
        removed comes back, and its labels hold again: they are on the same words.

        Raises:
            UserError: no such item, or a text or span that cannot be used.
        """
        new = NewPair(item_id, text, source, split, start_s, end_s, import_id)
        return self.add_all(session, task, [new])[0]

    def add_all(self, session: Session, task: str, pairs: Sequence[NewPair]) -> list[tuple[Pair, bool]]:
        """As `add` for several pairs of a task, of which some may be the same."""
        places = [_place_of(pair) for pair in pairs]
        items = sorted({pair.item_id for pair in pairs})
        known = {
            (p.item_id, p.text_key, p.start_s, p.end_s): p for p in _pairs_of(session, task, items, places)
        }
        of_id = {
            i.id: i
            for part in in_parts(items)
            for i in session.scalars(select(Item).where(Item.id.in_(part)))
        }
        said: dict[str, str] = {}  # what one of them says of an item holds for those that say nothing of it
        for pair in pairs:
            item = of_id.get(pair.item_id)
            if item is not None and pair.split is not None:
                item.split = item.split or pair.split
                said.setdefault(pair.item_id, pair.split)
        texts = self.sides.of_texts(session, {key for _, key, _, _ in places})
        found: list[tuple[Pair, bool]] = []
        fresh: list[Pair] = []
        again: list[Pair] = []
        for pair, place in zip(pairs, places, strict=True):
            there = known.get(place)
            if there is not None and there.removed_id is None:
                found.append((there, False))
                continue
            item = of_id.get(pair.item_id)
            if item is None:
                raise UserError(f"There is no item {short_id(pair.item_id)}.", "Add the file first.")
            enlist_in(session, item)
            if there is not None:
                there.removed_id, there.hidden, there.import_id = None, False, pair.import_id
                again.append(there)
                found.append((there, True))
                continue
            known[place] = made = Pair(
                task=task,
                item_id=pair.item_id,
                text=clean_text(pair.text),
                text_key=place[1],
                start_s=pair.start_s,
                end_s=pair.end_s,
                split=self.sides.place(session, item, place[1], pair.split or said.get(item.id), texts),
                source=pair.source[:120],
                import_id=pair.import_id,
            )
            session.add(made)
            fresh.append(made)
            found.append((made, True))
        session.flush()
        add_in(session, PAIR, [(made.item_id, str(made.id), made.text) for made in fresh])
        for there in again:
            _find_again(session, there)
        return found

    def place_text(self, session: Session, item_id: str, text: str) -> str | None:
        """The side of an item with a text: what a corrected text falls under. None: the two differ."""
        item = session.get(Item, item_id)
        return self.sides.place(session, item, text_key(text), None) if item else None

    def get(self, pair_id: int) -> PairView | None:
        """One pair."""
        views = self.views([pair_id])
        return views[0] if views else None

    def views(self, ids: Sequence[int]) -> list[PairView]:
        """The pairs of those ids, in that order."""
        found: dict[int, PairView] = {}
        with self._database.read() as session:
            for part in in_parts(ids):
                query = _joined().where(Pair.id.in_(part))
                found.update({view.id: view for view in _views(session.execute(query))})
        return [found[i] for i in ids if i in found]

    def browse(
        self,
        task: str,
        *,
        state: str = "all",
        training: Training | None = None,
        split: str | None = None,
        source: str | None = None,
        contains: str = "",
        item: str | None = None,
        limit: int | None = None,
        offset: int = 0,
        shown: bool = False,
    ) -> list[PairView]:
        """Pairs by label state, split, source and words; none that was removed.

        Args:
            task: whose pairs.
            state: all, labelled, unlabelled, waiting (their turn in the queue is still to come), hidden, or
                the name of a label kind.
            training: only those whose label means this for training.
            split: only those of this side.
            source: only those from there.
            contains: characters of their text.
            item: only those of this item.
            limit: at most so many.
            offset: how many to pass over.
            shown: only those that are not hidden.

        Raises:
            UserError: there is no such state.
        """
        query = _joined().where(Pair.task == task, Pair.removed_id.is_(None))
        if shown:
            query = query.where(~is_hidden())
        of_kind = STATES.get(state) or (lambda: Label.verdict == LABEL_KINDS.get(state).name)
        query = query.where(is_left(self._answers) & ~is_hidden() if state == WAITING else of_kind())
        if training is not None:
            query = query.where(Label.verdict.in_(names_of(training)))
        if split:
            query = query.where(Pair.split == split)
        if source:
            query = query.where(Pair.source == source)
        if item:
            query = query.where(Pair.item_id == item)
        if contains:
            query = query.where(Pair.text.icontains(contains, autoescape=True))
        with self._database.read() as session:
            return _views(session.execute(query.order_by(Pair.id).limit(limit).offset(offset)))

    def each_label(self, task: str, every: bool = False, removed: bool = False) -> Iterator[PairView]:
        """The labelled pairs of a task in their order, of which few are in memory at a time. Those that lie
        across the sides come last: whoever reads them in that order knows the sides of their items and texts.

        Args:
            task: whose.
            every: with every label that nobody took back, the oldest of a pair first; else that in force.
            removed: those of pairs that were removed; else only the others.
        """
        undo = aliased(Label)
        query = _joined(every).where(Pair.task == task, Label.id.is_not(None))
        query = query.where(Pair.removed_id.is_not(None) if removed else Pair.removed_id.is_(None))
        if every:
            query = query.outerjoin(undo, undo.undoes == Label.id)
            query = query.where(Label.undoes.is_(None), undo.id.is_(None))
        query = query.order_by(Pair.id, Label.id).limit(READ_AT_ONCE)
        yield from self._paged(query.where(Pair.split.is_not(None)))
        yield from self._paged(query.where(Pair.split.is_(None)))

    def _paged(self, query: Select[Any]) -> Iterator[PairView]:
        """The pairs of a query with a limit, in the order of their numbers and those of their labels."""
        last = (0, 0)
        while True:
            with self._database.read() as session:
                views = _views(session.execute(query.where(tuple_(Pair.id, Label.id) > last)))
            yield from views
            if len(views) < READ_AT_ONCE:
                return
            last = (views[-1].id, views[-1].label or 0)

    def of_items(self, task: str, ids: Sequence[str]) -> dict[str, list[PairView]]:
        """The pairs of each of those items, oldest first; every id has its list."""
        found: dict[str, list[PairView]] = {i: [] for i in ids}
        with self._database.read() as session:
            for part in in_parts(ids):
                query = _joined().where(Pair.task == task, Pair.item_id.in_(part), Pair.removed_id.is_(None))
                for view in _views(session.execute(query.order_by(Pair.id))):
                    found[view.item].append(view)
        return found

    def with_text(self, task: str, key: str) -> list[PairView]:
        """The pairs of any item with a text, by the key that its copies share, oldest first."""
        with self._database.read() as session:
            query = _joined().where(Pair.task == task, Pair.text_key == key, Pair.removed_id.is_(None))
            return _views(session.execute(query.order_by(Pair.id)))

    def sources(self, task: str) -> list[str]:
        """Every source of a pair of the task."""
        with self._database.read() as session:
            query = select(Pair.source).where(Pair.task == task, Pair.removed_id.is_(None)).distinct()
            return list(session.scalars(query.order_by(Pair.source)))

    def item_states(self, task: str) -> dict[str, set[str]]:
        """For every item with a pair: the verdicts of its labels in force, or UNLABELLED."""
        states: dict[str, set[str]] = {}
        with self._database.read() as session:
            query = select(Pair.item_id, Label.verdict).outerjoin(Label, Label.id == Pair.label_id)
            query = query.where(Pair.task == task, Pair.removed_id.is_(None))
            for item_id, verdict in session.execute(query):
                states.setdefault(item_id, set()).add(verdict or UNLABELLED)
        return states


def is_hidden() -> ColumnElement[bool]:
    """What is true of a pair, beside its item, that is not shown."""
    return or_(Pair.hidden, Item.hidden)


def _find_again(session: Session, pair: Pair) -> None:
    """The words of a pair that comes back, and of what its labels correct, are found again."""
    put_in(session, pair.item_id, PAIR, str(pair.id), pair.text)
    for label, text in session.execute(select(Label.id, Label.text).where(Label.pair_id == pair.id)):
        if text:
            put_in(session, pair.item_id, LABEL, str(label), text)


STATES: dict[str, Callable[[], ColumnElement[bool]]] = {
    "all": true,
    "labelled": lambda: Pair.label_id.is_not(None),
    UNLABELLED: lambda: Pair.label_id.is_(None),
    WAITING: lambda: is_left(1) & ~is_hidden(),  # the fewest answers that may be wanted
    HIDDEN: is_hidden,
}


def _joined(every: bool = False):  # type: ignore[no-untyped-def]
    """What a `PairView` holds, in the order of its fields: with the label in force, or once with each."""
    label = (func.coalesce(column, "") for column in (Label.text, Label.annotator, Label.comment))
    start, end = func.coalesce(Label.start_s, Pair.start_s), func.coalesce(Label.end_s, Pair.end_s)
    return (
        select(Pair.id, Pair.task, Pair.item_id, Item.name, Item.suffix, Pair.text, start, end, Pair.split)
        .add_columns(Pair.source, Label.id, Label.verdict, *label, Item.duration_s)
        .add_columns(is_hidden(), Pair.removed_id.is_not(None), Pair.label_id)
        .join(Item, Item.id == Pair.item_id)
        .outerjoin(Label, Label.pair_id == Pair.id if every else Label.id == Pair.label_id)
    )


def _views(rows: Iterable) -> list[PairView]:
    return [PairView(*row) for row in rows]
