"""Places for work: so much goes on at a time, and who waits for it is let in by who they are.

The owner and trainers go before annotators, and those before visitors. Of the people of one rank, who has
least going on goes next, in turns: thirty calls of one visitor keep another's single call waiting for one of
them. Visitors never hold every place, nor all the room to wait. Where everybody is one person, as on
127.0.0.1 alone, it is the order of arrival.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Literal

from mmdemo.asker import Asker, Role
from mmdemo.errors import BusyError

RANKS: dict[Role, int] = {"owner": 0, "trainer": 0, "annotator": 1, "viewer": 2}
MAY_WAIT = (1.0, 0.75, 0.5)  # how much of all the room to wait a rank may fill, with those behind it
MOST_PASSED = 8  # times in a row that others go before a rank that could; then one of it goes


class Ticket:
    """What somebody waits for, or holds until they leave it.

    Args:
        of: whose place it is.
        asker: who asks for it.
        wake: called, in any thread, when it need not be waited for any more.
    """

    def __init__(self, of: Places, asker: Asker, wake: Callable[[], object]) -> None:
        self.rank, self.person = who(asker)
        self.wake = wake
        self.state: Literal["waiting", "held", "given up", "left"] = "waiting"
        self._of = of

    def require_held(self) -> None:
        """Look whether it was got, once it is not waited for any more.

        Raises:
            BusyError: somebody who had fewer waiting got the room.
        """
        if self.state == "given up":
            raise busy()

    def also_for(self, asker: Asker) -> None:
        """Somebody else asks for the same: it waits as theirs, if they go before whose it is."""
        self._of.also_for(self, asker)

    def leave(self) -> None:
        """Wait no more, or let the next one in; a second time changes nothing."""
        self._of.leave(self)


class Places:
    """The places of one kind of work. Threads and event loops may share them.

    Args:
        at_once: how many there are.
        most_waiting: how many may wait for one.
        of_visitors: whether none but visitors come, so that nothing is kept for others.
    """

    def __init__(self, at_once: int, most_waiting: int, of_visitors: bool = False) -> None:
        self.at_once = at_once
        self.most_waiting = most_waiting
        self._all_alike = of_visitors
        self._held: Counter[int] = Counter()  # by rank
        self._held_by: Counter[str] = Counter()  # by person
        self._waiting: tuple[dict[str, deque[Ticket]], ...] = ({}, {}, {})  # by rank, then by person in turns
        self._passed = [0, 0, 0]  # by rank: how often others went before it
        self._lock = threading.Lock()

    @property
    def held(self) -> int:
        """How many are taken."""
        return self._held.total()

    @property
    def waiting(self) -> int:
        """How many are waited for."""
        return self._waiting_from(0)

    def ask(self, asker: Asker, wake: Callable[[], object]) -> Ticket:
        """A place that is held, or waited for until `wake` is called.

        Raises:
            BusyError: as much as may wait is waiting.
        """
        ticket = Ticket(self, asker, wake)
        with self._lock:
            if self._is_free_for(ticket.rank):  # then nobody of this rank waits
                self._let_in(ticket)
            else:
                self._require_room(ticket)
                self._wait(ticket)
        return ticket

    async def taken(self, asker: Asker) -> Ticket:
        """Wait for a place, which is to be left afterwards.

        Raises:
            BusyError: as much as may wait is waiting.
        """
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        ticket = self.ask(asker, lambda: loop.call_soon_threadsafe(woken.set))
        try:
            if ticket.state == "waiting":
                await woken.wait()
            ticket.require_held()
        except BaseException:
            ticket.leave()
            raise
        return ticket

    def also_for(self, ticket: Ticket, asker: Asker) -> None:
        """See `Ticket.also_for`."""
        with self._lock:
            if ticket.state == "waiting" and RANKS[asker.role] < ticket.rank:
                self._wait_no_more(ticket)
                ticket.rank, ticket.person = who(asker)
                self._wait(ticket)
                self._let_in_who_may()

    def leave(self, ticket: Ticket) -> None:
        """See `Ticket.leave`."""
        with self._lock:
            before, ticket.state = ticket.state, "left"
            if before == "waiting":
                self._wait_no_more(ticket)
            elif before == "held":
                self._held[ticket.rank] -= 1
                self._held_by[ticket.person] -= 1
                if not self._held_by[ticket.person]:
                    del self._held_by[ticket.person]
            self._let_in_who_may()

    def _is_free_for(self, rank: int) -> bool:
        """Whether one more of a rank may begin: visitors leave a place to others, where there are two."""
        is_kept = rank == RANKS["viewer"] and not self._all_alike
        most = max(1, self.at_once - 1) if is_kept else self.at_once
        return self.held < self.at_once and self._held[rank] < most

    def _wait(self, ticket: Ticket) -> None:
        self._waiting[ticket.rank].setdefault(ticket.person, deque()).append(ticket)

    def _wait_no_more(self, ticket: Ticket) -> None:
        self._waiting[ticket.rank][ticket.person].remove(ticket)
        self._forget(ticket.rank, ticket.person)

    def _let_in_who_may(self) -> None:
        while (following := self._next()) is not None:
            self._let_in(following)
            following.wake()

    def _let_in(self, ticket: Ticket) -> None:
        ticket.state = "held"
        self._held[ticket.rank] += 1
        self._held_by[ticket.person] += 1

    def _next(self) -> Ticket | None:
        """Who begins now, out of those who wait; None: nobody may."""
        may = [rank for rank, people in enumerate(self._waiting) if people and self._is_free_for(rank)]
        if not may:
            return None
        rank = next((one for one in may if self._passed[one] >= MOST_PASSED), may[0])
        for one in may:
            self._passed[one] += 1
        self._passed[rank] = 0
        people = self._waiting[rank]
        person = min(people, key=lambda one: self._held_by[one])  # of those alike, who had their turn first
        ticket = people[person].popleft()
        people[person] = people.pop(person)  # their next turn is after those of the others
        self._forget(rank, person)
        return ticket

    def _require_room(self, ticket: Ticket) -> None:
        """Find room to wait: where there is none, the latest of who has most waiting gives way, unless the
        newcomer would have as many.

        Raises:
            BusyError: there is no room.
        """
        share = 1.0 if self._all_alike else MAY_WAIT[ticket.rank]
        if self._waiting_from(ticket.rank) < int(share * self.most_waiting):
            return
        people = self._waiting[ticket.rank]
        greediest = max(people, key=lambda one: len(people[one]), default=None)
        if greediest is None or len(people[greediest]) <= len(people.get(ticket.person, ())) + 1:
            raise busy()
        last = people[greediest].pop()
        last.state = "given up"
        last.wake()

    def _waiting_from(self, first: int) -> int:
        """How many wait of a rank and of those behind it."""
        return sum(len(places) for people in self._waiting[first:] for places in people.values())

    def _forget(self, rank: int, person: str) -> None:
        if not self._waiting[rank][person]:
            del self._waiting[rank][person]


def who(asker: Asker) -> tuple[int, str]:
    """The rank of somebody, and what tells them from others of it."""
    return RANKS[asker.role], asker.person or asker.session or asker.network


def busy() -> BusyError:
    """The refusal of what may not even wait."""
    return BusyError("This page is busy: too many are waiting.", "Try again in a moment.")
