"""The index that answers now, and the thread that keeps it up to date behind the page.

After a promotion the old version's vectors keep serving, whole and consistent, while the new ones are
made; then the two change places at once. New items come with an index of their own, so what a search has
taken never changes while it is used.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from mmdemo.errors import MmdemoError
from mmdemo.modality import modality_of
from mmdemo.models.aligner import HeadAligner
from mmdemo.models.manager import ModelManager
from mmdemo.models.protocols import Task
from mmdemo.models.written import can_read
from mmdemo.retrieval.embed import embed_items, feature_file, project_items, version_file
from mmdemo.retrieval.index import VectorIndex
from mmdemo.retrieval.speech.heard import take_down
from mmdemo.retrieval.written import read_written
from mmdemo.store.changes import REMOVE
from mmdemo.store.vectors import FileId, VectorFile, take_out
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
CLOSE_S = 10.0  # a batch of a large model on a busy machine
FOLLOWED_EVERY_S = 1.0  # asking which version is active takes a third of a millisecond
COUNTED_EVERY_S = 5  # counting a million rows takes 100 ms


@dataclass(frozen=True)
class Serving:
    """An index and the version whose vectors are in it; it never changes."""

    aligner: HeadAligner
    index: VectorIndex
    file: FileId | None = None  # that its rows are in

    @staticmethod
    def of(aligner: HeadAligner, file: VectorFile) -> Serving:
        """What a version's vectors answer, as they are on the disk."""
        matrix, which = file.mapped()
        return Serving(aligner, VectorIndex(matrix), which)

    @property
    def version(self) -> str:
        """The version that made the vectors, and that must encode the queries."""
        return self.aligner.version


@dataclass(frozen=True)
class IndexStatus:
    """What the page says about the index."""

    items: int  # in the collection
    served: int  # of them in the index that answers
    version: str  # that answers; empty before the first
    active: str  # that should
    working: str  # what is being done, or empty

    @property
    def stale_share(self) -> float:
        """The share of the collection that the active version does not answer for yet, 0..1."""
        if not self.items or not self.version:  # nothing was served before
            return 0.0
        return 1.0 if self.version != self.active else 1.0 - min(1.0, self.served / self.items)


class IndexKeeper:
    """Owns the serving index of one task and brings it up to date on request."""

    def __init__(self, ws: Workspace, models: ModelManager, task: Task) -> None:
        self._ws = ws
        self._models = models
        self._task: Task = task
        self._serving: Serving | None = None
        self._work = threading.Lock()  # one builder at a time
        self._wanted = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._working = ""
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._followed_at = 0.0  # monotonic seconds
        self._failed = ""  # the version that could not be served
        self._items = 0  # the collection's size when it was last counted
        self._counted_at = 0.0  # monotonic seconds
        self._unmade: set[str] = set()  # items of which nothing can be made, as far as was tried

    @property
    def status(self) -> IndexStatus:
        """Where the index stands; never waits for work."""
        serving, active = self._serving, self._ws.versions.active(self._task)
        self._follow(active)
        return IndexStatus(
            items=self._count(),
            served=len(serving.index) if serving else 0,
            version=serving.version if serving else "",
            active=active,
            working=self._working,
        )

    def _count(self) -> int:
        """The collection's size. Another process may add to it, and then the index follows."""
        if not self._counted_at or time.monotonic() - self._counted_at > COUNTED_EVERY_S:
            before, known = self._items, bool(self._counted_at)
            self._items = self._ws.items.count(modality_of(self._task).name)
            self._counted_at = time.monotonic()
            if known and self._items != before and self._thread is not None:
                self.request()
        return self._items

    def serving(self) -> Serving:
        """The index that answers now; built here if there is none yet."""
        serving = self._serving
        if serving is None:
            return self.update()
        if not self.is_now(serving):
            return self._reopened(serving)
        if time.monotonic() - self._followed_at > FOLLOWED_EVERY_S:
            self._follow(self._ws.versions.active(self._task))
        return serving

    def is_now(self, serving: Serving) -> bool:
        """Whether the rows of an index are those on the disk still: none were put in their place, as by a
        repair, by this process or another. Else its row numbers are those of other items by now.
        """
        return serving.file is None or version_file(self._ws, serving.aligner).is_now(serving.file)

    def _reopened(self, before: Serving) -> Serving:
        """What is in the new file, at once; what it lacks follows behind the page. With an empty one: all."""
        file = version_file(self._ws, before.aligner)
        if not file.refresh():
            return self.update()
        serving = Serving.of(before.aligner, file)
        if self._serving is before:
            self._serving = serving
        self.request()
        return serving

    def mended(self, serving: Serving) -> bool:
        """Whether what an index or its features hold was damaged, or was put in the place of what was; then a
        search has an answer the next time.
        """
        files = version_file(self._ws, serving.aligner), feature_file(self._ws, serving.aligner.towers)
        lost = sum([file.drop_damaged() for file in files])
        if lost:
            self.request()
        return bool(lost) or not self.is_now(serving)

    def made_anew(self, aligner: HeadAligner, ids: Collection[str]) -> set[str]:
        """Make what was lost of items, each tried once until the next update; returns those that stay without
        it: their files are gone too, or an update is at it.
        """
        todo = [i for i in ids if i not in self._unmade]
        if todo and self._work.acquire(blocking=False):
            try:
                items = [item for item in self._ws.items.of(todo).values() if item.listed]
                embed_items(self._ws, aligner.towers, items)
                self._unmade.update(feature_file(self._ws, aligner.towers).missing(todo))
            finally:
                self._work.release()
            todo = [i for i in todo if i in self._unmade]
        return {*todo, *(i for i in ids if i in self._unmade)}

    def _follow(self, active: str) -> None:
        """Bring the index over to the active version behind the page, whoever activated it: this process, a
        command, or another page. Until then the version before answers. One that could not be served is not
        tried again and again.
        """
        self._followed_at = time.monotonic()
        serving = self._serving
        behind = serving is not None and active not in {serving.version, self._failed}
        if behind and self._idle.is_set() and not self._closed:
            self.request()

    def update(self) -> Serving:
        """Embed what is new, carry it into the active version's space, and serve that; waits until it is
        done.
        """
        with self._work:
            aligner = self._models.aligner(self._task)
            changed_at = self._ws.changes.latest(REMOVE)
            items = self._ws.items.listed(modality_of(self._task).name)
            self._items, self._counted_at = len(items), time.monotonic()
            self._working = "embedding"
            try:
                embed_items(self._ws, aligner.towers, items, self._report, lambda: self._closed)
                self._working = "indexing"
                file = version_file(self._ws, aligner)
                file.leave_out_damaged()
                ids = [item.id for item in items]
                project_items(self._ws, aligner, ids)
                features = feature_file(self._ws, aligner.towers)
                self._unmade = set(features.missing(ids)) if len(features) < len(ids) else set()
                self._take_out_removed(ids, changed_at)
                self._serving = Serving.of(aligner, file)
            finally:
                self._working = ""
            return self._serving

    def _take_out_removed(self, ids: Sequence[str], changed_at: int) -> None:
        """Nothing stays of what was removed while its vectors were made."""
        if self._ws.changes.latest(REMOVE) != changed_at:
            there = set(self._ws.items.ids(modality_of(self._task).name))
            take_out(self._ws.folder / "vectors", [item for item in ids if item not in there])

    def request(self) -> None:
        """Ask for an update behind the page; many requests are one."""
        self._counted_at = 0.0
        self._idle.clear()
        self._wanted.set()
        with self._starting:
            if self._thread is None and not self._closed:
                thread = threading.Thread(target=self._loop, name="mmdemo-index", daemon=True)
                thread.start()
                self._thread = thread

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is requested any more; False when that takes longer."""
        return self._idle.wait(timeout_s)

    def version_vectors(self, aligner: HeadAligner, ids: list[str]) -> np.ndarray:
        """(N, D) vectors of items by a version; those that are missing are made now."""
        file = version_file(self._ws, aligner)
        if file.missing(ids):
            with self._work:
                items = self._ws.items.of(ids)
                embed_items(self._ws, aligner.towers, list(items.values()))
                project_items(self._ws, aligner, ids)
        return file.get(ids)

    def close(self) -> None:
        """End the thread after the batch that it is at."""
        with self._starting:
            self._closed = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join(CLOSE_S)

    def _loop(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            if self._closed:
                return
            wanted = self._ws.versions.active(self._task)
            try:
                self.update()
                self._failed = ""
                self._in_passing()
            except Exception as e:
                self._failed = wanted
                known = isinstance(e, MmdemoError)
                log.error("the index could not be updated: %s", e, exc_info=not known)
            if not self._wanted.is_set():
                self._idle.set()

    def _in_passing(self) -> None:
        """What takes a second an item: it waits until all can be searched, and ends for a newer wish."""
        serving = self._serving
        if self._wanted.is_set() or serving is None:
            return
        self._idle.set()

        def stopped() -> bool:
            return self._closed or self._wanted.is_set()

        try:
            self._working = "listening to what is said"
            take_down(self._ws, self._task, serving.aligner.towers.media, stopped)
            if can_read():
                self._working = "reading what is written"
                read_written(self._ws, self._task, stopped)
        finally:
            self._working = ""

    def _report(self, done: int, total: int) -> None:
        self._working = f"embedding {done} of {total}"
