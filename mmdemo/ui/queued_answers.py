"""The answers of calls that go through Gradio's queue: `POST /gradio_api/call/NAME` says by which number the
answer can be fetched.

Gradio keeps an answer until somebody fetches it, and what it knows of a session for ever. Here an answer that
nobody fetches goes after some minutes, or sooner where its caller has too many; and what is kept beside it
goes with it. What a call brought counts as on its way until it is done.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from mmdemo.errors import UserError
from mmdemo.ui.access.gate import ARRIVAL, VISIT, person_of
from mmdemo.ui.access.limits import by_most

UNFETCHED_S = 300.0  # an answer is kept so long
FETCHED_S = 30.0  # what is left of one that was fetched: its reader is at the end of it by then
# Calls of one person, of all visitors, and of all, that are on or were not fetched.
MOST_OF_ONE, MOST_OF_VISITORS, MOST = 64, 384, 512
LOOKED_EVERY_S = 5.0


@dataclass
class _Call:
    session: str  # Gradio's
    person: str  # who asked
    network: str  # with whom a visitor is counted in whatever session; of others again the person
    is_visitor: bool  # whether they work here no more than anybody
    done: Callable[[], None] = lambda: None  # what it brought counts no more
    done_s: float | None = None  # of the monotonic clock: when it was answered, as far as is known


# What is held on to here of Gradio, which promises none of it.
OF_QUEUE = (
    "push",
    "active_jobs",
    "event_ids_to_events",
    "pending_event_ids_session",
    "pending_messages_per_session",
)
OF_STATES = ("lock", "session_data", "time_last_used")


def require_known(page: gr.Blocks) -> None:
    """Look whether a launched page keeps its answers as is known here.

    Raises:
        UserError: it does not, and nothing would bound them.
    """
    lacks = [name for name in OF_QUEUE if not hasattr(page._queue, name)]
    lacks += [name for name in OF_STATES if not hasattr(page.state_holder, name)]
    if lacks:
        raise UserError(
            f"Gradio {gr.__version__} keeps its answers in another way: it has no {', '.join(lacks)}.",
            "Install the version that requirements.txt names.",
        )


class QueuedAnswers:
    """Bounds what a launched page keeps of its calls. All of it runs in the page's event loop.

    Args:
        page: the page.
    """

    def __init__(self, page: gr.Blocks) -> None:
        self._page = page
        self._queue: Any = page._queue
        self._calls: dict[str, _Call] = {}  # by the numbers of their answers, the oldest first
        self._looks_again = False
        self._push = self._queue.push
        self._queue.push = self._bounded_push
        # Gradio begins 40 calls, whosever they are, and keeps the others waiting in the order of arrival. All
        # that are taken begin here: who goes next is told by the lanes.
        self._queue.active_jobs.extend([None] * MOST)
        self._queue.ANALYTICS_MAX_EVENTS = 0  # how long each call took: a table of 10,000, made for each anew

    async def _bounded_push(self, body: Any, request: Any, username: str | None) -> tuple[bool, Any, str]:
        """Take a call in, as Gradio's own `push` does: whether it was, its number or why not, and the state
        in Gradio's words.
        """
        self._forget_old()
        visit = request.scope.get(VISIT)
        person = person_of(visit) if visit is not None else ""
        is_visitor = visit is None or not visit.asker.may("annotator")
        network = visit.beside if visit is not None and is_visitor else person
        if not self._make_room(person, is_visitor):
            return False, "Too many of your calls are on. Fetch their answers first.", "queue_full"
        taken, number, state = await self._push(body=body, request=request, username=username)
        if taken:
            arrival = request.scope.get(ARRIVAL)
            done = arrival.keep() if arrival is not None else lambda: None
            self._calls[number] = _Call(body.session_hash, person, network, is_visitor, done)
            self._look_again()
        return taken, number, state

    def _make_room(self, person: str, is_visitor: bool) -> bool:
        """Whether one more call may be taken; the oldest answers of whoever has too many go."""
        own = sum(call.person == person for call in self._calls.values())
        if own >= MOST_OF_ONE and not self._forget_oldest(person):
            return False
        visitors = self._count(visitors_only=True)
        if is_visitor and visitors.total() >= MOST_OF_VISITORS and not self._forget_of(visitors):
            return False
        return len(self._calls) < MOST or self._forget_of(self._count())

    def _count(self, visitors_only: bool = False) -> Counter[tuple[str, str]]:
        """How many calls are known, by the network and who asked them."""
        calls = self._calls.values()
        return Counter((c.network, c.person) for c in calls if c.is_visitor or not visitors_only)

    def _forget_of(self, counted: Counter[tuple[str, str]]) -> bool:
        """Forget the oldest answer of who has most where most are; whether there was one."""
        return any(self._forget_oldest(person) for person in by_most(counted))

    def _forget_oldest(self, person: str) -> bool:
        """Forget the oldest answer of somebody; whether there was one."""
        for number, call in self._calls.items():
            if call.person == person and call.done_s is not None:
                self._forget(number)
                return True
        return False

    def _look_again(self) -> None:
        """Look for old answers later, as long as there are calls."""
        if self._calls and not self._looks_again:
            self._looks_again = True
            asyncio.get_running_loop().call_later(LOOKED_EVERY_S, self._looked)

    def _looked(self) -> None:
        self._looks_again = False
        self._forget_old()
        self._look_again()

    def _forget_old(self) -> None:
        """Note which calls were answered, and forget those whose time is over."""
        now_s = time.monotonic()
        for number, call in list(self._calls.items()):
            if number in self._queue.event_ids_to_events:
                continue
            if call.done_s is None:
                call.done_s = now_s
                call.done()
            waiting = number in self._queue.pending_event_ids_session.get(call.session, ())
            if now_s - call.done_s >= (UNFETCHED_S if waiting else FETCHED_S):
                self._forget(number)

    def _forget(self, number: str) -> None:
        """Forget an answer, and its session where nothing else is known of that."""
        session = self._calls.pop(number).session
        numbers = self._queue.pending_event_ids_session.get(session, set())
        numbers.discard(number)
        messages = self._queue.pending_messages_per_session.get(session)
        if messages is not None:
            messages._queue = deque(m for m in messages._queue if getattr(m, "event_id", None) != number)
        if not numbers and not any(call.session == session for call in self._calls.values()):
            self._queue.pending_event_ids_session.pop(session, None)
            self._queue.pending_messages_per_session.pop(session, None)
            states = self._page.state_holder
            with states.lock:
                states.session_data.pop(session, None)
                states.time_last_used.pop(session, None)
