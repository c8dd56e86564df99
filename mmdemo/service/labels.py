"""What can be done with labels: hand out a pair, record, take back, count."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mmdemo.errors import UserError
from mmdemo.modality import DEFAULT_TASK, modality_of
from mmdemo.service.context import Context, check_source, check_task
from mmdemo.service.media import Media
from mmdemo.store.labels import ELSEWHERE, NewLabel
from mmdemo.store.pairs import PairView, check_span

if TYPE_CHECKING:
    from mmdemo.labeling.queue import PairQueue
    from mmdemo.labeling.side_counts import SideCounts

OVER_S = 0.5  # by which a span may end after its file: players and containers round differently
SOON_S = 0.1  # what is counted so soon is counted at every change
COUNTING_SHARE = 0.1  # of all time, at most, goes to counting sides that take longer


@dataclass(frozen=True)
class KnownSides:
    """How many labels a run would have taken on each side when they were counted."""

    at: tuple[int, int]  # labels and pairs ever made
    counts: SideCounts
    again_s: float  # not to be counted again before this time


class Labels:
    """The labels of an open workspace."""

    def __init__(self, context: Context, media: Media) -> None:
        self._context = context
        self._media = media
        self._ws = context.ws
        self._sides: dict[str, KnownSides] = {}  # by task

    def next_pair(
        self, task: str, batch: str = "", holder: str = "api", mismatches: bool = False
    ) -> dict[str, Any]:
        """The JSON of `/next_pair`.

        Raises:
            UserError: there is no such task, or nothing comes from that batch.
        """
        check_source(self._ws, task, batch)
        found = self._context.queue_of(check_task(task)).next(1, holder, batch, mismatches=mismatches)
        if not found:
            return {"pair": None, "reason": "Every pair has its label. Import more in the Data tab."}
        return pair_json(*found[0])

    def add(self, pair: int, label: NewLabel, task: str = "") -> dict[str, Any]:
        """Record a label; the answer comes once it is on disk.

        Args:
            pair: its number.
            label: what is said of it.
            task: of the pair, where the sender knows; empty: whichever it is.

        Raises:
            UserError: no such pair in that task, no such version, or a span that the pair cannot have.
        """
        view = self._ws.pairs.get(pair)
        if view is None or (task and view.task != task):
            raise UserError(f"There is no pair {pair}{f' in {task}' if task else ''}.", ELSEWHERE)
        self._check_version(label.version_id)
        check_span_of(view.task, view.duration_s, label.start_s, label.end_s)
        if label.start_s is not None or label.end_s is not None:
            start = view.start_s if label.start_s is None else label.start_s
            check_span(start, view.end_s if label.end_s is None else label.end_s)
        if label.origin == "label" and label.version_id is None:  # what showed it
            label = replace(label, version_id=self._ws.versions.active(view.task))
        label_id = self._ws.labels.add(pair, label)
        self._context.queue_of(view.task).labelled(pair, label.verdict)
        return {"label": label_id, "saved": "disk", "pair": pair}

    def _check_version(self, version: str | None) -> None:
        if version is not None and not self._ws.versions.was_there(version):
            raise UserError(
                f"There is no version {version[:60]!r}.", "Leave it out, or name one that there is."
            )

    def _queue_of_pair(self, pair: int) -> PairQueue:
        view = self._ws.pairs.get(pair)
        return self._context.queue_of(view.task if view else DEFAULT_TASK)

    def add_on(
        self,
        item: str,
        text: str,
        label: NewLabel,
        start_s: float | None = None,
        end_s: float | None = None,
    ) -> dict[str, Any]:
        """Record a label on an item with any text, such as a search result with the query.

        Raises:
            UserError: no such item or version, or a span that the item cannot have.
        """
        known = self._media.item(item)
        task = self._media.task_of(known)
        self._check_version(label.version_id)
        check_span_of(task, known.duration_s, start_s, end_s)
        check_span_of(task, known.duration_s, label.start_s, label.end_s)
        label_id, pair = self._ws.labels.add_on(
            task, item, text, label, source=label.origin, start_s=start_s, end_s=end_s
        )
        self._context.queue_of(task).labelled(pair, label.verdict)
        if not known.listed:
            self._context.keeper_of(task).request()
        return {"label": label_id, "saved": "disk", "pair": pair}

    def undo(self, label: int, annotator: str = "", key: str | None = None) -> dict[str, Any]:
        """Take a label back."""
        undo_id = self._ws.labels.undo(label, annotator, key)
        pair = self._ws.labels.pair_of(label)
        if pair is not None:
            self._queue_of_pair(pair).returned(pair)
        return {"label": undo_id, "pair": pair}

    def counts(self, task: str) -> dict[str, int]:
        """The JSON of `/label_counts`."""
        check_task(task)
        counts = self._ws.labels.counts(task)
        sides = self._sides_of(task, (self._ws.labels.total(task), counts.pairs))
        return counts.as_json(sides.totals)

    def _sides_of(self, task: str, at: tuple[int, int]) -> SideCounts:
        """How many labels a run would take on each side now; where that takes long to count and `at` changes
        all the time, as when many label, how many it would have taken a moment ago.
        """
        from mmdemo.labeling.side_counts import count_sides
        from mmdemo.labeling.snapshot import take_snapshot

        known, begun = self._sides.get(task), time.perf_counter()
        if known is None or (known.at != at and begun >= known.again_s):
            counts = count_sides(take_snapshot(self._ws, task))
            took = time.perf_counter() - begun
            again_s = begun + (0 if took < SOON_S else took / COUNTING_SHARE)
            known = self._sides[task] = KnownSides(at, counts, again_s)
        return known.counts


def check_span_of(task: str, duration_s: float | None, start_s: float | None, end_s: float | None) -> None:
    """Refuse a span of what has no time, or beyond its end.

    Raises:
        UserError: it is one.
    """
    if start_s is None and end_s is None:
        return
    noun = modality_of(task).noun
    if duration_s is None:
        raise UserError(f"A {noun} has no span in seconds.", "Leave start and end out.")
    last = max(start_s or 0.0, end_s or 0.0)
    if last > duration_s + OVER_S or (start_s or 0.0) >= duration_s > 0:
        raise UserError(
            f"The span reaches to {last:g} s, and the {noun} ends at {duration_s:g} s.",
            "Give start and end within it.",
        )


def pair_json(pair: PairView, why: str = "") -> dict[str, Any]:
    """A pair as the API hands it out."""
    return {
        "pair": pair.id,
        "item": pair.item,
        "text": pair.text,
        "file": f"mmdemo/media/{pair.item}",
        "task": pair.task,
        "duration": pair.duration_s,
        "start": pair.start_s,
        "end": pair.end_s,
        "split": pair.split,
        "why": why,
    }
