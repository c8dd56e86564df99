"""Files from the browser and back to it: one upload a request, checked as it arrives; downloads by a
token.
"""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from mmdemo.demo import Demo
from mmdemo.errors import StorageError, UserError
from mmdemo.models.protocols import TASKS, Task
from mmdemo.parts import DEFAULT_TASK
from mmdemo.ui.access import HEADER, require_access

KEPT_S = 24 * 3600.0  # an upload or download that nobody fetched is deleted after a day
_folder: Path | None = None
_downloads: dict[str, Path] = {}
_lock = threading.Lock()


def exchange_folder() -> Path:
    """The temporary folder of this process, outside everything that is served by path."""
    global _folder
    with _lock:
        if _folder is None:
            _folder = Path(tempfile.mkdtemp(prefix="mmdemo-"))
        return _folder


def sweep(now: float | None = None) -> None:
    """Delete what has lain longer than a day."""
    bound = (now or time.time()) - KEPT_S
    for path in exchange_folder().iterdir():
        if path.stat().st_mtime < bound:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def batch_folder(batch: str) -> Path:
    """Where the files of one import wait.

    Raises:
        UserError: not a batch's name.
    """
    if not re.fullmatch(r"[0-9a-z]{8,40}", batch):
        raise UserError("The upload has no valid batch.", "Reload the page.")
    return exchange_folder() / f"batch-{batch}"


async def receive(demo: Demo, request: Request) -> dict[str, Any]:
    """Take one file in.

    Without a batch it is a file to look at or hear, as what `?task=` says, and becomes an unlisted item; with
    one it waits for its import.

    Raises:
        UserError: too large, or not a file of that task.
    """
    name = request.query_params.get("name", "picture")[:500]
    batch = request.query_params.get("batch", "")
    if batch:
        require_access(demo.settings, request.headers.get(HEADER))
    limit = demo.settings.max_upload_mb * 1_000_000
    sweep()
    part = exchange_folder() / f"part-{secrets.token_hex(8)}"
    size = 0
    try:
        with part.open("wb") as f:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise UserError(
                        f"{name} is over the limit of {demo.settings.max_upload_mb} MB.",
                        "Make it smaller first.",
                    )
                f.write(chunk)
        if batch:
            target = _inside(batch_folder(batch), name)
            target.parent.mkdir(parents=True, exist_ok=True)
            part.replace(target)
            return {"name": name, "bytes": size}
        task = request.query_params.get("task", "") or DEFAULT_TASK
        return await run_in_threadpool(_keep, demo, part, name, demo.check_task(task))
    except OSError as e:
        raise StorageError(f"{name} could not be saved: {e.strerror}.", "Free some disk space.") from e
    finally:
        part.unlink(missing_ok=True)


def _keep(demo: Demo, part: Path, name: str, task: Task) -> dict[str, Any]:
    item = demo.ws.add_media(TASKS[task], part, name, source="upload", listed=False)
    return {
        "item": item.id,
        "name": item.name,
        "width": item.width,
        "height": item.height,
        "duration": item.duration_s,
    }


def _inside(root: Path, name: str) -> Path:
    parts = [p for p in name.replace("\\", "/").split("/") if p not in {"", "."}]
    if not parts or ".." in parts or any("\x00" in p for p in parts):
        raise UserError(f"{name!r} is no file name that can be used.", "Rename the file.")
    return root.joinpath(*parts)


def offer(path: Path) -> str:
    """Make a file fetchable; returns the address below the page's own."""
    token = secrets.token_urlsafe(24)
    with _lock:
        _downloads[token] = path
    return f"mmdemo/download/{token}"


def download_path(token: str) -> Path | None:
    """The file behind a token."""
    with _lock:
        path = _downloads.get(token)
    return path if path is not None and path.is_file() else None
