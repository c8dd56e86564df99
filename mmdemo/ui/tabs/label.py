"""The Label tab: one pair at a time, by keyboard; labels made anywhere in the page arrive here."""

from __future__ import annotations

from typing import Any

from mmdemo.demo import Demo, pair_json
from mmdemo.errors import UserError
from mmdemo.parts import DEFAULT_TASK
from mmdemo.store.labels import NewLabel
from mmdemo.ui.routes import action
from mmdemo.ui.tabs.common import number_of, task_in, text_of
from mmdemo.ui.widgets import widget


def build() -> None:
    """Lay the tab out."""
    widget("label")


@action("queue")
def queue(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The next pairs for one screen."""
    passed = body.get("passed", [])
    if not isinstance(passed, list) or not all(isinstance(p, int) for p in passed):
        raise UserError("The pairs that were passed are not numbers.", "Reload the page.")
    count = max(1, min(100, int(number_of(body, "count", 12))))
    task = task_in(demo, body)
    if task != DEFAULT_TASK:
        demo.warm(task)
    pairs = demo.queue_of(task).next(count, text_of(body, "holder"), text_of(body, "batch"), set(passed))
    return {"pairs": [pair_json(*p) for p in pairs], "counts": demo.label_counts(task)}


def new_label(body: dict[str, Any], origin: str) -> NewLabel:
    """The label that a request carries."""
    rank = body.get("rank")
    return NewLabel(
        verdict=text_of(body, "verdict"),
        text="" if origin != "label" else text_of(body, "text"),
        start_s=_seconds(body, "start"),
        end_s=_seconds(body, "end"),
        comment=text_of(body, "comment"),
        annotator=text_of(body, "annotator"),
        origin=origin[:16],
        query=text_of(body, "query") or None,
        rank=int(number_of(body, "rank", 0)) if rank is not None else None,
        version_id=text_of(body, "version") or None,
        key=text_of(body, "key")[:64] or None,
    )


def _seconds(body: dict[str, Any], name: str) -> float | None:
    return number_of(body, name, 0.0) if body.get(name) not in (None, "") else None


@action("label", writes=True)
def label(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Record a label on a pair of the queue; the receipt says that it is on disk."""
    new = new_label(body, "label")
    if new.version_id is None:
        active = demo.ws.versions.active(task_in(demo, body))
        new = NewLabel(**(vars(new) | {"version_id": active}))
    return demo.label(int(number_of(body, "pair", 0)), new)


@action("label_result", writes=True)
def label_result(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Record a label on an answer: a search result with its query, a caption, an aligned text."""
    new = new_label(body, text_of(body, "origin", "search"))
    return demo.label_result(text_of(body, "item"), text_of(body, "text"), new)


@action("undo", writes=True)
def undo(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Take a label back."""
    return demo.undo(
        int(number_of(body, "label", 0)), text_of(body, "annotator"), text_of(body, "key")[:64] or None
    )
