"""What the tab of any modality asks: what it shows first, and one item."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from mmdemo.data.samples import SOURCE
from mmdemo.modality import DEFAULT_TASK, Modality, modality_of
from mmdemo.service.app import App
from mmdemo.service.media import require_modality
from mmdemo.service.operations.requests import AnyTask, ItemRequest, TaskRequest
from mmdemo.service.operations.table import operation
from mmdemo.store.pairs import PairView
from mmdemo.store.tables import Item

SAMPLES = 12
SPREAD = 10  # times as many are looked at: what was imported together is often alike


@operation("samples", role="viewer", quick=True)
def samples(app: App, request: TaskRequest) -> dict[str, Any]:
    """What a tab shows first: some items of the collection with their texts, the versions, the sources to
    filter by, and what is looked for at first; the model begins to load.
    """
    task = request.task
    if task != DEFAULT_TASK:  # whose model loads once the page has answered
        app.context.warm(task)
    modality = modality_of(task)
    items = _first(app, modality)
    pairs = app.ws.pairs.of_items(task, [i.id for i in items])
    return {
        "samples": [
            {
                "item": i.id,
                "name": i.name,
                "texts": [p.final_text for p in pairs.get(i.id, ()) if _is_of_whole(p)],
            }
            for i in items
        ],
        "versions": app.versions.listed(task)["versions"],
        "sources": app.ws.items.sources(modality.name),
        "query": modality.first_query if any(i.source == SOURCE for i in items) else "",
    }


def _is_of_whole(pair: PairView) -> bool:
    """Whether the text is one of the whole item, to be shown with it."""
    return pair.is_own and pair.start_s is None and not pair.hidden


def _first(app: App, modality: Modality) -> list[Item]:
    """Those that the modality names, in that order, then others from all over the collection."""
    listed, names = app.ws.items.listed, modality.shown_first
    named = listed(modality.name, names, shown=True) if names else []
    by_name = {item.name: item for item in reversed(named)}
    chosen = [by_name[name] for name in names if name in by_name][:SAMPLES]
    if len(chosen) == SAMPLES:
        return chosen
    known = {item.id for item in chosen}
    found = listed(modality.name, limit=SPREAD * SAMPLES, shown=True)
    others = [i for i in found if i.id not in known]
    return chosen + others[:: max(1, len(others) // SAMPLES)][: SAMPLES - len(chosen)]


class MediumRequest(ItemRequest):
    """An item, and as what it is to be shown."""

    task: AnyTask = Field("", description="whose medium it must be; empty: any")


@operation("medium", role="viewer", quick=True)
def medium(app: App, request: MediumRequest) -> dict[str, Any]:
    """An item of any modality: what its file says, the texts it came with, and what people say is right."""
    item = app.media.item(request.item)
    task = request.task or app.media.task_of(item)
    require_modality(item, task)
    whole = [p for p in app.ws.pairs.browse(task, item=item.id, shown=True) if p.start_s is None]
    return {
        "item": item.id,
        "name": item.name,
        "task": task,
        "width": item.width,
        "height": item.height,
        "duration": item.duration_s,
        "texts": list(dict.fromkeys(p.final_text for p in whole if p.is_own)),
        "confirmed": next((p.final_text for p in reversed(whole) if p.is_confirmed), ""),
    }
