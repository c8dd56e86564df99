"""Where work is carried out: each kind has threads of its own, and so much of it that may wait.

A label never waits behind a model, whoever keeps that busy, and nobody waits without an end. Who goes next
in a lane is told by `mmdemo/places.py`: who works here goes before visitors.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Literal

from anyio import CancelScope, CapacityLimiter
from anyio.to_thread import run_sync

from mmdemo.asker import current
from mmdemo.places import Places

LaneName = Literal["labels", "quick", "models", "long"]  # of an operation


class Lane:
    """Threads for one kind of work.

    Args:
        at_once: how much is carried out at a time; the rest waits, in the order of who asks.
        most_waiting: how much may wait; what comes on top is refused at once.
        of_visitors: whether none but visitors come here.
    """

    def __init__(self, at_once: int, most_waiting: int, of_visitors: bool = False) -> None:
        self.places = Places(at_once, most_waiting, of_visitors)
        self._threads = CapacityLimiter(at_once)

    async def run(self, work: Callable[..., Any], *values: Any) -> Any:
        """What the work gives, in the place of `asker.current()`.

        A thread cannot be stopped: where the call is cancelled, as Gradio does by request, its place stays
        taken until the work has ended, and so does the call.

        Raises:
            BusyError: as much as may wait is waiting.
            asyncio.CancelledError: the call was cancelled, and what had begun has ended.
        """
        ticket = await self.places.taken(current())
        cancelled: asyncio.CancelledError | None = None
        try:
            done = asyncio.ensure_future(run_sync(partial(work, *values), limiter=self._threads))
            with CancelScope(shield=True):
                while not done.done():
                    try:
                        await asyncio.wait([done])
                    except asyncio.CancelledError as e:
                        cancelled = e
        finally:
            ticket.leave()
        if cancelled is not None:
            done.exception()  # nobody is there to hear of it
            raise cancelled
        return done.result()


class Lanes:
    """The lanes of one page."""

    def __init__(self) -> None:
        self.labels = Lane(8, 1000)  # what people say, which goes to the disk
        self.keys = Lane(2, 1000)  # whose a key or a session is, before anything else is known of a request
        self.tokens = Lane(2, 100, of_visitors=True)  # the same of tokens, which anybody can make up
        self.quick = Lane(16, 500)  # what needs no model
        self.models = Lane(4, 100)  # what asks one, and files that are brought
        self.files = Lane(4, 500)  # what is written of them as they arrive
        self.fetches = Lane(8, 100)  # what is had from elsewhere: as slow as others are, a minute at most
        self.long = Lane(4, 20)  # exports, back-ups: minutes
        self.media = Lane(8, 500)  # pictures and sound that the page shows
        # Those that are made of what visitors bring, and frames that they ask for.
        self.visitors = Lane(2, 200, of_visitors=True)

    def called(self, name: LaneName) -> Lane:
        """The one of a name, which the row of an operation says."""
        lane: Lane = getattr(self, name)
        return lane
