"""Noticing that whoever made a request has gone, while it is carried out."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.requests import Request

from mmdemo.asker import asked_until
from mmdemo.errors import MmdemoError


@asynccontextmanager
async def while_asked(request: Request) -> AsyncIterator[None]:
    """What is carried out within this block can ask whether the connection of a request, whose body was read,
    was closed meanwhile: `asker.is_gone`.
    """
    gone = threading.Event()

    async def notice() -> None:
        with suppress(MmdemoError):  # what the gate says of a body that comes no further
            while (await request.receive())["type"] != "http.disconnect":
                pass
        gone.set()

    noticing = asyncio.ensure_future(notice())
    try:
        with asked_until(gone.is_set):
            yield
    finally:
        noticing.cancel()
        with suppress(asyncio.CancelledError):
            await noticing
