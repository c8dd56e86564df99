"""The bodies of requests, read in bounds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.types import Message, Receive

from mmdemo.errors import MmdemoError, UserError
from mmdemo.settings import Settings

MAX_JSON_MB = 2
MOST_CALL_MB = 8  # of the JSON of a call, which may hold a file as a data: URL; larger ones are uploaded
MOST_PARTS = 200_000  # of JSON: lists, objects and what they hold
MOST_NAMES = 10_000  # of all its objects together, which pydantic looks at one by one in the event loop
LONGEST_NUMBER = 400  # digits: Python reads no more than 4300, and every bound has far fewer


def largest_request_mb(settings: Settings) -> int:
    """How large a request may be that brings files; JSON is at most MOST_CALL_MB."""
    return 2 + settings.max_upload_mb


def require_plain(body: bytes) -> None:
    """Refuse JSON of so many parts that reading it takes a hundred times its size in memory, or of so many
    names that nobody else is answered meanwhile. Commas and colons within texts count too.

    Raises:
        UserError: it has too many.
    """
    if body.count(b":") > MOST_NAMES:
        raise UserError(f"The request has over {MOST_NAMES} names or colons.", "Send less at once.")
    if sum(body.count(mark) for mark in (b"[", b"{", b",")) > MOST_PARTS:
        raise UserError(f"The request has over {MOST_PARTS} parts.", "Send less at once.")


def is_json(media_type: str) -> bool:
    """Whether a Content-Type header says JSON and nothing else: a foreign page's form or plain text may hold
    the word too.
    """
    return media_type.partition(";")[0].strip().lower() == "application/json"


def bounded(receive: Receive, most_bytes: int, refuse: Callable[[], MmdemoError]) -> Receive:
    """What receives the body of a request up to a limit, whoever reads it.

    Args:
        receive: what receives it.
        most_bytes: of all of it.
        refuse: makes what is raised where there are more.
    """
    left = most_bytes

    async def received() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise refuse()
        return message

    return received


def too_large(most_mb: int) -> UserError:
    """The refusal of a request that is over a limit."""
    return UserError(f"The request is over the limit of {most_mb} MB.", "Send less at once.")


async def read_body(request: Request, most_mb: int) -> bytes:
    """The whole body of a request.

    Raises:
        UserError: it is too large; the rest of it is not received.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most_mb * 1_000_000:
            raise too_large(most_mb)
    return bytes(body)


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object that a request of the page sends.

    Raises:
        UserError: it sends something else, or too much.
    """
    if not is_json(request.headers.get("content-type", "")):
        raise UserError("The request is not JSON.", "Send a JSON object, as application/json.")
    data = await read_body(request, MAX_JSON_MB)
    try:
        body = json.loads(data or b"{}", parse_int=lambda digits: int(digits[:LONGEST_NUMBER]))
    except (ValueError, RecursionError) as e:
        raise UserError("The request is not JSON.", "Send a JSON object.") from e
    if not isinstance(body, dict):
        raise UserError("The request is not a JSON object.", "Send a JSON object.")
    return body


def again(body: bytes, receive: Receive) -> Receive:
    """What receives a body that was read already, and then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Message:
        return waiting.pop() if waiting else await receive()

    return received
