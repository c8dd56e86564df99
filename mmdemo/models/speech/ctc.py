"""Recognisers that spell: wav2vec 2.0 and its like, trained with connectionist temporal classification.

Such a model gives every fiftieth of a second a distribution over letters (Graves et al. 2006; Baevski et al.
2020, arXiv:2006.11477). A text's likelihood is the sum over all ways of spelling it in the frames; its words'
times are the likeliest of these ways (forced alignment). The encoder's states are kept, and the letters are
one matrix away from them.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as nn
from torch import Tensor

from mmdemo.errors import UserError
from mmdemo.media.audio import RATE_HZ
from mmdemo.media.voice_activity import has_speech, speech_windows
from mmdemo.models.device import Compute
from mmdemo.models.hub.loading import load_network, load_part, load_tokenizer
from mmdemo.models.presets import Preset
from mmdemo.models.speech.recogniser import (
    STATES_PER_S,
    WINDOW_S,
    EncoderStates,
    Segment,
    SoundEvidence,
    SpeechRecogniser,
    first_windows,
    sentences,
)
from mmdemo.models.speech.word_alignment import Word, placed

LEAST_SAMPLES = 800  # of the convolutions in front of wav2vec 2.0: below it there is no frame
IMPOSSIBLE = -30.0  # nats a letter, of a text with more letters than frames


class CtcRecogniser(SpeechRecogniser):
    """A CTC model of transformers.

    Args:
        name: a Hub id or a folder.
        compute: where it runs.
        adapter: the folder of a LoRA adapter; empty: none.

    Raises:
        UserError: it cannot be loaded.
    """

    multilingual = False

    def __init__(self, name: str, compute: Compute, adapter: str = "") -> None:
        self._model = load_network("AutoModelForCTC", name, compute.device, adapter)
        self._features = load_part("AutoFeatureExtractor", name)
        self._tokenizer = load_tokenizer(name)
        self._compute = compute
        self._lock = threading.Lock()
        self._letters: dict[str, int] = self._tokenizer.get_vocab()
        self._blank = int(self._tokenizer.pad_token_id)
        self._space = self._letters.get(self._tokenizer.word_delimiter_token or "|", -1)
        self._upper = "A" in self._letters

    @property
    def network(self) -> Any:
        """The network of transformers beneath."""
        return self._model

    @property
    def parts(self) -> tuple[Any, Any]:
        """What is saved beside the network."""
        return self._features, self._tokenizer

    @property
    def blank(self) -> int:
        """The letter that is none."""
        return self._blank

    # Letters

    def spell(self, text: str) -> list[int]:
        """The letters of a text that the model knows, words apart."""
        words = (text.upper() if self._upper else text.lower()).split()
        spelled = [[self._letters[c] for c in word if c in self._letters] for word in words]
        out: list[int] = []
        for letters in (s for s in spelled if s):
            out += [*([self._space] if out and self._space >= 0 else []), *letters]
        return out

    def inputs(self, samples: np.ndarray) -> Tensor:
        """(1, N) what goes into the network, on the device."""
        samples = np.pad(samples, (0, max(0, LEAST_SAMPLES - len(samples))))
        values: Tensor = self._features(samples, sampling_rate=RATE_HZ, return_tensors="pt").input_values
        return values.to(self._compute.device)

    @torch.inference_mode()
    def _states(self, samples: np.ndarray) -> np.ndarray:
        """(T, H) float16 states of at most 30 s."""
        with self._lock, self._compute.autocast():
            found = self._model.base_model(self.inputs(samples)).last_hidden_state[0]
        return found.float().cpu().numpy().astype(np.float16)

    @torch.inference_mode()
    def _log_probabilities(self, states: np.ndarray) -> Tensor:
        """(T, V) float32 log-probabilities of letters."""
        inputs = torch.from_numpy(states.astype(np.float32)).to(self._compute.device)
        with self._lock:
            return self._model.lm_head(inputs).float().log_softmax(-1).cpu()

    def _greedy(self, states: np.ndarray, seconds: float) -> list[Word]:
        """The likeliest letter of each frame, joined to words with their times."""
        values, best = self._log_probabilities(states).exp().max(-1)
        each_s = seconds / max(1, len(best))
        words: list[Word] = []
        letters: list[tuple[str, int, float]] = []  # letter, frame, probability

        def close() -> None:
            if letters:
                sure = float(np.exp(np.mean([np.log(max(p, 1e-9)) for _, _, p in letters])))
                word = "".join(c for c, _, _ in letters)
                word = word.lower() if self._upper else word
                words.append(Word(word, letters[0][1] * each_s, (letters[-1][1] + 1) * each_s, sure))
                letters.clear()

        before = self._blank
        for frame, (letter, value) in enumerate(zip(best.tolist(), values.tolist(), strict=True)):
            if letter == self._space:
                close()
            elif letter not in (self._blank, before):
                letters.append((str(self._tokenizer.convert_ids_to_tokens(letter)), frame, value))
            before = letter
        close()
        return words

    # What a recogniser answers

    def _transcribe_piece(
        self, samples: np.ndarray, offset_s: float, vocabulary: Sequence[str], language: str
    ) -> list[Segment]:
        """Words to expect mean nothing to a model that only spells."""
        found: list[Segment] = []
        for start, end in speech_windows(samples):
            part = samples[start:end]
            words = self._greedy(self._states(part), len(part) / RATE_HZ)
            found += sentences(placed(words, part, offset_s + start / RATE_HZ))
        return found

    def language(self, samples: np.ndarray) -> str:
        """The model's own language is not written in it; English ones are what the presets name."""
        return "en"

    def encode(self, samples: np.ndarray) -> EncoderStates:
        """The states of the first two minutes, window by window, and what they spell."""
        parts = first_windows(samples)
        windows = [self._states(part) for part in parts]
        heard = [
            w.word
            for part, states in zip(parts, windows, strict=True)
            if has_speech(part)
            for w in self._greedy(states, len(part) / RATE_HZ)
        ]
        return EncoderStates(tuple(windows), " ".join(heard), self.language(samples))

    def evidence(self, states: EncoderStates, texts: Sequence[str]) -> SoundEvidence:
        """Log-likelihood of each text and of its least likely word, in nats a letter."""
        spelled = [self.spell(t) for t in texts]
        best = np.full((2, len(texts)), IMPOSSIBLE)
        for window in states.windows:
            frames = self._log_probabilities(window)
            fits = [i for i, s in enumerate(spelled) if _can_hold(frames, s)]
            for begin in range(0, len(fits), 64):
                rows = fits[begin : begin + 64]
                lengths = torch.tensor([len(spelled[i]) for i in rows])
                loss = nn.ctc_loss(
                    frames[:, None].expand(-1, len(rows), -1).contiguous(),
                    torch.tensor([letter for i in rows for letter in spelled[i]]),
                    torch.full((len(rows),), len(frames)),
                    lengths,
                    blank=self._blank,
                    reduction="none",
                )
                best[0, rows] = np.maximum(best[0, rows], -(loss.double() / lengths).numpy())
            for i in fits:
                worst = min(np.log(max(p, 1e-9)) for _, _, _, p in self._force(frames, texts[i]))
                best[1, i] = max(best[1, i], worst)
        return SoundEvidence(best[0], best[1])

    def align_words(
        self, samples: np.ndarray, text: str, offset_s: float = 0.0, language: str = ""
    ) -> list[Word]:
        """When each word of a text is said in at most 30 s of sound; see `SpeechRecogniser`."""
        part = samples[: round(WINDOW_S * RATE_HZ)]
        frames = self._log_probabilities(self._states(part))
        found = self._force(frames, text)
        each_s = len(part) / RATE_HZ / len(frames)
        words = [Word(word, a * each_s, b * each_s, p) for word, a, b, p in found]
        return placed(words, part, offset_s)

    def _span_in(self, window: np.ndarray, text: str, language: str) -> tuple[float, float] | None:
        frames = self._log_probabilities(window)
        if not _can_hold(frames, self.spell(text)):
            return None
        found = self._force(frames, text)
        return found[0][1] / STATES_PER_S, found[-1][2] / STATES_PER_S

    def _force(self, frames: Tensor, text: str) -> list[tuple[str, int, int, float]]:
        """Word, first frame, frame after the last, probability; a word of unknown letters is left out.

        Raises:
            UserError: the text has more letters than the sound has frames.
        """
        from torchaudio.functional import forced_align, merge_tokens

        words = [(word, self.spell(word)) for word in text.split()]
        words = [(word, letters) for word, letters in words if letters]
        target = self.spell(text)
        if not target:
            return []
        repeats = sum(a == b for a, b in pairwise(target))
        if len(target) + repeats > len(frames):
            raise UserError(
                "The text is too long to have been said in this recording.",
                "Shorten it, or choose a longer recording.",
            )
        labels, scores = forced_align(frames[None], torch.tensor([target]), blank=self._blank)
        spans = [
            s for s in merge_tokens(labels[0], scores[0].exp(), blank=self._blank) if s.token != self._space
        ]
        out = []
        for word, letters in words:
            own, spans = spans[: len(letters)], spans[len(letters) :]
            sure = float(np.exp(np.mean([np.log(max(float(s.score), 1e-9)) for s in own])))
            out.append((word, own[0].start, own[-1].end, sure))
        return out


def _can_hold(frames: Tensor, letters: Sequence[int]) -> bool:
    """Whether there are frames enough to spell some letters, with a blank between any two."""
    return 0 < 2 * len(letters) <= len(frames)


def open_preset(preset: Preset, compute: Compute, threads: int) -> SpeechRecogniser:
    """The recogniser of a preset, with its adapter merged where it has one.

    Raises:
        UserError: its weights are not at hand and cannot be fetched.
    """
    return CtcRecogniser(preset.media_tower, compute, preset.adapter)
