"""Where work is carried out: each kind has threads of its own, and so much of it that may wait.

A label never waits behind a model, whoever keeps that busy, and nobody waits without an end.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from mmdemo.errors import BusyError
from mmdemo.service.operations.table import LaneName, Operation


class Lane:
    """Threads for one kind of work.

    Args:
        at_once: how much is carried out at a time; the rest waits in the order of arrival.
        most_waiting: how much may wait; what comes on top is refused at once.
    """

    def __init__(self, at_once: int, most_waiting: int) -> None:
        self.most = at_once + most_waiting
        self._limiter = CapacityLimiter(at_once)
        self._inside = 0

    async def run(self, work: Callable[..., Any], *values: Any) -> Any:
        """What the work gives.

        Raises:
            BusyError: as much as may wait is waiting.
        """
        if self._inside >= self.most:
            raise BusyError("This page is busy: too many are waiting.", "Try again in a moment.")
        self._inside += 1
        try:
            return await run_sync(partial(work, *values), limiter=self._limiter)
        finally:
            self._inside -= 1


LABELS = Lane(8, 1000)  # what people say, which goes to the disk
KEYS = Lane(2, 1000)  # whose a key or a session is, before anything else is known of a request
QUICK = Lane(16, 500)  # what needs no model
MODELS = Lane(4, 100)  # what asks one, and files that are brought
FILES = Lane(4, 500)  # what is written of them as they arrive
LONG = Lane(4, 20)  # exports, back-ups: minutes
MEDIA = Lane(8, 500)  # pictures and sound that the page shows


LANES: dict[LaneName, Lane] = {"labels": LABELS, "quick": QUICK, "models": MODELS, "long": LONG}


def lane_of(operation: Operation) -> Lane:
    """Where an operation is carried out: its row says so."""
    return LANES[operation.lane]
