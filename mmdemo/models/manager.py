"""Models behind the page: loaded lazily, on one device, switched between versions without a restart."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from mmdemo.errors import MmdemoError, UserError, unforeseen
from mmdemo.modality import CAPTIONING, DEFAULT_TASK
from mmdemo.models.calibration import Calibration, PairFit
from mmdemo.models.find_model import find_preset
from mmdemo.models.hub.local_cache import is_local
from mmdemo.models.load import load_captioner, load_towers
from mmdemo.models.loaded_models import LoadedModels
from mmdemo.models.presets import LOADERS, PROPOSED, Preset
from mmdemo.models.protocols import Task
from mmdemo.models.version_source import VersionSource
from mmdemo.settings import Settings
from mmdemo.store.cards import read_card, reading

if TYPE_CHECKING:
    from mmdemo.models.aligner import HeadAligner, Towers
    from mmdemo.models.protocols import Captioner

log = logging.getLogger(__name__)
KEPT_ALIGNERS = 4  # heads in memory at once, 5 MB each


@dataclass(frozen=True)
class ModelStatus:
    """What the page says about the models."""

    state: str  # waiting, loading, ready or failed
    message: str
    device: str = ""
    seconds: float = 0.0  # what loading took


WAITING = ModelStatus("waiting", "The model loads when it is first needed.")


class ModelManager:
    """Loads towers once and versions on demand; what is loaded answers while something else loads.

    Args:
        settings: the device, and how much memory models may take.
        active: the id of the active version of a task.
        source: what it takes to load a version.
        towers: those that are loaded already, by preset; shared by whoever opens several workspaces.
        fall_back: makes another version of a task active in the place of one that could not be loaded, for
            that reason; whether it did.
    """

    def __init__(
        self,
        settings: Settings,
        active: Callable[[Task], str],
        source: Callable[[str], VersionSource],
        towers: dict[str, Towers] | None = None,
        fall_back: Callable[[Task, str, Exception], bool] = lambda task, version, why: False,
    ) -> None:
        self._settings = settings
        self._active = active
        self._source = source
        self._fall_back = fall_back
        kept: dict[str, Any] = {} if towers is None else cast("dict[str, Any]", towers)
        self._loaded = LoadedModels(self._room_mb, kept, self._let_go_of, self._give_back)
        self._aligners: OrderedDict[str, HeadAligner] = OrderedDict()
        self._guard = threading.Lock()  # of the aligners; never held while something loads
        self._ready: dict[str, ModelStatus] = {}  # by towers
        self._statuses: dict[str, ModelStatus] = {}  # by task
        self._answering: dict[str, str] = {}  # by task: what was active when it was last asked
        self._fetching = threading.Lock()  # one download at a time, beside whatever answers meanwhile
        self._stop_fetching: set[str] = set()  # tasks
        self.when_towers_go: list[Callable[[Any], None]] = []  # called with them: what holds them lets go

    def status(self, task: str = DEFAULT_TASK) -> ModelStatus:
        """Where loading the models of a task stands; never waits.

        Another process may have activated another version: then that is loaded behind the page.
        """
        known = self._statuses.get(task, WAITING)
        if known.state != "ready":
            return known
        version = self._active(task)
        try:
            key = self._source(version).preset.media_features
        except MmdemoError as e:
            return ModelStatus("failed", str(e))
        if self._loaded.find(key) is not None:
            return self._ready.get(key, known)
        if self._answering.get(task, version) == version:
            return WAITING  # it left the memory
        self._answering[task] = version
        loading = self._statuses[task] = ModelStatus("loading", f"Loading {version}…")
        self.load_in_background(task)
        return loading

    def load_in_background(
        self, task: Task = DEFAULT_TASK, then: Callable[[], None] | None = None
    ) -> threading.Thread:
        """Load a task's active version without keeping anyone waiting; call `then` when it is ready."""

        def load() -> None:
            try:
                self.aligner(task)
            except MmdemoError:
                return  # the status says why, and whoever asks for the aligner is told
            if then is not None:
                then()

        thread = threading.Thread(target=load, name="mmdemo-load", daemon=True)
        thread.start()
        return thread

    def aligner(self, task: Task, version_id: str | None = None) -> HeadAligner:
        """The aligner of a version, by default the active one; waits while it loads.

        Raises:
            UserError: no such version of that task.
            StorageError: its weights cannot be read.
        """
        wanted = version_id or self._active(task)
        if not version_id:
            self._answering[task] = wanted
        elif (of := self._source(wanted).task) != task:  # it raises where another process has removed it
            raise UserError(f"{wanted} is a version of {of}.", f"Choose one of {task}.")
        with self._guard:
            if wanted in self._aligners:
                self._aligners.move_to_end(wanted)
                return self._aligners[wanted]
        source = self._source(wanted)
        try:
            self._fetch(source.preset)
            aligner = self._make(source)
        except Exception as e:
            if version_id or not self._fall_back(task, wanted, e):
                raise
            return self.aligner(task)
        with self._guard:
            aligner = self._aligners.setdefault(wanted, aligner)  # another thread may have been quicker
            self._aligners.move_to_end(wanted)
            while len(self._aligners) > KEPT_ALIGNERS:
                self._aligners.popitem(last=False)
        self._drop_removed()
        return aligner

    def _drop_removed(self) -> None:
        """Let go of versions that are no longer there."""
        for version_id in list(self._aligners):
            try:
                self._source(version_id)
            except MmdemoError:
                with self._guard:
                    self._aligners.pop(version_id, None)

    def _fetch(self, preset: Preset, instead: bool = False) -> None:
        """Download what a preset lacks, while nothing is locked; its status says how far that is."""
        from mmdemo.models.hub.download import Fetched, fetch

        if self._loaded.find(preset.media_features) is not None or is_local(preset):
            return
        task, before = preset.task, self._statuses.get(preset.task, WAITING)

        def told(fetched: Fetched) -> None:
            self._statuses[task] = ModelStatus("loading", f"Fetching {preset.id}: {fetched}")

        try:
            self._stop_fetching.discard(task)  # before the wait, in which somebody may stop this one
            with self._fetching:
                fetch(preset, told, lambda: task in self._stop_fetching)
        except UserError as e:
            self._statuses[task] = before if instead else ModelStatus("failed", str(e))
            raise
        self._statuses[task] = before

    def stop_fetching(self, task: Task) -> None:
        """Stop the download of a task's model; what was fetched stays, and it goes on from there."""
        self._stop_fetching.add(task)

    def forget(self) -> None:
        """Drop the loaded versions, whose weights may be others now; the towers stay."""
        with self._guard:
            self._aligners.clear()

    def _make(self, source: VersionSource) -> HeadAligner:
        from mmdemo.models.aligner import HeadAligner
        from mmdemo.models.fused_aligner import FusedAligner
        from mmdemo.models.heads.fusion import FusedHead
        from mmdemo.models.heads.saved import has_head, load_head

        towers = self.towers(source.preset)
        kind = LOADERS[source.preset.loader].make_aligner or HeadAligner
        if source.folder is None:
            return kind(source.id, source.task, towers, None, towers.calibration)
        head = load_head(source.folder) if has_head(source.folder) else None
        calibration = calibration_of(source, towers)
        card = read_card(source.folder)
        with reading(source.folder):
            of_pairs = Calibration(**card["pair_calibration"]) if head is not None and head.fuses else None
            fit = PairFit.of(card["fit"]) if card.get("fit") else None
        if of_pairs is not None:
            return FusedAligner(source.id, source.task, towers, cast(FusedHead, head), calibration, of_pairs)
        return kind(source.id, source.task, towers, head, calibration, fit)

    def captioner(self) -> Captioner | None:
        """The active captioner, loaded once; None: there is none, captions are proposed.

        Raises:
            UserError: it cannot be loaded.
        """
        version = self._active(CAPTIONING)
        return None if version == PROPOSED else self.load_captioner(self._source(version).preset)

    def loaded_captioner(self) -> Captioner | None:
        """The active captioner where it is in memory already."""
        version = self._active(CAPTIONING)
        if version == PROPOSED:
            return None
        found: Captioner | None = self._loaded.find(_captioner_key(self._source(version).preset))
        return found

    def load_captioner(self, preset: Preset) -> Captioner:
        """A captioner, loaded once.

        Raises:
            UserError: it cannot be loaded.
        """
        self._fetch(preset, instead=True)

        def load() -> Captioner:
            self._require_room(preset)
            return load_captioner(preset, self._settings)[0]

        found: Captioner = self._loaded.get(_captioner_key(preset), partial(_size_mb, preset), load)
        return found

    def towers(self, preset: Preset | str, instead: bool = False) -> Towers:
        """The frozen towers of a preset, loaded once.

        Args:
            preset: it, or its name.
            instead: another one is in use, and stays so when this one cannot be loaded.

        Raises:
            UserError: it cannot be loaded.
        """
        preset = find_preset(preset) if isinstance(preset, str) else preset
        key, name = preset.media_features, preset.adapter_of or preset.id
        if instead:
            self._fetch(preset, instead=True)
        load = partial(self._load_towers, preset, instead)
        found: Towers = self._loaded.get(key, partial(_size_mb, preset), load)
        known = self._ready.setdefault(key, ModelStatus("ready", f"{name}, loaded before"))
        self._statuses[preset.task] = known
        return found

    def _load_towers(self, preset: Preset, instead: bool) -> Towers:
        name = preset.adapter_of or preset.id
        before = self._statuses.get(preset.task, WAITING)
        size = f" ({preset.size_mb} MB)" if preset.size_mb else ""
        self._statuses[preset.task] = ModelStatus("loading", f"Loading {name}{size}…")
        begun = time.perf_counter()
        try:
            self._require_room(preset)
            towers, device = load_towers(preset, self._settings)
        except Exception as e:
            if instead:  # the one in use is none the worse for it
                self._statuses[preset.task] = before
                raise
            if isinstance(e, MmdemoError):  # whoever asked is told
                message = str(e)
                log.info("loading %s failed: %s", name, e)
            else:
                message = unforeseen(f"The model {name} could not be loaded", e)
                log.exception("loading %s failed", name)
            self._statuses[preset.task] = ModelStatus("failed", message)
            raise
        seconds = time.perf_counter() - begun
        self._ready[preset.media_features] = ModelStatus("ready", f"{name} on {device}", device, seconds)
        log.info("loaded %s on %s in %.1f s", name, device, seconds)
        return towers

    # Memory

    def _room_mb(self) -> int:
        from mmdemo.models.memory import models_mb

        return models_mb(self._settings)

    def _require_room(self, preset: Preset) -> None:
        from mmdemo.models.memory import require_room

        require_room(preset, self._settings)

    def _let_go_of(self, model: Any) -> None:
        for let_go in list(self.when_towers_go):
            let_go(model)
        with self._guard:
            for version_id in [v for v, one in self._aligners.items() if one.towers is model]:
                del self._aligners[version_id]

    def _give_back(self) -> None:
        from mmdemo.models.device import decide_compute, give_back_memory

        give_back_memory(decide_compute(self._settings.device, self._settings.threads).device)


def calibration_of(source: VersionSource, towers: Towers) -> Calibration:
    """The calibration of a version's similarities: that on its card, or of a base that of its towers.

    Raises:
        StorageError: its card is damaged.
    """
    if source.folder is None:
        return towers.calibration
    card = read_card(source.folder)
    with reading(source.folder):
        return Calibration(**card["calibration"])


def _captioner_key(preset: Preset) -> str:
    return f"captioner {preset.media_tower} {preset.adapter}"


def _size_mb(preset: Preset) -> int:
    from mmdemo.models.memory import loaded_mb

    return loaded_mb(preset)
