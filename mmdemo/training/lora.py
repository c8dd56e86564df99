"""Low-rank adaptation of a speech recogniser on corrected transcripts: read top to bottom.

The recogniser is a Whisper of transformers. Its weights stay; beside the query and value projections of every
attention a product of two thin matrices learns (LoRA, Hu et al. 2021, arXiv:2106.09685), by the cross-entropy
of the text's tokens given the sound. Like the head's loop it knows no page and no database, keeps its state
after every epoch, and starts the randomness of each epoch from (seed, epoch).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmdemo.media.audio import RATE_HZ
from mmdemo.models.device import Compute
from mmdemo.models.hub_whisper import load_whisper
from mmdemo.models.recognition import WINDOW_S
from mmdemo.training.loop import EpochRecord, TrainSettings
from mmdemo.training.state import StateKeeper

RANK, ALPHA = 16, 32  # of the thin matrices, and their weight
TARGETS = ("q_proj", "v_proj")
EPOCHS = 4
LEAST_STEPS = 40  # with few recordings epochs are added up to so many steps
RATE = 1e-3  # the learning rate; thin matrices take larger ones than whole networks
MOST_BATCH = 8  # recordings a step: 30 s each
IGNORED = -100  # a label that the loss passes over


@dataclass(frozen=True)
class Recording:
    """A recording of at most half a minute and what is said in it."""

    load: Callable[[], np.ndarray]  # (N,) float32 at 16 kHz
    text: str


class Adapted:
    """A Whisper with an adapter that learns.

    Args:
        name: a Hub id or a folder.
        compute: where it runs.
        seed: of the thin matrices' first values.
        adapter: a folder of weights to go on from; empty: new ones.
    """

    def __init__(self, name: str, compute: Compute, seed: int = 0, adapter: str = "") -> None:
        from peft import LoraConfig, PeftModel, get_peft_model
        from transformers import AutoTokenizer, WhisperFeatureExtractor

        torch.manual_seed(seed)
        whisper = load_whisper(name)
        if adapter:
            self.model: Any = PeftModel.from_pretrained(whisper, adapter, is_trainable=True)
        else:
            shape = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.05, target_modules=list(TARGETS))
            self.model = get_peft_model(whisper, shape)
        self.model.to(compute.device)
        self.compute = compute
        self._features = WhisperFeatureExtractor.from_pretrained(name)
        self._tokenizer = AutoTokenizer.from_pretrained(name)
        self._eot = int(self._tokenizer.eos_token_id)
        self._multilingual = bool(getattr(whisper.generation_config, "is_multilingual", False))

    @property
    def weights(self) -> nn.ParameterDict:
        """The parameters that learn, by name."""
        return nn.ParameterDict(
            {n.replace(".", "/"): p for n, p in self.model.named_parameters() if p.requires_grad}
        )

    def save(self, folder: Path) -> None:
        """Write the adapter as peft reads it."""
        self.model.save_pretrained(folder, safe_serialization=True)

    def batch(self, recordings: Sequence[Recording]) -> tuple[Tensor, Tensor, Tensor]:
        """(B, M, 3000) spectrograms, (B, L) tokens that go in, (B, L) tokens that should come out."""
        sounds = [r.load()[: round(WINDOW_S * RATE_HZ)] for r in recordings]
        mel = self._features(sounds, sampling_rate=RATE_HZ, return_tensors="pt").input_features
        tell = self._tokenizer.convert_tokens_to_ids
        names = ["<|startoftranscript|>", *(["<|en|>", "<|transcribe|>"] if self._multilingual else [])]
        prompt = [tell(name) for name in (*names, "<|notimestamps|>")]
        rows = []
        for recording in recordings:
            text = self._tokenizer(f" {recording.text.strip()}", add_special_tokens=False).input_ids[:400]
            rows.append([*prompt, *text, self._eot])
        longest = max(map(len, rows)) - 1
        given = torch.full((len(rows), longest), self._eot)
        wanted = torch.full((len(rows), longest), IGNORED)
        for i, row in enumerate(rows):
            given[i, : len(row) - 1] = torch.tensor(row[:-1])
            wanted[i, len(prompt) - 1 : len(row) - 1] = torch.tensor(row[len(prompt) :])
        device = self.compute.device
        return mel.to(device), given.to(device), wanted.to(device)

    def loss(self, mel: Tensor, given: Tensor, wanted: Tensor) -> Tensor:
        """() mean cross-entropy of the text's tokens and the end, in nats."""
        with self.compute.autocast():
            logits = self.model(input_features=mel, decoder_input_ids=given).logits
        return nn.functional.cross_entropy(
            logits.float().flatten(0, 1), wanted.flatten(), ignore_index=IGNORED
        )


def default_epochs(recordings: int, batch: int) -> int:
    """EPOCHS, or more where they make fewer than LEAST_STEPS steps."""
    return max(EPOCHS, math.ceil(LEAST_STEPS / math.ceil(recordings / batch)))


def train_lora(
    adapted: Adapted,
    recordings: Sequence[Recording],
    settings: TrainSettings,
    state: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[EpochRecord]:
    """Train the adapter, an epoch at a time; what is trained is `adapted` itself.

    Args:
        adapted: the network.
        recordings: what was said in them.
        settings: epochs, learning rate (0: the default for LoRA), batch and seed are used.
        state: a folder from which an interrupted run goes on; None: nothing is kept.
        stopped: looked at every step; the epoch that is stopped does not count.
    """
    batch = min(settings.batch, MOST_BATCH)
    epochs = settings.epochs or default_epochs(len(recordings), batch)
    settings = replace(settings, epochs=epochs, learning_rate=settings.learning_rate or RATE)
    weights = adapted.weights
    optimiser = torch.optim.AdamW(weights.values(), lr=settings.learning_rate, weight_decay=0.0)
    keeper = StateKeeper(state) if state is not None else None
    begun, spent = keeper.load(weights, optimiser) if keeper is not None and keeper.exists() else (0, 0.0)
    if begun >= epochs:  # killed between the last epoch and the version
        yield EpochRecord(epochs, epochs, 0.0, None, spent, 0.0)
        return
    steps, since = math.ceil(len(recordings) / batch), time.perf_counter()
    for epoch in range(begun + 1, epochs + 1):
        torch.manual_seed(settings.seed * 100_003 + epoch)
        adapted.model.train()
        total = 0.0
        for step, chosen in enumerate(torch.randperm(len(recordings)).split(batch)):
            if stopped():
                return
            done = ((epoch - 1) * steps + step) / (epochs * steps)
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
            loss = adapted.loss(*adapted.batch([recordings[i] for i in chosen]))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(weights.values(), 1.0)
            optimiser.step()
            total += loss.item() * len(chosen)
        adapted.model.eval()
        seconds = spent + time.perf_counter() - since
        each = (time.perf_counter() - since) / (epoch - begun)
        if keeper is not None:
            keeper.save(weights, optimiser, epoch, seconds)
        yield EpochRecord(epoch, epochs, total / len(recordings), None, seconds, each * (epochs - epoch))
    if keeper is not None:
        keeper.wait()
