"""What is written in pictures and videos, read once behind the page, so that it is found by its words."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mmdemo.errors import MediaError
from mmdemo.modality import modality_of
from mmdemo.models.written import READER, Reader, can_read
from mmdemo.store.words import WRITTEN
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)


def read_written(ws: Workspace, task: str, stopped: Callable[[], bool], make: Callable[[], Reader]) -> int:
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
    known = ws.words.known(WRITTEN, READER)
    todo = [item for item in ws.items.listed(modality.name) if item.id not in known]
    reader: Reader | None = None
    for done, item in enumerate(todo):
        if stopped():
            return done
        reader = reader or make()
        try:
            body = reader.read(modality.pictures(ws, item))
        except (MediaError, OSError) as e:
            log.warning("what is written in %s is not read: %s", item.name, e)
            body = ""
        ws.words.put(item.id, WRITTEN, READER, body)  # an empty one says that it was looked at
    return len(todo)


def read_where_possible(ws: Workspace, task: str, stopped: Callable[[], bool]) -> int:
    """As `read_written` where a reader is installed; else nothing."""
    return read_written(ws, task, stopped, Reader) if can_read() else 0
