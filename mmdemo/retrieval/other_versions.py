"""Search by versions that are not active: a few of them at a time, beside what serves the active one.

What a search may do for that is bounded, as anybody may ask for one: it carries features that are on the disk
into the version's space. A version on towers that have not read the collection is read behind the page, for
who may keep the machine busy, one after the other; everybody else is told.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from mmdemo.asker import current
from mmdemo.bounds import TRUSTED_WITH_TIME
from mmdemo.errors import UserError
from mmdemo.modality import MODALITIES, modality_of
from mmdemo.models.manager import ModelManager
from mmdemo.models.protocols import Task
from mmdemo.models.version_source import VersionSource, version_source
from mmdemo.retrieval.background import Background
from mmdemo.retrieval.embed import Progress
from mmdemo.retrieval.search import Searcher
from mmdemo.retrieval.serving import IndexKeeper
from mmdemo.retrieval.version_keeper import VersionKeeper
from mmdemo.store.workspace import Workspace

KEPT = 3  # versions at a time, of all tasks together: of each what a search keeps in memory, 200 MB at most
ENOUGH = 0.9  # of the collection: so much has to be read for an answer, which says how much is not
CARRIED = 50_000  # rows carried into a version's space within a search: a second or two
WAITED_S = 5.0  # that who began the reading waits; a few dozen pictures take no longer
VECTORS = "version-"  # how the names of vector files begin that `version_file` opens


@dataclass(frozen=True)
class _Kept:
    task: Task
    keeper: VersionKeeper
    searcher: Searcher


class OtherVersions:
    """Owns what searches by versions that are not active.

    Args:
        ws: the workspace.
        models: loads the versions.
        active: the keeper of a task's active version, whose features are shared by all on the same towers.
    """

    def __init__(self, ws: Workspace, models: ModelManager, active: Callable[[Task], IndexKeeper]) -> None:
        self._ws = ws
        self._models = models
        self._active = active
        self._kept: OrderedDict[str, _Kept] = OrderedDict()  # by version; the last is the latest asked for
        self._lock = threading.Lock()  # of the kept; never held while a model loads
        self._reading = Background("mmdemo-read", at_once=1)  # by version
        self._over: dict[str, threading.Event] = {}  # of the latest reading of a version
        self._unmade: dict[str, int] = {}  # items of which nothing can be made, by the name of the features
        models.when_towers_go.append(self._let_go)

    def searcher_of(self, task: Task, version: str, waits: Progress | None = None) -> Searcher:
        """Search by a version of a task.

        Args:
            task: of the version.
            version: its id.
            waits: told of each item that is read, where whoever asks waits however long that takes.

        Raises:
            UserError: there is no such version, or its towers have not read the collection yet.
        """
        source = version_source(self._ws, version)
        shares = source.preset.media_features == self._features_of(self._ws.versions.active(task))
        if shares:
            self._active(task).serving()  # which reads what nobody has asked for yet, as any search does
        kept = self._kept_of(task, version)
        if waits is not None:
            kept.keeper.read(waits, lambda: False)
        elif not self._is_read(kept, source):
            self._read_behind_the_page(kept, source, not shares)
        return kept.searcher

    def close(self) -> None:
        """Let go of all of them, and stop what is being read."""
        if self._let_go in self._models.when_towers_go:
            self._models.when_towers_go.remove(self._let_go)
        self._reading.close()
        with self._lock:
            self._kept.clear()

    def _features_of(self, active: str) -> str:
        """The name of an active version's features; empty where it is one that cannot be loaded, as after a
        restore: the others answer all the same.
        """
        try:
            return version_source(self._ws, active).preset.media_features
        except UserError:
            return ""

    def _kept_of(self, task: Task, version: str) -> _Kept:
        there = {version, *(v.id for m in MODALITIES.values() for v in self._ws.versions.of_task(m.task))}
        with self._lock:
            kept = self._kept.get(version)
            if kept is None:
                keeper = VersionKeeper(self._ws, self._models, task, version)
                searcher = (modality_of(task).searcher or Searcher)(self._ws, keeper, task)
                kept = self._kept[version] = _Kept(task, keeper, cast(Searcher, searcher))
            self._kept.move_to_end(version)
            gone = [self._kept.pop(v) for v in list(self._kept) if v not in there]  # they were removed
            while len(self._kept) > KEPT:
                gone.append(self._kept.popitem(last=False)[1])
            stay = list(self._kept.values())
        if gone:
            self._close_files(gone, stay)
        return kept

    def _close_files(self, gone: Sequence[_Kept], stay: Sequence[_Kept]) -> None:
        """Close the files of what is not kept any more; one that is used all the same is opened again."""
        active = [self._ws.versions.active(m.task) for m in MODALITIES.values()]
        vectors = {f"{VECTORS}{version}" for version in (*active, *(one.keeper.version for one in stay))}
        features = {one.keeper.towers.media.id for one in gone if one.keeper.towers}
        features -= {one.keeper.towers.media.id for one in stay if one.keeper.towers}
        features -= set(map(self._features_of, active))
        self._ws.let_go_of_vectors(
            lambda name: name in features or (name.startswith(VECTORS) and name not in vectors)
        )

    def _let_go(self, towers: Any) -> None:
        """Drop what stands on towers that leave the memory."""
        with self._lock:
            for version in [v for v, kept in self._kept.items() if kept.keeper.towers is towers]:
                del self._kept[version]

    def _is_read(self, kept: _Kept, source: VersionSource) -> bool:
        """Whether enough was read for an answer, which then costs little."""
        keeper = kept.keeper
        items, read = self._read(keeper, source)
        if read < ENOUGH * items or read - self._ws.vector_rows(f"{VECTORS}{source.id}") > CARRIED:
            return False
        if kept.searcher.uncarried(source.preset.media_features) > CARRIED:
            return False
        keeper.serving()  # rows of what was removed count until it is known what lacks
        return items - keeper.lacking + self._unmade_of(source) >= ENOUGH * items

    def _read(self, keeper: VersionKeeper, source: VersionSource) -> tuple[int, int]:
        """How many items there are, and of how many there are features, as far as a look at the disk says."""
        items = keeper.status.items
        return items, min(items, self._ws.vector_rows(source.preset.media_features) + self._unmade_of(source))

    def _unmade_of(self, source: VersionSource) -> int:
        return self._unmade.get(source.preset.media_features, 0)

    def _read_behind_the_page(self, kept: _Kept, source: VersionSource, alone: bool) -> None:
        """Begin to read for who may have that done, and wait a moment for it.

        Args:
            kept: what searches by the version.
            source: the version.
            alone: whether nobody else reads for its towers; what the active version needs is read anyway.

        Raises:
            UserError: it takes longer, failed, or is not for whoever asks.
        """
        version, trusted, keeper = source.id, current().may(TRUSTED_WITH_TIME), kept.keeper
        items, read = self._read(keeper, source)
        if trusted and (alone or read >= ENOUGH * items):
            self._begin(kept, source)
            if self._over[version].wait(WAITED_S) and self._is_read(kept, source):
                return
            items, read = self._read(keeper, source)
        what = f"{version} has read {read:,} of the {items:,} {modality_of(source.task).plural} here so far."
        if trusted and (why := self._reading.error(version)):
            raise UserError(what, why)
        if self._reading.is_running(version) or not alone:
            raise UserError(what, "It goes on behind the page: search again in a while.")
        raise UserError(what, "Choose another version, or ask a trainer to search by it or to activate it.")

    def _begin(self, kept: _Kept, source: VersionSource) -> None:
        if self._reading.is_running(source.id):
            return
        over = self._over[source.id] = threading.Event()

        def work(stopped: Callable[[], bool]) -> None:
            try:
                unmade = kept.keeper.read(lambda done, total: None, stopped)
                self._unmade[source.preset.media_features] = unmade
                kept.searcher.carry(stopped)
            finally:
                over.set()

        self._reading.start(source.id, work, f"{source.id} could not read the collection")
