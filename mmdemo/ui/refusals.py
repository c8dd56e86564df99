"""How the page's server refuses: one sentence as JSON, with a status that says whose mistake it was.

Gradio's own routes answer 500 on a name that there is not, on a value that an operation refuses and on a
body that they cannot read. `PlainRefusals` stands in front of them, and tells a caller's mistake from a
fault of ours.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmdemo.errors import AccessError, MmdemoError, UserError
from mmdemo.service.operations.requests import shown
from mmdemo.service.operations.table import OPERATIONS, Operation

log = logging.getLogger(__name__)
CALLED = re.compile(r"/gradio_api/(run|api|call|call/v2)/([^/]*)/?")  # a named endpoint
DIRECT = ("run", "api")  # these answer at once, the others by way of the queue
OF_THE_PAGE = ("run", "predict")  # where Gradio's page asks its own functions, by their number
NO_FIELDS = ("oauth_token",)  # Gradio takes it out of the body
# What the machine raises. All else that escapes a route of Gradio's is a value that it did not count on.
OF_THE_MACHINE = (OSError, MemoryError)
BODY_CURE = 'Send a JSON object, as in {"data": [...]}.'
USELESS = UserError("The request cannot be used.", BODY_CURE)


def refusal(error: MmdemoError) -> JSONResponse:
    """A refusal as a response."""
    status = 401 if isinstance(error, AccessError) else 400 if isinstance(error, UserError) else 507
    return _told(error, status)


def fault() -> JSONResponse:
    """The response to what went wrong and is nobody's mistake but ours."""
    return JSONResponse({"error": "Something went wrong in mmdemo.", "cure": "Its log says what."}, 500)


async def read_body(request: Request, most_mb: int) -> bytes:
    """The whole body of a request.

    Raises:
        UserError: it is too large; the rest of it is not received.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_mb * 1_000_000:
            raise UserError(f"The request is over the limit of {most_mb} MB.", "Send less at once.")
    return bytes(body)


def unreadable(request: Request, error: Exception) -> JSONResponse:
    """The response to a request whose parts are not those that its route takes."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": ""}
    name = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    what = (
        f"{shown(name)} of the request cannot be used: {first['msg']}."
        if name
        else "The request cannot be read."
    )
    return _told(UserError(what, BODY_CURE), 422)


class PlainRefusals:
    """ASGI middleware in front of Gradio's routes.

    Args:
        app: what is behind it.
        max_mb: of the body of a call, which may hold a file as a data: URL.
    """

    def __init__(self, app: ASGIApp, max_mb: int) -> None:
        self.app = app
        self.max_mb = max_mb

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; what its route cannot answer is refused in a sentence."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            called = CALLED.fullmatch(scope["path"]) if scope["method"] == "POST" else None
            if called is None:
                await self.app(scope, receive, watched)
                return
            way, name = called.groups()
            if (way, name) == OF_THE_PAGE:
                await self.app(scope, receive, _DirectAnswer(watched, faults=False))
                return
            if name not in OPERATIONS or "api" not in OPERATIONS.get(name).surfaces:
                raise _NoEndpoint(name)
            receive = await self._checked(OPERATIONS.get(name), way, scope, receive)
            await self.app(scope, receive, _DirectAnswer(watched) if way in DIRECT else watched)
        except ClientDisconnect:  # nobody waits for an answer
            return
        except MmdemoError as e:
            await _told(e, 404 if isinstance(e, _NoEndpoint) else 400)(scope, receive, send)
        except Exception as e:
            if begun and isinstance(e.__cause__, HTTPException):  # a stream has told its reader why it ends
                await send({"type": "http.response.body", "body": b""})
                return
            if begun:
                raise
            log.warning("%s %s could not be answered", scope["method"], scope["path"], exc_info=True)
            mistaken = not isinstance(e, OF_THE_MACHINE)
            answer = _told(USELESS, 400) if mistaken else fault()
            await answer(scope, receive, send)

    async def _checked(self, operation: Operation, way: str, scope: Scope, receive: Receive) -> Receive:
        """The body of a call, to be received once more.

        Raises:
            UserError: it is too large, it says by number which function it means, or its names are not those
                of the operation.
        """
        body = await read_body(Request(scope, receive), self.max_mb)
        values = _json(body)
        if isinstance(values, dict):  # the rest is refused by the route itself
            if way == "call/v2":
                operation.require_names([name for name in values if name not in NO_FIELDS])
            elif (
                values.get("fn_index") is not None
            ):  # it would be asked in place of the endpoint that is named
                raise UserError(
                    "A call takes no 'fn_index'.", "Leave it out: the address names the endpoint."
                )
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        return again


class _NoEndpoint(UserError):
    def __init__(self, name: str) -> None:
        known = ", ".join(o.name for o in OPERATIONS.values() if "api" in o.surfaces)
        super().__init__(f"There is no endpoint {shown(name)}.", f"Use one of: {known}.")


class _DirectAnswer:
    """The answer of an endpoint that was called directly. Gradio says 500 of what an operation refuses and of
    a fault alike; a refusal has a sentence, and a fault has none.

    Args:
        send: where the answer goes.
        faults: whether what has no sentence is a fault; else it is a value that nothing on the page sends.
    """

    def __init__(self, send: Send, faults: bool = True) -> None:
        self.send = send
        self.faults = faults
        self.start: Message | None = None
        self.body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 500:
            self.start = message
        elif self.start is None:
            await self.send(message)
        else:
            self.body += message.get("body", b"")
            if not message.get("more_body"):
                await self._judge(self.start)

    async def _judge(self, start: Message) -> None:
        told = _json(self.body)
        sentence = told.get("error") if isinstance(told, dict) else None
        if not sentence and not self.faults:
            sentence = str(USELESS)
        if sentence:
            start["status"] = 400
            self.body = json.dumps({"error": sentence, "detail": sentence}).encode()
        else:
            self.body = bytes(fault().body)
        MutableHeaders(scope=start)["content-length"] = str(len(self.body))
        await self.send(start)
        await self.send({"type": "http.response.body", "body": self.body})


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _told(error: MmdemoError, status: int) -> JSONResponse:
    """A refusal; `detail` is where Gradio's clients look for it."""
    return JSONResponse({"error": error.what, "cure": error.cure, "detail": str(error)}, status)
