"""The page as it is sent to a browser, and what is told of its calls, made once: Gradio makes them anew for
each who asks, in 15 to 150 ms of a processor, while nobody else is answered.

When two hundred come at once a label would wait behind all of that.
"""

from __future__ import annotations

from asyncio import Event, Lock
from collections import OrderedDict
from collections.abc import Callable, Hashable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmdemo.ui.access.served import path_of

MOST_KEPT = 32  # answers: one for each name of the page and packing that a browser takes, 0.4 MB at most
PATHS = {"/", "/config", "/gradio_api/info", "/gradio_api/openapi.json", "/gradio_api/mcp/schema"}
PACKINGS = ("br", "gzip")
# By these it differs, and by how it is packed: under which address it says it is.
VARIES_BY = ("host", "x-forwarded-host", "x-forwarded-proto", "x-gradio-server")
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
        self._making = Lock()  # whoever comes meanwhile waits for the same one

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the page as it is kept; everything else is the application's."""
        if not is_kept(scope):
            await self._behind(scope, receive, send)
            return
        headers = Headers(scope=scope)
        where = _path(scope), scope.get("scheme"), scope.get("root_path"), *map(headers.get, VARIES_BY)
        key = (*where, _packing(headers), self._state())
        if key not in self._kept:
            async with self._making:
                if key not in self._kept:
                    made = await self._made(scope)
                    if not _is_for_all(made):
                        await _send_all(made, send)
                        return
                    self._kept[key] = made
                    while len(self._kept) > MOST_KEPT:
                        self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        await _send_all(self._kept[key], send)

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
