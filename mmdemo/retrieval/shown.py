"""What answers may show: nothing that is hidden, and nothing that was removed since the index was made."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from mmdemo.modality import modality_of
from mmdemo.retrieval.embed import version_file
from mmdemo.retrieval.serving import Serving
from mmdemo.store.workspace import Workspace


@dataclass(frozen=True)
class _Known:
    serving: Serving
    change: int  # the newest one then
    rows: np.ndarray | None  # (N,) bool of the index; None: all
    out: Collection[str]


class Shown:
    """Which items and rows of an index may be shown, looked up anew when something was changed.

    Args:
        ws: the workspace.
        task: whose collection.
    """

    def __init__(self, ws: Workspace, task: str) -> None:
        self._ws = ws
        self._task = task
        self._known: _Known | None = None
        self._lock = threading.Lock()

    def rows(self, serving: Serving) -> np.ndarray | None:
        """(N,) bool of the rows of an index; None: all may be shown."""
        return self._at(serving).rows

    def out(self, serving: Serving) -> Collection[str]:
        """The items that may not."""
        return self._at(serving).out

    def _at(self, serving: Serving) -> _Known:
        change = self._ws.changes.latest()
        with self._lock:
            known = self._known
            if known is None or known.serving is not serving or known.change != change:
                known = self._known = self._look(serving, change)
            return known

    def _look(self, serving: Serving, change: int) -> _Known:
        file = version_file(self._ws, serving.aligner)
        out = self._ws.items.out_of_sight(modality_of(self._task).name) if change else set()
        gone = file.without_key() if change else np.empty(0, np.int64)
        rows = np.concatenate([file.rows_of(sorted(out)), gone])
        rows = rows[(rows >= 0) & (rows < len(serving.index))]
        if not len(rows):
            return _Known(serving, change, None, out)
        shown = np.ones(len(serving.index), bool)
        shown[rows] = False
        return _Known(serving, change, shown, out)
