"""The queue of pairs to label: which are next for whom, and what is on somebody's screen meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from mmdemo.errors import MmdemoError
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.labeling.order import CHECKED, PROPOSALS, Ranking, Waiting
from mmdemo.models.manager import ModelManager
from mmdemo.models.protocols import Task
from mmdemo.retrieval.serving import IndexKeeper
from mmdemo.store.pairs import PairView
from mmdemo.store.tables import HARD_NEGATIVE
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
Place = Literal["first", "last", "gone"]
LEASE_S = 300.0  # a pair that is on somebody's screen is not given to anybody else for so long
CLOSE_S = 10.0
AT_ONCE = 64  # pairs that are looked at together
LABELS_PER_ORDER = 25  # after so many labels the order is made anew


@dataclass(frozen=True)
class Lease:
    """On whose screen a pair is."""

    holder: str
    until_s: float  # of the monotonic clock


class PairQueue:
    """The queue of one task, shared by everybody who labels.

    Args:
        ws: the workspace.
        models: to score with; while none is ready the order is random.
        keeper: the index, whose vectors are used.
        task: whose pairs.
    """

    def __init__(self, ws: Workspace, models: ModelManager, keeper: IndexKeeper, task: Task) -> None:
        self._ws = ws
        self._models = models
        self._keeper = keeper
        self._task: Task = task
        self._ranking = Ranking(ws, models, keeper, task)
        self._order: list[Waiting] = []
        self._said: dict[int, Place] = {}  # where pairs belong by what was said of them
        self._leases: dict[int, Lease] = {}
        self._since_order = 0
        self._made_for: tuple[str, int] | None = None
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._proposals = PROPOSALS
        self._is_wanted = self._is_behind = False  # an order, and the thread that makes it
        self._closed = False

    def next(
        self,
        count: int = 1,
        holder: str = "",
        batch: str = "",
        passed: Collection[int] = (),
        mismatches: bool = False,
        looks: bool = False,
        wanted: Sequence[int] = (),
    ) -> list[tuple[PairView, str]]:
        """The next pairs for one person, and why each; fewer when fewer are left.

        Args:
            count: how many.
            holder: who asks; what is on their screen is kept from others for a while.
            batch: only pairs from this source; empty: all.
            passed: pairs they skipped.
            mismatches: proposals first, for who checks what may well be wrong.
            looks: whether they only look, and will not label: nothing is kept from others, or made, for them.
            wanted: pairs that they asked for: these come first.
        """
        if mismatches and not looks and self._proposals < CHECKED:
            self._proposals = CHECKED
            self.request()
        self._refresh()
        while True:
            waiting, leases = self._waiting(batch, set(passed))
            if mismatches:
                waiting.sort(key=lambda one: one.why != HARD_NEGATIVE)
            waiting = _before(wanted, waiting, set(passed))
            if looks:
                return self._choose(waiting, count, batch, _first)[0]
            take = partial(self._lease, holder=holder, seen=leases)
            others = {pair for pair, lease in leases.items() if lease.holder != holder}
            chosen, found = self._choose([w for w in waiting if w.pair not in others], count, batch, take)
            if not chosen:  # all that is left is on other screens: better twice than locked out
                left = [w for w in waiting if w.pair in others]
                left.sort(key=lambda one: leases[one.pair].until_s)  # handed out longest ago
                chosen, also_found = self._choose(left, count, batch, take)
                found = found or also_found
            if chosen or not found:  # else others were handed all of them in this moment
                return chosen

    def _waiting(self, batch: str, passed: set[int]) -> tuple[list[Waiting], dict[int, Lease]]:
        """What waits, in its order, and what is on whose screen now."""
        with self._lock:
            now_s = time.monotonic()
            self._leases = {pair: lease for pair, lease in self._leases.items() if lease.until_s >= now_s}
            order, leases = self._order, dict(self._leases)
        of_batch = (batch, "")
        waiting = [w for w in order if w.pair not in passed and (not batch or w.source in of_batch)]
        return waiting, leases

    def _choose(
        self,
        order: list[Waiting],
        count: int,
        batch: str,
        take: Callable[[list[PairView], int], list[PairView]],
    ) -> tuple[list[tuple[PairView, str]], bool]:
        """The first pairs that wait for a label and could be taken, and why each; and whether any waits at
        all. Nobody waits for another while the database is asked.
        """
        chosen: list[tuple[PairView, str]] = []
        found = False
        for start in range(0, len(order), AT_ONCE):
            why = {w.pair: w.why for w in order[start : start + AT_ONCE]}
            views = self._ws.pairs.views(list(why))
            views = [view for view in views if view.is_waiting and (not batch or view.source == batch)]
            found = found or bool(views)
            chosen += [(view, why[view.id]) for view in take(views, count - len(chosen))]
            if len(chosen) == count:
                break
        return chosen, found

    def _lease(self, views: list[PairView], most: int, holder: str, seen: dict[int, Lease]) -> list[PairView]:
        """The first of some pairs that nobody else was handed since their leases were seen; they are kept
        from others for a while.
        """
        with self._lock:
            free: list[PairView] = []
            for view in views:
                lease = self._leases.get(view.id)
                if lease is None or lease.holder == holder or lease == seen.get(view.id):
                    free.append(view)
            free = free[:most]
            until_s = time.monotonic() + LEASE_S
            self._leases.update({view.id: Lease(holder, until_s) for view in free})
        return free

    def labelled(self, pair_id: int, verdict: str) -> None:
        """A pair has a label: it leaves the queue, or goes to its end where that label settles nothing."""
        self._follow(pair_id, "gone" if LABEL_KINDS[verdict].settles else "last")
        if self._since_order >= LABELS_PER_ORDER:
            self.request()

    def returned(self, pair_id: int) -> None:
        """A label was undone: its pair is next, until it has one again."""
        self._follow(pair_id, "first")

    def _follow(self, pair_id: int, place: Place) -> None:
        with self._lock:
            self._said.pop(pair_id, None)
            self._said[pair_id] = place  # what was said last stands last
            self._take(self._order)
            self._leases.pop(pair_id, None)
            self._since_order += place != "first"

    def request(self) -> None:
        """Make the order anew behind the page; one that is being made knows nothing of why, so another
        follows it.
        """
        with self._lock:
            self._is_wanted = True
            if self._is_behind or self._closed:
                return
            self._is_behind = True
        threading.Thread(target=self._make, name="mmdemo-queue", daemon=True).start()

    def close(self) -> None:
        """Return when no order is being made any more."""
        self._closed = True
        if self._making.acquire(timeout=CLOSE_S):
            self._making.release()

    def make(self) -> None:
        """Make the order now; nothing once it is closed."""
        with self._making:
            if self._closed:  # by a thread that began before, and was waited for by nobody
                return
            with self._lock:  # what is gone is not among those that are read now
                self._said = {pair: place for pair, place in self._said.items() if place != "gone"}
                self._since_order = 0
            unlabelled = self._ws.pairs.browse(self._task, state="waiting")
            order, version = self._ranking.order(unlabelled, self._proposals)
            with self._lock:
                self._take(order)
                self._made_for = (version, len(unlabelled))

    def _take(self, order: list[Waiting]) -> None:
        """Go on with an order and what has been said since its pairs were read."""
        known = {waiting.pair: waiting for waiting in order}
        first = [Waiting(p, "undone") for p, place in reversed(self._said.items()) if place == "first"]
        last = [known[p] for p, place in self._said.items() if place == "last" and p in known]
        self._order = [*first, *(w for w in order if w.pair not in self._said), *last]

    def _make(self) -> None:
        try:
            while self._is_to_make():
                try:
                    self.make()
                except MmdemoError as e:
                    log.error("the queue could not be ordered: %s", e)
        except BaseException:
            with self._lock:
                self._is_behind = False
            raise

    def _is_to_make(self) -> bool:
        """Whether another order is wanted; if none is, the thread that asks has ended."""
        with self._lock:
            self._is_behind = self._is_wanted and not self._closed
            self._is_wanted = False
            return self._is_behind

    def _refresh(self) -> None:
        """A first order at once, in any order; a better one behind the page as soon as it can be had."""
        if self._made_for is None:
            self.make() if self._models.status(self._task).state != "ready" else self._make_plain()
            self.request()
        elif not self._is_behind and (
            not self._order
            or (
                self._models.status(self._task).state == "ready"
                and self._made_for[0] != self._keeper.status.version
            )
        ):
            self.request()

    def _make_plain(self) -> None:
        unlabelled = self._ws.pairs.browse(self._task, state="waiting", limit=200)
        with self._lock:
            if self._made_for is None:  # else a better one came meanwhile
                self._take([Waiting(p.id, "random", p.source) for p in unlabelled])
                self._made_for = ("", len(unlabelled))


def _before(wanted: Sequence[int], waiting: list[Waiting], passed: Collection[int]) -> list[Waiting]:
    """What somebody asked for before what waits, each once."""
    if not wanted:
        return waiting
    first = [Waiting(pair, "later") for pair in wanted if pair not in passed]
    return [*first, *(one for one in waiting if one.pair not in set(wanted))]


def _first(views: list[PairView], most: int) -> list[PairView]:
    return views[:most]
