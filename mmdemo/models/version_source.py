"""Where a version's weights are: its own, those that its ancestors trained, and the preset below them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mmdemo.errors import UserError
from mmdemo.models.find_model import find_preset, names_folder
from mmdemo.models.presets import PRESETS, PROPOSED, Preset
from mmdemo.models.protocols import Task

if TYPE_CHECKING:
    from mmdemo.store.workspace import Workspace

ADAPTER = "adapter"  # in a version's folder: the LoRA weights of its tower
NETWORK = "network"  # in a version's folder: a whole network of its own


@dataclass(frozen=True)
class VersionSource:
    """What it takes to load a version."""

    id: str
    task: Task
    preset: Preset  # of its towers, with the adapter that it or an ancestor has
    folder: Path | None  # its weights; None: the base version itself


def _require_named_here(ws: Workspace, version_id: str, name: str) -> None:
    """Refuse a model that the database names and nobody here has chosen: whose folder it is nobody knows, and
    of the Hub it would be asked for with the token of this host.
    """
    if name in PRESETS or ws.named_models.knows(name):
        return
    if names_folder(name):
        raise UserError(
            f"{version_id} stands on a model in a folder that a backup names, and nobody at this machine.",
            "Name the folder here once: mmdemo models use LOADER:FOLDER.",
        )
    raise UserError(
        f"{version_id} stands on {name}, a model that a backup names, and nobody here has chosen.",
        f"Choose it once under Models, or by: mmdemo models use {name}.",
    )


def version_source(ws: Workspace, version_id: str) -> VersionSource:
    """Where a workspace keeps a version.

    Raises:
        UserError: there is no such version, it stands on no model of its task, or on one that only a
            backup names.
    """
    version = ws.versions.get(version_id)
    if version.base == PROPOSED:
        raise UserError(f"{version_id} is a version of {version.task} and has no network.", "Choose another.")
    folder = ws.version_folder(version_id) if version.parent else None
    _require_named_here(ws, version_id, version.base)
    preset = find_preset(version.base)
    if preset.task != version.task:
        raise UserError(
            f"{version_id} is a version of {version.task}, and stands on a model of {preset.task}.",
            "Choose another.",
        )
    holder: str | None = version_id
    while holder is not None:
        adapter, network = (ws.version_folder(holder) / name for name in (ADAPTER, NETWORK))
        if adapter.is_dir() and not preset.adapter:
            preset = replace(preset, adapter=str(adapter), adapter_of=holder)
        if network.is_dir():  # in which every adapter before it is merged
            preset = replace(preset, media_tower=str(network), adapter_of=preset.adapter_of or holder)
            break
        holder = ws.versions.get(holder).parent
    return VersionSource(version.id, version.task, preset, folder)
