"""What every recogniser answers, whatever network it is: transcripts, likelihoods, word times."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmdemo.errors import UserError
from mmdemo.media.audio import RATE_HZ
from mmdemo.media.pieces import pieces
from mmdemo.models.speech.word_alignment import Word
from mmdemo.store.texts import joined

WINDOW_S = 30.0  # what a recogniser hears at once
STATES_PER_S = 50  # of every encoder here: Whisper's and wav2vec 2.0's
WORD_S = 2.0  # a recording that is no longer holds a word or two
TAIL = 10  # states that are kept behind the sound
WINDOWS = 4  # states are kept of the first two minutes


@dataclass(frozen=True)
class Segment:
    """A stretch of a transcript."""

    text: str
    start: float  # seconds
    end: float  # seconds
    words: tuple[Word, ...]


@dataclass(frozen=True)
class EncoderStates:
    """What an encoder makes of a recording's first two minutes, window by window."""

    windows: tuple[np.ndarray, ...]  # each (T, H) float16, 50 a second
    heard: str  # a quick transcript; empty where nobody speaks
    language: str = ""  # ISO 639-1; empty where nobody speaks
    lead_s: float = 0.0  # of silence that was put before the sound

    @property
    def is_word(self) -> bool:
        """Whether the recording is no longer than a word or two."""
        longest = (WORD_S + self.lead_s) * STATES_PER_S + TAIL
        return len(self.windows) == 1 and len(self.windows[0]) <= longest

    @property
    def pooled(self) -> np.ndarray:
        """(H,) float32 mean over time."""
        if not self.windows:
            return np.zeros(0, np.float32)
        return np.concatenate(self.windows)[round(self.lead_s * STATES_PER_S) :].astype(np.float32).mean(0)


@dataclass(frozen=True)
class SoundEvidence:
    """What the sound says about T texts, each length-normalised, in nats."""

    likelihood: np.ndarray  # (T,) float64 of the whole text
    worst: np.ndarray  # (T,) float64 of its least likely word


class SpeechRecogniser(ABC):
    """A network that hears; what all of them do alike is done here."""

    multilingual: bool  # whether it knows several languages, and hears which is spoken
    lead_s = 0.0  # of silence before a word by itself, with which its states are made

    def transcribe(
        self,
        blocks: Iterable[np.ndarray],
        vocabulary: Sequence[str] = (),
        stopped: Callable[[], bool] = lambda: False,
        language: str = "",
    ) -> Iterator[tuple[list[Segment], float]]:
        """The transcript of a recording, piece by piece.

        Args:
            blocks: (N,) float32 at 16 kHz, one after the other.
            vocabulary: words to expect, such as names that people have corrected.
            stopped: asked after each piece.
            language: that is spoken; empty: it is heard in the first piece in which anybody speaks.

        Yields:
            The segments of a piece and the seconds that are done.
        """
        offset_s = 0.0
        for piece in pieces(blocks):
            language = language or self.language(piece)
            segments = self._transcribe_piece(piece, offset_s, vocabulary, language)
            offset_s += len(piece) / RATE_HZ
            yield segments, offset_s
            if stopped():
                return

    @abstractmethod
    def _transcribe_piece(
        self, samples: np.ndarray, offset_s: float, vocabulary: Sequence[str], language: str
    ) -> list[Segment]: ...

    @abstractmethod
    def language(self, samples: np.ndarray) -> str:
        """The language spoken in (N,) samples at 16 kHz, as ISO 639-1; empty where nobody speaks."""

    @abstractmethod
    def encode(self, samples: np.ndarray) -> EncoderStates:
        """The states of (N,) float32 samples at 16 kHz, of their first two minutes, and what was heard."""

    @abstractmethod
    def evidence(self, states: EncoderStates, texts: Sequence[str]) -> SoundEvidence:
        """What the sound says about texts; of several windows the one that fits best."""

    @abstractmethod
    def align_words(
        self, samples: np.ndarray, text: str, offset_s: float = 0.0, language: str = ""
    ) -> list[Word]:
        """When each word of a text is said in at most 30 s of sound.

        Args:
            samples: (N,) float32 at 16 kHz.
            text: what is said, or may be: the probability of a word that is not there is low.
            offset_s: added to the times.
            language: that is spoken; empty: it is heard.
        """

    def try_out(self, samples: np.ndarray) -> None:
        """Answer once with what it knows of (N,) samples, whatever is said there.

        Raises:
            UserError: what it says is no number.
        """
        found = self.evidence(self.encode(samples), ["a cat"])
        words = self.align_words(samples, "a cat")
        if not np.isfinite([*found.likelihood, *found.worst, *(w.probability for w in words)]).all():
            raise UserError("The recogniser says of a sound what is no number.", "Choose another checkpoint.")

    def place(self, states: EncoderStates, text: str) -> tuple[float, float] | None:
        """Where in its first two minutes a recording is likeliest to say a text: start and end in seconds,
        to a tenth or so; None where there is no sound.
        """
        one_by_one = [EncoderStates((w,), "", states.language) for w in states.windows]
        fits = [self.evidence(one, [text]).likelihood[0] for one in one_by_one]
        if not fits:
            return None
        best = int(np.argmax(fits))
        span = self._span_in(states.windows[best], text, states.language)
        if span is None:
            return None
        start, end = (round(max(0.0, best * WINDOW_S + at - states.lead_s), 2) for at in span)
        return start, end

    @abstractmethod
    def _span_in(self, window: np.ndarray, text: str, language: str) -> tuple[float, float] | None:
        """Where in (T, H) states a text of a language is said, in seconds; None: it cannot be."""


def first_windows(samples: np.ndarray) -> list[np.ndarray]:
    """The stretches of at most WINDOW_S whose states are kept; a last one without a frame is left out."""
    size = round(WINDOW_S * RATE_HZ)
    parts = [samples[i : i + size] for i in range(0, min(len(samples), WINDOWS * size), size)]
    return [p for p in parts if len(p) >= RATE_HZ // STATES_PER_S] or parts[:1]


def sentences(words: Sequence[Word]) -> list[Segment]:
    """Words in segments that end where a sentence does, or after a dozen words where nothing says so."""
    out: list[Segment] = []
    held: list[Word] = []
    for i, word in enumerate(words):
        held.append(word)
        ends = word.word.rstrip("\"'”").endswith((".", "!", "?")) or len(held) >= 14
        if ends or i == len(words) - 1:
            text = joined(w.word for w in held)
            out.append(Segment(text, held[0].start, held[-1].end, tuple(held)))
            held = []
    return out
