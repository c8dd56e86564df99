"""What every Whisper answers alike (Radford et al. 2022, arXiv:2212.04356), whatever its network runs on.

- The **likelihood** of a text is what the decoder, forced to say it, gives its tokens: mean log p(token |
  sound), less a share of what it would give them without sound, so that a rare word is not at a disadvantage.
  A word by itself is heard with half a second of silence before it, which Whisper knows from what it learned
  from, and counts as written small and with a capital alike.
- **Word times** come from the decoder's cross-attention by dynamic time warping, and are then moved to where
  the sound's energy rises and falls.

- The **language** is heard once per recording, from its states, by those that know several; an English-only
  model knows no other. Everything that the decoder is asked, it is asked in that language.

Encoder states are computed once per recording and can be kept: everything but a full transcript needs only
them.
"""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmdemo.heavy_imports import heavy
from mmdemo.media.audio import RATE_HZ
from mmdemo.media.voice_activity import has_speech
from mmdemo.models.speech.recogniser import (
    STATES_PER_S,
    TAIL,
    WINDOW_S,
    WORD_S,
    EncoderStates,
    SoundEvidence,
    SpeechRecogniser,
    first_windows,
)
from mmdemo.models.speech.word_alignment import Word, placed, without_marks

LEAD_S = 0.5  # of silence before a word by itself; docs/experiments.md compares
PRIOR_SHARE = 0.3  # of the log-likelihood without sound; 0 and 0.5 rank spoken words less well
SLOWEST_S, SLOWEST_LETTER_S = 0.2, 0.07  # a word lasts no longer than this and so much a letter
MOST_KNOWN = 20_000  # texts whose likelihood without sound is remembered
# The least probability of Whisper's own token for no speech at which a sound is none. The detector takes
# tunes for speech: those reached 0.91 to 0.95, chords and noise 0.87 and 0.96, single words at most 0.59.
NOT_SPOKEN = 0.75
FLOOR = 1e-9  # the least probability of a token
ENGLISH = "en"


class WhisperRecogniser(SpeechRecogniser):
    """A Whisper, but for its network.

    Args:
        tokens: its `tokenizers.Tokenizer`.
        multilingual: whether it knows other languages than English.
    """

    lead_s = LEAD_S

    def __init__(self, tokens: Any, multilingual: bool) -> None:
        self.multilingual = multilingual
        self._tokens = tokens
        self._tokenizers: dict[str, Any] = {}
        self._lock = threading.Lock()  # CTranslate2 would queue the calls as well, and hold their memory
        self._known: dict[tuple[str, tuple[int, ...]], tuple[np.ndarray, np.ndarray]] = {}
        self._silence: np.ndarray | None = None

    # What the network does

    @abstractmethod
    def _encode_window(self, samples: np.ndarray) -> tuple[np.ndarray, int]:
        """(1, T, H) states of at most 30 s with their padding, and the mel frames that hold sound."""

    @abstractmethod
    def _quick_transcript(self, padded: np.ndarray, seconds: float, language: str) -> str:
        """What (1, T, H) states of so many seconds of sound in a language say; empty: it is no speech."""

    @abstractmethod
    def _align(
        self, window: np.ndarray, ids: Sequence[Sequence[int]], language: str = "", times: bool = False
    ) -> Sequence[Any]:
        """For each token sequence its `text_token_probs` in (T, H) states, and where it is asked for its
        `alignments`, (A, 2) token and state.
        """

    @abstractmethod
    def _hear(self, padded: np.ndarray) -> str:
        """The language, as ISO 639-1, of (1, T, H) states of speech, by a model that knows several."""

    # The language

    def language(self, samples: np.ndarray) -> str:
        """The language of the first half minute in which anybody speaks, as ISO 639-1; empty: nobody does."""
        if not self.multilingual:
            return ENGLISH
        spoken = next((part for part in first_windows(samples) if has_speech(part)), None)
        return "" if spoken is None else self._hear(self._encode_window(spoken)[0])

    @property
    def _tokenizer(self) -> Any:
        """Encodes and decodes; these are the same in all languages."""
        return self._in(ENGLISH)

    def _in(self, language: str) -> Any:
        """The tokeniser with the prompt of a language, and its way of parting words."""
        language = language or ENGLISH
        if language not in self._tokenizers:
            make = heavy("faster_whisper.tokenizer").Tokenizer
            self._tokenizers[language] = make(
                self._tokens, self.multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]

    def try_out(self, samples: np.ndarray) -> None:
        """See `SpeechRecogniser`; also what it writes down, and the language where it knows several."""
        super().try_out(samples)
        padded, _ = self._encode_window(samples)
        self._quick_transcript(
            padded, len(samples) / RATE_HZ, self._hear(padded) if self.multilingual else ""
        )

    # Encoder states

    def encode(self, samples: np.ndarray) -> EncoderStates:
        """The states of (N,) float32 samples at 16 kHz, of their first two minutes, and what was heard."""
        windows, heard, lead_s = [], [], 0.0
        language = "" if self.multilingual else ENGLISH
        for part in first_windows(samples):
            padded, frames = self._encode_window(part)
            if has_speech(part):
                language = language or self._hear(padded)
                text = self._quick_transcript(padded, len(part) / RATE_HZ, language)
                heard.append(text if any(map(str.isalnum, text)) else "")
                if len(samples) <= WORD_S * RATE_HZ:
                    lead_s = LEAD_S
                    padded, frames = self._encode_window(np.pad(part, (round(LEAD_S * RATE_HZ), 0)))
            windows.append(cut_states(padded, frames))
        return EncoderStates(tuple(windows), " ".join(t for t in heard if t), language, lead_s)

    # Likelihood

    def evidence(self, states: EncoderStates, texts: Sequence[str]) -> SoundEvidence:
        """Length-normalised log-likelihood ratios of texts and of their least likely words.

        Each text counts as written small and with a capital: a sentence as the likelier of the two, since
        its context says which it is; a word as the mean of both, or one that is often a name would be at an
        advantage. Of several windows the one that fits best counts.
        """
        forms = [form for text in texts for form in (_first_lower(text), _first_upper(text))]
        ids = [self._tokenizer.encode(f" {form.strip()}")[:200] for form in forms]
        known = self._priors(ids, states.language)
        alone = np.array([len(text.split()) < 2 for text in texts])
        best = np.full((2, len(texts)), -np.inf)
        for window in states.windows:
            found = np.full((2, len(forms)), -np.inf)
            for i, p in enumerate(self._token_probabilities(window, ids, states.language)):
                prior, bounds = known[i]
                ratio = np.log(p) - PRIOR_SHARE * prior  # (L,)
                words = np.add.reduceat(ratio, bounds[:-1]) / np.diff(bounds)
                found[:, i] = ratio.mean(), words.min()
            both = found.reshape(2, -1, 2)
            best = np.maximum(best, np.where(alone, both.mean(2), both.max(2)))
        return SoundEvidence(best[0], best[1])

    def _word_bounds(self, ids: Sequence[int], language: str) -> np.ndarray:
        """(W + 1,) where the words of a token sequence begin, and its length."""
        _, tokens = self._in(language).split_to_word_tokens([*ids, self._tokenizer.eot])
        return np.cumsum([0, *(len(t) for t in tokens[:-1])])

    def _priors(self, ids: Sequence[Sequence[int]], language: str) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each token sequence (L,) the log-probability of each token where nothing is heard, and its
        `_word_bounds`; those that were asked for lately are known, the others are computed together.
        """
        keys = [(language, tuple(i)) for i in ids]
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        if missing:
            if self._silence is None:
                self._silence = cut_states(*self._encode_window(np.zeros(RATE_HZ, np.float32)))
            found = self._token_probabilities(self._silence, [i for _, i in missing], language)
            new = {
                k: (np.log(p), self._word_bounds(k[1], language)) for k, p in zip(missing, found, strict=True)
            }
            known = self._known | new
            self._known = known if len(known) <= MOST_KNOWN else new
            return [known[key] for key in keys]
        return [self._known[key] for key in keys]

    def _token_probabilities(
        self, window: np.ndarray, ids: Sequence[Sequence[int]], language: str
    ) -> list[np.ndarray]:
        return [np.maximum(np.array(r.text_token_probs), FLOOR) for r in self._align(window, ids, language)]

    # Word times

    def align_words(
        self, samples: np.ndarray, text: str, offset_s: float = 0.0, language: str = ""
    ) -> list[Word]:
        """When each word of a text is said in at most 30 s of sound; see `SpeechRecogniser`."""
        padded, frames = self._encode_window(samples[: round(WINDOW_S * RATE_HZ)])
        if self.multilingual and not language:
            language = self._hear(padded)
        words = self._words_in(cut_states(padded, frames), text, language)
        return placed(without_marks(words), samples, offset_s)

    def _span_in(self, window: np.ndarray, text: str, language: str) -> tuple[float, float] | None:
        words = self._words_in(window, text, language)
        if not words:
            return None
        first = words[0]  # the path begins at the recording's beginning, whatever comes before the text
        return max(first.start, first.end - SLOWEST_S - SLOWEST_LETTER_S * len(first.word)), words[-1].end

    def _words_in(self, window: np.ndarray, text: str, language: str) -> list[Word]:
        """The words of a text with the times that the attention gives them in (T, H) states."""
        ids = self._tokenizer.encode(f" {text.strip()}")[:440]
        if not ids:
            return []
        result = self._align(window, [ids], language, times=True)[0]
        words, _ = self._in(language).split_to_word_tokens([*ids, self._tokenizer.eot])
        bounds = self._word_bounds(ids, language)
        at = np.array(result.alignments)  # (A, 2): token, state
        jumps = np.concatenate([[True], np.diff(at[:, 0]) > 0])
        times = at[jumps, 1] / STATES_PER_S
        probabilities = np.maximum(np.array(result.text_token_probs), FLOOR)
        return [
            Word(
                w.strip(),
                float(times[a]),
                float(times[min(b, len(times) - 1)]),
                float(np.exp(np.log(probabilities[a:b]).mean())),
            )
            for w, a, b in zip(words[:-1], bounds[:-1], bounds[1:], strict=True)
        ]


def cut_states(padded: np.ndarray, frames: int) -> np.ndarray:
    """(T, 384) float16 of (1, T', 384) states: those of the sound and a fifth of a second more."""
    return padded[0, : frames // 2 + TAIL].astype(np.float16)


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _first_lower(text: str) -> str:
    """The text with a small first letter, unless its first word is all capitals."""
    word = text.split(" ", 1)[0]
    return text if len(word) > 1 and word[1:] != word[1:].lower() else text[:1].lower() + text[1:]
