"""The gate: ASGI middleware in front of everything that the process serves, Gradio's routes, the agents' and
our own alike.

It lets through what is served at all, under a name of this page, from no foreign page, in the form that its
route takes and not too often. It notes who asks, for whatever runs because of it, and says in every response
that no foreign page may read or frame it. What somebody may do is asked by `ui/gate.py`, operation by
operation.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmdemo.asker import Asker, Role, asking
from mmdemo.bounds import quota_of
from mmdemo.errors import MmdemoError
from mmdemo.service.app import App
from mmdemo.service.operations.requests import shown
from mmdemo.ui.access.arrivals import Arrival, Arrivals, Share
from mmdemo.ui.access.askers import Askers, Visit, too_often
from mmdemo.ui.access.departures import Departures, Reader
from mmdemo.ui.access.hosts import PORTS, Hosts
from mmdemo.ui.access.limits import AtOnce, Rates
from mmdemo.ui.access.proxies import Proxies, network_of
from mmdemo.ui.access.refused import Refused
from mmdemo.ui.access.served import Served, path_of, rows_of
from mmdemo.ui.access.sessions import Cookies
from mmdemo.ui.bodies import (
    MOST_CALL_MB,
    again,
    bounded,
    is_json,
    largest_request_mb,
    read_body,
    require_plain,
    too_large,
)
from mmdemo.ui.gate import hide_folders
from mmdemo.ui.refusals import fault, refusal

log = logging.getLogger(__name__)
NOT_PASSED_ON = (
    b"cookie",
    b"x-gradio-server",
)  # the latter is what Gradio's own server of pages says, which is off
LONGEST_HOST = 255  # characters
# The page that shows a Space. Not other Spaces: one shown there has the same cookies within its frames.
FRAMES_OF_A_SPACE = " https://huggingface.co"
OF_A_PERSON = (
    1200  # requests a minute that are counted: a quick labeller's, with all that the page asks besides
)
OF_AN_ADDRESS = 6000  # of everybody in one network, such as a class room
AT_ONCE_OF_A_PERSON = 64  # requests that are not answered yet, streams among them, of those that are counted
MEDIA_OF_A_PERSON = 128  # files at a time that are not: browsers ask for so many on one connection of HTTP/2
AT_ONCE_OF_AN_ADDRESS = 2000  # of all
UPLOADS_MB, UPLOADS_AT_ONCE = 4000, 256  # on their way, of all: they lie in the temporary folder
UPLOADS_OF_ONE: dict[Role, int] = {"viewer": 16, "annotator": 32, "trainer": 64}
CALLS_MB, CALLS_AT_ONCE = 256, 512  # the JSON of calls, which is in memory
OF_ONE_CALLER = Share(4 * MOST_CALL_MB, 64)
VISIT, ASKERS, ARRIVAL = "mmdemo.visit", "mmdemo.askers", "mmdemo.arrival"  # in the scope of a request
TOO_MANY = "Too many requests came from here within a minute."
FRAMED_AS = ("document", "iframe", "frame", "")  # what a plain navigation loads


class Gate:
    """The gate.

    Args:
        behind: what is behind it.
        app: the open workspace.
        hosts: the names of the page.
    """

    def __init__(self, behind: ASGIApp, app: App, hosts: Hosts) -> None:
        self.behind = behind
        self.hosts = hosts
        self._settings = app.settings
        self._cookies = Cookies(app.access, hosts.on_space)
        self._rates, self._at_once = Rates(), AtOnce()
        self._askers = Askers(app.access, app.settings, self._cookies, app.lanes, self._count_of_network)
        self._proxies = Proxies(app.settings)
        self._most_mb = largest_request_mb(app.settings)
        self._uploads = Arrivals(max(UPLOADS_MB, 2 * self._most_mb), UPLOADS_AT_ONCE)
        self._calls = Arrivals(CALLS_MB, CALLS_AT_ONCE)
        self._departures = Departures()
        self._headers = headers_of_responses(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it in a sentence."""
        if scope["type"] == "lifespan":
            await self.behind(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing here speaks by web sockets
            await send({"type": "websocket.close", "code": 1008})
            return
        headers, visit = Headers(scope=scope), None
        scope["headers"] = list(self._passed_on(scope["headers"], headers.get("host", "")))
        self._proxies.settle(scope, headers)

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._mark(MutableHeaders(scope=message))
                if visit is not None:
                    self._tell(visit, scope, headers, MutableHeaders(scope=message))
            await send(message)

        with ExitStack() as while_answered:
            try:
                row = self._check(scope, headers)
                if not row.of_page:
                    visit = await self._askers.visit(scope, headers)
                    if row.counted:
                        self._count(visit)
                while_answered.enter_context(self._at_a_time(row, visit, scope))
                if visit is not None and row.body != "nothing":
                    receive = while_answered.enter_context(self._coming(row, visit, receive))
                    scope[ARRIVAL] = receive
                if row.body == "json":
                    body = await read_body(Request(scope, receive), MOST_CALL_MB)
                    require_plain(body)
                    receive = again(body, receive)
            except ClientDisconnect:  # nobody waits for an answer
                return
            except MmdemoError as e:
                hide_folders(e, self._settings)  # who asks is not known yet
                await refusal(e)(scope, receive, marked)
            except Exception:
                log.exception("%s failed at the gate", shown(path_of(scope)))
                await fault()(scope, receive, marked)
            else:
                if visit is not None:
                    scope[VISIT], scope[ASKERS] = visit, self._askers
                with asking(asker_of(scope)):
                    most = self._most_mb
                    received = bounded(receive, most * 1_000_000, lambda: too_large(most))
                    sent = self._departures.sender(scope, receive, marked, reader_of(visit))
                    await self.behind(scope, received, sent)

    def _passed_on(self, headers: Iterable[tuple[bytes, bytes]], host: str) -> Iterator[tuple[bytes, bytes]]:
        """The headers that what stands behind may see. Nothing there has a cookie of its own, and whoever
        reads one reads all that were sent. Gradio writes what a proxy calls the page a hundred times into it,
        and makes a page for each such name: only names of this page are passed on.
        """
        for name, value in headers:
            if name == b"x-forwarded-host":
                value = value.partition(b",")[0].strip().lower()
                if len(value) > LONGEST_HOST or not self.hosts.may_be_asked_as(value.decode("latin-1"), host):
                    continue
            elif name == b"x-forwarded-proto":
                value = value.partition(b",")[0].strip().lower()
                if value.decode("latin-1") not in PORTS:
                    continue
            if name not in NOT_PASSED_ON:
                yield name, value

    def _coming(self, row: Served, visit: Visit, receive: Receive) -> AbstractContextManager[Arrival]:
        """What receives the body of a request, counted while it is on its way; the owner's is not."""
        quota = None if visit.local else quota_of(visit.asker, self._settings)
        share = None
        if quota is not None and row.body == "json":
            share = replace(OF_ONE_CALLER, is_visitor=not visit.is_known)
        elif quota is not None:
            most = UPLOADS_OF_ONE[visit.asker.role]
            share = Share(quota.mb, most, quota.who, is_visitor=not visit.is_known)
        arrivals = self._calls if row.body == "json" else self._uploads
        return arrivals.coming(receive, person_of(visit), visit.beside, share)

    def _check(self, scope: Scope, headers: Headers) -> Served:
        """Check what a request says of itself; the row that it stands in.

        Raises:
            Refused: it does not pass.
        """
        self._require_host(headers)
        row = require_served(path_of(scope), scope["method"])
        self._require_own_page(scope, headers)
        if row.body == "json" and not is_json(headers.get("content-type", "")):
            raise Refused(400, "The request is not JSON.", "Send JSON, as application/json.")
        return row

    def _count(self, visit: Visit) -> None:
        """Count a request against what one may ask in a minute; whoever is alone at this machine may ask
        as they like.

        Raises:
            Refused: there were too many.
        """
        if visit.local:
            return
        if wait_s := self._rates.wait_s(person_of(visit), OF_A_PERSON):
            raise too_often(TOO_MANY, wait_s)
        self._count_of_network(visit.beside)

    def _count_of_network(self, address: str) -> None:
        if wait_s := self._rates.wait_s(address, OF_AN_ADDRESS):
            raise too_often(TOO_MANY, wait_s)

    @contextmanager
    def _at_a_time(self, row: Served, visit: Visit | None, scope: Scope) -> Iterator[None]:
        """Count a request as long as it is answered; one that stays open counts as long as that.

        Raises:
            Refused: there are too many.
        """
        if self._settings.local and (visit is None or visit.local):
            yield
            return
        network = visit.beside if visit is not None else network_of(scope)
        most = {f"n {network}": AT_ONCE_OF_AN_ADDRESS}
        if visit is not None and row.counted:
            most[f"p {person_of(visit)}"] = AT_ONCE_OF_A_PERSON
        elif visit is not None:
            most[f"m {person_of(visit)}"] = MEDIA_OF_A_PERSON
        with self._at_once.inside(most) as full:
            if full is not None:
                raise too_often(f"{most[full]} requests from here are being answered.", 5.0)
            yield

    def _require_host(self, headers: Headers) -> None:
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or not self.hosts.knows(host):
            cure = "Open the address that mmdemo printed, or have the name added to MMDEMO_HOSTS."
            raise Refused(421, f"This page is not served under the name {shown(host)}.", cure)

    def _require_own_page(self, scope: Scope, headers: Headers) -> None:
        if is_foreign(self.hosts, scope["method"], scope.get("scheme", "http"), headers):
            raise Refused(
                403, "The request comes from another page.", "Open mmdemo's own page and ask there."
            )

    def _mark(self, headers: MutableHeaders) -> None:
        for name in [name for name in headers if name.startswith("access-control-")]:
            del headers[name]
        for name, value in self._headers.items():
            headers[name] = value

    def _tell(self, visit: Visit, scope: Scope, headers: Headers, answer: MutableHeaders) -> None:
        """Give the browser its session: with the page itself, and with what no cache keeps."""
        if visit.told or not (visit.changed or path_of(scope) == "/" or scope["method"] == "POST"):
            return
        said = (headers.get("origin", ""), headers.get("x-forwarded-proto", ""))  # at worst of oneself
        secure = scope.get("scheme") == "https" or any(one.startswith("https") for one in said)
        answer.append("set-cookie", self._cookies.header(visit.session, visit.who, secure, visit.browser))
        if scope["method"] != "POST":
            answer["cache-control"] = "private, no-cache"
        visit.told = True


def asker_of(scope: Scope | None) -> Asker:
    """Who asks for what a request led to; whatever came past the gate is a viewer's."""
    visit = scope.get(VISIT) if scope is not None else None
    return visit.asker if visit is not None else Asker("viewer")


def person_of(visit: Visit) -> str:
    """With whom a request is counted: all that bring no session from one network are one."""
    return visit.session if visit.brought else f"nobody at {visit.address}"


def reader_of(visit: Visit | None) -> Reader | None:
    """With whom an answer is counted while it is read; None: it is a file of the page, or the owner's."""
    if visit is None or visit.local or visit.asker.may("owner"):
        return None
    return Reader(person_of(visit), visit.beside, is_visitor=not visit.is_known)


def require_served(path: str, method: str) -> Served:
    """The row of a request.

    Raises:
        Refused: it stands in none.
    """
    rows = rows_of(path)
    for row in rows:
        if method in row.methods:
            return row
    if rows:
        raise Refused(405, f"Nothing here answers {shown(method)}.", "Look at the API page for what does.")
    raise Refused(404, "There is nothing at this address.", "Check it.")


def is_foreign(hosts: Hosts, method: str, scheme: str, headers: Mapping[str, str]) -> bool:
    """Whether a request was made by a page that is not ours. Scripts say nothing of a page; whoever follows
    a link from elsewhere makes a plain navigation, which only looks.
    """
    host, site = headers.get("host", ""), headers.get("sec-fetch-site", "")
    looks = method in ("GET", "HEAD")
    if site not in ("", "same-origin", "none"):
        navigates = headers.get("sec-fetch-mode") == "navigate"
        if not (looks and navigates and headers.get("sec-fetch-dest", "") in FRAMED_AS):
            return True
    origin = headers.get("origin")
    if origin is not None:
        return not hosts.is_own(origin, host, scheme)
    referer = headers.get("referer")
    return bool(referer) and not looks and not site and not hosts.is_own(referer or "", host, scheme)


def headers_of_responses(hosts: Hosts) -> dict[str, str]:
    """What every response says of who may read, frame and guess it."""
    frames = FRAMES_OF_A_SPACE if hosts.on_space else ""
    found = {
        "content-security-policy": f"frame-ancestors 'self'{frames}; object-src 'none'; base-uri 'self'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }
    return found if hosts.on_space else found | {"x-frame-options": "SAMEORIGIN"}
