"""Who is asking, as a request shows it: a script's token, the pass phrase, or the session of a browser.

On 127.0.0.1 alone whoever asks is the owner. As soon as others can reach the page, whoever shows nothing is a
viewer.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import unquote

from starlette.types import Scope

from mmdemo.asker import OWNER, Asker, asking
from mmdemo.errors import AccessError
from mmdemo.service.access import NOTHING_KNOWN, PREFIX, Access, Admitted, Browser, Session, new_session
from mmdemo.service.lanes import Lanes
from mmdemo.service.operations.requests import shown
from mmdemo.settings import Settings
from mmdemo.ui.access.limits import Guesses
from mmdemo.ui.access.proxies import network_of
from mmdemo.ui.access.refused import Refused
from mmdemo.ui.access.sessions import Cookies

log = logging.getLogger(__name__)
HEADER = "x-mmdemo-passphrase"
# What a proxy says of itself or of whom it asks for, and no browser: then it is not the person at this
# machine who asks. Of nginx, Apache, Traefik, HAProxy, Envoy, IIS and the networks that deliver pages.
OF_PROXIES = re.compile(
    "via|cdn-loop|client-ip|true-client-ip|x-scheme|(x-)?(forwarded|original|proxy)(-.*)?"
    "|x-(real|client|cluster-client)-ip|(cf|fastly)-.*|x-(envoy|amzn|amz-cf|azure|arr|ms)-.*"
)
FOR_THE_OWNER = (
    "`python -m mmdemo invite --role owner` makes a key for you; set MMDEMO_HOSTS to the name of the proxy."
)


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
    browser: Browser = NOTHING_KNOWN
    changed: bool = False  # whether it has to hear of it with this very response

    @property
    def asker(self) -> Asker:
        """As operations know them."""
        if self.local and not self.who.by:
            return OWNER
        network = "" if self.brought else self.address
        who = self.who
        by, browser = who.by, self.browser.id
        return Asker(who.role, self.session, who.name, network, self.here, by, browser, self.address)

    @property
    def is_known(self) -> bool:
        """Whether they are signed in by a key, which not everybody can get."""
        return self.who.role != "viewer"

    @property
    def guesser(self) -> str:
        """With whom their wrong keys are counted: those of others at their address make nobody wait who is
        signed in.
        """
        return f"{self.who.by} {self.who.name}" if self.is_known else self.address

    @property
    def beside(self) -> str:
        """With whom they are counted beyond this session: others with their network, who works here by
        themselves, so that visitors of the same network use up nothing of theirs.
        """
        return f"who {self.asker.person}" if self.is_known else self.address

    @property
    def sender(self) -> Asker:
        """The same as who sends files: a script that brings no session has none in its next request."""
        return self.asker if self.brought else replace(self.asker, session="")

    def becomes(self, who: Admitted, session: str, browser: Browser) -> None:
        """Sign in as somebody, or out, with a new session: whoever gave or copied the one before has none."""
        self.who, self.session, self.browser = who, session, browser
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
        lanes: where the database is asked.
        count: refuses a network that asks too often.
    """

    def __init__(
        self,
        access: Access,
        settings: Settings,
        cookies: Cookies,
        lanes: Lanes,
        count: Callable[[str], None] = lambda network: None,
    ) -> None:
        self.guesses = Guesses()
        self._access = access
        self._cookies = cookies
        self._lanes = lanes
        self._count = count
        self._alone = settings.local
        self._open = settings.local and not settings.passphrase
        self._has_phrase = bool(settings.passphrase)
        self._told_of_proxy = False

    async def visit(self, scope: Scope, headers: Mapping[str, str]) -> Visit:
        """Who makes a request. Where the database has to be asked for that, nobody else waits.

        Raises:
            AccessError: what it shows opens nothing.
            Refused: too many wrong keys came from there.
            StorageError: the database cannot be asked.
            BusyError: too many wait for it.
        """
        address = network_of(scope)
        here = self._alone and not any(map(OF_PROXIES.fullmatch, headers))
        if self._open and not here and not self._told_of_proxy:
            self._told_of_proxy = True
            log.warning("A proxy lets others ask: they are viewers until they sign in. %s", FOR_THE_OWNER)
        cookie = headers.get("cookie", "")
        known = await self._session(cookie)
        visit = Visit(
            known.id if known else new_session(),
            known.who if known else Admitted(),
            address,
            here,
            here and self._open,
            brought=known is not None,
            told=known is not None and not known.is_old,
            browser=known.browser if known else self._cookies.browser(cookie),
        )
        if visit.is_known:
            self.guesses.right(address)
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and token.strip().startswith(PREFIX):  # others are the Hub's
            return await self._by_token(visit, token.strip())
        if self._has_phrase and (given := headers.get(HEADER)):
            return self._by_phrase(visit, unquote(given))
        return visit

    def require_patience(self, visit: Visit, key: str) -> None:
        """Refuse to look at a key that comes too soon after wrong ones; the owner never waits.

        Raises:
            Refused: it is not looked at yet.
        """
        if visit.asker.may("owner"):
            return
        if wait_s := self.guesses.wait_s(visit.guesser, not key.startswith(PREFIX)):
            raise too_often("Too many wrong keys were tried.", wait_s)

    def wrong(self, visit: Visit, key: str) -> None:
        """Count a wrong key, and write it down."""
        self.guesses.wrong(visit.guesser, not key.startswith(PREFIX))
        log.warning("A wrong key came from %s.", shown(visit.address).strip("'"))

    def right(self, visit: Visit, who: Admitted) -> None:
        """Note that a right key came, of whom it lets in; one that others are given too forgives nothing."""
        self.guesses.right(visit.guesser, forgives=who.role == "owner")
        self.guesses.right(visit.address)

    async def _session(self, cookie: str) -> Session | None:
        """The session that a Cookie header brings; None: none that holds."""
        found = self._cookies.session(cookie)
        if found is None or not found.who.by:
            return found
        known = self._access.recent.get(found.mark)
        in_force = known.value if known else await self._lanes.keys.run(self._access.in_force, found)
        return found if in_force else None

    async def _by_token(self, visit: Visit, token: str) -> Visit:
        """A token has 256 bits, which nobody guesses: it is looked at however many wrong ones came. Those
        that were not seen a moment ago count against their network, and wait for each other alone.
        """
        known = self._access.recent.get(self._access.digest(token))
        if known is None:
            self._count(visit.address)
        with asking(Asker("viewer", network=visit.address)):
            who = known.value if known else await self._lanes.tokens.run(self._access.by_token, token)
        if who is None:
            self.require_patience(visit, token)
            self.wrong(visit, token)
            raise AccessError("The token is wrong or over.", "Ask whoever runs this page for another.")
        return self._shown(visit, who)

    def _by_phrase(self, visit: Visit, given: str) -> Visit:
        self.require_patience(visit, given)
        if not self._access.is_phrase(given):
            self.wrong(visit, given)
            raise AccessError("The pass phrase is wrong.", "Check it and try again.")
        self.right(visit, self._access.by_phrase())
        return self._shown(visit, self._access.by_phrase())

    def _shown(self, visit: Visit, who: Admitted) -> Visit:
        """A script that shows its key each time has one session by it, where it brings none."""
        visit.who, visit.local = who, False
        by = f"key {self._access.digest(who.by)}"
        visit.browser = Browser(by)
        if not visit.brought:
            visit.session, visit.brought, visit.told = by, True, True
        return visit


def too_often(what: str, wait_s: float) -> Refused:
    """The refusal of what comes too often."""
    seconds = max(1, round(wait_s + 0.5))
    return Refused(429, what, f"Wait {seconds} s and try again.", {"Retry-After": str(seconds)})
