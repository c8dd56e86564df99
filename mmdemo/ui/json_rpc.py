"""What agents send, looked at before the protocol's own library reads it: a body that is no JSON-RPC message
is refused in a sentence, where that library answers with a fault of its own or with nothing. Only requests of
methods that are served, with params of their form, come to it: it writes all others to the log, whole.
"""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.responses import JSONResponse

from mmdemo.errors import UserError
from mmdemo.service.operations.requests import shown

AGENTS = re.compile(r"/gradio_api/mcp/?")  # where agents send their messages
CURE = 'Send one message, as in {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}.'
UNREADABLE, NO_MESSAGE, NO_METHOD, NO_PARAMS = -32700, -32600, -32601, -32602  # the protocol's numbers
MOST_NAMES = 100  # of the params of a message, and of the arguments of a tool
LONGEST_NAME = 100  # characters of a method and of an id, which every answer repeats
SPEAKS = {"method": str, "result": dict, "error": dict}  # a message has one of these, of that type


class MessageError(UserError):
    """A body that is no message, or a request that is not served.

    Args:
        what: what is wrong.
        code: the protocol's number of the mistake.
        request: the id of the request, where it is one.
    """

    def __init__(self, what: str, code: int = NO_MESSAGE, request: int | str | None = None) -> None:
        self.code, self.request = code, request
        super().__init__(what, CURE)


def is_request(body: bytes) -> bool:
    """Whether a body is a request that is served; else it is a message that nobody waits for an answer to: a
    notification, or an answer, of which none is used, as each request is a session of its own.

    Raises:
        MessageError: it is no message, or a request that is not served.
    """
    message = _read(body)
    from mcp import types

    served = {
        kind.model_fields["method"].default: kind
        for kind in (
            types.PingRequest,
            types.InitializeRequest,
            types.ListToolsRequest,
            types.CallToolRequest,
        )
    }
    try:
        request = types.JSONRPCMessage.model_validate(message).root
    except ValueError as e:
        raise MessageError("The request is no JSON-RPC message.") from e
    if not isinstance(request, types.JSONRPCRequest):
        return False
    if request.method not in served:
        methods = ", ".join(served)
        raise MessageError(f"{shown(request.method)} is not served, only {methods}.", NO_METHOD, request.id)
    try:  # as that library does it
        served[request.method].model_validate(
            request.model_dump(by_alias=True, mode="json", exclude_none=True)
        )
    except (ValueError, RecursionError) as e:
        raise MessageError(
            f"The params of {request.method} are not of their form.", NO_PARAMS, request.id
        ) from e
    return True


def _read(body: bytes) -> dict[str, Any]:
    """A body as a message, of bounded parts.

    Raises:
        MessageError: it is none.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as e:  # a number of 5,000 digits is a ValueError too
        raise MessageError("The request is not JSON that can be read.", UNREADABLE) from e
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise MessageError("The request is no JSON-RPC message.")
    if not any(isinstance(message.get(name), kind) for name, kind in SPEAKS.items()):
        raise MessageError("The request is a message without a method.")
    if "id" in message and not _is_id(message["id"]):
        raise MessageError("The id of the message is neither a text nor a whole number.")
    if any(len(str(message.get(name, ""))) > LONGEST_NAME for name in ("id", "method")):
        raise MessageError(f"The id or the method of the message has over {LONGEST_NAME} characters.")
    params = message.get("params") or {}
    if not isinstance(params, dict):
        raise MessageError("The params of the message are no object.")
    for named in (message, params, params.get("arguments")):
        if isinstance(named, dict) and len(named) > MOST_NAMES:
            raise MessageError(f"An object of the message has over {MOST_NAMES} names.")
    said = {name: value for name, value in params.items() if name != "arguments"}  # a tool checks its own
    try:
        json.dumps(message | {"params": said}, ensure_ascii=False).encode()
    except UnicodeEncodeError as e:
        raise MessageError("The message holds a character that cannot be sent back.") from e
    return message


def refusal_of(error: MessageError) -> JSONResponse:
    """The refusal as the protocol words it."""
    told = {"code": error.code, "message": str(error)}
    of = "server-error" if error.request is None else error.request
    status = 400 if error.request is None else 200  # agents read an answer to a request only under a 200
    return JSONResponse({"jsonrpc": "2.0", "id": of, "error": told}, status)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
