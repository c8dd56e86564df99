"""What the Image tab asks."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from mmdemo.modality import DEFAULT_TASK
from mmdemo.service.app import App
from mmdemo.service.operations.requests import (
    ITEM,
    VERSION,
    ItemRequest,
    Lines,
    Name,
    NothingRequest,
    Request,
)
from mmdemo.service.operations.table import operation

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


@operation("start", role="viewer", quick=True)
def start(app: App, request: NothingRequest) -> dict[str, Any]:
    """What the tab shows first: sample pictures, the versions, the sources to filter by."""
    by_name = {item.name: item for item in reversed(app.ws.items.listed("image", SAMPLES))}
    chosen = [by_name[name] for name in SAMPLES if name in by_name]
    if len(chosen) < len(SAMPLES):
        known = {item.id for item in chosen}
        others = [i for i in app.ws.items.listed("image", limit=2 * len(SAMPLES)) if i.id not in known]
        chosen += others[: len(SAMPLES) - len(chosen)]
    pairs = app.ws.pairs.of_items(DEFAULT_TASK, [i.id for i in chosen])
    texts = {i: next((p.final_text for p in own if p.is_own), "") for i, own in pairs.items()}
    return {
        "samples": [{"item": i.id, "name": i.name, "text": texts.get(i.id, "")} for i in chosen],
        "versions": app.versions.listed(DEFAULT_TASK)["versions"],
        "sources": app.ws.items.sources("image"),
    }


@operation("item", role="viewer", quick=True)
def item(app: App, request: ItemRequest) -> dict[str, Any]:
    """A picture and the texts it came with."""
    found = app.media.item(request.item)
    pairs = app.ws.pairs.browse(DEFAULT_TASK, item=found.id)
    texts = list(dict.fromkeys(p.final_text for p in pairs if p.is_own))
    return {
        "item": found.id,
        "name": found.name,
        "width": found.width,
        "height": found.height,
        "texts": texts,
    }


class ExplainRequest(Request):
    """A picture and captions."""

    item: Name = Field(description=ITEM)
    texts: Lines = Field(description="the captions")
    version: Name = Field("", description=VERSION)


@operation("explain", role="viewer")
def explain(app: App, request: ExplainRequest) -> dict[str, Any]:
    """Scores of captions and where in the picture each is found (0-255, row by row; 255 is certain), with a
    sentence for each of which nothing is lit.
    """
    version, found = app.pictures.explain(
        app.media.item(request.item), request.texts, request.version or None
    )
    maps = (found.maps * 255).astype("uint8")  # (T, h, w)
    return {
        "model": version,
        "scores": [vars(score) for score in found.scores],
        "maps": [m.tolist() for m in maps],
        "notes": list(found.notes),
    }
