"""What the page as a whole asks: its status line, and who one is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdemo.asker import current
from mmdemo.modality import MODALITIES, modality_of
from mmdemo.service.app import App
from mmdemo.service.operations.requests import TaskRequest
from mmdemo.service.operations.table import operation


def keeping(app: App) -> dict[str, Any]:
    """Where labels are kept, in words, and whether that lasts."""
    place = str(app.settings.workspace).replace(str(Path.home()), "~", 1)
    if app.settings.database_url:
        return {"text": "Labels are kept in the database of this host.", "lasting": True}
    if app.settings.on_space and not place.startswith("/data"):
        text = (
            "Labels are kept on this Space's temporary disk and are LOST when it restarts. "
            "Add a persistent disk, or back up in the Data tab."
        )
        return {"text": text, "lasting": False}
    if not app.asked_here:
        return {"text": "Labels are kept on the disk of this host.", "lasting": True}
    return {"text": f"Labels are kept in {place}", "lasting": True}


def modalities() -> list[dict[str, str]]:
    """What the page's scripts know of each modality: its words, the tab that opens it, how it is played."""
    return [
        {
            "task": m.task,
            "name": m.name,
            "title": m.title,
            "noun": m.noun,
            "plural": m.plural,
            "tab": m.tab or m.task,
            "player": m.player,
        }
        for m in MODALITIES.values()
    ]


@operation("status", role="viewer", quick=True)
def status(app: App, request: TaskRequest) -> dict[str, Any]:
    """What the line at the top says; cheap, and asked every few seconds."""
    task = request.task
    model = app.models.status(task)
    if model.state == "ready":
        index = app.context.keeper_of(task).status
        indexing = {
            "items": index.items,
            "served": index.served,
            "stale": round(index.stale_share, 3),
            "working": index.working,
        }
    else:
        indexing = {
            "items": app.ws.items.count(modality_of(task).name),
            "served": 0,
            "stale": 0.0,
            "working": "",
        }
    return {
        "model": {"state": model.state, "message": model.message, "device": model.device},
        "version": app.ws.versions.active(task),
        "index": indexing,
        **app.labels.progress(task),
        "keeping": keeping(app),
        "you": {
            "role": current().role,
            "name": current().name,
            "person": current().person,
            "hub": app.settings.hub_sign_in is not None,
            "alone": app.asked_here and not current().session,  # there is nobody to sign in or out
        },
    }
