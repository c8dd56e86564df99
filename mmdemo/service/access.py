"""Who somebody is, by the key that they show, and the sessions in which they need not show it again.

A key is the pass phrase, the owner's key that a start prints and that opens once, an invitation, or the token
of a script. A session is signed by the workspace's secret and names what let its holder in: it ends when that
is taken back.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from dataclasses import astuple, dataclass, replace
from datetime import timedelta

from sqlalchemy.orm import Session as Writing

from mmdemo.asker import Role, mark_of
from mmdemo.service.let_in_by import GRANT, HUB, OWNER, PHRASE, LetInBy
from mmdemo.service.recent import Recent
from mmdemo.service.signing import facts_of, signed
from mmdemo.settings import Settings
from mmdemo.store.secret import secret_of
from mmdemo.store.tables import Grant, SignedIn, now
from mmdemo.store.workspace import Workspace

PREFIX = "mmd_"  # of every key but the pass phrase: what begins so was made here
SESSION_S = 30 * 86_400.0
REMEMBERED_S = 400 * 86_400.0  # for which a browser brings its cookie, as long as browsers keep one
KEPT = timedelta(seconds=SESSION_S + 3600)  # after its last noted use: longer than its cookie says
RENEWED_S = SESSION_S / 2  # what is left of a session when it is signed anew
KNOWN_S = 2.0  # for which what the database said of a grant is believed


@dataclass(frozen=True)
class Admitted:
    """Who somebody is, by what they showed."""

    role: Role = "viewer"
    name: str = ""
    by: str = ""  # the text of the `LetInBy`; empty: nothing was shown


@dataclass(frozen=True)
class Browser:
    """What a browser is known by from one session to the next: signing in again makes nobody another."""

    id: str = ""  # a secret; empty: nobody without a name has signed in there
    by: str = ""  # what let in who signed in there last
    name: str = ""  # theirs

    def with_one_more(self, who: Admitted) -> tuple[Admitted, Browser]:
        """Who somebody is that signs in there, and what it is known by then: the guest of an invitation is
        the one that they were.
        """
        if who.by == self.by and who.name and LetInBy.parse(who.by).kind == GRANT:
            who = replace(who, name=self.name)
        kept = self.id or ("" if who.name or who.role == "owner" else new_session())
        return who, Browser(kept, who.by, who.name)


NOTHING_KNOWN = Browser()


@dataclass(frozen=True)
class Session:
    """A session as its cookie says it."""

    id: str
    who: Admitted
    ends_s: float  # Unix time
    browser: Browser

    @property
    def mark(self) -> str:
        """What the database knows it by."""
        return mark_of(self.id)

    @property
    def is_old(self) -> bool:
        """Whether it should be signed anew."""
        return self.ends_s - time.time() < RENEWED_S


@dataclass(frozen=True)
class Move:
    """From one session of a browser to the next, which somebody signs in with."""

    before: str  # the id of the one that ends
    who: Admitted  # who that was
    brought: bool  # whether it came with the request
    browser: Browser
    session: str  # the id of the new one

    def takes_along(self, who: Admitted) -> bool:
        """Whether what was brought stays with who signs in: nobody, or the same, was there before."""
        return self.brought and (self.who.by, self.who.name) in (("", ""), (who.by, who.name))


class Access:
    """The keys and sessions of an open workspace."""

    def __init__(self, settings: Settings, ws: Workspace) -> None:
        self._phrase = settings.passphrase
        self._on_space = settings.on_space
        self._ws = ws
        self._secret = secret_of(ws.folder)
        self._owner_key = ""
        self.recent = Recent(KNOWN_S)  # of sessions by their mark, of tokens by their digest
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """What tells this workspace's sessions from another's on the same host."""
        return self.digest("the name of the sessions")[:8]

    def owner_key(self) -> str:
        """A key that makes whoever shows it first the owner."""
        with self._lock:
            self._owner_key = self._owner_key or _new_key()
            return self._owner_key

    def sign_in(self, key: str, move: Move) -> tuple[Admitted, Browser] | None:
        """Let somebody in by a key, which may be used up by that: all is on disk, or nothing has changed.

        Returns:
            Who they are, and what their browser is known by; None: the key opens nothing.

        Raises:
            StorageError: nothing has changed.
        """
        who = self.by_phrase() if self.is_phrase(key) else self._by_owner_key(key)
        if who is None and not key.startswith(PREFIX):
            return None
        with self._ws.database.write() as writing:
            who = who or self._by_invitation(writing, key)
            if who is None:
                return None
            found = self._move_in(writing, who, move)
        if who.by == OWNER:
            with self._lock:
                self._owner_key = ""
        self.recent.forget()
        return found

    def _by_owner_key(self, key: str) -> Admitted | None:
        with self._lock:
            own = self._owner_key and hmac.compare_digest(self._owner_key.encode(), _bytes(key))
        return Admitted("owner", by=OWNER) if own else None

    def _by_invitation(self, writing: Writing, key: str) -> Admitted | None:
        grant = self._ws.grants.use_in(writing, self.digest(key))
        if grant is None:
            return None
        several = grant.used > 1 or bool(grant.uses_left)
        return _admitted(grant, f" {grant.used}" if grant.name and several else "")

    def begin(self, who: Admitted, move: Move) -> tuple[Admitted, Browser]:
        """The same for who has shown elsewhere who they are.

        Raises:
            StorageError: they are not signed in, and nothing has changed.
        """
        with self._ws.database.write() as writing:
            found = self._move_in(writing, who, move)
        self.recent.forget()
        return found

    def _move_in(self, writing: Writing, who: Admitted, move: Move) -> tuple[Admitted, Browser]:
        who, browser = move.browser.with_one_more(who)
        row = SignedIn(mark=mark_of(move.session), let_in_by=who.by, role=who.role, name=who.name)
        row.ends_at = now() + KEPT
        self._ws.sessions.add_in(writing, row)
        if move.takes_along(who):
            self._ws.scratch.hand_over_in(writing, mark_of(move.before), row.mark, who.role)
        if move.who.by:
            self._ws.sessions.end_in(writing, mark_of(move.before))
        return who, browser

    def by_token(self, key: str) -> Admitted | None:
        """Who a script is, by its token; None: it is none that can be used. The database may be asked."""
        digest = self.digest(key)

        def look() -> Admitted | None:
            grant = self._ws.grants.token(digest)
            return _admitted(grant) if grant is not None else None

        found: Admitted | None = self.recent.ask(digest, look)
        return found

    def is_phrase(self, given: str) -> bool:
        """Whether it is the pass phrase."""
        return bool(self._phrase) and hmac.compare_digest(_bytes(given), self._phrase.encode())

    def by_phrase(self) -> Admitted:
        """Who gave the pass phrase."""
        return Admitted("owner", by=str(LetInBy(PHRASE, self.digest(self._phrase))))

    def holds(self, by: str) -> bool:
        """Whether what let somebody in still does: the pass phrase is the same, the grant was not revoked.
        For a grant the database is asked.
        """
        shown = LetInBy.parse(by)
        if shown.kind == PHRASE:
            return bool(self._phrase) and by == self.by_phrase().by
        if shown.kind == GRANT:
            return self._ws.grants.stands(shown.grant, shown.digest)
        return shown.kind in ("", OWNER) or (shown.kind == HUB and self._on_space)

    def is_in_by(self, who: Admitted, key: str) -> bool:
        """Whether a key is the invitation by which somebody is in."""
        by = LetInBy.parse(who.by)
        return by.kind == GRANT and who.by == str(LetInBy(GRANT, self.digest(key), by.grant))

    def end(self, session: str) -> None:
        """Sign a session out, in every copy of its cookie."""
        self._ws.sessions.end(mark_of(session))
        self.recent.forget()

    def end_called(self, called: str) -> SignedIn:
        """The same, by what the list calls it.

        Raises:
            UserError: there is none.
        """
        found = self._ws.sessions.end_called(called)
        self.recent.forget()
        return found

    def in_force(self, found: Session) -> bool:
        """Whether a session was neither signed out nor taken back; the database may be asked."""
        by = found.who.by

        def look() -> bool:
            return self.holds(by) and self._ws.sessions.use(found.mark, by, KEPT)

        return not by or bool(self.recent.ask(found.mark, look))

    def text_of(self, session: str, who: Admitted, browser: Browser = NOTHING_KNOWN) -> str:
        """A session as a text that nobody else can make."""
        facts = {
            "sid": session,
            "role": who.role,
            "name": who.name,
            "by": who.by,
            "browser": astuple(browser),
        }
        return signed(facts | {"ends": time.time() + SESSION_S}, self._secret)

    def session(self, text: str) -> Session | None:
        """The session of such a text; None: it is forged or over. Whether it still `holds` is to be asked."""
        facts = facts_of(text, self._secret)
        if facts is None or facts["ends"] < time.time():
            return None
        who = Admitted(facts["role"], facts["name"], facts["by"])
        return Session(facts["sid"], who, facts["ends"], self.browser(text))

    def browser(self, text: str) -> Browser:
        """The browser of such a text, also of one that is over; of a session of before, what that was."""
        facts = facts_of(text, self._secret)
        if facts is None:
            return NOTHING_KNOWN
        before = [facts["sid"] if facts["by"] and not facts["name"] else "", facts["by"], facts["name"]]
        return Browser(*facts.get("browser", before))

    def grant(self, kind: str, role: Role, name: str, days: float, uses: int | None) -> tuple[Grant, str]:
        """Let somebody in; the grant, and the key that is shown this once."""
        key = _new_key()
        ends = now() + timedelta(days=days)
        grant = Grant(
            kind=kind, role=role, name=name, digest=self.digest(key), uses_left=uses, expires_at=ends
        )
        return self._ws.grants.add(grant), key

    def revoke(self, grant: int) -> Grant:
        """Take a grant back, and end every session that stands on it.

        Raises:
            UserError: there is none of that number.
        """
        found = self._ws.grants.revoke(grant)
        self._ws.sessions.end_all_of(str(LetInBy(GRANT, grant=grant)))
        self.recent.forget()
        return found

    def digest(self, key: str) -> str:
        """By which a key is known again; nobody can tell the key from it."""
        return hmac.new(self._secret, _bytes(key), hashlib.sha256).hexdigest()


def new_session() -> str:
    """The id of a new session."""
    return secrets.token_hex(16)


def _new_key() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def _bytes(text: str) -> bytes:
    """What a key is compared and known by; one may hold half a character."""
    return text.encode("utf-8", "surrogatepass")


def _admitted(grant: Grant, number: str = "") -> Admitted:
    by = LetInBy(GRANT, grant.digest, grant.id)
    return Admitted(grant.role, grant.name + number, str(by))  # type: ignore[arg-type]
