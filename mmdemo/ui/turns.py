"""The turns of agents: their protocol costs the event loop 10 ms a message, while nobody else is answered. So
few messages are on at a time, and the others wait in the order of who asks; a label waits for those few only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mmdemo.asker import current
from mmdemo.places import Places, Ticket

AT_ONCE, MOST_WAITING = 4, 2000
LONGEST_S = 10.0  # then a turn is over, whatever became of its message
TURN = "mmdemo.turn"  # in the scope of a request


class Turn:
    """One message's.

    Args:
        ticket: what it has of those few.
    """

    def __init__(self, ticket: Ticket) -> None:
        self._ticket = ticket
        self._timer = asyncio.get_running_loop().call_later(LONGEST_S, self.over)

    def over(self) -> None:
        """Let the next one begin: this one is answered, or waits for a thread."""
        self._ticket.leave()
        self._timer.cancel()


class Turns:
    """Those of one page."""

    def __init__(self) -> None:
        self._places = Places(AT_ONCE, MOST_WAITING)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """Wait for a turn; it is over at the end of this block, or before.

        Raises:
            BusyError: too many wait for one.
        """
        turn = Turn(await self._places.taken(current()))
        try:
            yield turn
        finally:
            turn.over()
