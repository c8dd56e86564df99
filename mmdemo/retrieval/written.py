"""What is written in pictures and videos, read once behind the page, so that it is found by its words."""

from __future__ import annotations

from collections.abc import Callable

from mmdemo.modality import modality_of
from mmdemo.models.written import READER, Reader
from mmdemo.retrieval.in_passing import look_through
from mmdemo.store.tables import Item
from mmdemo.store.words import WRITTEN
from mmdemo.store.workspace import Workspace


def read_written(
    ws: Workspace, task: str, stopped: Callable[[], bool], make: Callable[[], Reader] = Reader
) -> int:
    """Read what is written in the items of a task that were not looked through yet; returns how many were.

    Args:
        ws: the workspace.
        task: whose collection; of a modality without pictures nothing is read.
        stopped: asked before each item.
        make: opens the reader, once there is something to read.
    """
    modality = modality_of(task)
    if modality.pictures is None:
        return 0
    pictures = modality.pictures

    def opened() -> Callable[[Item], str]:
        reader = make()
        return lambda item: reader.read(pictures(ws, item))

    return look_through(ws, modality.name, (WRITTEN, READER), opened, stopped)
