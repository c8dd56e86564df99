"""What is said in recordings, taken down in passing behind the page: found by its words and by its sound."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from mmdemo.errors import MmdemoError
from mmdemo.modality import modality_of
from mmdemo.retrieval.in_passing import look_through
from mmdemo.retrieval.query import MAX_K
from mmdemo.retrieval.speech.sounds_alike import SoundIndex
from mmdemo.store.words import HEARD
from mmdemo.store.workspace import Workspace


def take_down(ws: Workspace, task: str, tower: Any, stopped: Callable[[], bool]) -> int:
    """Keep what a media tower hears in the items of a task that it was not asked about yet.

    What it makes of a recording stays on the disk, so that the first search need not wait for it.

    Args:
        ws: the workspace.
        task: whose collection; of a modality in which nobody speaks nothing is kept.
        tower: the media tower that serves.
        stopped: asked before each item.

    Returns:
        How many were listened to.
    """
    modality = modality_of(task)
    if modality.heard is None:
        return 0
    listen = partial(modality.heard, ws, tower)
    return look_through(ws, modality.name, (HEARD, tower.id), lambda: listen, stopped, MmdemoError)


class HeardSounds:
    """How what was taken down sounds, kept in memory while nothing is added to it or taken out."""

    def __init__(self) -> None:
        self._index: tuple[tuple[str, int, int], SoundIndex] | None = None  # of so many texts of a tower
        self._lock = threading.Lock()

    def like(self, ws: Workspace, tower: str, query: str, among: Collection[str] | None) -> dict[str, float]:
        """The items in which something sounds like a query, the most alike first, with how much, 0..1.

        Args:
            ws: the workspace.
            tower: the id of the media tower that listened.
            query: words.
            among: only these items; None: all.
        """
        at = tower, ws.words.count(HEARD, tower), ws.changes.latest()
        with self._lock:
            if self._index is None or self._index[0] != at:
                self._index = at, SoundIndex(ws.words.known(HEARD, tower))
            index = self._index[1]
        found = index.like(query, MAX_K if among is None else len(index.names))
        kept = [(item, share) for item, share in found.items() if among is None or item in among]
        return dict(kept[:MAX_K])
