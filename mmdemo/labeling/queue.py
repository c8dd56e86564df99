"""The queue of pairs to label: which are next for whom, and what is on somebody's screen meanwhile."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection

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
LEASE_S = 300.0  # a pair that is on somebody's screen is not given to anybody else for so long
CLOSE_S = 10.0
LABELS_PER_ORDER = 25  # after so many labels the order is made anew


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
        self._leases: dict[int, tuple[str, float]] = {}
        self._since_order = 0
        self._made_for: tuple[str, int] | None = None
        self._lock = threading.Lock()
        self._making = threading.Lock()
        self._proposals = PROPOSALS
        self._closed = False

    def next(
        self,
        count: int = 1,
        holder: str = "",
        batch: str = "",
        passed: Collection[int] = (),
        mismatches: bool = False,
        looks: bool = False,
    ) -> list[tuple[PairView, str]]:
        """The next pairs for one person, and why each; fewer when fewer are left.

        Args:
            count: how many.
            holder: who asks; what is on their screen is kept from others for a while.
            batch: only pairs from this source; empty: all.
            passed: pairs they skipped.
            mismatches: proposals first, for who checks what may well be wrong.
            looks: whether they only look, and will not label: nothing is kept from others, or made, for them.
        """
        if mismatches and not looks and self._proposals < CHECKED:
            self._proposals = CHECKED
            self.request()
        self._refresh()
        with self._lock:
            order = list(self._order)
        if mismatches:
            order.sort(key=lambda waiting: waiting.why != HARD_NEGATIVE)
        now = time.monotonic()
        chosen: list[tuple[PairView, str]] = []
        position = 0
        while position < len(order) and len(chosen) < count:
            part = order[position : position + 64]
            position += 64
            free = [w for w in part if w.pair not in passed and (looks or self._is_free(w.pair, holder, now))]
            views = {v.id: v for v in self._ws.pairs.views([w.pair for w in free])}
            for waiting in free:
                view = views.get(waiting.pair)
                if view is None or not view.is_waiting or (batch and view.source != batch):
                    continue
                chosen.append((view, waiting.why))
                if len(chosen) == count:
                    break
        if looks:
            return chosen
        if not chosen and any(w.pair in self._leases for w in order):
            with self._lock:
                self._leases.clear()  # all that is left is on other screens: better twice than locked out
            return self.next(count, holder, batch, passed, mismatches)
        with self._lock:
            self._leases.update({view.id: (holder, now + LEASE_S) for view, _ in chosen})
        return chosen

    def labelled(self, pair_id: int, verdict: str) -> None:
        """A pair has a label: it leaves the queue, or goes to its end where that label settles nothing."""
        with self._lock:
            own = [] if LABEL_KINDS[verdict].settles else [w for w in self._order if w.pair == pair_id]
            self._order = [w for w in self._order if w.pair != pair_id] + own
            self._leases.pop(pair_id, None)
            self._since_order += 1
        if self._since_order >= LABELS_PER_ORDER:
            self.request()

    def returned(self, pair_id: int) -> None:
        """A label was undone: its pair is next."""
        with self._lock:
            self._order = [Waiting(pair_id, "undone"), *(w for w in self._order if w.pair != pair_id)]
            self._leases.pop(pair_id, None)

    def request(self) -> None:
        """Make the order anew behind the page."""
        if not self._making.locked() and not self._closed:
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
            unlabelled = self._ws.pairs.browse(self._task, state="waiting")
            order, version = self._ranking.order(unlabelled, self._proposals)
            with self._lock:
                self._order = order
                self._since_order = 0
                self._made_for = (version, len(unlabelled))

    def _make(self) -> None:
        try:
            self.make()
        except MmdemoError as e:
            log.error("the queue could not be ordered: %s", e)

    def _refresh(self) -> None:
        """A first order at once, in any order; a better one behind the page as soon as it can be had."""
        if self._made_for is None:
            self.make() if self._models.status(self._task).state != "ready" else self._make_plain()
            self.request()
        elif (
            self._models.status(self._task).state == "ready"
            and self._made_for[0] != self._keeper.status.version
        ) or not self._order:
            self.request()

    def _make_plain(self) -> None:
        unlabelled = self._ws.pairs.browse(self._task, state="waiting", limit=200)
        with self._lock:
            self._order = [Waiting(p.id, "random") for p in unlabelled]
            self._made_for = ("", len(unlabelled))

    def _is_free(self, pair_id: int, holder: str, now: float) -> bool:
        lease = self._leases.get(pair_id)
        return lease is None or lease[0] == holder or lease[1] < now
