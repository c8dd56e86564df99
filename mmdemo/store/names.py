"""The names that people label under: how they read, and whose each is, found without reading the log."""

from __future__ import annotations

import hashlib
import re
import unicodedata

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from mmdemo.errors import NameTakenError
from mmdemo.store.database import Database
from mmdemo.store.tables import Grant, SaidName, SignedIn, now
from mmdemo.store.texts import normalized

UNSEEN = ("Cc", "Cf", "Cs", "Co", "Cn")  # categories of what is not drawn: formats, bidi, unassigned
# What is drawn as nothing and is no format: fillers, joiners, variation selectors, an empty braille cell.
BLANK = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
NUMBER = re.compile(r" \d+$")  # of a guest of an invitation that several may open


def shown_name(text: str) -> str:
    """A name as it is shown: without what is not seen, and with single spaces."""
    drawn = "".join(one if unicodedata.category(one) not in UNSEEN else " " * one.isspace() for one in text)
    return " ".join(BLANK.sub("", drawn).split())


def name_key(text: str) -> str:
    """By which two names are the same to who reads them: NFKC, without case."""
    folded = normalized("NFKC", shown_name(text)).casefold()
    return shown_name(normalized("NFKC", folded))


def key_digest(text: str) -> str:
    """The SHA-256 of a name's key, of one length; of no name nothing."""
    key = name_key(text)
    return hashlib.sha256(key.encode()).hexdigest() if key else ""


def say_in(session: Session, name: str, mark: str | None, only: bool = False) -> None:
    """Note, within a write session, that a label bears a name. Over all processes one writes at a time: what
    two have looked up in the same moment is settled here.

    Args:
        session: it.
        name: as it stands with the label.
        mark: of whom the label is; None: of somebody at this machine.
        only: whether it has to be nobody else's.

    Raises:
        NameTakenError: it is.
    """
    key = key_digest(name)
    if not key or session.get(SaidName, (key, mark or "")) is not None:
        return
    if only and _is_anothers(session, name, mark or ""):
        raise NameTakenError(name)
    session.add(SaidName(key=key, mark=mark or ""))


class NameLog:
    """Whose a name is."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def is_anothers(self, name: str, mark: str) -> bool:
        """Whether the owner gave a name to somebody, or another has labelled or is signed in under it.

        Args:
            name: as somebody calls themselves.
            mark: theirs.
        """
        with self._database.read() as session:
            return _is_anothers(session, name, mark)


def _is_anothers(session: Session, name: str, mark: str) -> bool:
    key, guest_of = key_digest(name), key_digest(NUMBER.sub("", name_key(name)))
    given = select(Grant.id).where(or_(Grant.name_key == key, Grant.name_key == guest_of))
    said = select(SaidName.mark).where(SaidName.key == key, SaidName.mark != mark)
    signed_in = select(SignedIn.id).where(SignedIn.name_key == key, SignedIn.ends_at > now())
    return any(
        session.scalar(query.limit(1)) is not None
        for query in (said, given, signed_in.where(SignedIn.mark != mark))
    )
