"""Dual encoders of transformers: a network for pictures or sounds and one for texts, with one shared space.

For pictures CLIP (Radford et al. 2021, arXiv:2103.00020), SigLIP (Zhai et al. 2023, arXiv:2303.15343),
SigLIP 2 (Tschannen et al. 2025, arXiv:2502.14786) and BLIP's retrieval model (Li et al. 2022,
arXiv:2201.12086), for sounds CLAP (Wu et al. 2023, arXiv:2211.06687). A family is one row: which class loads
it, what it is asked.
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

from mmdemo.errors import UserError
from mmdemo.media.audio import RATE_HZ
from mmdemo.modality import TASKS
from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import Compute, decide_compute
from mmdemo.models.hub.loading import load_config, load_network, load_part, load_tokenizer
from mmdemo.models.presets import Described, Preset
from mmdemo.models.protocols import Encoder, ModalityName
from mmdemo.registry import Registry
from mmdemo.settings import Settings

TEXT_BATCH = 128
MOST_TOKENS = 512
RATES = {"lora": 1e-4, "full": 1e-5}  # default learning rates of CLIP-like networks
EPOCHS = 3


def _image_features(network: Any, batch: dict[str, Tensor]) -> Tensor:
    return _pooled(network.get_image_features(**batch))


def _text_features(network: Any, tokens: dict[str, Tensor]) -> Tensor:
    return _pooled(network.get_text_features(**tokens))


@dataclass(frozen=True)
class Family:
    """How one architecture embeds."""

    architecture: str  # a class of transformers
    dim: Callable[[Any], int]  # D, from the configuration
    prior: Calibration  # of cosines: where matches begin, before any label
    modality: ModalityName = "image"
    padding: str = "longest"  # of texts; some were trained with all texts equally long
    tokens: int = MOST_TOKENS  # at most
    # (N, D) vectors, not of unit length, by the network, of prepared media and of tokens.
    embed_media: Callable[[Any, dict[str, Tensor]], Tensor] = _image_features
    embed_texts: Callable[[Any, dict[str, Tensor]], Tensor] = _text_features


# The cosines of matching and of other pairs lie around 0.25 with a softmax loss; of the sigmoid models these
# are about the scale and bias that they were published with.
SOFTMAX, SIGMOID = Calibration(40.0, -10.0), Calibration(112.0, -13.0)
# by the configuration's `model_type`
FAMILIES: Registry[Family] = Registry("family of dual encoders", Family, [__name__])
FAMILIES.add("clip", Family("CLIPModel", lambda c: c.projection_dim, SOFTMAX))
for _type, _architecture in (("siglip", "SiglipModel"), ("siglip2", "Siglip2Model")):
    FAMILIES.add(
        _type,
        Family(
            _architecture, lambda c: c.text_config.projection_size, SIGMOID, padding="max_length", tokens=64
        ),
    )
FAMILIES.add(
    "blip",
    Family(
        "BlipForImageTextRetrieval",
        lambda c: c.image_text_hidden_size,
        SOFTMAX,
        tokens=35,
        embed_media=lambda network, batch: network.vision_proj(network.vision_model(**batch)[0][:, 0]),
        embed_texts=lambda network, tokens: network.text_proj(network.text_encoder(**tokens)[0][:, 0]),
    ),
)
FAMILIES.add(
    "clap",
    Family(
        "ClapModel",
        lambda c: c.projection_dim,
        SOFTMAX,
        modality="audio",
        embed_media=lambda network, batch: _pooled(network.get_audio_features(**batch)),
    ),
)


def family_of(config: Any, name: str) -> Family:
    """The family of a configuration.

    Raises:
        UserError: it is none of these; the sentence lists them.
    """
    if config.model_type not in FAMILIES:
        raise UserError(
            f"{name} is a model of type {config.model_type!r}: no dual encoder that is known.",
            f"Choose one of these types: {', '.join(FAMILIES)}.",
        )
    return FAMILIES[config.model_type]


def open_preset(preset: Preset, compute: Compute, adapter: str) -> Encoder:
    """The encoder of a preset, as it is trained."""
    return open_encoder(preset.media_tower, TASKS[preset.task], compute, adapter)


def save_network(preset: Preset, compute: Compute, folder: Path) -> None:
    """Write both networks into a folder, with the adapter merged."""
    open_preset(preset, compute, preset.adapter).save(folder)


def open_encoder(name: str, modality: ModalityName, compute: Compute, adapter: str = "") -> Encoder:
    """The encoder of that name, whatever its kind.

    Args:
        name: a Hub id, a folder, or two towers as `cnn+rnn`.
        modality: of the media of a pair of towers; others know theirs.
        compute: where it runs.
        adapter: a folder of LoRA weights; empty: none.

    Raises:
        UserError: it cannot be loaded.
    """
    from mmdemo.models.encoders.two_towers import PairEncoder, is_pair

    if is_pair(name):
        return PairEncoder(name, modality, compute, adapter)
    return DualEncoder(name, compute, adapter)


class DualEncoder:
    """Both networks, loaded once; the two towers ask it.

    Args:
        name: a Hub id or a folder.
        compute: where it runs.
        adapter: a folder of LoRA weights; empty: none.

    Raises:
        UserError: it cannot be loaded.
    """

    epochs = EPOCHS

    def __init__(self, name: str, compute: Compute, adapter: str = "") -> None:
        config = load_config(name)
        self.name = name
        self.rates = RATES
        self.family = family_of(config, name)
        self.compute = compute
        self.config = config
        self.network = load_network(self.family.architecture, name, compute.device, adapter)
        self.tokenizer = load_tokenizer(name)
        audio = self.family.modality == "audio"
        self.processor = load_part("AutoFeatureExtractor" if audio else "AutoImageProcessor", name)
        self.dim = self.feature_dim = int(self.family.dim(config))

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, D) unit vectors: what a head is trained on."""
        return normalize(self.media(batch), dim=1)

    def save(self, folder: Path) -> None:
        """A folder that `from_pretrained` loads: weights as safetensors, tokeniser and processor."""
        for part in (self.network, self.tokenizer, self.processor):
            part.save_pretrained(folder)

    @property
    def input_px(self) -> int:
        """The side of the picture that goes in."""
        size = getattr(getattr(self.config, "vision_config", None), "image_size", None)
        return int(size or 224)

    def prepared(self, medium: Image.Image | np.ndarray) -> dict[str, Tensor]:
        """What goes in of one picture or of (N,) samples at 16 kHz; each tensor has a first axis of 1."""
        if self.family.modality == "audio":
            import torchaudio

            rate = int(self.processor.sampling_rate)
            sound = torchaudio.functional.resample(
                torch.from_numpy(np.asarray(medium, np.float32)), RATE_HZ, rate
            )
            return dict(self.processor(sound.numpy(), sampling_rate=rate, return_tensors="pt"))
        return dict(self.processor(images=medium, return_tensors="pt"))

    def media(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors of what `prepared` gave, not of unit length; gradients pass."""
        batch = {name: t.to(self.compute.device) for name, t in batch.items()}
        with self.compute.autocast():
            return self.family.embed_media(self.network, batch).float()

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The tokens of texts, on the device."""
        text_config = getattr(self.config, "text_config", self.config)
        most = min(self.family.tokens, int(getattr(text_config, "max_position_embeddings", MOST_TOKENS)))
        made = self.tokenizer(
            list(texts), padding=self.family.padding, truncation=True, max_length=most, return_tensors="pt"
        )
        kept = {"input_ids", "attention_mask"} & set(made)
        if self.family.padding == "max_length":
            kept -= {"attention_mask"}  # such models attend to the padding, as they were trained to
        return {name: made[name].to(self.compute.device) for name in kept}

    def texts(self, tokens: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors of tokenised texts, not of unit length; gradients pass."""
        with self.compute.autocast():
            return self.family.embed_texts(self.network, tokens).float()


def _pooled(out: Any) -> Tensor:
    """The projected vectors, which transformers hands out by themselves or as the pooled output."""
    found: Tensor = out if isinstance(out, Tensor) else out.pooler_output
    return found


def stacked(batch: Sequence[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Prepared media as one batch."""
    return {name: torch.cat([one[name] for one in batch]) for name in batch[0]}


class DualMediaTower:
    """Pictures or sounds to (N, F) features."""

    def __init__(self, features: str, encoder: Encoder) -> None:
        self.id = features
        self.modality: ModalityName = encoder.family.modality
        self.encoder = encoder
        self.dim, self.feature_dim = encoder.dim, encoder.feature_dim
        self.input_px = encoder.input_px

    @property
    def learner(self) -> Encoder:
        """Its encoder as it is trained."""
        return self.encoder

    def prepare(self, medium: Any) -> dict[str, Tensor]:
        """Preprocess one sample; may run in a worker thread."""
        return medium if isinstance(medium, dict) else self.encoder.prepared(medium)

    @torch.inference_mode()
    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """(N, F) float32, of which the first D are of unit length."""
        return self.encoder.features(stacked([self.prepare(m) for m in media])).cpu().numpy()


class DualTextTower:
    """Texts to (N, D) unit vectors."""

    def __init__(self, preset: Preset, encoder: Any) -> None:
        self.id = preset.text_vectors
        self.encoder = encoder
        self.dim = encoder.dim

    @torch.inference_mode()
    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) float32, unit length; batches hold texts of like length, so little is padding."""
        out = np.zeros((len(texts), self.dim), np.float32)
        by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for start in range(0, len(texts), TEXT_BATCH):
            rows = by_length[start : start + TEXT_BATCH]
            vectors = self.encoder.texts(self.encoder.tokens([texts[i] for i in rows]))
            out[rows] = normalize(vectors, dim=1).cpu().numpy()
        return out


def load_towers(preset: Preset, settings: Settings) -> tuple[Towers, str]:
    """The towers of a dual encoder, and the device in words.

    Raises:
        UserError: it cannot be loaded, or is not for the preset's task.
    """
    compute = decide_compute(settings.device, settings.threads)
    encoder = open_encoder(preset.media_tower, TASKS[preset.task], compute, preset.adapter)
    if encoder.family.modality != TASKS[preset.task]:
        raise UserError(
            f"{preset.media_tower} is for {encoder.family.modality}, not for {preset.task}.",
            "Choose it for another task.",
        )
    media, text = DualMediaTower(preset.media_features, encoder), DualTextTower(preset, encoder)
    return Towers(media, text, encoder.family.prior, preset.id), str(compute)


def describe(modality: ModalityName, model: str) -> Described:
    """What the configuration of a dual encoder, or the names of two towers, say of it.

    Raises:
        UserError: there is no such model, or it is no dual encoder.
    """
    from mmdemo.models.encoders.two_towers import describe_pair, is_pair

    if is_pair(model):
        return describe_pair(model, modality)
    config = load_config(model)
    return Described(int(family_of(config, model).dim(config)))


def base_calibration(preset: Preset) -> Calibration:
    """Where matches begin before any label, by the family."""
    from mmdemo.models.encoders.two_towers import EncoderFacts, is_pair

    if is_pair(preset.media_tower):
        return EncoderFacts(TASKS[preset.task]).prior
    return family_of(load_config(preset.media_tower), preset.media_tower).prior
