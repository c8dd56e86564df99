"""Invitations and tokens, by the digests of their keys."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from mmdemo.errors import StorageError, UserError
from mmdemo.store.database import Database
from mmdemo.store.names import key_digest
from mmdemo.store.sessions import USED_AGAIN
from mmdemo.store.tables import Grant, now

INVITATION, TOKEN = KINDS = ("invitation", "token")


class GrantLog:
    """Whom the owner lets in. A grant is never deleted: who was let in stays known."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, grant: Grant) -> Grant:
        """Keep a new one."""
        grant.name_key = key_digest(grant.name)
        with self._database.write() as session:
            session.add(grant)
            session.flush()
        return grant

    def use_in(self, session: Session, digest: str) -> Grant | None:
        """Use an invitation once more, within a write session; None: there is none that can be used."""
        grant = _usable(session, digest, INVITATION)
        if grant is None:
            return None
        left = update(Grant).where(Grant.id == grant.id).values(used=Grant.used + 1, used_at=now())
        if grant.uses_left is not None:
            left = left.where(Grant.uses_left > 0).values(uses_left=Grant.uses_left - 1)
        if session.execute(left).rowcount != 1:  # type: ignore[attr-defined]
            return None
        session.refresh(grant)
        return grant

    def token(self, digest: str) -> Grant | None:
        """The token of a key, where it can be used. That it is used is noted where nobody else writes and
        the disk takes that."""
        with self._database.read() as session:
            found = _usable(session, digest, TOKEN)
        at = now()
        if found is not None and (found.used_at is None or at - found.used_at >= USED_AGAIN):
            with suppress(StorageError), self._database.write(waits=False) as session:
                session.execute(update(Grant).where(Grant.id == found.id).values(used_at=at))
        return found

    def stands(self, grant: int, digest: str) -> bool:
        """Whether the one of this number, whose digest begins so, is there and was not taken back. After a
        restore the number may be another's.
        """
        with self._database.read() as session:
            found = session.get(Grant, grant)
            if found is None or found.revoked_at is not None:
                return False
            return bool(digest) and found.digest.startswith(digest)

    def listed(self) -> list[Grant]:
        """All of them, newest first."""
        with self._database.read() as session:
            return list(session.scalars(select(Grant).order_by(Grant.id.desc())))

    def revoke(self, grant: int, at: datetime | None = None) -> Grant:
        """Take one back.

        Raises:
            UserError: there is none of that number.
        """
        with self._database.write() as session:
            found = session.get(Grant, grant)
            if found is None:
                raise UserError(f"There is no invitation or token {grant}.", "Check the number in the list.")
            found.revoked_at = found.revoked_at or at or now()
        return found


def _usable(session: Session, digest: str, kind: str) -> Grant | None:
    return session.scalar(
        select(Grant).where(
            Grant.digest == digest,
            Grant.kind == kind,
            Grant.revoked_at.is_(None),
            Grant.expires_at > now(),
            or_(Grant.uses_left.is_(None), Grant.uses_left > 0),
        )
    )
