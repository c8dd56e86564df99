"""Files from the browser: one upload a request, checked as it arrives.

They are written by threads: a disk that is busy for a second would keep every other request waiting.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request

from mmdemo.asker import Asker, current
from mmdemo.bounds import Quota, quota_of
from mmdemo.data.archives import ROOMS
from mmdemo.errors import UserError, cannot_write
from mmdemo.modality import DEFAULT_TASK, modality_of
from mmdemo.models.protocols import Task
from mmdemo.service.app import App
from mmdemo.service.context import check_task
from mmdemo.service.exchange import batch_folder, exchange_folder, file_in_batch
from mmdemo.settings import Settings
from mmdemo.store.scratch import kept_s
from mmdemo.ui.gate import require_role

PIECE_BYTES = 256_000  # are kept in memory, then written
MB = 1_000_000  # bytes
LONGEST_PATH = 2000  # characters of a name with its folders


class WaitingImports:
    """How much was uploaded for imports that were not carried out yet, with what was unpacked of it, by who
    sent it.
    """

    def __init__(self) -> None:
        self._batches: dict[str, _Batch] = {}
        self._lock = threading.RLock()

    def room(self, asker: Asker, settings: Settings) -> int | None:
        """How many bytes somebody may send; None: as many as they like."""
        quota = quota_of(asker, settings)
        return None if quota is None else self._left(asker.person, quota)

    def _left(self, who: str, quota: Quota) -> int:
        with self._lock:
            waiting = {name: batch for name, batch in self._batches.items() if batch_folder(name).is_dir()}
            self._batches = waiting
            own = sum(batch.bytes for batch in waiting.values() if batch.who == who)
            every = sum(batch.bytes for batch in waiting.values())
        return min(quota.mb * 1_000_000 - own, quota.all_mb * 1_000_000 - every)

    def add(self, batch: str, asker: Asker, size: int, settings: Settings) -> None:
        """Count a file that waits now."""
        quota = quota_of(asker, settings)
        if quota is None:
            return
        with self._lock:
            if batch not in self._batches:
                self._batches[batch] = _Batch(asker.person, quota, self._left, self._lock)
                ROOMS[batch_folder(batch)] = self._batches[batch]
            self._batches[batch].bytes += size


@dataclass
class _Batch:
    """What waits for one import."""

    who: str
    quota: Quota
    left: Callable[[str, Quota], int]
    lock: threading.RLock
    bytes: int = 0

    def take(self, name: str, size: int) -> None:
        """See `Room`."""
        with self.lock:
            left = max(0, self.left(self.who, self.quota))
            if size > left:
                room = f"{left // MB} MB are left of {self.quota.who}'s space"
                raise UserError(
                    f"{name} holds {-(-size // MB)} MB, and {room}.",
                    "Upload less at once; the owner of the page can set MMDEMO_TRAINER_MB.",
                )
            self.bytes += size

    def give_back(self, size: int) -> None:
        """See `Room`."""
        with self.lock:
            self.bytes -= size


async def receive(app: App, request: Request, waiting: WaitingImports) -> dict[str, Any]:
    """Take one file in.

    Without a batch it is a file to look at or hear, as what `?task=` says, and becomes an unlisted item; with
    one it waits for its import.

    Raises:
        UserError: too large, its name too long, not a file of that task, or too much waits to be imported.
        AccessError: an import is not the caller's to begin.
    """
    name = request.query_params.get("name", "picture")
    if len(name) > LONGEST_PATH:
        raise UserError(f"The name of the file has {len(name)} characters.", "Choose a shorter one.")
    batch = request.query_params.get("batch", "")
    task = check_task(request.query_params.get("task", "") or DEFAULT_TASK)
    room = None
    if batch:
        require_role("trainer", current())
        batch_folder(batch)
        room = waiting.room(current(), app.settings)
    limit = app.settings.max_upload_mb * 1_000_000
    part = exchange_folder() / f"part-{secrets.token_hex(8)}"
    held, size = bytearray(), 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise UserError(
                    f"{name} is over the limit of {app.settings.max_upload_mb} MB.", "Make it smaller first."
                )
            if room is not None and size > room:
                raise UserError(
                    "What was uploaded and not imported yet is over the limit.",
                    "Import it, or wait for a day; the owner of the page can set MMDEMO_TRAINER_MB.",
                )
            held += chunk
            if len(held) >= PIECE_BYTES:
                await app.lanes.files.run(_append, part, bytes(held))
                held.clear()
        if batch:
            await app.lanes.files.run(_put_in_batch, part, held, batch, name)
            waiting.add(batch, current(), size, app.settings)
            return {"name": name, "bytes": size}
        return await app.lanes.models.run(_take, app, part, held, name, task)
    except BaseException as e:
        if size > len(held):  # else nothing was written, or whoever wrote it has removed it
            part.unlink(missing_ok=True)
        if isinstance(e, OSError):
            raise cannot_write(f"{name} could not be saved", e) from e
        raise


def _append(part: Path, data: bytes | bytearray) -> None:
    with part.open("ab") as f:
        f.write(data)


def _put_in_batch(part: Path, rest: bytearray, batch: str, name: str) -> None:
    try:
        _append(part, rest)
        target = file_in_batch(batch, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _take(app: App, part: Path, rest: bytearray, name: str, task: Task) -> dict[str, Any]:
    try:
        _append(part, rest)
        return _keep(app, part, name, task)
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
        "kept_h": None if item.listed else round(kept_s(current()) / 3600),  # hours after its last use
    }
