"""The answer of an operation as JSON, in which parts that all callers share are sent as they are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mmdemo.service.shared_json import SharedJson
from mmdemo.ui.access.departures import PIECE


class JsonAnswer(Response):
    """An object some of whose fields are shared.

    Args:
        answer: it.
    """

    media_type = "application/json"

    def __init__(self, answer: dict[str, Any]) -> None:
        super().__init__(status_code=200)
        self._parts = list(_parts_of(answer))
        self.headers["content-length"] = str(sum(map(len, self._parts)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it piece by piece, the next when there is room for it on its way."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for part in self._parts:
            for begin in range(0, len(part), PIECE):
                piece = part[begin : begin + PIECE]
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def answer_as_json(answer: Any) -> Response:
    """The response of an answer."""
    shares = isinstance(answer, dict) and any(isinstance(value, SharedJson) for value in answer.values())
    return JsonAnswer(answer) if shares else JSONResponse(answer)


def _parts_of(answer: dict[str, Any]) -> Iterator[bytes]:
    for at, (name, value) in enumerate(answer.items()):
        yield b"%s%s:" % (b"," if at else b"{", json.dumps(name).encode())
        yield value.body if isinstance(value, SharedJson) else bytes(JSONResponse(value).body)
    yield b"}"
