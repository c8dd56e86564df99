"""What can be asked of versions and base models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import Field

from mmdemo.errors import UserError
from mmdemo.modality import DEFAULT_TASK
from mmdemo.models.find_model import loaders_by_hand
from mmdemo.models.presets import PRESETS, PROPOSED
from mmdemo.service.app import App
from mmdemo.service.exchange import new_folder, offer, pack
from mmdemo.service.operations.requests import (
    LOCAL,
    Answer,
    AnyVersionTask,
    Name,
    Names,
    NothingRequest,
    Person,
    Request,
    SideOrAll,
    VersionTask,
)
from mmdemo.service.operations.table import operation
from mmdemo.store.splits import HELD_OUT

MOST_COMPARED = 20  # versions side by side: each is measured on every pair
VERSION = "a version by its id, from /versions"


class VersionsRequest(Request):
    """Of which task."""

    task: VersionTask = Field(DEFAULT_TASK)


class VersionRow(Answer):
    """A version of the model."""

    id: str
    task: str
    parent: str | None
    run: str | None
    active: bool
    candidate: bool = Field(False, description="whether it is tuned and was never active")


class VersionsAnswer(Answer):
    """The versions, oldest first."""

    versions: list[VersionRow]


@operation("versions", role="viewer", public=True, quick=True)
def versions(app: App, request: VersionsRequest) -> VersionsAnswer:
    """The versions of the model, oldest first."""
    return VersionsAnswer(**app.versions.listed(request.task))


class VersionRequest(Request):
    """A version."""

    version: Name = Field(description=VERSION)
    annotator: Person = Field("", description="who asks for it")


@operation("activate", role="trainer", public=True, quick=True)
def activate(app: App, request: VersionRequest) -> VersionsAnswer:
    """Make a version the one that answers."""
    return VersionsAnswer(**app.versions.activate(request.version, request.annotator))


class RetestAnswer(Answer):
    """What the gate said."""

    version: str
    promoted: bool
    gate: dict[str, Any]


@operation("retest_version", role="trainer", surfaces=("page", "command"))
def retest_version(app: App, request: VersionRequest) -> RetestAnswer:
    """Test a candidate on today's held-out labels, which spends an attempt, and promote it if it passes."""
    return RetestAnswer(**app.versions.retest(request.version, request.annotator))


class ChooseRequest(Request):
    """A base model."""

    task: VersionTask = Field(DEFAULT_TASK)
    model: Name = Field("", description="the id of a preset, a Hub id, a folder, or LOADER:NAME")
    annotator: Person = ""


@operation("choose_model", role="trainer", lane="models", surfaces=("page", "command"))
def choose_model(app: App, request: ChooseRequest) -> dict[str, Any]:
    """Load a model and make it the active version; the answer comes when it is loaded."""
    if not request.model.strip():
        raise UserError("There is no model named.", "Choose one, or write LOADER:NAME.")
    return app.versions.choose_model(request.task, request.model.strip(), request.annotator)


@operation("loading", role="viewer", quick=True)
def loading(app: App, request: VersionsRequest) -> dict[str, Any]:
    """How far the loading of a model is."""
    return {"message": app.models.status(request.task).message}


@operation("stop_loading", role="trainer", quick=True)
def stop_loading(app: App, request: VersionsRequest) -> dict[str, Any]:
    """Stop the download of a model, or trying one."""
    app.offers.stop(request.task)
    app.models.stop_fetching(request.task)
    return {}


@operation("models", role="viewer", quick=True)
def models(app: App, request: VersionsRequest) -> dict[str, Any]:
    """The models that a task can start from, what they need, and what computes here."""
    from mmdemo.models.hub.local_cache import is_local
    from mmdemo.models.memory import device_facts, memory_mb, weights_mb

    active = app.ws.versions.active(request.task)
    base = active if active == PROPOSED else app.ws.versions.get(active).base
    device = device_facts(app.settings)
    free_mb = device["total_mb"] - device["used_mb"]
    rows = [
        {
            "id": p.id,
            "architecture": p.architecture,
            "weights": p.media_tower if p.revision else "",
            "revision": p.revision,
            "about": p.about,
            "licence": p.licence,
            "size_mb": weights_mb(p),
            "memory_mb": memory_mb(p),
            "fits": memory_mb(p) <= free_mb,
            "at_hand": is_local(p),
            "methods": list(p.methods),
            "base": base in {p.id, p.spec},
        }
        for p in PRESETS.values()
        if p.task == request.task
    ]
    return {"models": rows, "by_hand": loaders_by_hand(request.task), "base": base, "device": device}


@operation("hub", role="viewer", quick=True)
def hub(app: App, request: NothingRequest) -> dict[str, Any]:
    """Why no model can be downloaded, as a part of a sentence; empty: one can. It may ask the network."""
    from mmdemo.models.hub.reach import why_closed

    return {"closed": why_closed()}


@operation("device", role="viewer", quick=True)
def device(app: App, request: NothingRequest) -> dict[str, Any]:
    """What computes here, and how busy it is."""
    from mmdemo.models.memory import device_facts

    return device_facts(app.settings)


@operation("version_tree", role="viewer", quick=True)
def version_tree(app: App, request: VersionsRequest) -> dict[str, Any]:
    """The versions, every one after its parent."""
    return {"versions": app.versions.tree(request.task)}


@operation("version_card", role="viewer", quick=True)
def version_card(app: App, request: VersionRequest) -> dict[str, Any]:
    """What a version is and what was measured of it."""
    return app.versions.card(request.version)


class CompareRequest(Request):
    """Versions and the pairs to measure them on."""

    versions: Names = Field(
        description="their ids, the first is what the others are compared with", max_length=MOST_COMPARED
    )
    split: SideOrAll = Field(HELD_OUT, description="of the pairs")
    task: AnyVersionTask = Field(
        "", description="of the versions, which are refused if they are of another; empty: any"
    )


@operation("compare_versions", role="viewer", surfaces=("page", "command"))
def compare_versions(app: App, request: CompareRequest) -> dict[str, Any]:
    """Two or more versions on the same pairs; of two also the gain of each figure, and who moved."""
    return app.versions.compare(request.versions, request.split, request.task)


@operation("remove_version", role="owner", quick=True, surfaces=("page", "command"))
def remove_version(app: App, request: VersionRequest) -> dict[str, Any]:
    """Delete a version's weights; labels and runs stay."""
    return app.versions.remove(request.version)


class PublishRequest(Request):
    """A version and where to push it."""

    version: Name = Field(description=VERSION)
    repo: Name = Field("", description="a repository of the Hub, as YOUR-NAME/MODEL")
    token: Name = Field("", description="of the Hub; empty: that of this machine")
    private: bool = Field(True, description="whether a new repository is private")


@operation("publish_version", role="owner", surfaces=("page", "command"))
def publish_version(app: App, request: PublishRequest) -> dict[str, Any]:
    """Push a version to the Hub."""
    return app.versions.publish(request.version, request.repo, request.token, request.private)


class ExportVersionRequest(Request):
    """A version."""

    version: Name = Field(description=VERSION)
    out: Name = Field("", description="a new folder; empty: a zip to fetch", json_schema_extra=LOCAL)


@operation("export_version", role="trainer", surfaces=("page", "command"))
def export_version(app: App, request: ExportVersionRequest) -> dict[str, Any]:
    """A version as a folder that other programs load."""
    if request.out:
        return app.versions.export(request.version, Path(request.out))
    name = re.sub(r"[^A-Za-z0-9._-]", "-", request.version) or "version"
    folder = new_folder()
    app.versions.export(request.version, folder / "version")
    return {"version": request.version, "path": offer(pack(folder / "version", name))}
