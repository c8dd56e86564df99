"""What every tab's actions share: reading values out of a request, and the page's status line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdemo.demo import Demo
from mmdemo.errors import UserError
from mmdemo.models.protocols import TASKS, Task
from mmdemo.parts import DEFAULT_TASK
from mmdemo.ui.routes import action


def text_of(body: dict[str, Any], name: str, default: str = "") -> str:
    """A string of the request."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise UserError(f"{name} is not a text.", "Send a string.")
    return value


def number_of(body: dict[str, Any], name: str, default: float) -> float:
    """A number of the request."""
    value = body.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise UserError(f"{name} is not a number.", "Send a number.")
    try:
        return float(value)
    except ValueError:
        raise UserError(f"{name} is {value!r}, which is not a number.", "Write a number.") from None


def task_in(demo: Demo, body: dict[str, Any]) -> Task:
    """The task that a request is about; the first one where it names none."""
    return demo.check_task(text_of(body, "task", DEFAULT_TASK) or DEFAULT_TASK)


def keeping(demo: Demo) -> dict[str, Any]:
    """Where labels are kept, in words, and whether that lasts."""
    place = str(demo.settings.workspace).replace(str(Path.home()), "~", 1)
    if demo.settings.database_url:
        return {"text": "Labels are kept in the database of this host.", "lasting": True}
    if demo.settings.on_space and not place.startswith("/data"):
        text = (
            "Labels are kept on this Space's temporary disk and are LOST when it restarts. "
            "Add a persistent disk, or back up in the Data tab."
        )
        return {"text": text, "lasting": False}
    if (
        demo.settings.on_space
        or demo.settings.share
        or demo.settings.server_name not in {"127.0.0.1", "localhost", ""}
    ):
        return {"text": "Labels are kept on the disk of this host.", "lasting": True}
    return {"text": f"Labels are kept in {place}", "lasting": True}


@action("status")
def status(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """What the line at the top says; cheap, and asked every few seconds."""
    task = task_in(demo, body)
    model = demo.models.status(task)
    if model.state == "ready":
        index = demo.keeper_of(task).status
        indexing = {
            "items": index.items,
            "served": index.served,
            "stale": round(index.stale_share, 3),
            "working": index.working,
        }
    else:
        indexing = {"items": demo.ws.items.count(TASKS[task]), "served": 0, "stale": 0.0, "working": ""}
    return {
        "model": {"state": model.state, "message": model.message, "device": model.device},
        "version": demo.ws.versions.active(task),
        "index": indexing,
        "counts": demo.label_counts(task),
        "keeping": keeping(demo),
        "passphrase": bool(demo.settings.passphrase),
    }


@action("unlock", writes=True)
def unlock(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Answers only who has the pass phrase."""
    return {"ok": True}
