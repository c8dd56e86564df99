"""A captioner that learns from pictures and their captions, by LoRA or in full."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from mmdemo.models.captioning.transformers import HubCaptioner
from mmdemo.models.device import Compute
from mmdemo.training.adapting import Method, let_learn
from mmdemo.training.losses import IGNORED, CaptionCrossEntropy
from mmdemo.training.trainables.texts import AT_ONCE

MOST_TOKENS = 64  # of a caption


@dataclass(frozen=True)
class Captioned:
    """A picture and a caption: what to write, or of a marked mismatch what not to."""

    load: Callable[[], Image.Image]
    text: str
    match: bool = True
    agreement: float = 1.0


class AdaptedCaptioner:
    """A captioner of transformers that learns.

    Args:
        name: a Hub id or a folder.
        compute: where it runs.
        how: it learns.
    """

    at_once = AT_ONCE

    def __init__(self, name: str, compute: Compute, how: Method) -> None:
        self.rates = {"lora": 2e-4, "full": 1e-5}
        self.captioner = HubCaptioner(name, compute, how.merged)
        self.model: Any = let_learn(self.captioner.network, how, compute)
        self.compute = compute
        self._method = how.name
        self._criterion = CaptionCrossEntropy()

    def save(self, folder: Path) -> None:
        """Write what was learned, as peft or transformers read it."""
        parts = (self.model,) if self._method == "lora" else (self.model, self.captioner.processor)
        for part in parts:
            part.save_pretrained(folder)

    def loss(self, examples: Sequence[Captioned]) -> tuple[Tensor, int]:
        """The cross-entropy of the captions' tokens, in nats; see `Writer`.

        Pictures go through one by one: processors cut them into different numbers of tiles, and batches
        are small.
        """
        total, count = torch.zeros((), device=self.compute.device), 0
        for example in examples:
            logits, wanted = self._one(example)
            device = logits.device
            tokens = int((wanted != IGNORED).sum())
            match = torch.tensor([example.match], device=device)
            total = total + tokens * example.agreement * self._criterion(logits, wanted, match)
            count += tokens
        return total, count

    def _one(self, example: Captioned) -> tuple[Tensor, Tensor]:
        """(1, L, V) logits and the (1, L) tokens that should come."""
        device = self.compute.device
        given = self.captioner.inputs([example.load()])
        tokens = self.captioner.caption_tokens(example.text)[:MOST_TOKENS]
        row = torch.tensor([tokens], device=device)
        if self.captioner.family.asks:
            prompt = given["input_ids"].shape[1]
            given["input_ids"] = torch.cat([given["input_ids"], row], 1)
            given["attention_mask"] = torch.ones_like(given["input_ids"])
            with self.compute.autocast():
                logits = self.model(**given).logits[:, prompt - 1 : -1]
            return logits, row
        with self.compute.autocast():
            logits = self.model(**given, input_ids=row).logits[:, -row.shape[1] :]
        return logits[:, :-1], row[:, 1:]
