"""Who is signed in. A row is there from a sign-in until the sign-out, or until it is taken back or over."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from mmdemo.errors import StorageError, UserError
from mmdemo.store.database import Database
from mmdemo.store.names import key_digest
from mmdemo.store.tables import SignedIn, now

MOST_OF_ONE = 1000  # sessions of whom one key let in under one name; then those not used for longest go
OF_A_MARK = 12  # characters by which a session is called; its number would soon be another's
USED_AGAIN = timedelta(minutes=10)  # a use so soon after the last one is not noted


class SessionLog:
    """The sessions of who is signed in, by the digests of their ids."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_in(self, session: Session, row: SignedIn) -> None:
        """Keep a new one, within a write session; those that are over go."""
        row.name_key = key_digest(row.name)
        session.execute(delete(SignedIn).where(SignedIn.ends_at <= now()))
        same = (SignedIn.let_in_by == row.let_in_by, SignedIn.name == row.name)
        newest = select(SignedIn.id).where(*same).order_by(SignedIn.used_at.desc(), SignedIn.id.desc())
        crowd = list(session.scalars(newest.offset(MOST_OF_ONE - 1)))
        session.execute(delete(SignedIn).where(SignedIn.id.in_(crowd)))
        session.add(row)

    def use(self, mark: str, let_in_by: str, keep: timedelta) -> bool:
        """Whether somebody is signed in; it is noted that they were here, where nobody else writes
        and the disk takes that.

        Args:
            mark: of the session.
            let_in_by: what its cookie says.
            keep: for how long a session is kept after its last use.
        """
        at = now()
        with self._database.read() as session:
            found = session.scalar(select(SignedIn).where(SignedIn.mark == mark))
        if found is None or found.let_in_by != let_in_by or found.ends_at <= at:
            return False
        if at - found.used_at >= USED_AGAIN:
            noted = update(SignedIn).where(SignedIn.id == found.id).values(used_at=at, ends_at=at + keep)
            with suppress(StorageError), self._database.write(waits=False) as session:
                session.execute(noted)
        return True

    def end(self, mark: str) -> None:
        """Sign somebody out."""
        with self._database.write() as session:
            self.end_in(session, mark)

    def end_in(self, session: Session, mark: str) -> None:
        """The same within a write session."""
        session.execute(delete(SignedIn).where(SignedIn.mark == mark))

    def end_all_of(self, let_in_by: str) -> None:
        """Sign everybody out whom something of this beginning let in."""
        with self._database.write() as session:
            begins = SignedIn.let_in_by.startswith(let_in_by, autoescape=True)
            session.execute(delete(SignedIn).where(begins))

    def listed(self, at: datetime | None = None) -> list[SignedIn]:
        """All that are not over, the last used first."""
        query = select(SignedIn).where(SignedIn.ends_at > (at or now()))
        with self._database.read() as session:
            return list(session.scalars(query.order_by(SignedIn.used_at.desc(), SignedIn.id.desc())))

    def end_called(self, called: str) -> SignedIn:
        """Sign the one out that the list calls so. A number would be another's as soon as it is free.

        Raises:
            UserError: there is none.
        """
        begins = SignedIn.mark.startswith(called, autoescape=True)
        with self._database.write() as session:
            found = list(session.scalars(select(SignedIn).where(begins).limit(2)))
            if len(called) < OF_A_MARK or len(found) != 1:
                raise UserError(f"There is no session {called[:60]!r}.", "Check the id in the list.")
            session.delete(found[0])
        return found[0]
