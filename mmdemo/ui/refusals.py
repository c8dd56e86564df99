"""How the page's server refuses: one sentence as JSON, with a status that says whose mistake it was.

Gradio's own routes answer 500 on a name that there is not, on a value that an operation refuses and on a
body that they cannot read. `PlainRefusals` stands in front of them, and tells a caller's mistake from a
fault of ours.
"""

from __future__ import annotations

import errno
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmdemo.errors import (
    AccessError,
    BusyError,
    DamagedError,
    MmdemoError,
    UnavailableError,
    UserError,
)
from mmdemo.media.told_rarely import ToldRarely
from mmdemo.service.operations.requests import shown
from mmdemo.service.operations.table import OPERATIONS, Operation
from mmdemo.ui.access.refused import Refused
from mmdemo.ui.access.served import path_of, rows_of
from mmdemo.ui.bodies import MOST_CALL_MB, again, read_body
from mmdemo.ui.json_rpc import AGENTS, MessageError, is_request, refusal_of
from mmdemo.ui.turns import TURN, Turns

log = logging.getLogger(__name__)
TOLD = ToldRarely(log)
CALLED = re.compile(r"/gradio_api/(run|api|call|call/v2)/([^/]*)/?")  # a named endpoint
DIRECT = ("run", "api")  # these answer at once, the others by way of the queue
OF_THE_PAGE = ("run", "predict")  # where Gradio's page asks its own functions, by their number
NAMES_A_SESSION = re.compile(r"/gradio_api/(queue/join|cancel|reset|run/predict)/?")
KEPT_NAMES = ("session_hash", "event_id")  # under which Gradio keeps what it knows of a page, for long
LONGEST_NAME = 100  # characters; Gradio's own have 11 and 32
NO_FIELDS = ("oauth_token",)  # Gradio takes it out of the body
GRADIOS = "/gradio_api/"  # below it all is Gradio's own, but for the downloads
OURS = "/gradio_api/file=mmdemo/"
# What the machine raises. All else that escapes a route of Gradio's is a value that it did not count on.
OF_THE_MACHINE = (OSError, MemoryError)
NO_NAME = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.ELOOP)  # what the system says of a name that no file has
BODY_CURE = 'Send a JSON object, as in {"data": [...]}.'
USELESS = UserError("The request cannot be used.", BODY_CURE)


@dataclass(frozen=True)
class Kind:
    """What a refusal is about, by the status of a route and by the title of an error of Gradio's."""

    title: str
    status: int
    again_s: int = 0  # after so many seconds the same may do; 0: nobody knows

    @property
    def headers(self) -> dict[str, str]:
        """What its responses say beside the sentence."""
        return {"Retry-After": str(self.again_s)} if self.again_s else {}


KINDS: dict[type[MmdemoError], Kind] = {  # an error is of the first that it is an instance of
    AccessError: Kind("Access", 401),
    UserError: Kind("Input", 400),
    UnavailableError: Kind("Unavailable", 503, again_s=2),
    BusyError: Kind("Busy", 503, again_s=2),
    DamagedError: Kind("Damaged", 500),
    MmdemoError: Kind("Storage", 507),
}


def kind_of(error: MmdemoError) -> Kind:
    """What an error is about: what was sent, the pass phrase, or the disk and the database."""
    return next(kind for one, kind in KINDS.items() if isinstance(error, one))


def refusal(
    error: MmdemoError, status: int | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """A refusal as a response: `error` is what is wrong, `cure` what to do, and `detail`, where Gradio's
    clients look, both.

    Args:
        error: the refusal.
        status: None: its own, or the one of its kind.
        headers: of the response.
    """
    if isinstance(error, Refused):
        status, headers = error.status, error.headers
    kind = kind_of(error)
    if status is None:
        status, headers = kind.status, kind.headers | dict(headers or {})
    told = {"error": error.what, "cure": error.cure, "detail": str(error)}
    return JSONResponse(told, status, dict(headers or {}))


def fault() -> JSONResponse:
    """The response to what went wrong and is nobody's mistake but ours."""
    return refusal(MmdemoError("Something went wrong in mmdemo.", "Its log says what."), 500)


def unreadable(request: Request, error: Exception) -> JSONResponse:
    """The response to a request whose parts are not those that its route takes."""
    first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": (), "msg": ""}
    name = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    if first.get("type") == "json_invalid":
        return refusal(UserError("The request is not JSON.", BODY_CURE), 422)
    what = (
        f"{shown(name)} of the request cannot be used: {first['msg']}."
        if name
        else "The request cannot be read."
    )
    return refusal(UserError(what, BODY_CURE), 422)


def refused_by_gradio(request: Request, error: Exception) -> Response:
    """The response to what a route of Gradio's refuses by itself, in the one form that refusals have."""
    known = error if isinstance(error, HTTPException) else HTTPException(400)
    if known.status_code in (204, 304):  # no refusal, and without a body
        return Response(status_code=known.status_code, headers=known.headers)
    is_busy = known.status_code == KINDS[BusyError].status  # its queue is full
    headers = KINDS[BusyError].headers | dict(known.headers or {}) if is_busy else known.headers
    return refusal(UserError(str(known.detail)), known.status_code, headers)


class PlainRefusals:
    """ASGI middleware in front of Gradio's routes.

    Args:
        app: what is behind it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._turns = Turns()

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
            if scope["method"] == "POST" and AGENTS.fullmatch(path_of(scope)):
                body = await read_body(Request(scope, receive), MOST_CALL_MB)
                if not is_request(body):
                    await Response(status_code=202)(scope, receive, send)
                    return
                async with self._turns.turn() as scope[TURN]:
                    await self.app(scope, again(body, receive), watched)
                return
            called = CALLED.fullmatch(path_of(scope)) if scope["method"] == "POST" else None
            if scope["method"] == "POST" and NAMES_A_SESSION.fullmatch(path_of(scope)):
                body = await read_body(Request(scope, receive), MOST_CALL_MB)
                _require_names(_json(body))
                receive = again(body, receive)
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
        except MessageError as e:
            await refusal_of(e)(scope, receive, send)
        except MmdemoError as e:
            await refusal(e, 404 if isinstance(e, _NoEndpoint) else None)(scope, receive, send)
        except Exception as e:
            if begun and isinstance(e.__cause__, HTTPException):  # a stream has told its reader why it ends
                await send({"type": "http.response.body", "body": b""})
                return
            if begun:
                raise
            await _answer_to(e, scope)(scope, receive, send)

    async def _checked(self, operation: Operation, way: str, scope: Scope, receive: Receive) -> Receive:
        """The body of a call, to be received once more.

        Raises:
            UserError: it is too large, a text of it is too long, it says by number which function it means,
                or its names are not those of the operation.
        """
        body = await read_body(Request(scope, receive), MOST_CALL_MB)
        values = _json(body)
        _require_names(values)
        if isinstance(values, dict):  # the rest is refused by the route itself
            if way == "call/v2":
                operation.require_names([name for name in values if name not in NO_FIELDS])
            elif (
                values.get("fn_index") is not None
            ):  # it would be asked in place of the endpoint that is named
                raise UserError(
                    "A call takes no 'fn_index'.", "Leave it out: the address names the endpoint."
                )
            given = values.get("data") if way != "call/v2" else None
            named = dict(zip(operation.fields, given, strict=False)) if isinstance(given, list) else values
            operation.require_short(named)
        return again(body, receive)


def _require_names(values: Any) -> None:
    """Refuse a session or an event by a name that is none: Gradio keeps it as it comes.

    Raises:
        UserError: it is no text, or too long.
    """
    for field in KEPT_NAMES if isinstance(values, dict) else ():
        name = values.get(field)
        if name is not None and not (isinstance(name, str) and len(name) <= LONGEST_NAME):
            raise UserError(
                f"{field} is no text of at most {LONGEST_NAME} characters.", "Choose a shorter one, or none."
            )


def _answer_to(error: Exception, scope: Scope) -> JSONResponse:
    """The response to what has escaped a route: a name that no file can have, a value that a route of
    Gradio's did not count on, or a fault of ours. Each is told in the log; only the fault says where it was.
    """
    path: str = path_of(scope)
    asked = f"{scope['method']} {shown(path)}"
    if isinstance(error, OSError) and error.errno in NO_NAME and scope["method"] in ("GET", "HEAD"):
        return refusal(UserError("There is no file of that name.", "Check the address."), 404)
    mistaken = path.startswith(GRADIOS) and not path.startswith(OURS)
    if mistaken and not isinstance(error, OF_THE_MACHINE):
        row = next((row.path for row in rows_of(path)), "")  # of what it says there are as many as one likes
        TOLD.tell(logging.WARNING, f"{scope['method']} {row} cannot be used: {type(error).__name__}")
        log.debug("where it failed", exc_info=error)
        return refusal(USELESS, 400)
    log.error("%s failed", asked, exc_info=error)
    return fault()


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
            title = told.get("title") if isinstance(told, dict) else ""
            kind = next((k for k in KINDS.values() if k.title == title), KINDS[UserError])
            start["status"] = kind.status
            MutableHeaders(scope=start).update(kind.headers)
            self.body = bytes(refusal(UserError(sentence)).body)
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
