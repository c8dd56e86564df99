"""Models behind the page: loaded lazily, on one device, switched between versions without a restart."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from mmdemo.errors import MmdemoError, UserError
from mmdemo.models.calibration import Calibration
from mmdemo.models.presets import LOADERS, PROPOSED, Preset
from mmdemo.models.protocols import CAPTIONING, Task
from mmdemo.models.registry import find_preset
from mmdemo.settings import Settings

if TYPE_CHECKING:
    from mmdemo.models.aligner import HeadAligner, Towers
    from mmdemo.models.device import Compute
    from mmdemo.models.protocols import Captioner
    from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
ADAPTER = "adapter"  # in a version's folder: the LoRA weights of its tower
NETWORK = "network"  # in a version's folder: a whole network of its own
KEPT_ALIGNERS = 4  # heads in memory at once, 5 MB each


@dataclass(frozen=True)
class VersionSource:
    """What it takes to load a version."""

    id: str
    task: Task
    preset: Preset  # of its towers, with the adapter that it or an ancestor has
    folder: Path | None  # its weights; None: the base version itself


def version_source(ws: Workspace, version_id: str) -> VersionSource:
    """Where a workspace keeps a version.

    Raises:
        UserError: there is no such version.
    """
    version = ws.versions.get(version_id)
    folder = ws.version_folder(version_id) if version.parent else None
    preset = find_preset(version.base)
    holder: str | None = version_id
    while holder is not None:
        adapter, network = (ws.version_folder(holder) / name for name in (ADAPTER, NETWORK))
        if adapter.is_dir() and not preset.adapter:
            preset = replace(preset, adapter=str(adapter), adapter_of=holder)
        if network.is_dir():  # in which every adapter before it is merged
            preset = replace(preset, media_tower=str(network), adapter_of=preset.adapter_of or holder)
            break
        holder = ws.versions.get(holder).parent
    return VersionSource(version.id, version.task, preset, folder)


@dataclass(frozen=True)
class ModelStatus:
    """What the page says about the models."""

    state: str  # waiting, loading, ready or failed
    message: str
    device: str = ""
    seconds: float = 0.0  # what loading took


WAITING = ModelStatus("waiting", "The model loads when it is first needed.")


class ModelManager:
    """Loads towers once and versions on demand.

    Args:
        settings: the preset and the device.
        active: the id of the active version of a task.
        source: what it takes to load a version.
        towers: those that are loaded already, by preset; shared by whoever opens several workspaces.
    """

    def __init__(
        self,
        settings: Settings,
        active: Callable[[Task], str],
        source: Callable[[str], VersionSource],
        towers: dict[str, Towers] | None = None,
    ) -> None:
        self._settings = settings
        self._active = active
        self._source = source
        self._towers: dict[str, Towers] = {} if towers is None else towers
        self._aligners: OrderedDict[str, HeadAligner] = OrderedDict()
        self._lock = threading.RLock()
        self._captioner: tuple[tuple[str, str], Captioner] | None = None  # by network and adapter
        self._ready: dict[str, ModelStatus] = {}  # by towers
        self._statuses: dict[str, ModelStatus] = {}  # by task
        self._fetching = threading.Lock()  # one download at a time, beside whatever answers meanwhile
        self._stop_fetching: set[str] = set()  # tasks

    def status(self, task: str = "image-text") -> ModelStatus:
        """Where loading the models of a task stands; never waits."""
        return self._statuses.get(task, WAITING)

    def load_in_background(
        self, task: Task = "image-text", then: Callable[[], None] | None = None
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
            UserError: no such version.
            StorageError: its weights cannot be read.
        """
        version_id = version_id or self._active(task)
        if version_id not in self._aligners:
            self._fetch(self._source(version_id).preset)
        with self._lock:
            if version_id in self._aligners:
                self._aligners.move_to_end(version_id)
                return self._aligners[version_id]
            aligner = self._load(self._source(version_id))
            self._aligners[version_id] = aligner
            while len(self._aligners) > KEPT_ALIGNERS:
                self._aligners.popitem(last=False)
            return aligner

    def _fetch(self, preset: Preset, instead: bool = False) -> None:
        """Download what a preset lacks, while nothing is locked; its status says how far that is."""
        from mmdemo.models.hub.download import Fetched, fetch

        if preset.media_features in self._towers:
            return
        task, before = preset.task, self._statuses.get(preset.task)

        def told(fetched: Fetched) -> None:
            self._statuses[task] = ModelStatus("loading", f"Fetching {preset.id}: {fetched}")

        try:
            with self._fetching:
                self._stop_fetching.discard(task)
                fetch(preset, told, lambda: task in self._stop_fetching)
        except UserError as e:
            self._statuses[task] = before if instead and before else ModelStatus("failed", str(e))
            raise
        if before is not None:
            self._statuses[task] = before

    def stop_fetching(self, task: Task) -> None:
        """Stop the download of a task's model; what was fetched stays, and it goes on from there."""
        self._stop_fetching.add(task)

    def forget(self) -> None:
        """Drop the loaded versions, whose weights may be others now; the towers stay."""
        with self._lock:
            self._aligners.clear()

    def _load(self, source: VersionSource) -> HeadAligner:
        from mmdemo.models.aligner import HeadAligner
        from mmdemo.models.fused_aligner import FusedAligner
        from mmdemo.models.heads.fusion import FusedHead
        from mmdemo.models.heads.saved import has_head, load_head

        towers = self.towers(source.preset)
        kind = LOADERS[source.preset.loader].make_aligner or HeadAligner
        if source.folder is None:
            return kind(source.id, source.task, towers, None, towers.calibration)
        head = load_head(source.folder) if has_head(source.folder) else None
        card = json.loads((source.folder / "card.json").read_text(encoding="utf-8"))
        if isinstance(head, FusedHead):
            of_pairs = Calibration(**card["pair_calibration"])
            return FusedAligner(
                source.id, source.task, towers, head, Calibration(**card["calibration"]), of_pairs
            )
        return kind(source.id, source.task, towers, head, Calibration(**card["calibration"]))

    def captioner(self) -> Captioner | None:
        """The active captioner, loaded once; None: there is none, captions are proposed.

        Raises:
            UserError: it cannot be loaded.
        """
        version = self._active(CAPTIONING)
        if version == PROPOSED:
            return None
        return self.load_captioner(self._source(version).preset)

    def loaded_captioner(self) -> Captioner | None:
        """The active captioner where it is in memory already."""
        version = self._active(CAPTIONING)
        if version == PROPOSED or self._captioner is None:
            return None
        preset = self._source(version).preset
        return self._captioner[1] if self._captioner[0] == (preset.media_tower, preset.adapter) else None

    def load_captioner(self, preset: Preset) -> Captioner:
        """A captioner, which takes the place of the one before once it is loaded.

        Raises:
            UserError: it cannot be loaded.
        """
        from mmdemo.models.device import decide_compute
        from mmdemo.models.memory import require_room

        self._fetch(preset, instead=True)
        with self._lock:
            key = preset.media_tower, preset.adapter
            if self._captioner is None or self._captioner[0] != key:
                require_room(preset, self._settings)
                compute = decide_compute(self._settings.device, self._settings.threads)
                self._captioner = key, load_captioner(preset, compute)
            return self._captioner[1]

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
        with self._lock:
            if key in self._towers:
                known = self._ready.setdefault(key, ModelStatus("ready", f"{name}, loaded before"))
                self._statuses[preset.task] = known
                return self._towers[key]
            before = self._statuses.get(preset.task)
            size = f" ({preset.size_mb} MB)" if preset.size_mb else ""
            self._statuses[preset.task] = ModelStatus("loading", f"Loading {name}{size}…")
            begun = time.perf_counter()
            try:
                from mmdemo.models.memory import require_room

                require_room(preset, self._settings)
                self._towers[key], device = load_towers(preset, self._settings)
            except Exception as e:
                if before is not None and before.state == "ready" and instead:
                    self._statuses[preset.task] = before
                    raise
                message = str(e) if isinstance(e, UserError) else f"The model {name} could not be loaded: {e}"
                self._statuses[preset.task] = ModelStatus("failed", message)
                log.exception("loading %s failed", name)
                raise
            seconds = time.perf_counter() - begun
            self._ready[key] = ModelStatus("ready", f"{name} on {device}", device, seconds)
            self._statuses[preset.task] = self._ready[key]
            log.info("loaded %s on %s in %.1f s", name, device, seconds)
            return self._towers[key]


def load_towers(preset: Preset, settings: Settings) -> tuple[Towers, str]:
    """The towers of a preset and the device in words, by its loader.

    Raises:
        UserError: they cannot be loaded, or it has none.
    """
    load = LOADERS[preset.loader].load_towers
    if load is None:
        raise UserError(f"{preset.id} is a model of {preset.task}.", "Choose one that aligns.")
    return load(preset, settings)


def load_captioner(preset: Preset, compute: Compute) -> Captioner:
    """The captioner of a preset, by its loader.

    Raises:
        UserError: it cannot be loaded, or is none.
    """
    load = LOADERS[preset.loader].load_captioner
    if load is None:
        raise UserError(f"{preset.id} is a model of {preset.task}.", "Choose one of captioning.")
    return load(preset, compute)


def base_calibration(preset: Preset) -> Calibration:
    """The base version's own calibration, without loading its towers."""
    known = LOADERS[preset.loader].base_calibration
    if known is None:
        raise UserError(f"{preset.id} is a model of {preset.task}.", "Choose one that aligns.")
    return known(preset)
