"""Which of 68 words was said, and which recording says a word: by likelihood, and by transcript.

    python benchmarks/speech_ranking.py

assets/speech/words.csv: 68 single words in six synthetic voices. In each voice, every recording ranks the 68
words, and every word the 68 recordings. "Transcript" compares the recogniser's transcript with the texts in
MiniLM's space; "likelihood" is the mean log-likelihood of the text given the sound. The last line is the time
to rank 50 texts for one recording.
"""

from __future__ import annotations

import time

import numpy as np
from common import ROOT  # noqa: F401  sets the path to mmdemo

from mmdemo.data.samples import spoken_set
from mmdemo.models.load import load_towers
from mmdemo.models.registry import find_preset
from mmdemo.models.speech.aligner import SpeechTower
from mmdemo.models.speech.whisper_ctranslate2 import Recogniser, bundled_model
from mmdemo.settings import load_settings


def right(scores: np.ndarray) -> tuple[float, float]:
    """Percent right at rank 1 of an (N, N) table with the answers on its diagonal, by row and by column."""
    own = np.arange(len(scores))
    return 100.0 * (scores.argmax(1) == own).mean(), 100.0 * (scores.argmax(0) == own).mean()


def main() -> None:
    """Print one row a voice and the mean."""
    towers, _ = load_towers(find_preset("whisper-tiny-en-minilm"), load_settings({}, device="cpu"))
    tower = towers.media
    assert isinstance(tower, SpeechTower)
    by_voice: dict[str, list[tuple[str, np.ndarray]]] = {}
    for row, samples in spoken_set("words"):
        by_voice.setdefault(row["voice"], []).append((row["text"], samples))
    table = []
    print("voice          likelihood: speech->text  text->speech   transcript: speech->text  text->speech")
    for voice, rows in by_voice.items():
        texts = [text for text, _ in rows]
        states = [tower.prepare(samples) for _, samples in rows]
        likelihood = np.stack([tower.recogniser.evidence(s, texts).likelihood for s in states])
        cosine = tower.encode(states)[:, : tower.dim] @ towers.text.encode(texts).T
        table.append((*right(likelihood), *right(cosine)))
        print("{:14s} {:24.1f} {:13.1f} {:28.1f} {:13.1f}".format(voice, *table[-1]))
    print("{:14s} {:24.1f} {:13.1f} {:28.1f} {:13.1f}".format("mean", *np.mean(table, axis=0)))
    seconds = []
    for _ in range(5):
        fresh = Recogniser(bundled_model())  # one that has never been asked about these texts
        fresh.evidence(states[0], ["something else"])
        begun = time.perf_counter()
        fresh.evidence(states[0], texts[:50])
        seconds.append(time.perf_counter() - begun)
    samples = by_voice["slt"][0][1]
    begun = time.perf_counter()
    tower.prepare(samples)
    encoding = time.perf_counter() - begun
    print(f"50 texts for one recording: {np.median(seconds):.2f} s, and {encoding:.2f} s to hear it first")


if __name__ == "__main__":
    main()
