"""Fine-tuning a network that writes, by LoRA or in full, on corrected texts: read top to bottom.

By LoRA (Hu et al. 2021, arXiv:2106.09685) its weights stay; beside the query and value projections of every
attention a product of two thin matrices learns. In full all weights do. A Whisper learns by the cross-entropy
of the text's tokens given the sound, a model of letters by connectionist temporal classification (Graves et
al. 2006). Like the head's loop this one knows no page and no database, keeps its state after every epoch, and
starts the randomness of each epoch from (seed, epoch).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mmdemo.media.audio import RATE_HZ
from mmdemo.models.ctc import CtcRecogniser
from mmdemo.models.device import Compute
from mmdemo.models.hub_whisper import load_whisper
from mmdemo.models.recognition import WINDOW_S
from mmdemo.training.loop import EpochRecord, TrainSettings
from mmdemo.training.losses import IGNORED, CaptionCrossEntropy
from mmdemo.training.state import StateKeeper

RANK, ALPHA = 16, 32  # of the thin matrices, and their weight
TARGETS = r".*\.(q_proj|v_proj|query|value|qkv)"  # the queries and values of every family's attention
EPOCHS = 4
LEAST_STEPS = 40  # with few examples epochs are added up to so many steps


@dataclass(frozen=True)
class Recording:
    """A recording of at most half a minute and what is said in it."""

    load: Callable[[], np.ndarray]  # (N,) float32 at 16 kHz
    text: str


class Writer(Protocol):
    """A network that writes, and learns from examples."""

    model: Any
    rates: dict[str, float]
    most_batch: int

    def loss(self, examples: Sequence[Any]) -> Tensor:
        """() the mean loss of a batch; gradients pass."""
        ...

    def save(self, folder: Path) -> None:
        """Write what was learned: the adapter, or the whole network with its parts."""
        ...


def let_learn(network: Any, method: str, seed: int, adapter: str = "", targets: Any = TARGETS) -> Any:
    """The network with the parameters of a method requiring gradients.

    Args:
        network: of transformers.
        method: lora or full.
        seed: of the thin matrices' first values.
        adapter: a folder of LoRA weights to go on from; empty: new ones.
        targets: the names of the layers beside which LoRA learns.
    """
    torch.manual_seed(seed)
    if method == "full":
        return network.requires_grad_(True)
    from peft import LoraConfig, PeftModel, get_peft_model

    if adapter:
        return PeftModel.from_pretrained(network, adapter, is_trainable=True)
    shape = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.05, target_modules=targets)
    return get_peft_model(network, shape)


def weights_of(model: nn.Module) -> nn.ParameterDict:
    """The parameters that learn, by name."""
    return nn.ParameterDict({n.replace(".", "/"): p for n, p in model.named_parameters() if p.requires_grad})


class Adapted:
    """A Whisper that learns.

    Args:
        name: a Hub id or a folder.
        compute: where it runs.
        method: lora or full.
        seed: of the thin matrices' first values.
        adapter: a folder of LoRA weights to go on from; empty: none.
    """

    most_batch = 8  # recordings a step: 30 s each

    def __init__(
        self, name: str, compute: Compute, method: str = "lora", seed: int = 0, adapter: str = ""
    ) -> None:
        from transformers import AutoTokenizer, WhisperFeatureExtractor

        whisper = load_whisper(name, adapter if method == "full" else "")
        self.model: Any = let_learn(whisper, method, seed, adapter).to(compute.device)
        self.compute = compute
        self.rates = {"lora": 1e-3, "full": 1e-5}  # thin matrices take larger ones than whole networks
        self.criterion = CaptionCrossEntropy()
        self._method = method
        self._features = WhisperFeatureExtractor.from_pretrained(name)
        self._tokenizer = AutoTokenizer.from_pretrained(name)
        self._eot = int(self._tokenizer.eos_token_id)
        self._multilingual = bool(getattr(whisper.generation_config, "is_multilingual", False))

    def save(self, folder: Path) -> None:
        """Write what was learned, as peft or transformers read it."""
        parts = (self.model,) if self._method == "lora" else (self.model, self._features, self._tokenizer)
        for part in parts:
            part.save_pretrained(folder)

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

    def loss(self, examples: Sequence[Recording]) -> Tensor:
        """() mean cross-entropy of the texts' tokens and the end, in nats."""
        mel, given, wanted = self.batch(examples)
        with self.compute.autocast():
            logits = self.model(input_features=mel, decoder_input_ids=given).logits
        found: Tensor = self.criterion(logits, wanted)
        return found


class AdaptedCtc:
    """A model of letters that learns; arguments as `Adapted`."""

    most_batch = 8

    def __init__(
        self, name: str, compute: Compute, method: str = "lora", seed: int = 0, adapter: str = ""
    ) -> None:
        self.rates = {"lora": 1e-3, "full": 3e-5}
        self._recogniser = CtcRecogniser(name, compute, adapter if method == "full" else "")
        network = self._recogniser.network
        self.model: Any = let_learn(network, method, seed, adapter).to(compute.device)
        self.compute = compute
        self._method = method

    def save(self, folder: Path) -> None:
        """Write what was learned, as peft or transformers read it."""
        parts = (self.model,) if self._method == "lora" else (self.model, *self._recogniser.parts)
        for part in parts:
            part.save_pretrained(folder)

    def loss(self, examples: Sequence[Recording]) -> Tensor:
        """() mean negative log-likelihood of a letter, in nats; a text longer than its sound is left out."""
        total, letters = torch.zeros((), device=self.compute.device), 0
        for example in examples:  # one by one: the convolutions in front would hear a batch's padding
            target = self._recogniser.spell(example.text)
            inputs = self._recogniser.inputs(example.load()[: round(WINDOW_S * RATE_HZ)])
            with self.compute.autocast():
                logits = self.model(inputs).logits
            frames = logits.float().log_softmax(-1)[0, :, None]  # (T, 1, V)
            if not target or 2 * len(target) > len(frames):
                continue
            total = total + nn.functional.ctc_loss(
                frames,
                torch.tensor([target], device=frames.device),
                torch.tensor([len(frames)]),
                torch.tensor([len(target)]),
                blank=self._recogniser.blank,
                reduction="sum",
            )
            letters += len(target)
        return total / max(1, letters)


def default_epochs(examples: int, batch: int) -> int:
    """EPOCHS, or more where they make fewer than LEAST_STEPS steps."""
    return max(EPOCHS, math.ceil(LEAST_STEPS / math.ceil(examples / batch)))


def train_writer(
    adapted: Writer,
    examples: Sequence[Any],
    settings: TrainSettings,
    method: str = "lora",
    state: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[EpochRecord]:
    """Train a network that writes, an epoch at a time, in place.

    Args:
        adapted: the network.
        examples: what it learns from.
        settings: epochs, learning rate, batch and seed are used.
        method: lora or full: whose default learning rate.
        state: a folder from which an interrupted run goes on; None: nothing is kept.
        stopped: looked at every step; the epoch that is stopped does not count.
    """
    batch = min(settings.batch, adapted.most_batch)
    epochs = settings.epochs or default_epochs(len(examples), batch)
    settings = replace(settings, epochs=epochs, learning_rate=settings.learning_rate or adapted.rates[method])
    weights = weights_of(adapted.model)
    optimiser = torch.optim.AdamW(weights.values(), lr=settings.learning_rate, weight_decay=0.0)
    keeper = StateKeeper(state) if state is not None else None
    begun, spent = keeper.load(weights, optimiser) if keeper is not None and keeper.exists() else (0, 0.0)
    if begun >= epochs:  # killed between the last epoch and the version
        yield EpochRecord(epochs, epochs, 0.0, None, spent, 0.0)
        return
    steps, since = math.ceil(len(examples) / batch), time.perf_counter()
    for epoch in range(begun + 1, epochs + 1):
        torch.manual_seed(settings.seed * 100_003 + epoch)
        adapted.model.train()
        total = 0.0
        for step, chosen in enumerate(torch.randperm(len(examples)).split(batch)):
            if stopped():
                return
            done = ((epoch - 1) * steps + step) / (epochs * steps)
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
            loss = adapted.loss([examples[i] for i in chosen])
            if not loss.requires_grad or not torch.isfinite(loss):
                continue  # nothing in this batch can be learned from
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
        yield EpochRecord(epoch, epochs, total / len(examples), None, seconds, each * (epochs - epoch))
    if keeper is not None:
        keeper.wait()
