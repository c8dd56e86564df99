"""How many items of a collection come from where and were answered how, and which these are: counted by the
database, as a collection may have a hundred thousand items.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, or_, select, true

from mmdemo.label_kinds import LABEL_KINDS, UNLABELLED
from mmdemo.store.database import Database
from mmdemo.store.tables import Item, Label, Pair


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


class Facets:
    """The facets of what answers may show.

    Args:
        database: of the workspace.
        modality: of the items, by its name.
        task: whose pairs count.
    """

    def __init__(self, database: Database, modality: str, task: str) -> None:
        self._database = database
        self._shown = Item.listed & ~Item.hidden & (Item.modality == modality)
        self._of_task = (Pair.task == task) & Pair.removed_id.is_(None)

    def ids(self, choice: Choice) -> set[str]:
        """The items that a choice leaves."""
        query = select(Item.id).where(self._shown, self._answered(choice.answers), _from(choice.sources))
        with self._database.read() as session:
            return set(session.scalars(query))

    def counts(self, choice: Choice) -> Counts:
        """What each value would leave: of every kind of answer, and of every source that there is."""
        among = self._shown & _from(choice.sources)
        of_kind = (
            select(Label.verdict, func.count(Pair.item_id.distinct()))
            .join(Pair, Pair.label_id == Label.id)
            .join(Item, Item.id == Pair.item_id)
            .where(self._of_task, among)
            .group_by(Label.verdict)
        )
        not_yet = select(func.count()).select_from(Item).where(among, self._answered((UNLABELLED,)))
        by_source = select(Item.source, func.count()).where(self._shown, self._answered(choice.answers))
        every = select(Item.source).where(self._shown).distinct()
        with self._database.read() as session:
            known = {verdict: n for verdict, n in session.execute(of_kind)}
            answers = {UNLABELLED: session.scalar(not_yet) or 0} | {n: known.get(n, 0) for n in LABEL_KINDS}
            left = {s: n for s, n in session.execute(by_source.group_by(Item.source))}
            sources = {source: left.get(source, 0) for source in sorted(session.scalars(every))}
        total = sum(n for source, n in left.items() if not choice.sources or source in choice.sources)
        return Counts(answers, sources, total)

    def _answered(self, answers: Collection[str]) -> ColumnElement[bool]:
        if not answers:
            return true()
        kinds = [name for name in answers if name != UNLABELLED]
        said = select(Pair.item_id).join(Label, Label.id == Pair.label_id)
        found = Item.id.in_(said.where(self._of_task, Label.verdict.in_(kinds)))
        if UNLABELLED not in answers:
            return found
        answered = select(Pair.item_id).where(self._of_task, Pair.label_id.is_not(None))
        return or_(Item.id.not_in(answered), found)


def _from(sources: Collection[str]) -> ColumnElement[bool]:
    return Item.source.in_(sources) if sources else true()
