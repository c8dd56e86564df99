"""A pair of towers with the interface of a dual encoder: what goes in, and the vectors that come out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from mmdemo.media.audio import RATE_HZ
from mmdemo.media.image import pixels
from mmdemo.models import towers
from mmdemo.models.base import Modality
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import Compute
from mmdemo.models.tower_pair import FRAMES, HEARD_S, PairSpec, is_scratch, load_pair

UNTRAINED = Calibration(10.0, -5.0)  # of a shared space that nobody has trained


@dataclass(frozen=True)
class EncoderFacts:
    """What a caller asks of an encoder's family."""

    modality: Modality
    prior: Calibration = UNTRAINED


class PairEncoder:
    """A pair of towers with the interface of `DualEncoder`.

    Args:
        name: as `cnn+rnn`, or a folder that `save_pretrained` wrote.
        modality: what its media are.
        compute: where it runs.
        adapter: a folder of LoRA weights; empty: none.

    Raises:
        UserError: a tower is not known or not at hand.
    """

    def __init__(self, name: str, modality: Modality, compute: Compute, adapter: str = "") -> None:
        self.name = name
        self.compute = compute
        self.network: Any
        self.network, self.tokenizer = load_pair(name, modality, compute)
        self.spec: PairSpec = self.network.spec
        self.family = EncoderFacts(self.spec.modality)
        self.dim, self.feature_dim, self.input_px = self.spec.dim, self.spec.feature_dim, self.spec.px
        self.rates = {"lora": 1e-4, "full": 5e-4 if is_scratch(self.spec) else 3e-5}
        self.epochs = 20 if is_scratch(self.spec) else 5
        if adapter:
            from peft import PeftModel

            self.network = PeftModel.from_pretrained(self.network, adapter).merge_and_unload().eval()
        self._mels = threading.local()

    def prepared(self, medium: Image.Image | np.ndarray) -> dict[str, Tensor]:
        """What goes in of one picture or of (N,) samples at 16 kHz; each tensor has a first axis of 1."""
        if self.spec.modality == "image":
            values = (pixels(medium, self.input_px) + 1) / 2  # type: ignore[arg-type]
            mean, std = (np.array(v, np.float32)[:, None, None] for v in (self.spec.mean, self.spec.std))
            return {"pixels": torch.from_numpy(((values - mean) / std).astype(np.float32))[None]}
        return self._sound(torch.from_numpy(np.asarray(medium, np.float32)))

    def _sound(self, samples: Tensor) -> dict[str, Tensor]:
        import torchaudio

        if not hasattr(self._mels, "of"):
            self._mels.of = torchaudio.transforms.MelSpectrogram(
                RATE_HZ, n_fft=400, hop_length=160, n_mels=towers.MELS
            )
        samples = samples[: RATE_HZ * HEARD_S]
        if len(samples) < 400:
            samples = torch.nn.functional.pad(samples, (0, 400 - len(samples)))
        mels = self._mels.of(samples).clamp_min(1e-6).log()  # (M, T)
        mels = (mels - mels.mean()) / mels.std().clamp_min(1e-3)
        count = min(mels.shape[1], FRAMES)
        padded = torch.zeros(1, towers.MELS, FRAMES)
        padded[0, :, :count] = mels[:, :count]
        return {"mels": padded, "frames": torch.tensor([count])}

    def states(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, W) states of the media tower; gradients pass."""
        batch = {name: t.to(self.compute.device) for name, t in batch.items()}
        with self.compute.autocast():
            found: Tensor = self.network.media(**batch)
        return found.float()

    def media(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors of what `prepared` gave, not of unit length; gradients pass."""
        found: Tensor = self.network.media_projection(self.states(batch))
        return found

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """(N, F): the unit vector, and the states that it was made of."""
        states = self.states(batch)
        return torch.cat([normalize(self.network.media_projection(states), dim=1), states], 1)

    def tokens(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """The tokens of texts, on the device."""
        made = self.tokenizer(
            list(texts), padding=True, truncation=True, max_length=towers.MOST_TOKENS, return_tensors="pt"
        )
        return {name: made[name].to(self.compute.device) for name in ("input_ids", "attention_mask")}

    def texts(self, tokens: dict[str, Tensor]) -> Tensor:
        """(N, D) vectors of tokenised texts, not of unit length; gradients pass."""
        with self.compute.autocast():
            states = self.network.text(**tokens)
        found: Tensor = self.network.text_projection(states.float())
        return found

    def save(self, folder: Path) -> None:
        """A folder that `PairEncoder` opens."""
        for part in (self.network, self.tokenizer):
            part.save_pretrained(folder)
