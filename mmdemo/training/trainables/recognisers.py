"""Recognisers that learn from corrected transcripts.

A Whisper learns by the cross-entropy of the text's tokens given the sound, a model of letters by
connectionist temporal classification (Graves et al. 2006).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mmdemo.media.audio import RATE_HZ
from mmdemo.models.device import Compute
from mmdemo.models.hub.loading import load_part, load_tokenizer
from mmdemo.models.speech.ctc import CtcRecogniser
from mmdemo.models.speech.recogniser import WINDOW_S
from mmdemo.models.speech.whisper_transformers import load_whisper
from mmdemo.registry import Registry
from mmdemo.training.adapting import Method, let_learn
from mmdemo.training.losses import IGNORED, CaptionCrossEntropy
from mmdemo.training.trainables.texts import AT_ONCE, Writer


@dataclass(frozen=True)
class Recording:
    """A recording of at most half a minute and what is said in it."""

    load: Callable[[], np.ndarray]  # (N,) float32 at 16 kHz
    text: str
    language: str = "en"  # that is spoken, ISO 639-1


class Listener(Writer, Protocol):
    """A recogniser that learns."""

    multilingual: bool  # whether it has to be told which language a recording is in


class AdaptedWhisper:
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
        self._tokenizer = load_tokenizer(name)
        self._eot = int(self._tokenizer.eos_token_id)
        self.multilingual = bool(getattr(whisper.generation_config, "is_multilingual", False))

    def save(self, folder: Path) -> None:
        """Write what was learned, as peft or transformers read it."""
        parts = (self.model,) if self._method == "lora" else (self.model, self._features, self._tokenizer)
        for part in parts:
            part.save_pretrained(folder)

    def batch(self, recordings: Sequence[Recording]) -> tuple[Tensor, Tensor, Tensor]:
        """(B, M, 3000) spectrograms, (B, L) tokens that go in, (B, L) tokens that should come out."""
        sounds = [r.load()[: round(WINDOW_S * RATE_HZ)] for r in recordings]
        mel = self._features(sounds, sampling_rate=RATE_HZ, return_tensors="pt").input_features
        prompts = [self._prompt(r.language) for r in recordings]
        rows = []
        for recording, prompt in zip(recordings, prompts, strict=True):
            text = self._tokenizer(f" {recording.text.strip()}", add_special_tokens=False).input_ids[:400]
            rows.append([*prompt, *text, self._eot])
        longest = max(map(len, rows)) - 1
        given = torch.full((len(rows), longest), self._eot)
        wanted = torch.full((len(rows), longest), IGNORED)
        for i, row in enumerate(rows):
            given[i, : len(row) - 1] = torch.tensor(row[:-1])
            begin = len(prompts[i])
            wanted[i, begin - 1 : len(row) - 1] = torch.tensor(row[begin:])
        device = self.compute.device
        return mel.to(device), given.to(device), wanted.to(device)

    def _prompt(self, language: str) -> list[int]:
        """What the decoder is told before a text."""
        told = [f"<|{language or 'en'}|>", "<|transcribe|>"] if self.multilingual else []
        names = ["<|startoftranscript|>", *told, "<|notimestamps|>"]
        return [int(self._tokenizer.convert_tokens_to_ids(name)) for name in names]

    def loss(self, examples: Sequence[Recording]) -> tuple[Tensor, int]:
        """The cross-entropy of the texts' tokens and the end, in nats; see `Writer`."""
        mel, given, wanted = self.batch(examples)
        with self.compute.autocast():
            logits = self.model(input_features=mel, decoder_input_ids=given).logits
        tokens = int((wanted != IGNORED).sum())
        return tokens * self.criterion(logits, wanted), tokens


class AdaptedCtc:
    """A model of letters that learns; arguments as `AdaptedWhisper`."""

    at_once = AT_ONCE
    multilingual = False

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


Learner = Callable[[str, Compute, Method], Listener]
LEARNERS: Registry[Learner] = Registry("recogniser that learns", Learner, [__name__])  # by loader
LEARNERS.add("whisper", AdaptedWhisper)
LEARNERS.add("ctc", AdaptedCtc)
