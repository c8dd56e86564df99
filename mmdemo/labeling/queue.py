"""The queue of pairs to label: which are next for whom. What is on whose screen stands in the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from mmdemo.errors import MmdemoError
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.labeling.order import CHECKED, PROPOSALS, Ranking, Waiting
from mmdemo.models.manager import ModelManager
from mmdemo.models.protocols import Task
from mmdemo.retrieval.serving import IndexKeeper
from mmdemo.store.leases import Screen
from mmdemo.store.pairs import PairView
from mmdemo.store.tables import HARD_NEGATIVE
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
Place = Literal["first", "last", "gone"]
CLOSE_S = 10.0
LABELS_PER_ORDER = 25  # after so many labels the order is made anew
ORDERING_SHARE = 0.1  # of all time, at most, goes to making it anew for their sake
FIRST = 1000  # pairs that are handed out before there is an order
MOST_PEOPLE = 1000  # of whom it is known which pairs they need not be asked again


@dataclass(frozen=True)
class Asked:
    """What somebody gets who asks for pairs."""

    pairs: list[tuple[PairView, str]]  # each with why it is asked
    lost: list[int] = field(default_factory=list)  # that their screen had, and is not to ask any more
    lent: bool = False  # whether pairs are left that others have before them


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
        self._answers = ws.settings.answers
        self._order: list[Waiting] = []
        self._begins = 0  # of what stands before that in the order something was said since
        self._known: dict[int, Waiting] = {}  # what stands in the order
        self._said: dict[int, Place] = {}  # where pairs belong by what was said of them
        self._answered: dict[str, set[int]] = {}  # pairs that others are still asked about, by who answered
        self._again_s = 0.0  # no order is made anew for the sake of labels before this time
        self._since_order = 0
        self._made_for: tuple[str, int] | None = None
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._proposals = PROPOSALS
        self._is_wanted = self._is_behind = False  # an order, and the thread that makes it
        self._closed = False

    def ask(
        self,
        count: int = 1,
        screen: Screen | None = None,
        batch: str = "",
        passed: Collection[int] = (),
        held: Collection[int] = (),
        *,
        wanted: Sequence[int] = (),
        mismatches: bool = False,
        again: bool = False,
    ) -> Asked:
        """The next pairs for one person; fewer when fewer are to be had.

        Args:
            count: how many.
            screen: where they are looked at, which keeps them from others for a while; None: by somebody who
                will not label, and nothing is kept from others, or made, for them.
            batch: only pairs from this source; empty: all.
            passed: pairs they skipped.
            held: what their screen shows already, and goes on showing; what else it had is free again.
            wanted: pairs that they asked for: these come first.
            mismatches: proposals first, for who checks what may well be wrong.
            again: as `PairLeases.take` has it.
        """
        if mismatches and screen is not None and self._proposals < CHECKED:
            self._proposals = CHECKED
            self.request()
        self._refresh()
        waiting: Iterable[Waiting] = self.waiting()
        if mismatches:
            waiting = sorted(waiting, key=lambda one: one.why != HARD_NEGATIVE)
        waiting = self._of(batch, chain((Waiting(pair, "later") for pair in wanted), waiting))
        why: dict[int, str] = {}
        order = self._noted(waiting, why)
        if screen is None:
            pairs = self._ws.leases.look(order, count, passed)
            return Asked(self._shown(pairs, why))
        known = self._answered.get(screen.person, set())
        passed = {*passed, *known}
        handed = self._ws.leases.take(screen, self._task, order, count, held, passed, again=again)
        with self._lock:
            for pair in handed.settled:
                self._said[pair] = "gone"
            if handed.answered and len(self._answered) < MOST_PEOPLE:
                self._answered[screen.person] = known | handed.answered
        return Asked(self._shown(handed.pairs, why), handed.lost, handed.lent)

    def waiting(self) -> Iterator[Waiting]:
        """What waits, in its order, as far as this process knows."""
        with self._lock:
            order, said = self._order, self._said
            while self._begins < len(order) and order[self._begins].pair in said:
                self._begins += 1
            first = [Waiting(p, "undone") for p, place in reversed(said.items()) if place == "first"]
            last = [self._known[p] for p, place in said.items() if place == "last" and p in self._known]
            begins = self._begins
        rest = (order[i] for i in range(begins, len(order)))
        return chain(first, (w for w in rest if w.pair not in said), last)

    def _of(self, batch: str, waiting: Iterable[Waiting]) -> Iterator[Waiting]:
        """Those of one source, or all."""
        for one in waiting:
            source = one.source or (view.source if batch and (view := self._ws.pairs.get(one.pair)) else "")
            if not batch or source == batch:
                yield one

    def _noted(self, waiting: Iterable[Waiting], why: dict[int, str]) -> Iterator[int]:
        """The pairs of what waits; why each does is noted."""
        for one in waiting:
            why.setdefault(one.pair, one.why)
            yield one.pair

    def _shown(self, pairs: Sequence[int], why: dict[int, str]) -> list[tuple[PairView, str]]:
        return [(view, why.get(view.id, "random")) for view in self._ws.pairs.views(pairs)]

    def labelled(self, pair_id: int, verdict: str) -> None:
        """A pair has a label: where nobody else is asked it leaves the queue, or goes to its end where that
        label settles nothing.
        """
        settles = LABEL_KINDS[verdict].settles
        if settles and self._answers > 1:
            with self._lock:
                self._since_order += 1
                if pair_id in self._said:  # who asks next finds out whether it waits for others
                    self._said[pair_id] = "first"
        else:
            self._follow(pair_id, "gone" if settles else "last")
        if self._since_order >= LABELS_PER_ORDER and time.monotonic() >= self._again_s:
            self.request()

    def returned(self, pair_id: int) -> None:
        """A label was undone: its pair is next, until it has one again."""
        self._follow(pair_id, "first")

    def _follow(self, pair_id: int, place: Place) -> None:
        with self._lock:
            self._said.pop(pair_id, None)
            self._said[pair_id] = place  # what was said last stands last
            self._answered.clear()  # one of them may have taken it back
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
            begun = time.monotonic()
            with self._lock:  # what is gone is not among those that are read now
                self._said = {pair: place for pair, place in self._said.items() if place != "gone"}
                self._since_order = 0
            unlabelled = self._ws.pairs.browse(self._task, state="waiting")
            order, version = self._ranking.order(unlabelled, self._proposals)
            with self._lock:
                self._take(order)
                self._made_for = (version, len(unlabelled))
            ended = time.monotonic()
            self._again_s = ended + (ended - begun) / ORDERING_SHARE

    def _take(self, order: list[Waiting]) -> None:
        """Go on with an order and what has been said since its pairs were read."""
        self._known = {waiting.pair: waiting for waiting in order}
        self._order, self._begins = order, 0
        self._answered.clear()

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
            next(self.waiting(), None) is None
            or (
                self._models.status(self._task).state == "ready"
                and self._made_for[0] != self._keeper.status.version
            )
        ):
            self.request()

    def _make_plain(self) -> None:
        unlabelled = self._ws.pairs.browse(self._task, state="waiting", limit=FIRST)
        with self._lock:
            if self._made_for is None:  # else a better one came meanwhile
                self._take([Waiting(p.id, "random", p.source) for p in unlabelled])
                self._made_for = ("", len(unlabelled))
