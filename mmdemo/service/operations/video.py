"""What can be asked of videos."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import Field

from mmdemo.data.subtitles import captions_as
from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.service.operations.labels import LabelAnswer, LabelOnRequest, on_answer
from mmdemo.service.operations.media import item_of
from mmdemo.service.operations.requests import (
    ITEM,
    VERSION,
    Answer,
    File,
    ItemRequest,
    Name,
    Request,
    Text,
)
from mmdemo.service.operations.table import operation
from mmdemo.service.video import VIDEO


class MomentsRequest(Request):
    """A video and what to look for."""

    file: File = Field(None, description='the video, as handle_file("holiday.mp4")')
    query: Text = Field("", description='what to look for, such as "a dog on the beach"')
    item: Name = Field("", description=ITEM)
    version: Name = Field("", description=VERSION)


class MomentRow(Answer):
    """A stretch of a video."""

    start: float = Field(description="seconds")
    end: float
    score: float = Field(description="a cosine; of those found by words the share of the query's words")
    probability: float | None = Field(description="that it fits; null where it was not measured")
    found_by: str = Field(description='"pictures" or "words"')
    text: str = Field(description="what is said there, of those found by words")


class MomentsAnswer(Answer):
    """Moments, best first, and the curve."""

    model: str
    moments: list[MomentRow]
    curve: list[list[float]] = Field(description="[seconds, score] of each frame that was looked at")
    note: str = Field(
        "", description="what does not work with this query, or why what is said does not count"
    )
    no_match: bool = Field(
        False, description="whether none fits; those that come nearest are there all the same"
    )


@operation("moments", role="viewer", public=True)
def moments(app: App, request: MomentsRequest) -> MomentsAnswer:
    """Find where in a video a text is shown or said."""
    item = item_of(app, request.file, request.item, VIDEO)
    found = app.video.moments(item, request.query, request.version or None, listen=True)
    return MomentsAnswer(**{name: found[name] for name in MomentsAnswer.model_fields})


class SeenRequest(Request):
    """A video as a version sees it."""

    item: Name = Field(description=ITEM)
    version: Name = Field("", description=VERSION)


class WatchRequest(SeenRequest):
    """A video that is looked through behind the page."""

    agreed: bool = Field(False, description="whether a person has agreed to the time that a long one takes")


@operation("watch", role="viewer")
def watch(app: App, request: WatchRequest) -> dict[str, Any]:
    """Begin to look through a video behind the page."""
    return app.video.watch(app.media.item(request.item), request.version or None, request.agreed)


@operation("watching", role="viewer", quick=True)
def watching(app: App, request: SeenRequest) -> dict[str, Any]:
    """How far that is."""
    return app.video.watching(app.media.item(request.item), request.version or None)


@operation("watch_stop", role="viewer", quick=True)
def watch_stop(app: App, request: ItemRequest) -> dict[str, Any]:
    """Stop it."""
    app.context.frame_jobs.stop(app.media.item(request.item))
    return {}


class FindRequest(Request):
    """A video and what to look for."""

    item: Name = Field(description=ITEM)
    query: Text = Field("", description="what to look for")
    version: Name = Field("", description=VERSION)


@operation("find_moments", role="viewer")
def find_moments(app: App, request: FindRequest) -> dict[str, Any]:
    """Where a text is shown or said; from a few key frames while the whole is looked through."""
    item = app.media.item(request.item)
    return app.video.moments(item, request.query, request.version or None, wait=False)


@operation("describe_video", role="viewer")
def describe_video(app: App, request: SeenRequest) -> dict[str, Any]:
    """A caption for each shot that there is one for, as JSON; what is sure also as subtitles and chapters."""
    told = app.video.describe(app.media.item(request.item), request.version or None)
    sure = [row for row in told["captions"] if row["sure"] == "sure"]
    return told | {"vtt": captions_as("vtt", sure), "chapters": captions_as("chapters", sure)}


@operation("label_span", role="annotator", quick=True)
def label_span(app: App, request: LabelOnRequest) -> LabelAnswer:
    """Record a label on a span of a video with a text."""
    if request.start is None or request.end is None:
        raise UserError("A span of a video has a start and an end.", "Give both, in seconds.")
    # the span is the pair's own: the label corrects nothing in it
    new = replace(on_answer(request, "moment"), start_s=None, end_s=None)
    return LabelAnswer(**app.labels.add_on(request.item, request.text, new, request.start, request.end))
