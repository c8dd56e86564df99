"""Whose answers a pair has, and which of its labels stands for all of them.

Nobody's label takes the place of another's: of each person the last word counts, and the pair has the verdict
that most of them gave.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence

from sqlalchemy import ColumnElement, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from mmdemo.label_kinds import LABEL_KINDS, UNSURE
from mmdemo.store.tables import Label, Pair

# Whose a label is: a name is one person's (see names.py); who gives none is known by the session.
WHOSE = case((Label.annotator != "", Label.annotator), else_=func.coalesce(Label.session, ""))


def person_of(annotator: str, session: str | None) -> str:
    """What tells people apart whose labels bear that name, or are of that session: a digest."""
    return hashlib.sha256((annotator or session or "").encode()).hexdigest()


def is_left(answers: int) -> ColumnElement[bool]:
    """What is true of a pair that so many people have not answered yet, beside its label in force."""
    if answers == 1:
        return Pair.label_id.is_(None) | Label.verdict.in_(_passing())
    given = select(func.count(WHOSE.distinct())).where(Label.pair_id == Pair.id, *_is_answer())
    return given.correlate(Pair).scalar_subquery() < answers


def answers_on(session: Session, pairs: Sequence[int]) -> dict[int, set[str]]:
    """Who has answered each of some pairs, as `person_of` calls them."""
    found: dict[int, set[str]] = {pair: set() for pair in pairs}
    query = select(Label.pair_id, Label.annotator, Label.session).where(
        Label.pair_id.in_(pairs), *_is_answer()
    )
    for pair, annotator, of_session in session.execute(query):
        found[pair].add(person_of(annotator, of_session))
    return found


def label_in_force(session: Session, pair_id: int) -> int | None:
    """The label that stands for what people say of a pair, read from the log itself; None: nobody says
    anything. See `consensus`.
    """
    undo = aliased(Label)
    query = (
        select(Label.id, Label.verdict, Label.annotator, Label.session)
        .outerjoin(undo, undo.undoes == Label.id)
        .where(Label.pair_id == pair_id, Label.undoes.is_(None), undo.id.is_(None))
        .order_by(Label.id)
    )
    return consensus(
        (id, verdict, annotator or of or "") for id, verdict, annotator, of in session.execute(query)
    )


def consensus(labels: Iterable[tuple[int, str, str]]) -> int | None:
    """The newest label with the verdict that most people gave, each by their last word; of verdicts that as
    many gave, the one that was given last. Who says nothing of the pair, as by "unsure", is counted only
    where everybody does so.

    Args:
        labels: number, verdict, and whose, of those that nobody took back, oldest first.
    """
    words = {whose: (number, verdict) for number, verdict, whose in labels}
    passing = {UNSURE.name, *_passing()}
    said = [word for word in words.values() if word[1] not in passing] or list(words.values())
    people = Counter(verdict for _, verdict in said)
    return max(((people[verdict], number) for number, verdict in said), default=(0, None))[1]


def _is_answer() -> tuple[ColumnElement[bool], ...]:
    """What is true of a label that nobody took back, and after which its pair has had somebody's turn."""
    undo = aliased(Label)
    passes_on = Label.verdict.in_(_passing())
    return Label.undoes.is_(None), ~exists().where(undo.undoes == Label.id), ~passes_on


def _passing() -> list[str]:
    """The kinds of labels after which a pair's turn is still to come."""
    return [kind.name for kind in LABEL_KINDS.values() if not kind.settles]
