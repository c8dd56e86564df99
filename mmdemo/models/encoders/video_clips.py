"""Networks of transformers that look at several frames at once, as towers that give a row for each frame.

X-CLIP (Ni et al. 2022, arXiv:2208.02816) lets the frames of a clip exchange messages and mixes them in a
small Transformer, whose output for each frame is the row; the mean over a clip is X-CLIP's own vector of it.
Its texts are taken without the prompts that it makes from a video, so that they can be searched by.
VideoPrism (Zhao et al. 2024, arXiv:2402.13217) gives one vector for a clip; here a clip is two seconds, its
frames repeated to as many as the network was trained with, and all its frames have that vector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from mmdemo.media.image import pixels
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import Compute
from mmdemo.models.encoders import dual
from mmdemo.models.encoders.dual import EPOCHS, MOST_TOKENS, RATES, SOFTMAX, open_encoder, stacked
from mmdemo.models.encoders.two_towers import EncoderFacts, is_pair
from mmdemo.models.hub.loading import load_config, load_network, load_tokenizer
from mmdemo.models.presets import Described, Preset
from mmdemo.models.protocols import Encoder, ModalityName
from mmdemo.registry import Registry

PRISM_FRAMES = 4  # frames, two a second, that share a vector of VideoPrism


@dataclass(frozen=True)
class ClipFamily:
    """How one architecture sees clips."""

    architecture: str  # a class of transformers
    dim: Callable[[Any], int]  # D, from the configuration
    frames: Callable[[Any], int]  # that make a clip, from the vision configuration
    rows: Callable[[Any, Tensor], Tensor]  # (B, T, D) by the network of (B, T, 3, S, S) frames
    prior: Calibration
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)  # of the training pictures, 0..1
    std: tuple[float, ...] = (1.0, 1.0, 1.0)
    padding: str = "longest"  # of texts
    tokens: int = MOST_TOKENS  # at most


def _xclip_rows(network: Any, frames: Tensor) -> Tensor:
    seen = network.vision_model(pixel_values=frames.flatten(0, 1)).pooler_output
    seen = network.visual_projection(seen).unflatten(0, frames.shape[:2])
    rows: Tensor = network.mit(seen).last_hidden_state
    return rows


def _videoprism_rows(network: Any, frames: Tensor) -> Tensor:
    b, t = frames.shape[:2]
    repeats = max(1, network.config.vision_config.num_frames // t)
    made: Tensor = network.get_video_features(frames.repeat_interleave(repeats, dim=1)).pooler_output
    return made.reshape(b, 1, -1).expand(b, t, -1)


# by the configuration's `model_type`
CLIPS: Registry[ClipFamily] = Registry("family of video encoders", ClipFamily, [__name__])
CLIPS.add(
    "xclip",
    ClipFamily(
        "XCLIPModel",
        lambda config: config.projection_dim,
        lambda vision: vision.num_frames,
        _xclip_rows,
        SOFTMAX,
        mean=(0.48145466, 0.4578275, 0.40821073),  # CLIP's
        std=(0.26862954, 0.26130258, 0.27577711),
    ),
)
CLIPS.add(
    "videoprism",
    ClipFamily(
        "VideoPrismClipModel",
        lambda config: config.text_config.hidden_size,
        lambda vision: PRISM_FRAMES,
        _videoprism_rows,
        Calibration(30.0, -3.0),
        padding="max_length",
        tokens=64,
    ),
)


def clip_family(name: str) -> ClipFamily | None:
    """How a model sees clips; None: it looks at one frame at a time."""
    found = "" if is_pair(name) else load_config(name).model_type
    return next((family for kind, family in CLIPS.items() if kind == found), None)


class ClipEncoder:
    """A video-text network of transformers, with the interface of `Encoder`.

    Args:
        name: a Hub id or a folder.
        compute: where it runs.
        adapter: a folder of LoRA weights; empty: none.

    Raises:
        UserError: it cannot be loaded, or sees no clips.
    """

    def __init__(self, name: str, compute: Compute, adapter: str = "") -> None:
        config = load_config(name)
        self.clip = CLIPS[config.model_type]
        self.config = config
        self.compute = compute
        self.network = load_network(self.clip.architecture, name, compute.device, adapter)
        self.tokenizer = load_tokenizer(name)
        vision = config.vision_config
        self.frames = int(self.clip.frames(vision))
        self.name = name
        self.rates = RATES
        self.dim = self.feature_dim = int(self.clip.dim(config))
        self.family = EncoderFacts("video", self.clip.prior)
        size = vision.image_size
        self.input_px = int(size if isinstance(size, int) else size[0])

    def pixels(self, image: Image.Image) -> np.ndarray:
        """(3, S, S) float32 of one frame as the network was trained on."""
        values = (pixels(image, self.input_px) + 1) / 2  # 0..1
        mean, std = (np.array(v, np.float32)[:, None, None] for v in (self.clip.mean, self.clip.std))
        return np.asarray((values - mean) / std, np.float32)

    epochs = EPOCHS

    def prepared(self, medium: Sequence[Image.Image]) -> dict[str, Tensor]:
        """(1, T, 3, S, S) of the frames of one clip."""
        return {"frames": torch.from_numpy(np.stack([self.pixels(frame) for frame in medium]))[None]}

    def media(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors of clips, not of unit length; gradients pass."""
        return self.clips(batch["frames"]).mean(1)

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, D) unit vectors."""
        return normalize(self.media(batch), dim=1)

    def save(self, folder: Path) -> None:
        """A folder that `from_pretrained` loads: weights as safetensors, and the tokeniser."""
        for part in (self.network, self.tokenizer):
            part.save_pretrained(folder)

    def clips(self, frames: Tensor) -> Tensor:
        """(B, T, D) rows of the frames of (B, T, 3, S, S) clips; gradients pass."""
        with self.compute.autocast():
            return self.clip.rows(self.network, frames.to(self.compute.device)).float()

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The tokens of texts, on the device."""
        text = self.config.text_config
        most = min(self.clip.tokens, int(text.max_position_embeddings))
        made = self.tokenizer(
            list(texts), padding=self.clip.padding, truncation=True, max_length=most, return_tensors="pt"
        )
        return {name: made[name].to(self.compute.device) for name in ("input_ids", "attention_mask")}

    def texts(self, tokens: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors of tokenised texts, not of unit length; gradients pass."""
        with self.compute.autocast():
            made = self.network.get_text_features(**tokens).pooler_output
        return made.float().reshape(len(tokens["input_ids"]), -1)


class FrameEncoder:
    """A dual encoder of pictures over a few frames of a video, with the interface of `Encoder`: the mean of
    their unit vectors.
    """

    frames = 4

    def __init__(self, pictures: Encoder) -> None:
        self.pictures = pictures
        self.name, self.compute, self.tokenizer = pictures.name, pictures.compute, pictures.tokenizer
        self.dim = self.feature_dim = pictures.dim
        self.rates, self.epochs, self.input_px = pictures.rates, pictures.epochs, pictures.input_px
        self.family = EncoderFacts("video", pictures.family.prior)

    @property
    def network(self) -> Any:
        """That of the pictures."""
        return self.pictures.network

    @network.setter
    def network(self, network: Any) -> None:
        self.pictures.network = network

    def prepared(self, medium: Sequence[Image.Image]) -> dict[str, Tensor]:
        """What goes in of some frames; each tensor has first axes of 1 and T."""
        return {name: t[None] for name, t in stacked([self.pictures.prepared(f) for f in medium]).items()}

    def media(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors, not of unit length; gradients pass."""
        shape = next(iter(batch.values())).shape[:2]
        rows = self.pictures.media({name: t.flatten(0, 1) for name, t in batch.items()})
        return normalize(rows, dim=1).unflatten(0, shape).mean(1)

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, D) unit vectors."""
        return normalize(self.media(batch), dim=1)

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The tokens of texts, on the device."""
        return self.pictures.tokens(texts)

    def texts(self, tokens: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors of tokenised texts, not of unit length; gradients pass."""
        return self.pictures.texts(tokens)

    def save(self, folder: Path) -> None:
        """A folder that the encoder of pictures can be opened from."""
        self.pictures.save(folder)


def open_video_encoder(name: str, compute: Compute, adapter: str = "") -> Encoder:
    """What is trained on videos: a network of clips, or one of pictures over their frames.

    Raises:
        UserError: it cannot be loaded.
    """
    if clip_family(name) is not None:
        return ClipEncoder(name, compute, adapter)
    return FrameEncoder(open_encoder(name, "image", compute, adapter))


def over_frames(encoder: Encoder) -> Encoder:
    """An encoder that is loaded, as it is trained on videos."""
    return encoder if encoder.family.modality == "video" else FrameEncoder(encoder)


def open_preset(preset: Preset, compute: Compute, adapter: str) -> Encoder:
    """The encoder of a preset, as it is trained: it takes several frames at once."""
    return open_video_encoder(preset.media_tower, compute, adapter)


def save_network(preset: Preset, compute: Compute, folder: Path) -> None:
    """Write both networks into a folder, with the adapter merged."""
    open_preset(preset, compute, preset.adapter).save(folder)


def describe(model: str) -> Described:
    """What the configuration of a model says of it.

    Raises:
        UserError: there is no such model, or it embeds neither pictures nor clips.
    """
    clip = clip_family(model)
    if clip is not None:
        return Described(int(clip.dim(load_config(model))))
    return dual.describe("image", model)


class ClipFrames:
    """Frames in their order to (N, D) rows of unit length; what comes last fills its clip by repeating."""

    modality: ModalityName = "image"

    def __init__(self, preset: Preset, encoder: ClipEncoder) -> None:
        self.id = preset.media_features
        self.encoder = encoder
        self.dim = self.feature_dim = encoder.dim
        self.input_px = encoder.input_px

    def prepare(self, medium: Image.Image) -> np.ndarray:
        """(3, S, S) float32 of one frame; may run in a worker thread."""
        return self.encoder.pixels(medium)

    @torch.inference_mode()
    def encode(self, media: Sequence[Image.Image | np.ndarray]) -> np.ndarray:
        """(N, D) float32 rows of N frames that follow each other."""
        frames = np.stack([m if isinstance(m, np.ndarray) else self.prepare(m) for m in media])
        short = -len(frames) % self.encoder.frames
        padded = np.concatenate([frames, np.repeat(frames[-1:], short, axis=0)])
        clips = torch.from_numpy(padded).unflatten(0, (-1, self.encoder.frames))
        rows = self.encoder.clips(clips).flatten(0, 1)[: len(frames)]
        return normalize(rows, dim=1).cpu().numpy()
