"""Models in memory: each loaded once, one beside the other, and given back when memory is short.

Loading holds a lock of that model only, so what is loaded answers meanwhile. When the models together need
more than their share of the memory, those that were asked for longest ago go, unless somebody holds them, as
an index that answers does. One that went is loaded again when it is asked for.
"""

from __future__ import annotations

import gc
import logging
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

log = logging.getLogger(__name__)


class LoadedModels:
    """Models by key.

    Args:
        room_mb: how much they may need together; asked when one is loaded.
        kept: those that are loaded already; shared by whoever opens several workspaces.
        forget: called with a model before it goes, to let go of what is made of it.
        freed: called after some have gone.
    """

    def __init__(
        self,
        room_mb: Callable[[], int],
        kept: dict[str, Any],
        forget: Callable[[Any], None] = lambda model: None,
        freed: Callable[[], None] = lambda: None,
    ) -> None:
        self._room_mb = room_mb
        self._kept = kept
        self._forget = forget
        self._freed = freed
        self._sizes: OrderedDict[str, int] = OrderedDict()  # MB; the one that was asked for last is last
        self._coming: dict[str, int] = {}  # MB of those that are being loaded
        self._guard = threading.Lock()  # of what stands here; never held while a model loads
        self._locks: dict[str, threading.Lock] = {}

    def find(self, key: str) -> Any | None:
        """The model of that key where it is in memory."""
        return self._kept.get(key)

    def get(self, key: str, size_mb: Callable[[], int], load: Callable[[], Any]) -> Any:
        """The model of that key, loaded now where it is not in memory; waits while another thread does that.

        Args:
            key: its name.
            size_mb: what it needs in memory; asked before it is loaded.
            load: loads it.
        """
        with self._guard:
            lock = self._locks.setdefault(key, threading.Lock())
            if key in self._kept and key in self._sizes:
                self._sizes.move_to_end(key)
                return self._kept[key]
        with lock:
            found = self._kept.get(key)
            needed = size_mb()
            if found is None:
                self._make_room(needed, key)
                try:
                    found = load()
                finally:
                    with self._guard:
                        del self._coming[key]
            with self._guard:
                self._kept[key] = found
                self._sizes[key] = needed
                self._sizes.move_to_end(key)
            return found

    def _make_room(self, needed_mb: int, coming: str) -> None:
        room, gone = self._room_mb(), []
        with self._guard:
            self._coming[coming] = needed_mb
            self._sizes = OrderedDict((k, mb) for k, mb in self._sizes.items() if k in self._kept)
            for key in [k for k in self._sizes if k != coming]:
                if sum(self._sizes.values()) + sum(self._coming.values()) <= room:
                    break
                if self._let_go(key):
                    gone.append(key)
        if gone:
            self._freed()
            log.info("%s left the memory to make room for %s", ", ".join(gone), coming)

    def _let_go(self, key: str) -> bool:
        """Drop a model; one that somebody holds stays, as nothing would be won by loading it twice."""
        self._forget(self._kept[key])
        held = weakref.ref(self._kept.pop(key))
        if held() is not None:
            gc.collect()  # networks may refer to themselves
        model = held()
        if model is not None:
            self._kept[key] = model
            return False
        del self._sizes[key]
        return True
