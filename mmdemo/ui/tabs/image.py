"""The Image tab: align, caption and search, on a picture of one's own or from the samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmdemo.demo import Demo
from mmdemo.errors import UserError
from mmdemo.parts import DEFAULT_TASK
from mmdemo.retrieval.query import Query
from mmdemo.ui.routes import action
from mmdemo.ui.tabs.common import number_of, task_in, text_of
from mmdemo.ui.widgets import widget

SAMPLES = (
    "chelsea.jpg",
    "coffee.jpg",
    "rocket.jpg",
    "astronaut.jpg",
    "another_apple.jpg",
    "bicycle.jpg",
    "a_teapot.jpg",
    "frog.jpg",
    "hamburger.jpg",
    "tiger.jpg",
    "watermelon.jpg",
    "lighthouse.jpg",
)


def build() -> None:
    """Lay the tab out."""
    widget("image")


@action("start")
def start(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """What the tab shows first: sample pictures, the versions, the sources to filter by."""
    by_name = {item.name: item for item in reversed(demo.ws.items.listed("image", SAMPLES))}
    chosen = [by_name[name] for name in SAMPLES if name in by_name]
    if len(chosen) < len(SAMPLES):
        known = {item.id for item in chosen}
        others = [i for i in demo.ws.items.listed("image", limit=2 * len(SAMPLES)) if i.id not in known]
        chosen += others[: len(SAMPLES) - len(chosen)]
    pairs = demo.ws.pairs.of_items(DEFAULT_TASK, [i.id for i in chosen])
    texts = {i: next((p.final_text for p in own if p.is_own), "") for i, own in pairs.items()}
    return {
        "samples": [{"item": i.id, "name": i.name, "text": texts.get(i.id, "")} for i in chosen],
        "versions": demo.versions(DEFAULT_TASK)["versions"],
        "sources": demo.ws.items.sources("image"),
    }


@action("item")
def item(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """A picture and the texts it came with."""
    found = demo.item(text_of(body, "item"))
    pairs = demo.ws.pairs.browse(DEFAULT_TASK, item=found.id)
    texts = list(dict.fromkeys(p.final_text for p in pairs if p.is_own))
    return {
        "item": found.id,
        "name": found.name,
        "width": found.width,
        "height": found.height,
        "texts": texts,
    }


@action("align")
def align(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Scores of captions and where in the picture each is found (0-255, row by row)."""
    texts = body.get("texts")
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise UserError("The captions are not a list of texts.", "Send a list.")
    version, explanation = demo.explain(
        demo.item(text_of(body, "item")), texts, text_of(body, "version") or None
    )
    maps = (explanation.maps * 255).astype(np.uint8)  # (T, h, w)
    return {
        "model": version,
        "scores": [vars(score) for score in explanation.scores],
        "maps": [m.tolist() for m in maps],
    }


@action("caption")
def caption(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Proposed captions, best first."""
    return demo.caption(demo.item(text_of(body, "item")), text_of(body, "version") or None)


@action("search")
def search(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The nearest pictures or texts, with what was said of each for this query."""
    words = text_of(body, "query").strip()
    query = Query(
        text=words,
        item=text_of(body, "item") or None,
        k=int(number_of(body, "k", 24)),
        target=text_of(body, "target", "media"),
        state=text_of(body, "state"),
        source=text_of(body, "source"),
    )
    found = demo.search(query, task_in(demo, body))
    answer = found.as_json()
    for row, result in zip(answer["results"], found.results, strict=True):
        row["verdict"] = result.verdict
    return answer | {"stale": round(found.stale_share, 3)}
