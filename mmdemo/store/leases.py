"""Which pairs are on whose screen: handed out in the database, so that any number of processes on one
workspace give a pair to no more people than answers are wanted of.

A lease ends with its person's label, when its screen says what it still has, when that is left, and by
itself. It keeps nobody from labelling: what is said of a pair is stored whoever has it by then.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.orm import Session

from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.store.answers import answers_on, person_of
from mmdemo.store.database import Database, clock, in_parts
from mmdemo.store.pairs import is_hidden
from mmdemo.store.tables import Item, Label, Pair, PairLease

LEASE_S = 300.0  # a pair that is on somebody's screen is not given to anybody else for so long
AHEAD_S = 60.0  # what ends still later was written by a clock that ran ahead
MOST_OF_ONE = 100  # pairs that one person holds, on whatever screens: of more, those that end first are free
AT_ONCE = 16  # pairs that are looked at together


@dataclass(frozen=True)
class Screen:
    """Before what somebody sits."""

    holder: str  # a digest
    person: str  # see `person_of`
    lasts: bool = True  # else it asks once, and has nothing before

    @classmethod
    def of(cls, name: str, annotator: str, session: str | None) -> Screen:
        """The screen of a browser or a script.

        Args:
            name: its own, at random; empty: of nothing that asks twice.
            annotator: whose labels are given there; empty: nobody says.
            session: the digest of theirs, so that nobody ends another's by its name; None: at this machine.
        """
        told = f"{session or ''} {name or secrets.token_hex(16)}"
        return cls(hashlib.sha256(told.encode()).hexdigest(), person_of(annotator, session), bool(name))


@dataclass
class Handed:
    """What came of an ask."""

    pairs: list[int] = field(default_factory=list)  # for this screen from now on
    lost: list[int] = field(default_factory=list)  # that it had, and others have or have answered by now
    lent: bool = False  # whether some are left that others have before them
    settled: set[int] = field(default_factory=set)  # that were met, and nobody needs to answer
    answered: set[int] = field(default_factory=set)  # that were met, and this person has answered


@dataclass(frozen=True)
class _Taken:
    """Who has which pairs before them."""

    own: set[int]  # this screen's
    people: dict[int, set[str]]  # on other screens


class PairLeases:
    """The pairs on all screens of a workspace.

    Args:
        database: its.
        answers: of so many people each pair waits for one.
    """

    def __init__(self, database: Database, answers: int = 1) -> None:
        self._database = database
        self._answers = answers

    def take(
        self,
        screen: Screen,
        task: str,
        order: Iterable[int],
        count: int,
        held: Collection[int] = (),
        passed: Collection[int] = (),
        again: bool = False,
    ) -> Handed:
        """Hand out the first pairs of an order that are to be had.

        Args:
            screen: for which.
            task: of the pairs.
            order: of what may wait.
            count: how many.
            held: what is on that screen already and stays there; whatever else it had is free again.
            passed: not to be handed out.
            again: whether somebody of whom nobody else has that name gets what is on another screen of their
                own where nothing else is left, such as after a browser has died.
        """
        done = Handed()
        with self._database.write(durable=False) as session:
            taken, at = _taken(session, screen, task)
            kept = self._keep(session, screen, taken, held, done)
            mine: list[int] = []
            out = {*kept, *passed}
            for pair, people in self._met(session, order if count else (), out, screen, done):
                others = taken.people.get(pair, set())
                if screen.person in others:
                    mine.append(pair)
                elif len(people | others) >= self._answers:
                    done.lent = True
                else:
                    done.pairs.append(pair)
                if len(done.pairs) >= count:
                    break
            if not done.pairs and again:
                done.pairs = mine[:count]
                _end(session, done.pairs, screen.person)
            done.lent = done.lent or (bool(mine) and not done.pairs)
            self._hold(session, screen, task, [*kept, *done.pairs], at)
            if sum(screen.person in people for people in taken.people.values()) > MOST_OF_ONE:
                _free_some(session, screen.person)
        return done

    def look(self, order: Iterable[int], count: int, passed: Collection[int] = ()) -> list[int]:
        """The first pairs of an order that wait for an answer, for somebody who gives none."""
        with self._database.read() as session:
            met = self._met(session, order, set(passed), Screen("", ""), Handed())
            return [pair for pair, _ in islice(met, count)]

    def leave(self, screen: Screen) -> None:
        """Let others have what is on a screen that is closed."""
        with self._database.write(durable=False) as session:
            session.execute(delete(PairLease).where(PairLease.holder == screen.holder))

    def held(self, task: str) -> dict[int, set[str]]:
        """Who has which pairs of a task before them, or had until a moment ago."""
        found: dict[int, set[str]] = {}
        with self._database.read() as session:
            query = select(PairLease.pair_id, PairLease.person).where(PairLease.task == task)
            for pair, person in session.execute(query):
                found.setdefault(pair, set()).add(person)
        return found

    def _keep(
        self, session: Session, screen: Screen, taken: _Taken, held: Collection[int], done: Handed
    ) -> list[int]:
        """What of the pairs that a screen still shows it can go on having; the others are noted."""
        kept = []
        for pair, people in self._met(session, held, set(), screen, Handed()):
            others = taken.people.get(pair, set())
            if pair in taken.own or (screen.person not in others and len(people | others) < self._answers):
                kept.append(pair)
        done.lost = [pair for pair in held if pair not in set(kept)]
        return kept

    def _met(
        self, session: Session, order: Iterable[int], out: set[int], screen: Screen, done: Handed
    ) -> Iterator[tuple[int, set[str]]]:
        """The pairs of an order that wait for this person's answer, with who has answered each."""
        seen = set(out)
        ahead = (pair for pair in order if pair not in seen and not seen.add(pair))  # type: ignore[func-returns-value]
        while part := list(islice(ahead, AT_ONCE)):
            left = self._left(session, part)
            for pair in part:
                if pair not in left:
                    done.settled.add(pair)
                elif screen.person in left[pair]:
                    done.answered.add(pair)
                else:
                    yield pair, left[pair]

    def _left(self, session: Session, pairs: Collection[int]) -> dict[int, set[str]]:
        """Those of some pairs that wait for an answer, with who has answered each."""
        query = select(Pair.id, Label.verdict).join(Item, Item.id == Pair.item_id)
        query = query.outerjoin(Label, Label.id == Pair.label_id).where(Pair.id.in_(pairs))
        query = query.where(Pair.removed_id.is_(None), ~is_hidden())
        found: dict[int, set[str]] = {}
        labelled: list[int] = []
        for pair, verdict in session.execute(query):
            if verdict is not None and self._answers > 1:
                labelled.append(pair)
            elif verdict is None or (verdict in LABEL_KINDS and not LABEL_KINDS[verdict].settles):
                found[pair] = set()
        if labelled:
            given = answers_on(session, labelled)
            found |= {pair: people for pair, people in given.items() if len(people) < self._answers}
        return found

    def _hold(
        self, session: Session, screen: Screen, task: str, pairs: Collection[int], at: datetime
    ) -> None:
        """A screen has these pairs and no others, for a while from now on."""
        if screen.lasts:
            session.execute(delete(PairLease).where(PairLease.holder == screen.holder))
        until = at + timedelta(seconds=LEASE_S)
        rows = [
            {"holder": screen.holder, "pair_id": p, "person": screen.person, "task": task, "until": until}
            for p in pairs
        ]
        if rows:
            session.execute(insert(PairLease), rows)


def end_in(session: Session, pair: int, person: str) -> None:
    """End what somebody has of a pair, on whatever screen, within a write session: they have answered it."""
    _end(session, [pair], person)


def _end(session: Session, pairs: Collection[int], person: str) -> None:
    for part in in_parts(list(pairs)):
        session.execute(delete(PairLease).where(PairLease.pair_id.in_(part), PairLease.person == person))


def _free_some(session: Session, person: str) -> None:
    """Of what somebody has before them those that end first are free, where it is more than one can have."""
    query = select(PairLease.holder, PairLease.pair_id).where(PairLease.person == person)
    query = query.order_by(PairLease.until.desc(), PairLease.pair_id).offset(MOST_OF_ONE)
    for holder, pair in session.execute(query).all():
        session.execute(delete(PairLease).where(PairLease.holder == holder, PairLease.pair_id == pair))


def _taken(session: Session, screen: Screen, task: str) -> tuple[_Taken, datetime]:
    """Who has what before them now, and what time it is; leases that are over go."""
    own: set[int] = set()
    people: dict[int, set[str]] = {}
    columns = PairLease.pair_id, PairLease.holder, PairLease.person, PairLease.until
    rows = session.execute(select(*columns).where(PairLease.task == task)).all()
    at = clock(session)  # once it is this process's turn: before, another's may be the later one
    earliest, latest = at, at + timedelta(seconds=LEASE_S + AHEAD_S)
    for pair, holder, person, until in rows:
        if not earliest < until <= latest:
            continue
        if holder == screen.holder:
            own.add(pair)
        else:
            people.setdefault(pair, set()).add(person)
    if any(not earliest < row.until <= latest for row in rows):
        over = or_(PairLease.until <= earliest, PairLease.until > latest)
        session.execute(delete(PairLease).where(over))
    return _Taken(own, people), at
