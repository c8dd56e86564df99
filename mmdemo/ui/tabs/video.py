"""The Video tab: find a moment, describe each shot, search the collection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mmdemo.data.subtitles import captions_as
from mmdemo.demo import Demo
from mmdemo.errors import UserError
from mmdemo.ui.routes import action
from mmdemo.ui.tabs.common import number_of, text_of
from mmdemo.ui.tabs.label import new_label
from mmdemo.ui.widgets import widget
from mmdemo.watching import VIDEO

SAMPLES = 12
FIRST_QUERY = "grapes"  # something that the first sample shows


def build() -> None:
    """Lay the tab out."""
    widget("video")


@action("video_start")
def video_start(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """What the tab shows first: sample videos and the versions; the model begins to load."""
    demo.warm(VIDEO)
    items = demo.ws.items.listed("video", limit=SAMPLES)
    pairs = demo.ws.pairs.of_items(VIDEO, [i.id for i in items])
    return {
        "samples": [
            {"item": i.id, "name": i.name, "texts": [p.final_text for p in pairs[i.id] if p.is_own]}
            for i in items
        ],
        "versions": demo.versions(VIDEO)["versions"],
        "query": FIRST_QUERY if any(i.source == "samples" for i in items) else "",
    }


@action("video")
def video(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """A video's facts."""
    item = demo.item(text_of(body, "item"))
    if item.modality != "video":
        raise UserError(f"{item.name} is no video.", "Choose a video.")
    return {
        "item": item.id,
        "name": item.name,
        "duration": item.duration_s,
        "width": item.width,
        "height": item.height,
    }


@action("watch")
def watch(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Begin to look through a video behind the page."""
    item, version = demo.item(text_of(body, "item")), text_of(body, "version") or None
    return demo.watch(item, version, bool(body.get("agreed")))


@action("watching")
def watching(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """How far that is."""
    return demo.watching(demo.item(text_of(body, "item")), text_of(body, "version") or None)


@action("watch_stop")
def watch_stop(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Stop it."""
    demo.frame_jobs.stop(demo.item(text_of(body, "item")))
    return {}


@action("find_moments")
def find_moments(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Where a text is shown or said; from a few key frames while the whole is looked through."""
    item = demo.item(text_of(body, "item"))
    return demo.moments(item, text_of(body, "query"), text_of(body, "version") or None, wait=False)


@action("describe_video")
def describe_video(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """A caption for each shot, as JSON, as subtitles and as chapters."""
    told = demo.describe(demo.item(text_of(body, "item")), text_of(body, "version") or None)
    return told | {
        "vtt": captions_as("vtt", told["captions"]),
        "chapters": captions_as("chapters", told["captions"]),
    }


@action("label_span", writes=True)
def label_span(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Record a label on a span of a video with a text."""
    start, end = number_of(body, "start", 0.0), number_of(body, "end", 0.0)
    # the span is the pair's own: the label corrects nothing in it
    new = replace(new_label(body, text_of(body, "origin", "moment")), start_s=None, end_s=None)
    return demo.label_result(text_of(body, "item"), text_of(body, "text"), new, start, end)
