"""Runs: a row each, and together the queue from which workers take them.

A worker claims the run that has waited longest, for as long as its lease goes, and renews the lease while it
works. Whoever dies renews nothing, and when the lease is over another worker claims the run. So pages, the
command line and replicas need nothing but the database between them.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from mmdemo.errors import UserError
from mmdemo.store.database import Database, clock
from mmdemo.store.tables import Run, now

UNFINISHED = ("queued", "running")
FINISHED = ("done", "stopped", "failed")
LEASE_S = 20.0  # without a sign of life for so long a worker counts as dead
RELEASED: dict[str, Any] = {"holder": None, "lease_until": None}


def new_run_id() -> str:
    """The id of a run that is about to be queued."""
    return f"run-{now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class RunLog:
    """The runs, one row each; curves and check-points lie in the run's folder."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        task: str,
        method: str,
        parent: str,
        settings: dict[str, Any],
        snapshot_sha256: str,
        holder: str = "",
        run_id: str = "",
    ) -> str:
        """Queue a run; returns its id.

        Args:
            task: whose labels it learns from.
            method: head, lora or full.
            parent: the version that it starts from.
            settings: as it keeps them.
            snapshot_sha256: of its labels.
            holder: the worker that is about to claim it, and that nobody comes before.
            run_id: a new one that files were written for already; empty: one is made.
        """
        run_id = run_id or new_run_id()
        with self._database.write() as session:
            run = Run(
                id=run_id,
                task=task,
                method=method,
                status="queued",
                parent=parent,
                settings=settings,
                snapshot_sha256=snapshot_sha256,
            )
            if holder:
                run.holder, run.lease_until = holder, _until(session)
            session.add(run)
        return run_id

    def claim(self, holder: str, run_id: str = "") -> Run | None:
        """Take the run that has waited longest, or a certain one; None: there is none to be had.

        Args:
            holder: the worker that takes it: a name that no other has.
            run_id: only this one.
        """
        if not self.waiting(holder, run_id):  # looking costs no lock, and workers look often
            return None
        with self._database.write() as session:
            query = _queue(clock(session), holder, run_id).limit(1).with_for_update(skip_locked=True)
            run = session.scalar(query)
            if run is not None:
                run.status, run.message = "running", ""
                run.holder, run.lease_until = holder, _until(session)
        return run

    def waiting(self, holder: str = "", run_id: str = "") -> list[Run]:
        """The runs that a worker of that name could claim now, those that wait longest first."""
        with self._database.read() as session:
            return list(session.scalars(_queue(clock(session), holder, run_id)))

    def renew(self, run_id: str, holder: str) -> bool:
        """Lengthen a lease; False: the run is another's by now, or nobody's."""
        with self._database.write() as session:
            run = session.get(Run, run_id, with_for_update=True)
            if run is None or run.holder != holder:
                return False
            run.lease_until = _until(session)
        return True

    def give_back(self, run_id: str, by: str | None, message: str) -> None:
        """Queue a run again, behind those that wait already."""
        self.update(run_id, by, status="queued", message=message, queued_at=now(), **RELEASED)

    def free(self, holder: str) -> list[str]:
        """End the leases of a worker before their time, as when it died; returns the runs that it held."""
        with self._database.write() as session:
            held = list(session.scalars(select(Run).where(Run.holder == holder)))
            for run in held:
                run.holder = run.lease_until = None
        return [run.id for run in held]

    def holders(self) -> set[str]:
        """The workers that hold a run."""
        with self._database.read() as session:
            query = select(Run.holder).where(Run.status == "running", Run.lease_until > clock(session))
            return {holder for holder in session.scalars(query) if holder}

    def withdraw(self, run_id: str, message: str) -> bool:
        """Stop a run that no worker holds; False: one does, and has to stop it itself."""
        with self._database.write() as session:
            run = session.scalar(_queue(clock(session), "", run_id).with_for_update(skip_locked=True))
            if run is None:
                return False
            run.status, run.message, run.finished_at = "stopped", message, now()
            run.holder = run.lease_until = None
        return True

    def update(self, run_id: str, by: str | None = None, **values: Any) -> bool:
        """Change columns of a run; when the status becomes final, its lease ends.

        Args:
            run_id: which.
            by: the worker that says so: where it has lost its lease meanwhile, nothing changes.
            values: columns with their values.

        Returns:
            Whether it changed.
        """
        with self._database.write() as session:
            run = session.get(Run, run_id, with_for_update=True)
            if run is None:
                raise UserError(f"There is no run {run_id!r}.", "Choose one from the list.")
            if by and run.holder != by:
                return False
            if values.get("status") in FINISHED:
                values = values | {"finished_at": now()} | RELEASED
            for name, value in values.items():
                setattr(run, name, value)
        return True

    def get(self, run_id: str) -> Run:
        """The run of that id.

        Raises:
            UserError: there is none.
        """
        with self._database.read() as session:
            run = session.get(Run, run_id)
        if run is None:
            raise UserError(f"There is no run {run_id!r}.", "Choose one from the list.")
        return run

    def latest(self, tasks: Sequence[str] = ()) -> Run | None:
        """The run that was created last, perhaps of some tasks only."""
        query = select(Run).order_by(Run.created_at.desc(), Run.id.desc()).limit(1)
        if tasks:
            query = query.where(Run.task.in_(tasks))
        with self._database.read() as session:
            return session.scalar(query)

    def of_tasks(self, tasks: Sequence[str], most: int = 50) -> list[Run]:
        """The runs of some tasks, newest first."""
        query = (
            select(Run).where(Run.task.in_(tasks)).order_by(Run.created_at.desc(), Run.id.desc()).limit(most)
        )
        with self._database.read() as session:
            return list(session.scalars(query))

    def remove(self, run_id: str) -> None:
        """Forget a run; what it made stays."""
        with self._database.write() as session:
            session.execute(delete(Run).where(Run.id == run_id))

    def unfinished(self) -> list[Run]:
        """Runs that are queued or running, oldest first."""
        with self._database.read() as session:
            query = select(Run).where(Run.status.in_(UNFINISHED)).order_by(Run.created_at)
            return list(session.scalars(query))


def _until(session: Session) -> datetime:
    return clock(session) + timedelta(seconds=LEASE_S)


def _queue(at: datetime, holder: str, run_id: str) -> Select[Run]:
    """Runs that a worker could claim at a time, in their order. One that was running when an earlier mmdemo
    was killed has no lease.
    """
    free: ColumnElement[bool] = or_(Run.lease_until.is_(None), Run.lease_until < at)
    if holder:
        free = or_(free, and_(Run.holder == holder, Run.status == "queued"))
    query = select(Run).where(Run.status.in_(UNFINISHED), free)
    if run_id:
        query = query.where(Run.id == run_id)
    return query.order_by(func.coalesce(Run.queued_at, Run.created_at), Run.id)
