"""What is on its way in: the bodies of requests while they arrive, and until they are answered; of a call
whose answer is fetched later, until it is done.

They lie in memory or in the temporary folder meanwhile, under no other limit than one request's own. So they
are counted here, byte by byte: of one person, of one network, and of all. Whoever is over a share is refused
what they send themselves; what others send goes on. A body that comes no further is ended.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import Message, Receive

from mmdemo.ui.access.limits import Tally
from mmdemo.ui.access.refused import Refused

STALLED_S, LEAST_BYTES = 60.0, 60_000  # so many bytes come while so long is waited for them, or it is ended
LONGEST_S = 3600.0  # that is waited for one body in all
AGAIN_S = 10  # after which there may be room again
OF_VISITORS = 3 / 4  # of what may be on its way of all: the rest is for who works here
VISITORS = "visitors"  # with whom all of them are counted


@dataclass(frozen=True)
class Share:
    """How much of one person may be on its way at a time."""

    mb: int
    bodies: int  # that are not whole yet
    who: str = "one sender"  # as in "a viewer"
    is_visitor: bool = False


class Arrivals:
    """Counts what is on its way.

    Args:
        most_mb: of all together; one network has half of it, all visitors three quarters.
        most_bodies: that are not whole yet, of all together; shared in the same way.
    """

    def __init__(self, most_mb: int, most_bodies: int) -> None:
        self.most_mb = most_mb
        self.most_bodies = most_bodies
        self.bytes, self.bodies = Tally(), Tally()
        self._lock = threading.Lock()

    @contextmanager
    def coming(self, receive: Receive, person: str, network: str, share: Share | None) -> Iterator[Arrival]:
        """What receives a body that is counted as long as this block lasts.

        Args:
            receive: what receives it.
            person: who sends it.
            network: where it comes from, or who sends it from wherever.
            share: of that person; None: nothing is counted, and only one that comes no further is ended.
        """
        arrival = Arrival(self, receive, f"p {person}", f"n {network}", share)
        try:
            yield arrival
        finally:
            arrival.end()

    def count(self, keys: tuple[str, ...], more_bytes: int, more_bodies: int) -> None:
        """Count so much more, or less."""
        with self._lock:
            for key in keys:
                self.bytes.add(key, more_bytes)
                self.bodies.add(key, more_bodies)


class Arrival:
    """The body of a request, as what receives it."""

    def __init__(
        self, all_of_them: Arrivals, receive: Receive, person: str, network: str, share: Share | None
    ) -> None:
        self._all = all_of_them
        self._receive = receive
        self._person, self._network = person, network
        self._share = share
        self._keys: tuple[str, ...] = (person, network, "") if share is not None else ()
        if share is not None and share.is_visitor:
            self._keys += (VISITORS,)
        self._bytes = 0
        self._open = self._whole = False
        self._waited_s = self._waited_since_s = 0.0
        self._came_since = 0

    async def __call__(self) -> Message:
        """The next message of a request.

        Raises:
            Refused: too much is on its way, or it comes no further.
        """
        if self._whole:  # what comes afterwards is that the caller goes away
            return await self._receive()
        if not self._open:
            self._open = True
            self._all.count(self._keys, 0, 1)
            self._require_few()
        message = await self._patiently()
        size = len(message.get("body", b""))
        self._bytes += size
        self._came_since += size
        self._all.count(self._keys, size, 0)
        self._require_little()
        if not message.get("more_body"):
            self._is_whole()
        return message

    def keep(self) -> Callable[[], None]:
        """Go on counting it after this request; what is returned, called once, ends that."""
        kept, self._bytes = self._bytes, 0
        return lambda: self._all.count(self._keys, -kept, 0)

    def end(self) -> None:
        """It is on its way no more."""
        self._is_whole()
        self._all.count(self._keys, -self._bytes, 0)
        self._bytes = 0

    def _is_whole(self) -> None:
        self._whole = True
        if self._open:
            self._open = False
            self._all.count(self._keys, 0, -1)

    async def _patiently(self) -> Message:
        """The next message, for which it is waited as long as something comes."""
        begun_s = time.monotonic()
        left_s = min(STALLED_S - self._waited_since_s, LONGEST_S - self._waited_s)
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                message = await self._receive()
        except TimeoutError as e:
            raise Refused(
                408, "The upload came no further.", "Send it again.", {"Connection": "close"}
            ) from e
        took_s = time.monotonic() - begun_s
        self._waited_s += took_s
        self._waited_since_s += took_s
        if self._came_since >= LEAST_BYTES:
            self._came_since, self._waited_since_s = 0, 0.0
        return message

    def _require_few(self) -> None:
        """Refuse one more body where there are too many.

        Raises:
            Refused: there are.
        """
        if self._share is None:
            return
        bodies, most = self._all.bodies, self._all.most_bodies
        if bodies[self._person] > self._share.bodies:
            raise _wait(429, f"More than {self._share.bodies} uploads of yours are on their way.")
        if bodies[self._network] > most // 2:
            raise _wait(429, f"More than {most // 2} uploads are on their way from your network.")
        if bodies[""] > most or (self._share.is_visitor and bodies[VISITORS] > most * OF_VISITORS):
            raise _wait(503, "Too many uploads are on their way.")

    def _require_little(self) -> None:
        """Refuse bytes where there are too many.

        Raises:
            Refused: there are.
        """
        if self._share is None:
            return
        held, most_mb = self._all.bytes, self._all.most_mb
        if self._bytes > self._share.mb * 1_000_000:
            what = f"This is over the limit of {self._share.mb} MB of {self._share.who}."
            raise Refused(413, what, "Make it smaller first.")
        if held[self._person] > self._share.mb * 1_000_000:
            raise _wait(429, f"More than {self._share.mb} MB of yours are on their way.")
        if held[self._network] > most_mb * 1_000_000 // 2:
            raise _wait(429, f"More than {most_mb // 2} MB are on their way from your network.")
        most_bytes = most_mb * 1_000_000
        if held[""] > most_bytes or (self._share.is_visitor and held[VISITORS] > most_bytes * OF_VISITORS):
            raise _wait(503, "Too much is on its way.")


def _wait(status: int, what: str) -> Refused:
    return Refused(status, what, "Send it again when others have arrived.", {"Retry-After": str(AGAIN_S)})
