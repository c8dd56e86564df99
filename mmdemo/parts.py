"""What an open workspace consists of: models, index, search, queue and runs, each made when first used.

The page answers before PyTorch or FAISS is imported, so nothing here imports them before it must.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from mmdemo.data.import_job import ImportJob
from mmdemo.data.samples import seed_samples
from mmdemo.models.base import Task
from mmdemo.models.manager import ModelManager, version_source
from mmdemo.models.presets import find_preset
from mmdemo.settings import Settings
from mmdemo.store.workspace import Workspace

if TYPE_CHECKING:
    from mmdemo.labeling.queue import PairQueue
    from mmdemo.models.aligner import Towers
    from mmdemo.retrieval.search import Searcher
    from mmdemo.retrieval.serving import IndexKeeper
    from mmdemo.training.jobs import JobRunner

log = logging.getLogger(__name__)
DEFAULT_TASK: Task = "image-text"


class Parts:
    """An open workspace and what stands on it.

    Args:
        settings: where it is and how to run.
        towers: models that are loaded already, by preset.
    """

    def __init__(self, settings: Settings, towers: dict[str, Towers] | None = None) -> None:
        preset = find_preset(settings.model)
        self.settings = settings
        self.ws = Workspace(settings)
        self.ws.versions.ensure_base(preset.task, preset.id)
        if settings.samples:
            seed_samples(self.ws)
        self.models = ModelManager(
            settings, self.ws.versions.active, lambda v: version_source(self.ws, v), towers
        )
        self.imports = ImportJob()
        self._made: dict[str, Any] = {}
        self._lock = threading.RLock()

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]

    @property
    def keeper(self) -> IndexKeeper:
        """The index of image-text."""

        def make() -> IndexKeeper:
            from mmdemo.retrieval.serving import IndexKeeper

            return IndexKeeper(self.ws, self.models, DEFAULT_TASK)

        return cast("IndexKeeper", self._once("keeper", make))

    @property
    def searcher(self) -> Searcher:
        """Search in image-text."""

        def make() -> Searcher:
            from mmdemo.retrieval.search import Searcher

            return Searcher(self.ws, self.keeper, DEFAULT_TASK)

        return cast("Searcher", self._once("searcher", make))

    @property
    def queue(self) -> PairQueue:
        """The label queue of image-text."""

        def make() -> PairQueue:
            from mmdemo.labeling.queue import PairQueue

            return PairQueue(self.ws, self.models, self.keeper, DEFAULT_TASK)

        return cast("PairQueue", self._once("queue", make))

    @property
    def jobs(self) -> JobRunner:
        """The runs."""

        def make() -> JobRunner:
            from mmdemo.training.jobs import JobRunner

            return JobRunner(self.ws)

        return cast("JobRunner", self._once("jobs", make))

    def start_behind_the_page(self) -> None:
        """Load the model, bring the index up to date, order the queue, resume runs; nobody waits for it."""

        def ready() -> None:
            try:
                self.keeper.request()
                self.queue.request()
                self.jobs.resume_interrupted()
            except Exception:
                log.exception("starting behind the page failed")

        self.models.load_in_background(then=ready)

    def close(self) -> None:
        """Let the worker end and release the database."""
        if "jobs" in self._made:
            self.jobs.close()
        self.ws.close()

    def restored(self) -> None:
        """The workspace is another one: forget everything that was made from the one before."""
        with self._lock:
            self._made.clear()
        self.ws.versions.ensure_base(DEFAULT_TASK, find_preset(self.settings.model).id)
        self.models.forget()
        self.start_behind_the_page()
