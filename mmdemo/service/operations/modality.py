"""What the tab of a modality without one of its own asks."""

from __future__ import annotations

from typing import Any

from mmdemo.modality import modality_of
from mmdemo.service.app import App
from mmdemo.service.operations.requests import ItemRequest, TaskRequest
from mmdemo.service.operations.table import operation

SAMPLES = 12
SPREAD = 10  # times as many are looked at: what was imported together is often alike


@operation("samples", role="viewer", quick=True)
def samples(app: App, request: TaskRequest) -> dict[str, Any]:
    """What the tab shows first: some items of the collection, the versions, the sources to filter by; the
    model begins to load.
    """
    task = request.task
    app.context.warm(task)
    name = modality_of(task).name
    first = app.ws.items.listed(name, limit=SPREAD * SAMPLES)
    items = first[:: max(1, len(first) // SAMPLES)][:SAMPLES]
    pairs = app.ws.pairs.of_items(task, [i.id for i in items])
    texts = {i: next((p.final_text for p in own if p.is_own), "") for i, own in pairs.items()}
    return {
        "samples": [{"item": i.id, "name": i.name, "text": texts.get(i.id, "")} for i in items],
        "versions": app.versions.listed(task)["versions"],
        "sources": app.ws.items.sources(name),
    }


@operation("medium", role="viewer", quick=True)
def medium(app: App, request: ItemRequest) -> dict[str, Any]:
    """An item of any modality and the texts it came with."""
    found = app.media.item(request.item)
    pairs = app.ws.pairs.browse(app.media.task_of(found), item=found.id)
    texts = list(dict.fromkeys(p.final_text for p in pairs if p.is_own))
    return {"item": found.id, "name": found.name, "task": app.media.task_of(found), "texts": texts}
