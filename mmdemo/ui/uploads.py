"""Files from the browser: one upload a request, checked as it arrives."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from starlette.requests import Request

from mmdemo.asker import current
from mmdemo.errors import UserError, cannot_write
from mmdemo.modality import DEFAULT_TASK, modality_of
from mmdemo.models.protocols import Task
from mmdemo.service.app import App
from mmdemo.service.context import check_task
from mmdemo.service.exchange import exchange_folder, file_in_batch
from mmdemo.ui.gate import require_role
from mmdemo.ui.lanes import MODELS

LONGEST_PATH = 2000  # characters of a name with its folders


async def receive(app: App, request: Request) -> dict[str, Any]:
    """Take one file in.

    Without a batch it is a file to look at or hear, as what `?task=` says, and becomes an unlisted item; with
    one it waits for its import.

    Raises:
        UserError: too large, its name too long, or not a file of that task.
        AccessError: an import is not the caller's to begin.
    """
    name = request.query_params.get("name", "picture")
    if len(name) > LONGEST_PATH:
        raise UserError(f"The name of the file has {len(name)} characters.", "Choose a shorter one.")
    batch = request.query_params.get("batch", "")
    task = check_task(request.query_params.get("task", "") or DEFAULT_TASK)
    if batch:
        require_role("trainer", current())
    limit = app.settings.max_upload_mb * 1_000_000
    part = exchange_folder() / f"part-{secrets.token_hex(8)}"
    size = 0
    try:
        with part.open("wb") as f:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise UserError(
                        f"{name} is over the limit of {app.settings.max_upload_mb} MB.",
                        "Make it smaller first.",
                    )
                f.write(chunk)
        if batch:
            target = file_in_batch(batch, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
            return {"name": name, "bytes": size}
        return await MODELS.run(_keep, app, part, name, task)
    except OSError as e:
        raise cannot_write(f"{name} could not be saved", e) from e
    finally:
        part.unlink(missing_ok=True)


def _keep(app: App, part: Path, name: str, task: Task) -> dict[str, Any]:
    item = app.ws.add_media(modality_of(task).name, part, name, source="upload", listed=False)
    return {
        "item": item.id,
        "name": item.name,
        "width": item.width,
        "height": item.height,
        "duration": item.duration_s,
        "may_add": not item.listed and current().may("trainer"),
    }
