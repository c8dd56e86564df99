"""The turns of agents: their protocol costs the event loop 10 ms a message, while nobody else is answered. So
few messages are on at a time, and the others wait in the order of arrival; a label waits for those few only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

AT_ONCE = 4
LONGEST_S = 10.0  # then a turn is over, whatever became of its message
TURN = "mmdemo.turn"  # in the scope of a request


class Turn:
    """One message's.

    Args:
        free: what it was taken of.
    """

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free: asyncio.Semaphore | None = free
        self._timer = asyncio.get_running_loop().call_later(LONGEST_S, self.over)

    def over(self) -> None:
        """Let the next one begin: this one is answered, or waits for a thread."""
        if self._free is not None:
            self._free.release()
            self._free = None
            self._timer.cancel()


class Turns:
    """Those of one page."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait for a turn; it is over at the end of this block, or before."""
        await self._free.acquire()
        turn = Turn(self._free)
        try:
            yield turn
        finally:
            turn.over()
