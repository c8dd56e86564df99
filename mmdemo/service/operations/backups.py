"""What can be asked of the workspace as a whole: back it up, look whether it is sound, restore it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.service.exchange import batch_folder, offer
from mmdemo.service.operations.requests import LOCAL, Name, Request
from mmdemo.service.operations.table import operation


class BackupRequest(Request):
    """Where to."""

    out: Name = Field("", description="a new zip; empty: one to fetch", json_schema_extra=LOCAL)
    with_outside: bool = Field(False, description="with the media that are read from outside the workspace")


@operation("backup", role="owner", surfaces=("page", "command"))
def backup(app: App, request: BackupRequest) -> dict[str, Any]:
    """Write the whole workspace to one zip."""
    path = app.data.back_up(Path(request.out) if request.out else None, request.with_outside)
    left_out = 0 if request.with_outside else app.data.lies_outside()
    told = {"bytes": path.stat().st_size, "path": str(path) if request.out else offer(path)}
    return told | {"outside": left_out}


class CheckRequest(Request):
    """How to go about it."""

    repair: bool = Field(False, description="make anew what can be made, where it is damaged")


@operation("check", role="owner", surfaces=("command",))
def check(app: App, request: CheckRequest) -> dict[str, Any]:
    """Look whether the workspace is whole: its database, its files, its vectors, versions and runs."""
    return app.data.check(request.repair).as_json()


class RestoreRequest(Request):
    """An uploaded backup."""

    batch: Name = Field("", description="the upload")


@operation("restore", role="owner")
def restore(app: App, request: RestoreRequest) -> dict[str, Any]:
    """Put a backup in the place of the workspace, which is kept in a folder of its own."""
    archives = list(batch_folder(request.batch).glob("*"))
    if len(archives) != 1:
        raise UserError("No backup was uploaded.", "Choose a zip that Back up made.")
    done = app.data.restore(archives[0])
    return {
        "kept": str(done.kept) if app.asked_here else done.kept.name,
        "lacking": done.lacking.files,
        "outside": done.lacking.outside,
        "grants": done.lacking.grants,
    }
