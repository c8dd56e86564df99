"""How a network that writes learns from corrected texts.

By LoRA (Hu et al. 2021, arXiv:2106.09685) its weights stay; beside the query and value projections of every
attention a product of two thin matrices learns. In full all weights do. A Whisper learns by the cross-entropy
of the text's tokens given the sound, a model of letters by connectionist temporal classification (Graves et
al. 2006). The loop is that of trainer.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mmdemo.heavy_imports import heavy
from mmdemo.media.audio import RATE_HZ
from mmdemo.models.device import Compute
from mmdemo.models.hub.loading import load_part
from mmdemo.models.speech.ctc import CtcRecogniser
from mmdemo.models.speech.recogniser import WINDOW_S
from mmdemo.models.speech.whisper_transformers import load_whisper
from mmdemo.training.config import Measure
from mmdemo.training.losses import IGNORED, CaptionCrossEntropy

RANK, ALPHA = 16, 32  # of the thin matrices, and their weight
TARGETS = r".*\.(q_proj|v_proj|query|value|qkv)"  # the queries and values of every family's attention
AT_ONCE = 8  # recordings of half a minute that go through together
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
    at_once: int  # examples that go through the network together

    def loss(self, examples: Sequence[Any]) -> tuple[Tensor, int]:
        """() the loss of some examples, summed over their tokens, and how many tokens that are; gradients
        pass.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write what was learned: the adapter, or the whole network with its parts."""
        ...


@dataclass(frozen=True)
class Method:
    """How a network learns."""

    name: str  # lora or full
    seed: int = 0  # of the thin matrices' first values
    adapter: str = ""  # a folder of LoRA weights to go on from
    recompute: bool = False  # whether activations are computed again on any device

    @property
    def merged(self) -> str:
        """The adapter that is part of the network from the beginning, in full training."""
        return self.adapter if self.name == "full" else ""


def let_learn(network: Any, how: Method, compute: Compute) -> Any:
    """The network on its device, with the parameters of a method requiring gradients.

    On a GPU, or where it is asked for, activations are not kept for the backward pass but computed again
    (Chen et al. 2016, arXiv:1604.06174): less memory, a third more time.
    """
    torch.manual_seed(how.seed)
    if (how.recompute or compute.device.type == "cuda") and network.supports_gradient_checkpointing:
        network.activation_checkpointing_enable()
    if how.name == "full":
        return network.requires_grad_(True).to(compute.device)
    peft = heavy("peft")
    if how.adapter:
        return peft.PeftModel.from_pretrained(network, how.adapter, is_trainable=True).to(compute.device)
    shape = peft.LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.05, target_modules=TARGETS)
    return peft.get_peft_model(network, shape).to(compute.device)


class Adapted:
    """A Whisper that learns.

    Args:
        name: a Hub id or a folder.
        compute: where it runs.
        how: it learns.
    """

    at_once = AT_ONCE

    def __init__(self, name: str, compute: Compute, how: Method) -> None:
        whisper = load_whisper(name, how.merged)
        self.model: Any = let_learn(whisper, how, compute)
        self.compute = compute
        self.rates = {"lora": 1e-3, "full": 1e-5}  # thin matrices take larger ones than whole networks
        self.criterion = CaptionCrossEntropy()
        self._method = how.name
        self._features = load_part("WhisperFeatureExtractor", name)
        self._tokenizer = load_part("AutoTokenizer", name)
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

    def loss(self, examples: Sequence[Recording]) -> tuple[Tensor, int]:
        """The cross-entropy of the texts' tokens and the end, in nats; see `Writer`."""
        mel, given, wanted = self.batch(examples)
        with self.compute.autocast():
            logits = self.model(input_features=mel, decoder_input_ids=given).logits
        tokens = int((wanted != IGNORED).sum())
        return tokens * self.criterion(logits, wanted), tokens


class AdaptedCtc:
    """A model of letters that learns; arguments as `Adapted`."""

    at_once = AT_ONCE

    def __init__(self, name: str, compute: Compute, how: Method) -> None:
        self.rates = {"lora": 1e-3, "full": 3e-5}
        self._recogniser = CtcRecogniser(name, compute, how.merged)
        network = self._recogniser.network
        self.model: Any = let_learn(network, how, compute)
        self.compute = compute
        self._method = how.name

    def save(self, folder: Path) -> None:
        """Write what was learned, as peft or transformers read it."""
        parts = (self.model,) if self._method == "lora" else (self.model, *self._recogniser.parts)
        for part in parts:
            part.save_pretrained(folder)

    def loss(self, examples: Sequence[Recording]) -> tuple[Tensor, int]:
        """The negative log-likelihood of the letters, in nats; a text longer than its sound is left out. See
        `Writer`.
        """
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
        return total, letters


class WriterLearning:
    """A network that writes and the examples that it learns from, as `NetworkTraining` trains it.

    A batch goes through in parts, whose gradients add up; the parts may be of several processes.

    Args:
        writer: the network.
        examples: what it learns from.
    """

    least_steps = LEAST_STEPS
    epochs = EPOCHS
    measures: Measure = "likelihood"

    def __init__(self, writer: Writer, examples: Sequence[Any]) -> None:
        self.network: nn.Module = writer.model
        self.extras = nn.Module()
        self.rates = writer.rates
        self.batch = self.at_once = writer.at_once
        self._writer = writer
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def prepare(self, accelerator: Any) -> None:
        """See `Trainable`; gradients of several processes are added up here, so no wrapper is needed."""

    def has_positive(self, rows: Sequence[int]) -> bool:
        """See `Trainable`."""
        return True

    def prefetch(self, rows: Sequence[int], at_once: int) -> None:
        """See `Trainable`; examples are prepared when their part is due."""

    def backward(self, rows: Sequence[int], at_once: int, accelerator: Any) -> float:
        """See `Trainable`."""
        total, tokens = 0.0, 0.0
        for i in range(0, len(rows), at_once):
            loss, count = self._writer.loss([self._examples[row] for row in rows[i : i + at_once]])
            if count:
                accelerator.backward(loss)
                total, tokens = total + float(loss.detach()), tokens + count
        learning = [p for p in self.network.parameters() if p.requires_grad]
        if accelerator.num_processes > 1:
            sums = torch.tensor([total, float(tokens)], device=accelerator.device)
            total, tokens = (float(v) for v in accelerator.reduce(sums, "sum"))
            for p in learning:
                p.grad = accelerator.reduce(torch.zeros_like(p) if p.grad is None else p.grad, "sum")
        for p in learning:
            if p.grad is not None:
                p.grad /= max(1, tokens)
        return total / max(1, tokens)


def likelihood_of(writer: Writer, examples: Sequence[Any]) -> Callable[[], float]:
    """Measures how likely the writer, as it is then, finds a token of some texts: the geometric mean, in
    percent.
    """

    @torch.inference_mode()
    def found() -> float:
        total, tokens = 0.0, 0
        for i in range(0, len(examples), writer.at_once):
            loss, count = writer.loss(examples[i : i + writer.at_once])
            total, tokens = total + float(loss), tokens + count
        return 100.0 * math.exp(-total / max(1, tokens))

    return found
