"""How far word times are off, on sentences joined from single words with known gaps.

    python benchmarks/word_times.py

Forty sentences of six words of assets/speech/words.csv in flite's four voices, with gaps of 0.1 to 0.4 s and
a little noise. "aligned" is the forced alignment of the known text, "transcribed" the recogniser's words
where they are right, and "faster-whisper" its own times for the same words.
"""

from __future__ import annotations

import random

import numpy as np
from common import ROOT  # noqa: F401  sets the path to mmdemo

from assets.sounds import spoken_set
from mmdemo.media.audio import RATE_HZ
from mmdemo.models.speech.whisper_ctranslate2 import Recogniser, bundled_model

VOICES = ("slt", "rms", "awb", "kal16")
SENTENCES = 10  # a voice
WORDS = 6
GAPS_S = (0.1, 0.15, 0.25, 0.4)
AROUND = RATE_HZ // 20  # what spoken_set leaves on both sides


def sentence(
    spoken: dict[str, np.ndarray], rng: random.Random
) -> tuple[list[str], np.ndarray, list[tuple[float, float]]]:
    """Words, (N,) samples, and the start and end of each word in seconds."""
    words = rng.sample(sorted(spoken), WORDS)
    parts = [np.zeros(round(0.3 * RATE_HZ), np.float32)]
    spans = []
    for word in words:
        at = sum(map(len, parts)) / RATE_HZ
        said = spoken[word][AROUND:-AROUND]
        spans.append((at, at + len(said) / RATE_HZ))
        parts += [said, np.zeros(round(rng.choice(GAPS_S) * RATE_HZ), np.float32)]
    samples = np.concatenate(parts)
    noise = np.random.default_rng(0).normal(0, 0.002, len(samples))
    return words, (samples + noise).astype(np.float32), spans


def main() -> None:
    """Print the median and the 90th percentile of the errors of starts and ends, in seconds."""
    recogniser = Recogniser(bundled_model())
    rng = random.Random(0)
    spoken: dict[str, dict[str, np.ndarray]] = {voice: {} for voice in VOICES}
    for row, samples in spoken_set("words"):
        if row["voice"] in spoken:
            spoken[row["voice"]][row["text"]] = samples
    errors: dict[str, list[float]] = {"aligned": [], "transcribed": [], "faster-whisper": []}
    for voice in VOICES:
        for _ in range(SENTENCES):
            words, samples, spans = sentence(spoken[voice], rng)

            def add(kind: str, found: list[tuple[str, float, float]], words=words, spans=spans) -> None:  # type: ignore[no-untyped-def]
                for word, start, end in found:
                    plain = "".join(c for c in word.lower() if c.isalpha())
                    if plain in words:
                        true = spans[words.index(plain)]
                        errors[kind] += [abs(start - true[0]), abs(end - true[1])]

            aligned = recogniser.align_words(samples, " ".join(words))
            add("aligned", [(w.word, w.start, w.end) for w in aligned])
            heard = [w for part, _ in recogniser.transcribe([samples]) for s in part for w in s.words]
            add("transcribed", [(w.word, w.start, w.end) for w in heard])
            bare, _ = recogniser.whisper.transcribe(samples, vad_filter=True, word_timestamps=True)
            add("faster-whisper", [(w.word, w.start, w.end) for s in bare for w in s.words or ()])
    for kind, found in errors.items():
        median, high = np.percentile(found, [50, 90])
        print(f"{kind:15s} {len(found):4d} borders: median {median:.3f} s, 90th percentile {high:.3f} s")


if __name__ == "__main__":
    main()
