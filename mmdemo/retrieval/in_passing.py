"""Texts that are made of items in passing, behind the page: each item once, whatever becomes of it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from mmdemo.errors import MediaError, MmdemoError
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)


def look_through(
    ws: Workspace,
    modality: str,
    source: tuple[str, str],
    opened: Callable[[], Callable[[Item], str]],
    stopped: Callable[[], bool],
    unfit: type[MmdemoError] = MediaError,
) -> int:
    """Keep what is made of the items of a collection that were not looked through yet; returns how many were.

    Args:
        ws: the workspace.
        modality: whose collection, by its name.
        source: the kind of the texts, and who makes them.
        opened: opens what makes the text of an item, once there is something to make it of.
        stopped: asked before each item.
        unfit: what is raised of an item of which no text can be made, beside OSError. An empty text is kept
            then, which says that it was looked at.
    """
    kind, ref = source
    known = ws.words.known(kind, ref)
    todo = [item for item in ws.items.listed(modality) if item.id not in known]
    make: Callable[[Item], str] | None = None
    for done, item in enumerate(todo):
        if stopped():
            return done
        make = make or opened()
        try:
            body = make(item)
        except (unfit, OSError) as e:
            log.warning("what is %s in %s is not taken down: %s", kind, item.name, e)
            body = ""
        ws.words.put(item.id, kind, ref, body)
    return len(todo)
