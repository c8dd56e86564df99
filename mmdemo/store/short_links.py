"""Short links: what is on somebody's page, kept under an id, where it is too long for an address."""

from __future__ import annotations

import hashlib
import re
import secrets
from urllib.parse import parse_qsl

from sqlalchemy import ColumnElement, and_, case, delete, func, select
from sqlalchemy.orm import Session

from mmdemo.asker import Asker, mark_of
from mmdemo.errors import UserError
from mmdemo.store.database import Database
from mmdemo.store.shares import counted_beside, counted_with
from mmdemo.store.tables import ShortLink

LONGEST = 30_000  # characters of a state, as an address has them
MOST_OF_ONE = 100  # of one person; then their oldest goes
MOST_OF_VISITORS = 2000  # of all of them together; then the oldest goes of whose network has most
MOST = 4000  # of all who are let in; then, too, the oldest goes of who has most
ID = re.compile(r"[A-Za-z0-9_-]{16}")  # 96 bits at random
NAME = re.compile(r"[a-z][a-z_]{0,31}")  # of what a state says
MOST_NAMES = 40


class ShortLinks:
    """The states that links stand for. They are in the database, and so in backups."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, state: str, asker: Asker) -> str:
        """The id of a state, which is the same whenever the same person shares it.

        Args:
            state: as it stands in an address after the question mark.
            asker: in whose share it counts.

        Raises:
            UserError: it is no state, or too long.
        """
        if len(state) > LONGEST:
            what = (
                f"What is on the page takes {len(state)} characters, over the limit of {LONGEST} of a link."
            )
            raise UserError(what, "Share fewer or shorter texts.")
        if not is_state(state):
            raise UserError("This is nothing that a link can say.", "Share it from the page.")
        by_visitor, maker = not asker.may("annotator"), _maker_of(asker)
        digest = hashlib.sha256(state.encode()).hexdigest()
        with self._database.write() as session:
            same = select(ShortLink.id).where(ShortLink.digest == digest, ShortLink.maker == maker)
            if known := session.scalar(same.limit(1)):
                return known
            _make_room(session, ShortLink.maker == maker, MOST_OF_ONE)
            coming = ShortLink(id=secrets.token_urlsafe(12), state=state, digest=digest, maker=maker)
            coming.network, coming.by_visitor = counted_beside(asker, maker), by_visitor
            of_them, most = ShortLink.by_visitor.is_(by_visitor), MOST_OF_VISITORS if by_visitor else MOST
            _take_from_who_has_most(session, coming, of_them, most)
            session.add(coming)
            return coming.id

    def state(self, link: str) -> str | None:
        """What a link stands for; None: there is none of that id."""
        if not ID.fullmatch(link):
            return None
        with self._database.read() as session:
            return session.scalar(select(ShortLink.state).where(ShortLink.id == link))


def is_state(text: str) -> bool:
    """Whether a text is what an address says: names in the form of ours with their values, each once."""
    try:
        said = parse_qsl(text, True, strict_parsing=True, errors="strict", max_num_fields=MOST_NAMES)
    except ValueError:
        return False
    names = [name for name, _ in said]
    return bool(names) and text.isascii() and len({*names}) == len(names) and all(map(NAME.fullmatch, names))


def _maker_of(asker: Asker) -> str:
    """In whose share a link counts: a person's in whatever session, else as their files do."""
    return mark_of(f"links of {asker.person}") if asker.person else counted_with(asker)


def _count(session: Session, which: ColumnElement[bool]) -> int:
    return session.scalar(select(func.count()).select_from(ShortLink).where(which)) or 0


def _take_from_who_has_most(
    session: Session, coming: ShortLink, of_them: ColumnElement[bool], allowed: int
) -> None:
    """Let a link of theirs go where there are as many as may be: of the network that has most, of who has
    most there. Sessions are free, and whoever makes many loses their own. Who makes one now has one more.
    """
    if _count(session, of_them) < allowed:
        return
    for counted, own in ((ShortLink.network, coming.network), (ShortLink.maker, coming.maker)):
        count = func.count() + case((counted == own, 1), else_=0)
        oldest = func.min(ShortLink.created_at)
        theirs = select(counted).where(of_them).group_by(counted)
        most = session.scalar(theirs.order_by(count.desc(), oldest, counted).limit(1))
        of_them = and_(of_them, counted == most)
    _make_room(session, of_them, _count(session, of_them))


def _make_room(session: Session, which: ColumnElement[bool], most: int) -> None:
    """Let the oldest of some links go, so that one more is no more than there may be."""
    if _count(session, which) >= most:
        newest = select(ShortLink.id).where(which).order_by(ShortLink.created_at.desc(), ShortLink.id)
        gone = list(session.scalars(newest.offset(most - 1)))
        session.execute(delete(ShortLink).where(ShortLink.id.in_(gone)))
