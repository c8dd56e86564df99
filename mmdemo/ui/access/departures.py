"""What is on its way out: the bodies of answers that lie in memory until their callers have read them.

A body is handed on in pieces, the next when there is room for it on its way: else all of it would be copied
for whoever reads slowly. Those of more than one piece are counted meanwhile, of one person, of one network,
and of all; whoever is over a share is refused instead. A file is read piece by piece, and what many are sent
is one (`ui/json_answer.py`): neither counts.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import Message, Receive, Scope, Send

from mmdemo.ui.access.arrivals import AGAIN_S, OF_VISITORS, VISITORS
from mmdemo.ui.access.limits import Tally
from mmdemo.ui.access.refused import Refused
from mmdemo.ui.refusals import refusal

PIECE = 65_536  # bytes that are handed on at once
MOST_MB, OF_A_NETWORK_MB, OF_A_PERSON_MB = 256, 128, 32
CURE = "Read the answers that are on their way first."


@dataclass(frozen=True)
class Reader:
    """Whom an answer is for."""

    person: str
    network: str  # where they are, or who they are wherever
    is_visitor: bool


class Departures:
    """Counts what is on its way out."""

    def __init__(self) -> None:
        self.bytes = Tally()

    def sender(self, scope: Scope, receive: Receive, send: Send, reader: Reader | None) -> Send:
        """What sends an answer in pieces.

        Args:
            scope: of the request.
            receive: likewise.
            send: what sends it.
            reader: with whom it is counted; None: with nobody.
        """
        start: Message | None = None
        refused = False

        async def sending(message: Message) -> None:
            nonlocal start, refused
            if refused:
                return
            if message["type"] == "http.response.start" and _tells_its_size(message):
                start = message  # until it is known whether the body lies in memory
                return
            body = message.get("body", b"")
            try:
                with self._counted(len(body) if len(body) > PIECE else 0, reader, start is not None):
                    if start is not None:
                        first: Message = start
                        start = None
                        await send(first)
                    for begin in range(0, len(body) - PIECE, PIECE):
                        part = {"body": body[begin : begin + PIECE], "more_body": True}
                        await send({"type": "http.response.body", **part})
                    last = (len(body) - 1) // PIECE * PIECE
                    await send({**message, "body": body[last:]} if body else message)
            except Refused as e:
                refused = True
                await refusal(e)(scope, receive, send)

        return sending

    @contextmanager
    def _counted(self, size: int, reader: Reader | None, can_refuse: bool) -> Iterator[None]:
        """Count so many bytes as long as this block lasts.

        Raises:
            Refused: too many are on their way, and nothing has been sent yet.
        """
        if not size or reader is None:
            yield
            return
        keys = {f"p {reader.person}": OF_A_PERSON_MB, f"n {reader.network}": OF_A_NETWORK_MB, "": MOST_MB}
        if reader.is_visitor:
            keys[VISITORS] = int(MOST_MB * OF_VISITORS)
        for key in keys:
            self.bytes.add(key, size)
        try:
            full = next((key for key, mb in keys.items() if self.bytes[key] > mb * 1_000_000), None)
            if full is not None and can_refuse:
                again = {"Retry-After": str(AGAIN_S)}
                if full in ("", VISITORS):
                    raise Refused(503, "Too many answers are not read yet.", CURE, again)
                raise Refused(429, "Too many of your answers are not read yet.", CURE, again)
            yield
        finally:
            for key in keys:
                self.bytes.add(key, -size)


def _tells_its_size(message: Message) -> bool:
    return any(name.lower() == b"content-length" and int(value) > PIECE for name, value in message["headers"])
