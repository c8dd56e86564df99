"""What agents send, looked at before the protocol's own library reads it: a body that is no JSON-RPC message
is refused in a sentence, where that library answers with a fault of its own or with nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any

from starlette.responses import JSONResponse

from mmdemo.errors import UserError

AGENTS = re.compile(r"/gradio_api/mcp/?")  # where agents send their messages
CURE = 'Send one message, as in {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}.'
UNREADABLE, NO_MESSAGE = -32700, -32600  # the protocol's numbers of the two mistakes
MOST_NAMES = 100  # of the params of a message, and of the arguments of a tool
LONGEST_NAME = 100  # characters of a method and of an id, which every answer repeats
SPEAKS = {"method": str, "result": dict, "error": dict}  # a message has one of these, of that type


class MessageError(UserError):
    """A body that is no message; `code` is the protocol's number of the mistake."""

    def __init__(self, what: str, code: int = NO_MESSAGE) -> None:
        self.code = code
        super().__init__(what, CURE)


def require_message(body: bytes) -> None:
    """Check that a body is a message that can be answered.

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


def refusal_of(error: MessageError) -> JSONResponse:
    """The refusal as the protocol words it."""
    told = {"code": error.code, "message": str(error)}
    return JSONResponse({"jsonrpc": "2.0", "id": "server-error", "error": told}, 400)


def _is_id(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
