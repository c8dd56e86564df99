"""What an open workspace consists of: models, index, search, queue and runs, each made when first used.

The page answers before PyTorch or FAISS is imported, so nothing here imports them before it must.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from mmdemo.data.import_job import ImportJob
from mmdemo.data.samples import seed_samples
from mmdemo.errors import UserError
from mmdemo.media.trial import close_trials
from mmdemo.modality import CAPTIONING, DEFAULT_TASK, MODALITIES, Modality, base_model, modality_of
from mmdemo.models.automatic import begin_with
from mmdemo.models.find_model import captioner_preset, find_preset
from mmdemo.models.manager import ModelManager
from mmdemo.models.presets import PROPOSED
from mmdemo.models.protocols import Task
from mmdemo.models.version_source import version_source
from mmdemo.retrieval.maps.left import remove_left_maps
from mmdemo.service.closing import close_all, closing_ends_s, left_s
from mmdemo.service.exchange import remove_batch, sweep_exchange
from mmdemo.settings import AUTO, Settings
from mmdemo.store.workspace import Workspace

if TYPE_CHECKING:
    from mmdemo.labeling.queue import PairQueue
    from mmdemo.models.aligner import Towers
    from mmdemo.retrieval.search import Searcher
    from mmdemo.retrieval.serving import IndexKeeper
    from mmdemo.retrieval.speech.transcript_jobs import TranscriptJobs
    from mmdemo.retrieval.video.frame_jobs import FrameJobs
    from mmdemo.service.copies import Copies
    from mmdemo.training.job_queue import JobRunner

log = logging.getLogger(__name__)
SOURCES_SHOWN = 12  # in a sentence
SWEPT_EVERY_S = 60.0  # what visitors brought
FOLLOWED_S = 5.0  # that whoever activates a version waits for the index; a head's takes a fifth of one


def check_task(task: str) -> Task:
    """The task, if there is one of that name.

    Raises:
        UserError: there is none; the sentence lists those there are.
    """
    return modality_of(task).task


def check_source(ws: Workspace, task: str, source: str) -> None:
    """Refuse a source, such as an import, that nothing of the task comes from; an empty one is none.

    Raises:
        UserError: nothing comes from it; the sentence lists some that there are.
    """
    if not source:
        return
    known = sorted({*ws.pairs.sources(check_task(task)), *ws.items.sources(modality_of(task).name)})
    if source not in known:
        raise UserError(
            f"Nothing of {task} comes from {source[:60]!r}.",
            f"Use one of: {', '.join(known[:SOURCES_SHOWN])}." if known else "Import something first.",
        )


def version_task(task: str) -> Task:
    """A task, or captioning, which has versions too."""
    return CAPTIONING if task == CAPTIONING else check_task(task)


class Context:
    """An open workspace and what stands on it.

    Args:
        settings: where it is and how to run; its own have the preset in the place of each base that is auto.
        towers: models that are loaded already, by preset.
        samples_later: whether a new workspace gets its samples by `start_behind_the_page`, for which
            `wait_for_samples` waits; else it has them when this returns.
    """

    def __init__(
        self, settings: Settings, towers: dict[str, Towers] | None = None, *, samples_later: bool = False
    ) -> None:
        self._asked = settings
        self.ws = Workspace(settings)
        self._begun_now: set[Task] = set()  # that had no base of their own before
        self._unusable: set[str] = set()  # presets that were begun with and could not be loaded
        self.settings = self._ensure_bases()
        self._seeded = threading.Event()
        if not samples_later:
            self._put_samples()
        self.models = ModelManager(
            settings, self.ws.versions.active, lambda v: version_source(self.ws, v), towers, self._fall_back
        )
        self.imports = ImportJob(self.ws, remove_batch)
        self.progress: Callable[[int, int | None], None] | None = None  # of what the command line waits for
        self._made: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._sweeper: threading.Thread | None = None
        self._over = threading.Event()  # when all is closed
        self._ending = threading.RLock()  # while something begins behind the page, and while it is closed

    def _put_samples(self) -> None:
        try:
            if self.settings.samples:
                seed_samples(self.ws)
        finally:
            self._seeded.set()

    def wait_for_samples(self) -> None:
        """Return when a new workspace has its samples; in any other, at once."""
        self._seeded.wait()

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives the first time that this name is asked for; it is closed with the rest."""
        with self._lock:
            if name not in self._made:
                self._made[name] = make()
            return self._made[name]

    def version_of(self, task: Task, version: str | None = None) -> str:
        """The id of a version of a task, by default of the active one.

        Raises:
            UserError: there is no such version, or it is of another task.
        """
        known = self.ws.versions.get(version or self.ws.versions.active(task))
        if known.task != task:
            raise UserError(f"{known.id} is a version of {known.task}.", f"Choose one of {task}.")
        return known.id

    def keeper_of(self, task: Task) -> IndexKeeper:
        """The index of a task."""

        def make() -> IndexKeeper:
            from mmdemo.retrieval.serving import IndexKeeper

            return IndexKeeper(self.ws, self.models, task)

        return cast("IndexKeeper", self.once(f"keeper {task}", make))

    def searcher_of(self, task: Task) -> Searcher:
        """Search in a task."""

        def make() -> Searcher:
            from mmdemo.retrieval.search import Searcher

            searcher = modality_of(task).searcher or Searcher
            return cast("Searcher", searcher(self.ws, self.keeper_of(task), task))

        return cast("Searcher", self.once(f"searcher {task}", make))

    def queue_of(self, task: Task) -> PairQueue:
        """The label queue of a task."""

        def make() -> PairQueue:
            from mmdemo.labeling.queue import PairQueue

            return PairQueue(self.ws, self.models, self.keeper_of(task), task)

        return cast("PairQueue", self.once(f"queue {task}", make))

    @property
    def keeper(self) -> IndexKeeper:
        """The index of the first task."""
        return self.keeper_of(DEFAULT_TASK)

    @property
    def searcher(self) -> Searcher:
        """Search in the first task."""
        return self.searcher_of(DEFAULT_TASK)

    @property
    def queue(self) -> PairQueue:
        """The label queue of the first task."""
        return self.queue_of(DEFAULT_TASK)

    @property
    def transcripts(self) -> TranscriptJobs:
        """Transcripts that are being made."""

        def make() -> TranscriptJobs:
            from mmdemo.retrieval.speech.transcript_jobs import TranscriptJobs

            return TranscriptJobs(self.ws, self.models)

        return cast("TranscriptJobs", self.once("transcripts", make))

    @property
    def frame_jobs(self) -> FrameJobs:
        """Videos that are being looked through."""

        def make() -> FrameJobs:
            from mmdemo.retrieval.video.frame_jobs import FrameJobs

            return FrameJobs(self.ws, self.models)

        return cast("FrameJobs", self.once("frames", make))

    @property
    def copies(self) -> Copies:
        """Copies that browsers play."""

        def make() -> Copies:
            from mmdemo.service.copies import Copies

            return Copies(self.ws)

        return cast("Copies", self.once("copies", make))

    @property
    def jobs(self) -> JobRunner:
        """The runs."""

        def make() -> JobRunner:
            from mmdemo.training.job_queue import JobRunner

            return JobRunner(self.ws)

        return cast("JobRunner", self.once("jobs", make))

    @property
    def counted_sides(self) -> dict[str, Any]:
        """What is known of the sides of labels, by task."""
        return cast("dict[str, Any]", self.once("sides", dict))

    def start_behind_the_page(self) -> None:
        """Put the samples in, load the model, bring the index up to date, order the queue, resume runs.

        Nobody waits for it, but who asks for something before the samples are in. The models
        of the other tasks load when a tab of theirs is opened.
        """

        def ready() -> None:
            try:
                self.jobs.resume_interrupted()
                self.ws.remove_abandoned()
            except Exception:
                log.exception("starting behind the page failed")

        def begin() -> None:
            try:
                if not self._seeded.is_set():
                    self._put_samples()
            except Exception:
                log.exception("the samples were not put in")
            self.warm(DEFAULT_TASK, ready)

        self.imports.tell_broken_off()
        self._begin_sweeping()
        threading.Thread(target=begin, name="mmdemo-begin", daemon=True).start()

    def _begin_sweeping(self) -> None:
        """Let what people brought to look at go when its time is over, for as long as this is open."""

        def sweep() -> None:
            while not self._over.wait(SWEPT_EVERY_S):
                try:
                    self.sweep()
                except Exception:
                    log.exception("what visitors brought was not swept")

        if self._sweeper is None:
            self._sweeper = threading.Thread(target=sweep, name="mmdemo-sweep", daemon=True)
            self._sweeper.start()

    def sweep(self) -> list[str]:
        """Remove what people brought and nobody uses any more; returns the ids."""
        jobs = [self._made[name] for name in ("transcripts", "frames", "copies") if name in self._made]
        gone = self.ws.scratch.sweep(lambda item: any(job.is_on(item) for job in jobs))
        self.ws.remove_left()
        remove_left_maps(self.ws)
        sweep_exchange()
        return gone

    def warm(self, task: Task, then: Callable[[], None] = lambda: None) -> None:
        """Load a task's model and bring its index and queue up to date behind the page, once."""
        if self.models.status(task).state in {"loading", "ready"} and f"keeper {task}" in self._made:
            return

        def ready() -> None:
            with self._ending:  # a model that is loaded when all is closed begins nothing any more
                if self._over.is_set():
                    return
                try:
                    self.keeper_of(task).request()
                    self.queue_of(task).request()
                except Exception:
                    log.exception("starting %s behind the page failed", task)
                then()

        self.models.load_in_background(task, ready)

    def data_changed(self, task: str) -> None:
        """The active version is another, or there are new items: index and queue follow behind the page."""
        known = version_task(task)
        if f"keeper {known}" in self._made:  # else nobody has asked for it yet, as in a command
            self.keeper_of(known).request()
            self.queue_of(known).request()

    def version_changed(self, task: str) -> None:
        """Another version is active: return when the index answers by it, as the next search is meant to.

        Where its vectors take longer, of new towers or many items, the version before answers meanwhile.
        """
        self.data_changed(task)
        known = version_task(task)
        if f"keeper {known}" in self._made:
            self.keeper_of(known).wait(FOLLOWED_S)

    def _ensure_bases(self) -> Settings:
        """Give every task its base version; returns the settings with the preset of each."""
        settings = self._asked
        for modality in list(MODALITIES.values()):
            try:
                preset = self._ensure_base(modality)
                if modality.model_setting:
                    chosen: dict[str, Any] = {modality.model_setting: preset}
                    settings = replace(settings, **chosen)
            except UserError as e:
                if modality.model_setting:  # somebody named it
                    raise
                log.error("The modality %s is left out: %s", modality.name, e)
                MODALITIES.remove(modality.name)
        if not settings.captioner:
            self.ws.versions.ensure_base(CAPTIONING, PROPOSED, PROPOSED)
            return settings
        writer = captioner_preset(settings.captioner)
        self.ws.versions.ensure_base(CAPTIONING, writer.id, writer.name)
        return settings

    def _ensure_base(self, modality: Modality) -> str:
        """Give a task the base version of its setting; returns the preset's name."""
        name, task = base_model(modality, self._asked), modality.task
        asked = name != AUTO
        if not asked:
            begun = self.ws.versions.is_begun(task)  # and goes on with what it began with
            if not begun:
                self._begun_now.add(task)
            name = modality.default_model if begun else begin_with(modality, self._asked)
        preset = find_preset(name)
        if preset.task != task:
            raise UserError(f"{name} is no model of {task}.", "Choose another preset.")
        self.ws.versions.ensure_base(task, preset.id, preset.name, asked=asked)
        return preset.name

    def _fall_back(self, task: Task, version: str, why: Exception) -> bool:
        """Make the next best base of a task active, where a workspace begins with one that cannot be loaded
        and nobody chose; whether there is one.
        """
        if task not in self._begun_now or self.ws.versions.is_chosen(task):
            return False
        modality = modality_of(task)
        self._unusable.add(self.ws.versions.get(version).base)
        preset = find_preset(begin_with(modality, self._asked, self._unusable))
        if preset.name in self._unusable:
            return False
        log.warning("%s could not be loaded, so %s begins in its place: %s", version, preset.id, why)
        self.ws.versions.ensure_base(task, preset.id, preset.name)
        return True

    def close(self, until_s: float | None = None) -> None:
        """End what runs behind the page and release the database: then at the latest (monotonic seconds)."""
        until_s = closing_ends_s() if until_s is None else until_s
        with self._ending:
            self._over.set()
        if self._sweeper is not None:
            self._sweeper.join(left_s(until_s))
        close_trials()
        close_all(
            list(self._made.values()), until_s
        )  # threads within a library end with the process only badly
        self.ws.close()

    def follow(self) -> None:
        """Go on with what is in the workspace now, where a backup was restored into it: everything that was
        made from what was there before is forgotten.

        Raises:
            StorageError: the workspace is gone.
        """
        if not self.ws.follow():
            return
        self.imports.stop()
        with self._lock:
            made = list(self._made.values())
            self._made.clear()
        threading.Thread(target=close_all, args=(made,), name="mmdemo-close", daemon=True).start()
        self._begun_now.clear()
        self._unusable.clear()
        self.settings = self._ensure_bases()
        self.models.forget()
        self.start_behind_the_page()
