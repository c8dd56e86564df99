"""The page as it is sent to a browser, made once: Gradio makes it anew for each, in 15 ms of a processor.

When two hundred come at once a label would wait behind all of that.
"""

from __future__ import annotations

from asyncio import Event, Lock
from collections import OrderedDict
from collections.abc import Callable, Hashable
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_KEPT = 16  # pages: one for each name of the page and packing that a browser takes, 0.4 MB at most
OF_GRADIO = {"page", "deep_link", "all_endpoints"}  # parameters that give another page
# By these it differs: under which address it says it is, how it is packed, and to whom.
VARIES_BY = ("host", "x-forwarded-host", "x-forwarded-proto", "x-gradio-server", "accept-encoding")
OF_ONE = (b"cookie", b"authorization")  # what tells of the one who asks: the page is everybody's


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
        if not _is_page(scope):
            await self._behind(scope, receive, send)
            return
        headers = Headers(scope=scope)
        where = scope.get("scheme"), scope.get("root_path"), *map(headers.get, VARIES_BY)
        key = (*where, self._state())
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
        await self._behind({**scope, "headers": of_nobody, "query_string": b""}, receive, keep)
        return sent


def _is_page(scope: Scope) -> bool:
    """Whether a request is for the page as it begins."""
    root = str(scope.get("root_path") or "").rstrip("/")
    if scope["type"] != "http" or scope["method"] != "GET" or scope["path"] not in ("/", f"{root}/"):
        return False
    return not OF_GRADIO & set(parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def _is_for_all(made: list[Message]) -> bool:
    """Whether a response may be sent to others too."""
    start = made[0]
    return start["status"] == 200 and "set-cookie" not in Headers(raw=start["headers"])


async def _send_all(messages: list[Message], send: Send) -> None:
    for message in messages:  # the gate writes its own headers into what it sends
        await send({**message, "headers": list(message["headers"])} if "headers" in message else message)
