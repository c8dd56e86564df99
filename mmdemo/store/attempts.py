"""The attempts on held-out sets: which version was asked about, as the how-manieth, and what came of it.

A row without a number is a version whose held-out figures were shown without a decision. It costs nothing
until a person chooses among such versions: then each of those that were seen takes a number.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from mmdemo.store.database import Database
from mmdemo.store.tables import Attempt

RENEWED_AT = 2  # times the items with which a series began: then the next one begins


@dataclass(frozen=True)
class Upcoming:
    """What the next attempt on a held-out set would be."""

    series: int
    number: int  # k, from 1 in each series
    spread: float | None = None  # of an item's difference when it was asked last; None: it never was


class AttemptLog:
    """The attempts of each task, whose held-out labels are one set that grows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upcoming(self, task: str, items: int, unit: str, chosen: bool = False) -> Upcoming:
        """The next attempt with so many held-out items, without making it.

        Args:
            task: whose held-out set.
            items: distinct held-out items.
            unit: what would be compared.
            chosen: whether a person chose the version among those whose figures were shown.
        """
        with self._database.read() as session:
            at = _upcoming(session, task, items, chosen)
            asked = select(Attempt.spread).where(
                Attempt.task == task, Attempt.unit == unit, Attempt.spread.is_not(None)
            )
            spread = session.scalar(asked.order_by(Attempt.id.desc()).limit(1))
        return Upcoming(at.series, at.number, spread)

    def spend(
        self,
        task: str,
        items: int,
        version: str,
        against: str,
        unit: str,
        *,
        chosen: bool = False,
        annotator: str = "",
    ) -> Attempt:
        """Take the next number before its outcome is looked at: whoever breaks off has used it up."""
        with self._database.write() as session:
            at = _upcoming(session, task, items, chosen)
            attempt = Attempt(
                task=task,
                series=at.series,
                number=at.number,
                items=items,
                version_id=version,
                against=against,
                chosen=chosen,
                annotator=annotator[:120],
                unit=unit,
            )
            session.add(attempt)
            session.flush()
        return attempt

    def shown(self, task: str, items: int, version: str, against: str) -> None:
        """Note that a version's held-out figures were shown and nothing was decided."""
        with self._database.write() as session:
            series = _upcoming(session, task, items, False).series
            session.add(Attempt(task=task, series=series, items=items, version_id=version, against=against))

    def conclude(self, attempt_id: int, p: float, gain: float, spread: float, certain: bool) -> None:
        """Write down what came of an attempt."""
        with self._database.write() as session:
            row = session.get_one(Attempt, attempt_id)
            row.p, row.gain, row.spread, row.certain = p, gain, spread, certain

    def of_version(self, version: str) -> list[Attempt]:
        """The attempts on a version, those that were only shown too, oldest first."""
        with self._database.read() as session:
            return list(
                session.scalars(select(Attempt).where(Attempt.version_id == version).order_by(Attempt.id))
            )


def _upcoming(session: Session, task: str, items: int, chosen: bool) -> Upcoming:
    of_task = select(Attempt).where(Attempt.task == task)
    last = session.scalar(
        of_task.where(Attempt.number.is_not(None))
        .order_by(Attempt.series.desc(), Attempt.number.desc())
        .limit(1)
    )
    if last is None:
        return Upcoming(1, max(1, _unpaid(session, task, 1)) if chosen else 1)
    of_series = of_task.where(Attempt.series == last.series, Attempt.number.is_not(None))
    begun = session.scalar(of_series.order_by(Attempt.number).limit(1))
    if items >= RENEWED_AT * (begun or last).items:
        return Upcoming(last.series + 1, 1)
    more = _unpaid(session, task, last.series) if chosen else 1
    return Upcoming(last.series, (last.number or 0) + max(1, more))


def _unpaid(session: Session, task: str, series: int) -> int:
    """Versions that were only shown since a person chose last."""
    of_series = select(Attempt).where(Attempt.task == task, Attempt.series == series)
    chosen = session.scalar(of_series.where(Attempt.chosen).order_by(Attempt.id.desc()).limit(1))
    since = of_series.where(Attempt.number.is_(None), Attempt.id > (chosen.id if chosen else 0))
    return len({row.version_id for row in session.scalars(since)})
