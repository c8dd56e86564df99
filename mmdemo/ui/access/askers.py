"""Who is asking, as a request shows it: a script's token, the pass phrase, or the session of a browser.

On 127.0.0.1 alone whoever asks is the owner. As soon as others can reach the page, whoever shows nothing is a
viewer.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from starlette.types import Scope

from mmdemo.asker import OWNER, Asker
from mmdemo.errors import AccessError
from mmdemo.service.access import PREFIX, Access, Admitted, Session, new_session
from mmdemo.service.operations.requests import shown
from mmdemo.settings import Settings
from mmdemo.ui.access.limits import Guesses
from mmdemo.ui.access.refused import Refused
from mmdemo.ui.access.sessions import Cookies
from mmdemo.ui.lanes import KEYS

log = logging.getLogger(__name__)
HEADER = "x-mmdemo-passphrase"
# What a proxy says of whom it asks for: then it is not the person at this machine who asks.
OF_PROXIES = ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "via")
FOR_THE_OWNER = "`mmdemo invite --role owner` makes a key for you; set MMDEMO_HOSTS to the name of the proxy."
PUBLIC_PART = 64  # bits of an IPv6 address that one network has


@dataclass
class Visit:
    """Who makes a request. Whoever signs in or out changes `who`, and their browser is told."""

    session: str
    who: Admitted
    address: str  # of their network
    here: bool  # it comes from this machine, with no proxy in between
    local: bool  # the same, where nobody is asked who they are
    brought: bool = False  # whether the session came with the request
    told: bool = True  # whether the browser knows the session as it is
    changed: bool = False  # whether it has to hear of it with this very response

    @property
    def asker(self) -> Asker:
        """As operations know them."""
        if self.local and not self.who.by:
            return OWNER
        network = "" if self.brought else self.address
        return Asker(self.who.role, self.session, self.who.name, network, self.here)

    @property
    def sender(self) -> Asker:
        """The same as who sends files: a script that brings no session has none in its next request."""
        return self.asker if self.brought else replace(self.asker, session="")

    def becomes(self, who: Admitted, session: str) -> None:
        """Sign in as somebody, or out, with a new session: whoever gave or copied the one before has none."""
        self.who, self.session = who, session
        self.keep()

    def keep(self) -> None:
        """Have the browser bring this session from now on."""
        self.told, self.changed = False, True


class Askers:
    """Tells who makes a request.

    Args:
        access: the keys and sessions.
        settings: who can reach the page.
        cookies: of the sessions.
    """

    def __init__(self, access: Access, settings: Settings, cookies: Cookies) -> None:
        self.guesses = Guesses()
        self._access = access
        self._cookies = cookies
        self._alone = settings.local
        self._open = settings.local and not settings.passphrase
        self._has_phrase = bool(settings.passphrase)
        self._on_space = settings.on_space
        self._told_of_proxy = False

    async def visit(self, scope: Scope, headers: Mapping[str, str]) -> Visit:
        """Who makes a request. Where the database has to be asked for that, nobody else waits.

        Raises:
            AccessError: what it shows opens nothing.
            Refused: too many wrong keys came from there.
            StorageError: the database cannot be asked.
            BusyError: too many wait for it.
        """
        address = network_of(scope, headers, self._on_space)
        here = self._alone and not any(name in headers for name in OF_PROXIES)
        if self._open and not here and not self._told_of_proxy:
            self._told_of_proxy = True
            log.warning("A proxy lets others ask: they are viewers until they sign in. %s", FOR_THE_OWNER)
        known = await self._session(headers.get("cookie", ""))
        visit = Visit(
            known.id if known else new_session(),
            known.who if known else Admitted(),
            address,
            here,
            here and self._open,
            brought=known is not None,
            told=known is not None and not known.is_old,
        )
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token.strip().startswith(PREFIX):  # others are the Hub's
            return await self._by_token(visit, token.strip())
        if self._has_phrase and (given := headers.get(HEADER)):
            return self._by_phrase(visit, unquote(given))
        return visit

    def require_patience(self, address: str) -> None:
        """Refuse to look at a key that comes too soon after wrong ones.

        Raises:
            Refused: it is not looked at yet.
        """
        if wait_s := self.guesses.wait_s(address):
            raise too_often("Too many wrong keys were tried.", wait_s)

    def wrong(self, address: str) -> None:
        """Count a wrong key, and write it down."""
        self.guesses.wrong(address)
        log.warning("A wrong key came from %s.", shown(address).strip("'"))

    async def _session(self, cookie: str) -> Session | None:
        """The session that a Cookie header brings; None: none that holds."""
        found = self._cookies.session(cookie)
        if found is None or not found.who.by:
            return found
        return found if await self._looked_up(self._access.in_force, found, found.mark) else None

    async def _looked_up(self, look: Callable[[Any], Any], key: object, known_as: str) -> Any:
        """What a look-up in the database gives: at once where that is known, else in a thread of its own."""
        known = self._access.recent.get(known_as)
        return await KEYS.run(look, key) if known is None else known.value

    async def _by_token(self, visit: Visit, token: str) -> Visit:
        """A token has 256 bits, which nobody guesses: it is looked at however many wrong ones came."""
        who = await self._looked_up(self._access.by_token, token, self._access.digest(token))
        if who is None:
            self.require_patience(visit.address)
            self.wrong(visit.address)
            raise AccessError("The token is wrong or over.", "Ask the owner of this page for another.")
        return self._shown(visit, who)

    def _by_phrase(self, visit: Visit, given: str) -> Visit:
        self.require_patience(visit.address)
        if not self._access.is_phrase(given):
            self.wrong(visit.address)
            raise AccessError("The pass phrase is wrong.", "Check it and try again.")
        return self._shown(visit, self._access.by_phrase())

    def _shown(self, visit: Visit, who: Admitted) -> Visit:
        """A script that shows its key each time has one session by it, where it brings none."""
        visit.who, visit.local = who, False
        if not visit.brought:
            visit.session, visit.brought, visit.told = f"key {self._access.digest(who.by)}", True, True
        return visit


def network_of(scope: Scope, headers: Mapping[str, str], on_space: bool) -> str:
    """The network that a request comes from. On a Space all come through its proxy, whose last word on whom
    it asks for is believed; what a client says of itself stands before that.
    """
    client = scope.get("client") or ("", 0)
    found = [str(client[0])]
    if on_space:
        said = [one.strip() for one in headers.get("x-forwarded-for", "").split(",")]
        found = [one for one in said if _public(one)][-1:] or found
    try:
        ip = ipaddress.ip_address(found[0])
    except ValueError:
        return found[0]
    return str(ipaddress.ip_network((ip, PUBLIC_PART), strict=False)) if ip.version == 6 else str(ip)


def _public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_global
    except ValueError:
        return False


def too_often(what: str, wait_s: float) -> Refused:
    """The refusal of what comes too often."""
    seconds = max(1, round(wait_s + 0.5))
    return Refused(429, what, f"Wait {seconds} s and try again.", {"Retry-After": str(seconds)})
