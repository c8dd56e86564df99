"""The index of one version, whichever is active: each search looks at it anew, and it has no thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from mmdemo.modality import modality_of
from mmdemo.models.aligner import HeadAligner, Towers
from mmdemo.models.manager import ModelManager
from mmdemo.models.protocols import Task
from mmdemo.retrieval.embed import Progress, embed_items, feature_file, project_items, version_file
from mmdemo.retrieval.serving import IndexKeeper, IndexStatus, Serving
from mmdemo.store.changes import REMOVE
from mmdemo.store.workspace import Workspace


class VersionKeeper(IndexKeeper):
    """Owns the index of a version. Its vectors are made of the features that are on the disk, in a search;
    features are made by `read` alone, which takes its time.

    Args:
        ws: the workspace.
        models: loads the version.
        task: of the version.
        version: its id.
    """

    def __init__(self, ws: Workspace, models: ModelManager, task: Task, version: str) -> None:
        super().__init__(ws, models, task)
        self.version = version
        self._made_of: Hashable = None  # what the index was made of, as of then
        self._lacking = 0  # items without features when it was made

    @property
    def status(self) -> IndexStatus:
        """Where the index stands; never waits for work."""
        serving = self._serving
        served = len(serving.index) if serving else 0
        return IndexStatus(self._count(), served, self.version, self.version, "")

    @property
    def lacking(self) -> int:
        """How many items have no features of its towers, as of the latest index."""
        return self._lacking

    @property
    def towers(self) -> Towers | None:
        """Those that its index is made with, once it is."""
        serving = self._serving
        return serving.aligner.towers if serving else None

    def serving(self) -> Serving:
        """The index, with what has features by now."""
        with self._work:
            aligner, serving = self._aligner(), self._serving
            at = self._at(aligner)
            if serving is None or at != self._made_of or not self.is_now(serving):
                serving = self._bring_in(aligner)
                self._made_of = self._at(aligner)
            return serving

    def request(self) -> None:
        """Look at the collection anew, in the next search."""
        self._counted_at, self._made_of = 0.0, None

    def update(self) -> Serving:
        """Read what has no features yet, and serve all; waits until it is done."""
        self.read(lambda done, total: None, lambda: False)
        return self.serving()

    def read(self, progress: Progress, stopped: Callable[[], bool]) -> int:
        """Make the features that its towers lack of the collection, and its vectors; returns of how many
        items nothing can be made.
        """
        aligner = self._aligner()
        items = self._ws.items.listed(modality_of(self._task).name)
        embed_items(self._ws, aligner.towers, items, progress, stopped)
        if stopped():
            return 0
        self.request()
        self.serving()
        return self._lacking

    def _aligner(self) -> HeadAligner:
        serving = self._serving
        return serving.aligner if serving else self._models.aligner(self._task, self.version)

    def _at(self, aligner: HeadAligner) -> Hashable:
        """What an index is made of: it is another one when new items came, or features of them."""
        features = feature_file(self._ws, aligner.towers)
        rows = features.refresh()
        return features.mapped()[1], rows, self._count(), self._ws.changes.latest(REMOVE)

    def _bring_in(self, aligner: HeadAligner) -> Serving:
        changed_at = self._ws.changes.latest(REMOVE)
        ids = self._ws.items.ids(modality_of(self._task).name)
        self._items, self._counted_at = len(ids), time.monotonic()
        file = version_file(self._ws, aligner)
        file.refresh()
        file.leave_out_damaged()
        project_items(self._ws, aligner, ids)
        self._take_out_removed(ids, changed_at)
        self._lacking = len(feature_file(self._ws, aligner.towers).missing(ids))
        self._serving = Serving.of(aligner, file)
        return self._serving
