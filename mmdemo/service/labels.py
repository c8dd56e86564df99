"""What can be done with labels: hand out a pair, record, take back, count."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mmdemo.models.protocols import DEFAULT_TASK
from mmdemo.service.context import Context, check_task
from mmdemo.service.media import Media
from mmdemo.store.labels import NewLabel
from mmdemo.store.pairs import PairView

if TYPE_CHECKING:
    from mmdemo.labeling.queue import PairQueue


class Labels:
    """The labels of an open workspace."""

    def __init__(self, context: Context, media: Media) -> None:
        self._context = context
        self._media = media
        self._ws = context.ws

    def next_pair(self, task: str, batch: str = "", holder: str = "api") -> dict[str, Any]:
        """The JSON of `/next_pair`."""
        found = self._context.queue_of(check_task(task)).next(1, holder, batch)
        if not found:
            return {"pair": None, "reason": "Every pair has its label. Import more in the Data tab."}
        return pair_json(*found[0])

    def add(self, pair: int, label: NewLabel) -> dict[str, Any]:
        """Record a label; the answer comes once it is on disk."""
        if label.origin == "label" and label.version_id is None:  # what showed it
            view = self._ws.pairs.get(pair)
            label = replace(label, version_id=self._ws.versions.active(view.task) if view else None)
        label_id = self._ws.labels.add(pair, label)
        self._queue_of_pair(pair).labelled(pair, label.verdict)
        return {"label": label_id, "saved": "disk", "pair": pair}

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
        """Record a label on an item with any text, such as a search result with the query."""
        known = self._media.item(item)
        task = self._media.task_of(known)
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
        return self._ws.labels.counts(task).as_json()


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
