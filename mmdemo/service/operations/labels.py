"""What can be asked of labels: the next pair, record, take back, count."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from mmdemo.asker import current
from mmdemo.errors import UserError
from mmdemo.modality import DEFAULT_TASK
from mmdemo.service.app import App
from mmdemo.service.operations.requests import (
    ITEM,
    VERSION,
    Answer,
    AnyTask,
    Count,
    Id,
    Ids,
    Name,
    OneOf,
    Person,
    Request,
    Seconds,
    TaskName,
    Text,
    Verdict,
)
from mmdemo.service.operations.table import operation
from mmdemo.store.labels import MAX_KEY, NewLabel

LONGEST_COMMENT = 2000
SHOWN_IN = ("label", "search", "caption", "align", "span", "moment", "transcribe", "api")
Origin = Annotated[str, OneOf("origin", lambda: SHOWN_IN, empty="")]


class LabelRequest(Request):
    """A label on a pair."""

    pair: Id = Field(description="its number, from /next_pair")
    verdict: Verdict
    text: Text = Field("", description="a corrected text, or empty")
    start: Seconds = Field(None, description="a corrected start in seconds, or null")
    end: Seconds = Field(None, description="a corrected end in seconds, or null")
    comment: Text = Field("", description="anything worth saying", max_length=LONGEST_COMMENT)
    annotator: Person = Field("", description="who says it")
    version: Name = Field("", description=VERSION)
    key: Name = Field(
        "", description="the sender's own; what comes again with its key is one label", max_length=MAX_KEY
    )
    origin: Origin = Field("api", description="where the pair was shown")
    task: AnyTask = Field("", description="of the pair, which is refused if it is of another; empty: any")
    item: Name = Field("", description="of the pair, which is refused if it is of another; empty: any")


class LabelAnswer(Answer):
    """A receipt."""

    label: int
    saved: str = Field(description='"disk"')
    pair: int


class LabelOnRequest(Request):
    """A label on an item with any text."""

    item: Name = Field(description=ITEM)
    text: Text = Field(description="the text that was shown with it")
    verdict: Verdict
    origin: Origin = Field("", description="where it was shown")
    query: Text | None = Field(None, description="what was searched for")
    rank: Id | None = Field(None, description="its place among the results, from 1")
    start: Seconds = None
    end: Seconds = None
    comment: Text = Field("", max_length=LONGEST_COMMENT)
    annotator: Person = ""
    version: Name = ""
    key: Name = Field("", max_length=MAX_KEY)
    claimed: float | None = Field(None, description="what the suggestion claimed, 0 to 1", ge=0, le=1)


def new_label(request: LabelRequest | LabelOnRequest, origin: str, **more: Any) -> NewLabel:
    """The label that a request carries."""
    return NewLabel(
        verdict=request.verdict,
        start_s=request.start,
        end_s=request.end,
        comment=request.comment,
        annotator=request.annotator,
        origin=origin,
        version_id=request.version or None,
        key=request.key or None,
        session=current().maker,
        own_name=current().says_name,
        **more,
    )


def on_answer(request: LabelOnRequest, origin: str) -> NewLabel:
    """The label on an answer: with the query and the rank."""
    how = {"query": request.query or None, "rank": request.rank, "claimed": request.claimed}
    return new_label(request, request.origin or origin, **how)


@operation("label", role="annotator", public=True, quick=True)
def label(app: App, request: LabelRequest) -> LabelAnswer:
    """Record a label on a pair; the answer comes once the label is on disk."""
    new = new_label(request, request.origin or "api", text=request.text)
    return LabelAnswer(**app.labels.add(request.pair, new, request.task, request.item))


@operation("label_result", role="annotator", quick=True)
def label_result(app: App, request: LabelOnRequest) -> LabelAnswer:
    """Record a label on an answer: a search result with its query, a caption, an aligned text."""
    return LabelAnswer(**app.labels.add_on(request.item, request.text, on_answer(request, "search")))


class UndoRequest(Request):
    """A label to take back."""

    label: Id = Field(description="its number, from /label")
    annotator: Person = Field("", description="who takes it back")
    key: Name = Field(
        "", description="the sender's own; what comes again with its key is one undo", max_length=MAX_KEY
    )


class UndoAnswer(Answer):
    """A receipt."""

    label: int = Field(description="the number of the label that takes it back")
    pair: int | None


@operation("undo", role="annotator", public=True, quick=True)
def undo(app: App, request: UndoRequest) -> UndoAnswer:
    """Take a label back; in force is then the verdict that most people gave in the labels that are left."""
    return UndoAnswer(**app.labels.undo(request.label, request.annotator, request.key or None))


class TakeBackRequest(Request):
    """A label to take back, by whichever of the two the sender knows."""

    label: Id | None = Field(None, description="its number")
    of: Name = Field("", description="the key that it was sent with", max_length=MAX_KEY)
    annotator: Person = Field("", description="who takes it back")
    key: Name = Field("", description="the sender's own", max_length=MAX_KEY)


class TakeBackAnswer(Answer):
    """A receipt."""

    label: int | None = Field(
        description="the number of the label that takes it back; null: it never arrived"
    )
    undone: int | None = Field(description="the number of the label that is taken back")
    pair: int | None


@operation("take_back", role="annotator", quick=True)
def take_back(app: App, request: TakeBackRequest) -> TakeBackAnswer:
    """Take back a label that may not have arrived, or be taken back already: both are well."""
    if not request.of and request.label is None:
        raise UserError("No label is named.", "Give its number or the key that it was sent with.")
    done = app.labels.take_back(request.label, request.of, request.annotator, request.key or None)
    return TakeBackAnswer(**done)


class LastRequest(Request):
    """Whose labels."""

    task: TaskName = Field(DEFAULT_TASK)
    annotator: Person = Field("", description="what they call themselves")
    count: Count = Field(20, ge=1, le=100, description="how many")


@operation("last_labels", role="annotator", quick=True)
def last_labels(app: App, request: LastRequest) -> dict[str, Any]:
    """One's own last labels on pairs of the queue that nobody has taken back, newest first."""
    return {"labels": app.labels.last(request.task, request.annotator, request.count)}


class NextPairRequest(Request):
    """Whose turn it is."""

    task: TaskName = Field(DEFAULT_TASK)
    batch: Name = Field("", description="only pairs from this source, such as an import; empty: all")
    annotator: Person = Field("", description="who asks; each gets pairs of their own")
    mismatches: bool = Field(False, description="proposals that may well be wrong first, to check them")


@operation("next_pair", role="viewer", public=True, quick=True)
def next_pair(app: App, request: NextPairRequest) -> dict[str, Any]:
    """The pair to label next.

    Returns:
        {"pair": 17, "item": "13cf...", "text": "An apple", "file": "mmdemo/media/13cf...", "start": null,
        "end": null}, or {"pair": null, "reason": "..."} when none is left.
    """
    return app.labels.next_pair(request.task, request.batch, request.annotator, request.mismatches)


class CountsRequest(Request):
    """Of which task."""

    task: TaskName = Field(DEFAULT_TASK)


@operation("label_counts", role="viewer", public=True, quick=True)
def label_counts(app: App, request: CountsRequest) -> dict[str, int]:
    """How far the labelling is.

    Returns:
        {"pairs": 384, "match": 161, "mismatch": 11, "unsure": 0, "train": 60, "held_out": 112,
         "validation": 7}
    """
    return app.labels.counts(request.task)


class QueueRequest(Request):
    """The next pairs for one screen."""

    task: TaskName = Field(DEFAULT_TASK)
    count: Count = Field(12, ge=0, le=100, description="how many")
    holder: Name = Field("", description="whose screen it is")
    batch: Name = Field("", description="only pairs from this source")
    passed: Ids = Field([], description="pairs that were skipped")
    mismatches: bool = Field(False, description="proposals that may well be wrong first")
    held: list[Id] = Field([], max_length=100, description="pairs that the screen has, and keeps")
    annotator: Person = Field("", description="who asks")
    counts: bool = Field(True, description="whether it is told how far the labelling is")


@operation("queue", role="viewer", quick=True)
def queue(app: App, request: QueueRequest) -> dict[str, Any]:
    """The next pairs for one screen."""
    if request.task != DEFAULT_TASK:
        app.context.warm(request.task)
    found = app.labels.next_pairs(
        request.task,
        request.count,
        request.holder,
        request.annotator,
        request.batch,
        set(request.passed),
        request.held,
        mismatches=request.mismatches,
    )
    return found | (app.labels.progress(request.task) if request.counts else {})


class LeaveRequest(Request):
    """A screen that is closed."""

    holder: Name = Field(description="whose screen it is", min_length=1)


@operation("leave_queue", role="annotator", quick=True)
def leave_queue(app: App, request: LeaveRequest) -> dict[str, Any]:
    """Let others have what is on a screen that is closed."""
    app.labels.leave(request.holder)
    return {}
