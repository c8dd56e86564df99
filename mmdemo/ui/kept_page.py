"""The page as it is sent to a browser, and what is told of its calls, made once: Gradio makes them anew for
each who asks, in 15 to 150 ms of a processor, while nobody else is answered.

When two hundred come at once a label would wait behind all of that.
"""

from __future__ import annotations

from asyncio import Event, sleep
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from time import monotonic

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmdemo.asker import current
from mmdemo.errors import BusyError
from mmdemo.places import RANKS, Places, who
from mmdemo.ui.access.served import path_of
from mmdemo.ui.refusals import refusal

MOST_KEPT = 32  # answers: one for each name of the page and packing that a browser takes, 0.4 MB at most
PATHS = {"/", "/config", "/gradio_api/info", "/gradio_api/openapi.json", "/gradio_api/mcp/schema"}
PLENTY = 16  # of them, more than a page has names and browsers have ways
PAUSES = 2  # then it stands so many times as long as a page took to make, before the next one is made
MOST_WAITING = (
    4096  # for a page that is not kept, of whom visitors are half: it takes no thread, and little memory
)
PACKINGS = ("br", "gzip")
# By these it differs, and by how it is packed: under which address it says it is.
VARIES_BY = ("host", "x-forwarded-host", "x-forwarded-proto")
# What tells of the one who asks, where the page is everybody's; how it is packed is said anew.
OF_ONE = (b"cookie", b"authorization", b"accept-encoding")


class KeptPage:
    """The page, kept, in front of the application that makes it.

    Args:
        behind: the application.
        state: of what else the page is made; where that changes it is made anew.
    """

    def __init__(self, behind: ASGIApp, state: Callable[[], Hashable]) -> None:
        self._behind = behind
        self._state = state
        self._kept: OrderedDict[Hashable, list[Message]] = OrderedDict()
        self._next_s = 0.0  # of the monotonic clock: when another one may be made, where there are plenty
        self._of: dict[Hashable, tuple[int, str]] = {}  # of those, for whom it is kept: rank and person
        self._wanted: set[Hashable] = set()  # of those, what was asked for again
        self._making = Places(1, MOST_WAITING)  # one is made at a time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the page as it is kept; everything else is the application's."""
        if not is_kept(scope):
            await self._behind(scope, receive, send)
            return
        headers = Headers(scope=scope)
        where = _path(scope), scope.get("scheme"), scope.get("root_path"), *map(headers.get, VARIES_BY)
        key = (*where, _packing(headers), self._state())
        try:
            found = self._found(key) or await self._in_turn(key, scope)
        except BusyError as e:
            await refusal(e)(scope, receive, send)
            return
        await _send_all(found, send)

    def _found(self, key: Hashable) -> list[Message] | None:
        """The page if it is kept; from now on for who asks, where they have fewer than for whom it was."""
        found = self._kept.get(key)
        if found is not None:
            self._wanted.add(key)
            self._kept.move_to_end(key)
            asker, many = who(current()), Counter(self._of.values())
            if (asker[0], many[asker] + 1) < (self._of[key][0], many[self._of[key]]):
                self._of[key] = asker
        return found

    async def _in_turn(self, key: Hashable, scope: Scope) -> list[Message]:
        """A page that is not kept, when it is one's turn; who asked for it before has had it made by then.

        Raises:
            BusyError: too many wait.
        """
        ticket = await self._making.taken(current())
        try:
            return self._found(key) or await self._made_and_kept(key, scope)
        finally:
            ticket.leave()

    async def _made_and_kept(self, key: Hashable, scope: Scope) -> list[Message]:
        """A page that is made now. Anybody can have one made, under a name that they invent: of many the next
        one of a visitor waits a little, and of who has most what nobody asked for again goes first.
        """
        rank = who(current())[0]
        if len(self._kept) >= PLENTY and rank == RANKS["viewer"]:
            await sleep(max(0.0, self._next_s - monotonic()))
        begun = monotonic()
        made = await self._made(scope)
        self._next_s = monotonic() + PAUSES * (monotonic() - begun)
        if _is_for_all(made):
            if len(self._kept) >= MOST_KEPT:
                self._drop_one()
            self._kept[key], self._of[key] = made, who(current())
        return made

    def _drop_one(self) -> None:
        many = Counter(self._of.values())

        def order(key: Hashable) -> tuple[int, int, bool]:
            return self._of[key][0], many[self._of[key]], key not in self._wanted

        gone = max(self._kept, key=order)  # of those alike the one that was asked for longest ago
        del self._kept[gone], self._of[gone]
        self._wanted.discard(gone)

    async def _made(self, scope: Scope) -> list[Message]:
        """What the application sends to somebody of whom it knows nothing."""
        sent: list[Message] = []
        asked = False

        async def receive() -> Message:
            nonlocal asked
            if asked:
                await Event().wait()  # nobody goes away while it is made
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}

        async def keep(message: Message) -> None:
            sent.append(message)

        of_nobody = [(name, value) for name, value in scope["headers"] if name not in OF_ONE]
        if packing := _packing(Headers(scope=scope)):
            of_nobody.append((b"accept-encoding", packing.encode()))
        await self._behind({**scope, "headers": of_nobody, "query_string": b""}, receive, keep)
        return sent


def is_kept(scope: Scope) -> bool:
    """Whether a request is for what is kept. What stands behind the ? is for the page's own scripts; for a
    part of the agents' tools nothing is kept.
    """
    if scope["type"] != "http" or scope["method"] != "GET" or _path(scope) not in PATHS:
        return False
    return "mcp" not in scope["path"] or not scope["query_string"]


def _path(scope: Scope) -> str:
    return path_of(scope).rstrip("/") or "/"


def _packing(headers: Headers) -> str:
    """The packings that a browser takes, of those that there are."""
    told = headers.get("accept-encoding", "")
    return ", ".join(one for one in PACKINGS if one in told)


def _is_for_all(made: list[Message]) -> bool:
    """Whether a response may be sent to others too."""
    start = made[0]
    return start["status"] == 200 and "set-cookie" not in Headers(raw=start["headers"])


async def _send_all(messages: list[Message], send: Send) -> None:
    for message in messages:  # the gate writes its own headers into what it sends
        await send({**message, "headers": list(message["headers"])} if "headers" in message else message)
