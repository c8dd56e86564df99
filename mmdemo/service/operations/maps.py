"""What can be asked of the map of a collection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field

from mmdemo.modality import DEFAULT_TASK
from mmdemo.service.app import App
from mmdemo.service.maps import ShownMap, packed
from mmdemo.service.operations.requests import (
    FEW,
    VERSION,
    Answer,
    Count,
    FewLines,
    Name,
    Request,
    TaskName,
    Text,
)
from mmdemo.service.operations.table import operation

if TYPE_CHECKING:
    from mmdemo.retrieval.maps.keeper import Standing

MOST_POINTS = 5000  # of one answer in words; all of a hundred thousand come in twenty
UNKNOWN = 255  # a score as a byte; others are in parts of 250
PARTS = 250
State = Literal["empty", "working", "ready", "stopped", "failed"]


class MapRequest(Request):
    """Which map, and which part of it."""

    task: TaskName = Field(DEFAULT_TASK)
    version: Name = Field("", description=VERSION)
    query: Text = Field("", description="words; each point tells how well it fits them")
    limit: Annotated[Count, Field(ge=1, le=MOST_POINTS)] = Field(
        1000, description=f"how many points, 1 to {MOST_POINTS}"
    )
    offset: Count = Field(0, description="how many points to pass over")


class PointRow(Answer):
    """Where one item lies."""

    item: str
    x: float = Field(description="0 to 1, to the right")
    y: float = Field(description="0 to 1, up")
    answer: str = Field(description="how people answered, by the name of a kind of label, or unlabelled")
    source: str
    group: int | None = Field(description="its place among the groups; null: of none")
    score: float | None = Field(
        None, description="with a query: the probability that it fits, or the similarity"
    )


class GroupRow(Answer):
    """Items that lie together."""

    name: str = Field(description="the text nearest to their centre; empty: none is clear")
    x: float
    y: float
    items: int


class MapAnswer(Answer):
    """Points, of which near ones are alike to the model."""

    model: str
    state: State = Field(description="working: it is made or completed behind the page; ask again")
    share: float = Field(description="of the work that is done, 0 to 1")
    left_s: float | None = Field(description="seconds until it is, as far as is known")
    items: int = Field(description="in the collection")
    total: int = Field(description="points on the map")
    points: list[PointRow]
    groups: list[GroupRow]
    measured: bool = Field(True, description="whether the scores are probabilities; else similarities")
    note: str = Field("", description="what does not work with the query, or what went wrong")


@operation("map", role="viewer", public=True)
def map_of(app: App, request: MapRequest) -> MapAnswer:
    """Lay the collection out in a plane, alike items near each other, with how each was answered, its source
    and its group. What is not laid out yet is, behind the page: ask again while the state is working. A new
    version's map goes on from the one before, so what moves is what it learned.
    """
    wait = app.context.progress is not None  # a command ends with its answer
    model, standing, items = app.maps.look(request.task, request.version, wait=wait)
    told = {**_stands(standing, items), "model": model, "items": items, "note": standing.error}
    if standing.map is None:
        return MapAnswer(**told, total=0, points=[], groups=[])
    shown = app.maps.shown(request.task, standing.map)
    part = slice(request.offset, request.offset + request.limit)
    ids = shown.ids[part]
    scores: list[float | None] = [None] * len(ids)
    if request.query.strip() and ids:
        found = app.maps.scores(request.task, request.version, request.query, ids)
        scores = [round(float(n), 4) if np.isfinite(n) else None for n in found.numbers]
        told |= {"measured": found.measured, "note": found.note}
    return MapAnswer(
        **told,
        total=len(shown.ids),
        points=_points(shown, part, scores),
        groups=[GroupRow(**group) for group in shown.groups],
    )


def _stands(standing: Standing, items: int) -> dict[str, Any]:
    """The state of a map as answers say it."""
    made = standing.map is not None and standing.map.whole > 0
    state: State = "ready" if made else "empty"
    if standing.working:
        state = "working"
    elif standing.error:
        state = "failed"
    elif standing.stopped:
        state = "stopped"
    elif not items:
        state = "empty"
    return {"state": state, "share": round(standing.share, 3), "left_s": standing.left_s}


def _points(shown: ShownMap, part: slice, scores: list[float | None]) -> list[PointRow]:
    marks, groups = shown.marks, shown.kept.groups[shown.of_map[part]].tolist()
    rows = zip(
        shown.ids[part],
        shown.places[part].tolist(),
        shown.of_marks[part].tolist(),
        groups,
        scores,
        strict=True,
    )
    return [
        PointRow(
            item=item,
            x=round(x, 4),
            y=round(y, 4),
            answer=marks.kinds[int(marks.answer[row])],
            source=marks.sources[int(marks.source[row])],
            group=group if group >= 0 else None,
            score=score,
        )
        for item, (x, y), row, group, score in rows
    ]


class PackedMapRequest(Request):
    """Which map, and what of it the page has already."""

    task: TaskName = Field(DEFAULT_TASK)
    version: Name = Field("", description=VERSION)
    known: Name = Field("", description="the token of the points that are there")
    again: bool = Field(False, description="make it also where somebody stopped it, or it failed")


@operation("map_points", role="viewer", quick=True)
def map_points(app: App, request: PackedMapRequest) -> dict[str, Any]:
    """A map as the page draws it, in bytes as base64: 100,000 points are 5 MB, of which most is ids and is
    sent once, to everybody the same.
    """
    model, standing, items = app.maps.look(request.task, request.version, request.again)
    told = {**_stands(standing, items), "model": model, "items": items, "error": standing.error}
    if standing.map is None:
        return told | {"token": "", "points": None}
    shown = app.maps.shown(request.task, standing.map)
    told |= {"token": shown.token, "kinds": list(shown.marks.kinds), "answers": shown.answers}
    return told | {"points": None if request.known == shown.token else app.maps.points(request.task, shown)}


class StopMapRequest(Request):
    """A map that is made."""

    task: TaskName = Field(DEFAULT_TASK)
    version: Name = Field("", description=VERSION)


@operation("stop_map", role="viewer", quick=True)
def stop_map(app: App, request: StopMapRequest) -> dict[str, Any]:
    """Stop laying a map out, as who began it or may label; what can be shown of it stays."""
    app.maps.stop(request.task, request.version)
    return {"stopped": True}


class MapScoresRequest(Request):
    """A text."""

    task: TaskName = Field(DEFAULT_TASK)
    version: Name = Field("", description=VERSION)
    query: Text = Field(description='words, such as "an apple"')


@operation("map_scores", role="viewer")
def map_scores(app: App, request: MapScoresRequest) -> dict[str, Any]:
    """How well each point fits a text, a byte each, in parts of 250; 255: it cannot be said. Where nothing
    was measured they say how near it comes, from the farthest to the nearest.
    """
    model, standing, _ = app.maps.look(request.task, request.version)
    if standing.map is None:
        return {"model": model, "token": "", "scores": "", "measured": True, "note": ""}
    shown = app.maps.shown(request.task, standing.map)
    found = app.maps.scores(request.task, request.version, request.query, shown.ids)
    numbers, known = found.numbers, np.isfinite(found.numbers)
    if not found.measured and known.any():
        low, high = numbers[known].min(), numbers[known].max()
        numbers = (numbers - low) / max(float(high - low), 1e-9)
    parts = np.full(len(numbers), UNKNOWN, np.uint8)
    parts[known] = np.rint(np.clip(numbers[known], 0, 1) * PARTS)
    told = {"model": found.version, "token": shown.token, "measured": found.measured, "note": found.note}
    return told | {"scores": packed(parts, np.uint8)}


class MapNearRequest(Request):
    """Points, and how many others."""

    task: TaskName = Field(DEFAULT_TASK)
    version: Name = Field("", description=VERSION)
    items: FewLines = Field(description=f"items by their ids, at most {FEW}")
    k: Annotated[Count, Field(ge=1, le=200)] = Field(24, description="how many, 1 to 200")


@operation("map_near", role="viewer")
def map_near(app: App, request: MapNearRequest) -> dict[str, Any]:
    """The items that are most alike to some others together, the nearest first."""
    model, standing, _ = app.maps.look(request.task, request.version)
    among = app.maps.shown(request.task, standing.map).ids if standing.map is not None else []
    known = set(among)
    items = [item for item in request.items if item in known]  # of what answers may show
    found = app.maps.near(request.task, request.version, items, among, request.k) if items else []
    return {"model": model, "items": found}


class MapItemsRequest(Request):
    """Points."""

    task: TaskName = Field(DEFAULT_TASK)
    items: FewLines = Field(description=f"their ids, at most {FEW}")
    query: Text = Field("", description="the text on which their answers are told; empty: each one's own")


@operation("map_items", role="viewer", quick=True)
def map_items(app: App, request: MapItemsRequest) -> dict[str, Any]:
    """What items are called, their texts, and how these were answered."""
    return {"items": app.maps.told(request.task, request.items, request.query)}
