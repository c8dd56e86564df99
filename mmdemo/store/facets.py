"""How many items of a collection come from where and were answered how, and which these are.

They are counted over what is kept in memory of each item, its source and a few bits: a collection may have a
hundred thousand, and it is read again only when something of it has changed.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from mmdemo.label_kinds import LABEL_KINDS, UNLABELLED
from mmdemo.store.database import Database
from mmdemo.store.tables import Change, Item, Label, Pair


@dataclass(frozen=True)
class Choice:
    """What is left of a collection; an empty list leaves all."""

    answers: tuple[str, ...] = ()  # names of label kinds, or UNLABELLED: nobody has answered any pair of it
    sources: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.answers or self.sources)


EVERYTHING = Choice()


@dataclass(frozen=True)
class Counts:
    """How many items each value of a facet would leave, beside what is chosen of the others."""

    answers: dict[str, int]  # an item with two answers counts for both
    sources: dict[str, int]
    total: int  # that are left by what is chosen of both


@dataclass(frozen=True)
class Marks:
    """What is known of each of the N items that answers may show."""

    at: tuple[int, ...]  # another one when something of it has changed
    ids: list[str]
    kinds: tuple[str, ...]  # of answers, the first of them that an item has, and UNLABELLED
    answer: np.ndarray  # (N,) the place of each item's in `kinds`
    sources: list[str]
    source: np.ndarray  # (N,) the place of each item's in `sources`


@dataclass(frozen=True)
class _Items:
    """What answers may show of a modality."""

    at: tuple[int, ...]  # of what it was read
    ids: list[str]  # N items
    row_of: dict[str, int]
    sources: list[str]  # in their order
    source: np.ndarray  # (N,) the place of each item's in `sources`


@dataclass(frozen=True)
class _Answers:
    """How the items of a task were answered."""

    at: tuple[int, ...]
    items: _Items
    given: dict[str, np.ndarray]  # (N,) bool by the kind of answer, and of UNLABELLED


class Facets:
    """The facets of what answers may show."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._items: dict[str, _Items] = {}  # by modality
        self._answers: dict[str, _Answers] = {}  # by task
        self._lock = threading.Lock()

    def ids(self, modality: str, task: str, choice: Choice) -> set[str]:
        """The items of a modality that a choice leaves, by the answers to pairs of a task."""
        known = self._known(modality, task)
        rows = np.flatnonzero(_answered(known, choice.answers) & _from(known.items, choice.sources))
        return {known.items.ids[row] for row in rows.tolist()}

    def counts(self, modality: str, task: str, choice: Choice) -> Counts:
        """What each value would leave: of every kind of answer, and of every source that there is."""
        known = self._known(modality, task)
        answered, among = _answered(known, choice.answers), _from(known.items, choice.sources)
        answers = {name: int((given & among).sum()) for name, given in known.given.items()}
        left = np.bincount(known.items.source[answered], minlength=len(known.items.sources)).tolist()
        return Counts(
            answers, dict(zip(known.items.sources, left, strict=True)), int((answered & among).sum())
        )

    def marks(self, modality: str, task: str) -> Marks:
        """How each item of a modality was answered and where it comes from. Of several answers to its pairs
        the first in the table of label kinds counts: who ticked one of its texts may have crossed another's.
        """
        known = self._known(modality, task)
        kinds = (*LABEL_KINDS, UNLABELLED)
        none = np.zeros(len(known.items.ids), bool)
        given = np.array([known.given.get(kind, none) for kind in kinds])
        given[-1] = True  # where nothing comes before
        answer = given.argmax(axis=0)
        return Marks(known.at, known.items.ids, kinds, answer, known.items.sources, known.items.source)

    def _known(self, modality: str, task: str) -> _Answers:
        with self._lock, self._database.read() as session:
            change = session.scalar(select(func.max(Change.id))) or 0
            listed = session.scalar(select(func.count()).select_from(Item).where(Item.listed)) or 0
            at: tuple[int, ...] = (change, listed)
            items = self._items.get(modality)
            if items is None or items.at != at:
                items = self._items[modality] = _read_items(session, modality, at)
            at += (session.scalar(select(func.max(Label.id))) or 0,)
            known = self._answers.get(task)
            if known is None or known.items is not items or known.at != at:
                known = self._answers[task] = _read_answers(session, task, items, at)
            return known


def _read_items(session: Session, modality: str, at: tuple[int, ...]) -> _Items:
    shown = select(Item.id, Item.source).where(Item.listed, ~Item.hidden, Item.modality == modality)
    rows = session.execute(shown).all()
    ids, of = [row[0] for row in rows], [row[1] for row in rows]
    sources = sorted(set(of))
    place = {source: i for i, source in enumerate(sources)}
    source = np.array([place[one] for one in of], np.int64)
    return _Items(at, ids, {item: row for row, item in enumerate(ids)}, sources, source)


def _read_answers(session: Session, task: str, items: _Items, at: tuple[int, ...]) -> _Answers:
    given = {name: np.zeros(len(items.ids), bool) for name in (UNLABELLED, *LABEL_KINDS)}
    given[UNLABELLED][:] = True
    said = select(Pair.item_id, Label.verdict).join(Label, Label.id == Pair.label_id)
    for item, verdict in session.execute(said.where(Pair.task == task, Pair.removed_id.is_(None))):
        row = items.row_of.get(item)
        if row is None:
            continue
        given[UNLABELLED][row] = False
        if verdict in given:
            given[verdict][row] = True
    return _Answers(at, items, given)


def _answered(known: _Answers, answers: Collection[str]) -> np.ndarray:
    """(N,) bool of the items with one of some answers; none: all."""
    if not answers:
        return np.ones(len(known.items.ids), bool)
    none = np.zeros(len(known.items.ids), bool)
    return np.any([none, *(known.given[name] for name in answers if name in known.given)], axis=0)


def _from(items: _Items, sources: Sequence[str]) -> np.ndarray:
    """(N,) bool of the items from one of some sources; none: all."""
    if not sources:
        return np.ones(len(items.ids), bool)
    places = [place for place, source in enumerate(items.sources) if source in sources]
    return np.isin(items.source, places)
