"""The maps of a workspace: made behind the page, one at a time, and told how far they are.

Whoever answers goes first: the thread that lays points out, and those that it begins, wait for others to let
them have a core (`os.setpriority`, where the system has it for threads).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from mmdemo.asker import current
from mmdemo.bounds import TRUSTED_WITH_TIME
from mmdemo.modality import modality_of
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.protocols import Task
from mmdemo.retrieval.background import Background
from mmdemo.retrieval.embed import text_vectors, version_file
from mmdemo.retrieval.maps.groups import can_name, names_of
from mmdemo.retrieval.maps.kept import KeptMap, read_map
from mmdemo.retrieval.maps.making import MapMaker
from mmdemo.retrieval.maps.projection import Stop, Stopped
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
NICE = 10  # behind what answers
MOST_NAMES = 2000  # texts among which the names of groups are looked for
HELD = 4  # maps in memory: 100,000 items take 4 MB, and their ids by row 15 more
SOON_S = 1.0  # what takes less needs no time left

# The aligner of a version, once its vectors are there or it was stopped.
Source = Callable[[Task, str, Callable[[], bool]], HeadAligner]


@dataclass(frozen=True)
class Standing:
    """Where the map of a version stands."""

    map: KeptMap | None  # that can be shown
    working: bool
    share: float = 0.0  # that is done, 0..1
    left_s: float | None = None  # until it is; None: not known yet
    stopped: bool = False  # by somebody, before it was done
    error: str = ""  # what went wrong when it was made last


class Maps:
    """Owns the maps.

    Args:
        ws: the workspace.
        source: gives the aligner of a version once it has read the collection; it waits for that.
    """

    def __init__(self, ws: Workspace, source: Source) -> None:
        self._ws = ws
        self._source = source
        self._work = Background("mmdemo-map", at_once=1)  # by task and version
        self._maps: dict[tuple[str, str], KeptMap] = {}
        self._share: dict[tuple[str, str], tuple[float, float]] = {}  # what is done, and since when
        self._stopped: set[tuple[str, str]] = set()
        self._held: set[tuple[str, str]] = set()  # of those, which no visitor goes on with
        self._lock = threading.Lock()

    def standing(self, task: Task, version: str) -> Standing:
        """Where the map of a version stands; never waits for work."""
        key = task, version
        working = self._work.is_running(key)
        share, begun = self._share.get(key, (0.0, time.monotonic()))
        took = time.monotonic() - begun
        left = took / share - took if share > 0 and took > SOON_S else None
        return Standing(
            self._known(key),
            working,
            share,
            left if working else None,
            not working and key in self._stopped,
            "" if working else self._work.error(key),
        )

    def begin(self, task: Task, version: str) -> None:
        """Make or complete the map of a version behind the page.

        Raises:
            BusyError: too much is waiting.
        """
        key = task, version

        def work(stopped: Callable[[], bool]) -> None:
            self.make(task, version, stopped)

        self._stopped.discard(key)
        self._held.discard(key)
        self._work.start(key, work, "The map could not be made")

    def make(self, task: Task, version: str, stopped: Callable[[], bool] = lambda: False) -> None:
        """Make or complete it now.

        Raises:
            UserError: the version has not read the collection, or there is none of that name.
        """
        key = task, version
        aligner = self._source(task, version, stopped)
        file = version_file(self._ws, aligner)
        file.refresh()
        change = self._ws.changes.latest()
        ids = self._ws.items.ids(modality_of(task).name)
        rows = file.rows_of(ids)
        there = np.flatnonzero(rows >= 0).tolist()
        known, vectors = [ids[i] for i in there], np.asarray(file.matrix()[rows[there]], np.float32)
        begun = time.monotonic()

        def report(share: float) -> None:
            self._share[key] = share, begun

        maker = MapMaker(self._ws.made.folder, task, version, [v.id for v in self._ws.versions.of_task(task)])
        try:
            with BehindOthers():
                made = maker.make(
                    known,
                    vectors,
                    lambda centres: self._names(task, aligner, centres),
                    (change, len(ids)),
                    lambda first: self._hold(key, first),
                    Stop(stopped, report),
                )
            self._hold(key, made)
        except Stopped:
            self._stopped.add(key)
        finally:
            self._share.pop(key, None)

    def stop(self, task: Task, version: str) -> None:
        """Ask that it is not made any further; what can be shown of it stays until the page is closed.

        Raises:
            AccessError: somebody else began it.
        """
        self._work.stop((task, version))
        if current().may(TRUSTED_WITH_TIME):
            self._held.add((task, version))

    def is_wanted(self, task: Task, version: str, count: int, again: bool) -> bool:
        """Whether there is something to make: it is of another collection than that of now, and nobody has
        stopped it and it did not fail, unless it is asked for again.

        Args:
            task: whose items.
            version: whose map.
            count: items that there are.
            again: asked for though it was stopped or failed; a visitor's wish does not count where somebody
                who works here has stopped it.
        """
        key = task, version
        if self._work.is_running(key):
            return False
        if key in self._stopped or self._work.error(key):
            return again and (key not in self._held or current().may(TRUSTED_WITH_TIME))
        known = self._known(key)
        return known is None or known.made_of != (self._ws.changes.latest(), count)

    def close(self) -> None:
        """Stop what is being made."""
        self._work.close()

    def _known(self, key: tuple[str, str]) -> KeptMap | None:
        with self._lock:
            found = self._maps.get(key)
        if found is None:
            found = read_map(self._ws.made.folder, *key)
            if found is not None:
                self._hold(key, found)
        return found

    def _hold(self, key: tuple[str, str], kept: KeptMap) -> None:
        with self._lock:
            self._maps.pop(key, None)
            self._maps[key] = kept
            while len(self._maps) > HELD:
                del self._maps[next(iter(self._maps))]

    def _names(self, task: Task, aligner: HeadAligner, centres: np.ndarray) -> list[str]:
        texts = self._texts(task) if len(centres) else []
        if not texts:
            return [""] * len(centres)
        return names_of(centres, texts, aligner.project_text(text_vectors(self._ws, aligner.towers, texts)))

    def _texts(self, task: Task) -> Sequence[str]:
        """Short texts of the collection, those that most items have first."""
        counts: dict[str, int] = {}
        said: dict[str, str] = {}
        for pair in self._ws.pairs.browse(task, shown=True):
            text = pair.final_text
            if pair.is_own and not pair.is_word and pair.start_s is None and can_name(text):
                key = text_key(text)
                counts[key] = counts.get(key, 0) + 1
                said.setdefault(key, text)
        first = sorted(counts, key=lambda key: (-counts[key], len(said[key]), key))
        return [said[key] for key in first[:MOST_NAMES]]


class BehindOthers:
    """Within it this thread, and those that it begins, wait for others to let them have a core."""

    def __enter__(self) -> None:
        self._was: int | None = None
        if sys.platform != "linux":  # elsewhere it would be the whole process
            return
        with suppress(OSError):
            thread = threading.get_native_id()
            self._was = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, self._was + NICE)

    def __exit__(self, *_: object) -> None:
        if self._was is not None:
            with suppress(OSError):  # who is not root may not go back; the thread ends soon
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), self._was)
