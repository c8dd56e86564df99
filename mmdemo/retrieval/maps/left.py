"""What is left of the maps of a collection that is empty: they hold the ids of all that was removed."""

from __future__ import annotations

import shutil

from mmdemo.media.listing import entries
from mmdemo.modality import TASKS, modality_of
from mmdemo.store.workspace import Workspace


def remove_left_maps(ws: Workspace) -> None:
    """Remove the maps of the tasks whose collection is empty."""
    for folder in entries(ws.made.folder / "maps"):
        if folder.name in TASKS and not ws.items.count(modality_of(folder.name).name):
            shutil.rmtree(folder, ignore_errors=True)
