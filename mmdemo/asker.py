"""Who is asking, for whatever runs because of it: the gate notes it, and what must know asks `current()`.

Whoever works at this machine, by the command line or from Python, passes no gate and is the owner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Role = Literal["viewer", "annotator", "trainer", "owner"]
ROLES: tuple[Role, ...] = ("viewer", "annotator", "trainer", "owner")  # each may do what those before it may


@dataclass(frozen=True)
class RoleWords:
    """A role as sentences name it."""

    one: str  # as in "you are a viewer"
    all: str  # as in "this is for everybody"
    may: str  # as in "you may look"


IN_WORDS: dict[Role, RoleWords] = {
    "viewer": RoleWords("a viewer", "everybody", "look"),
    "annotator": RoleWords("an annotator", "annotators", "label"),
    "trainer": RoleWords("a trainer", "trainers", "label, import and train"),
    "owner": RoleWords("the owner", "the owner", "do everything"),
}


@dataclass(frozen=True)
class Asker:
    """Who is asking.

    Args:
        role: what they may do.
        session: the id of the session of their browser or script, a secret; empty at this machine.
        name: who signed in, or the name of their invitation; empty: nobody says.
        network: where a request comes from that brought no session; whatever comes so has limits in common.
        at_this_machine: whether they ask from this machine and nobody else can, but through what they run.
        by: what let them in; empty: nothing was shown.
        browser: what their browser is known by whoever signs in there, a secret; empty: by nothing.
        address: the network that they ask from, in whatever session; empty: nobody says.
    """

    role: Role = "owner"
    session: str = ""
    name: str = ""
    network: str = ""
    at_this_machine: bool = False
    by: str = ""
    browser: str = ""
    address: str = ""

    def may(self, role: Role) -> bool:
        """Whether they may do what a role may."""
        return ROLES.index(self.role) >= ROLES.index(role)

    @property
    def person(self) -> str:
        """What tells them from others in whatever session: a digest of their name, of the owner, or of what
        let them in; empty: nobody is signed in.
        """
        if self.role == "viewer" and not self.name:
            return ""
        who = f"name {self.name}" if self.name else "owner" if self.role == "owner" else f"by {self.by}"
        return mark_of(who)[:16]

    @property
    def says_name(self) -> bool:
        """Whether they say themselves under which name they label: it has to be nobody else's."""
        return not self.name and not self.may("owner")

    @property
    def mark(self) -> str | None:
        """What the database keeps of the session, which itself is a secret; None at this machine."""
        return mark_of(self.session) if self.session else None

    @property
    def maker(self) -> str | None:
        """What the database keeps of who labels. Who has no name and is not the owner is the same at the same
        browser, in whatever session; None at this machine.
        """
        return mark_of(self.browser) if self.browser and self.says_name else self.mark


def mark_of(session: str) -> str:
    """What the database keeps of the id of a session."""
    return hashlib.sha256(session.encode()).hexdigest()


OWNER = Asker(at_this_machine=True)
_current: ContextVar[Asker] = ContextVar("asker", default=OWNER)


def current() -> Asker:
    """Who is asking. A thread of one's own begins with the owner: hand it what it needs to know."""
    return _current.get()


_is_gone: ContextVar[Callable[[], bool]] = ContextVar("is_gone", default=lambda: False)


def is_gone() -> bool:
    """Whether whoever asks has gone: nobody waits for what is done for them, and it may end."""
    return _is_gone.get()()


@contextmanager
def asked_until(gone: Callable[[], bool]) -> Iterator[None]:
    """Carry something out for somebody who may go away meanwhile."""
    before = _is_gone.set(gone)
    try:
        yield
    finally:
        _is_gone.reset(before)


@contextmanager
def asking(asker: Asker) -> Iterator[None]:
    """Carry something out for somebody."""
    before = _current.set(asker)
    try:
        yield
    finally:
        _current.reset(before)
