"""Fit the probabilities of recordings that ship, in assets/calibration.json: that a text was said, and that
it is what somebody speaks about.

    python assets/fit_speech.py

Said: each of the 408 single words is asked all 68, each sample sentence all 36 and six with one word
replaced, each sentence with a name on the train side all of its voice. About: each sample sentence is asked
the topics of speech/topics.csv, of which those that list its number are right. One right text in five counts.
Zones and reliability are cross-fitted: each voice is judged by a fit on the five others. With --show the
errors of each set and voice are printed as well.
"""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from build_speech import with_another_word

from assets.sounds import spoken_set
from mmdemo.evaluation.calibrating import measured, unseen
from mmdemo.media.audio import decode_audio
from mmdemo.models.aligner import Towers
from mmdemo.models.calibration import SIMILARITY, PairFit, at_base_rate, fit_pairs
from mmdemo.models.find_model import find_preset
from mmdemo.models.load import load_towers
from mmdemo.models.reliability import reliability
from mmdemo.models.shipped import FITS
from mmdemo.models.speech.aligner import ABOUT_FIT, SAID_FIT, SpeechTower, spoken_evidence
from mmdemo.models.speech.recogniser import EncoderStates
from mmdemo.settings import ASSETS, load_settings

REPLACED = 6  # near misses of a sentence
STRENGTH = 1.0  # weighs next to nothing: hundreds of pairs decide


@dataclass(frozen=True)
class Asked:
    """Evidence of N pairs, of a set and a voice each."""

    evidence: dict[str, np.ndarray]
    match: np.ndarray  # (N,) bool
    set_name: np.ndarray  # (N,) str
    voice: np.ndarray  # (N,) str

    def take(self, rows: np.ndarray) -> Asked:
        """Some of the pairs."""
        found = {name: values[rows] for name, values in self.evidence.items()}
        return Asked(found, self.match[rows], self.set_name[rows], self.voice[rows])

    @property
    def weight(self) -> np.ndarray:
        """(N,) at the base rate within each set, and each set as much as the others."""
        out = np.zeros(len(self.match))
        for name in np.unique(self.set_name):
            here = self.set_name == name
            out[here] = at_base_rate(self.match[here]) / max(1, self.match[here].sum())
        return out * self.match.sum() / len(np.unique(self.set_name))


@dataclass(frozen=True)
class Recording:
    """What is asked of one recording."""

    set_name: str
    voice: str
    states: EncoderStates
    texts: list[str]
    right: set[str]


def recordings(tower: SpeechTower) -> list[Recording]:
    """All that are asked what was said."""
    out = []
    for name in ("words", "names"):
        rows = [(row, s) for row, s in spoken_set(name) if name == "words" or row["split"] == "train"]
        for row, samples in rows:
            texts = sorted({r["text"] for r, _ in rows if r["voice"] == row["voice"]})
            out.append(Recording(name, row["voice"], tower.prepare(samples), texts, {row["text"]}))
    samples_of, rng = sentences(), np.random.default_rng(0)
    vocabulary = sorted({w.strip(".,") for row in samples_of for w in row["text"].split() if len(w) > 3})
    for row in samples_of:
        states = tower.prepare(decode_audio(ASSETS / "speech" / row["file_name"]))
        near = [with_another_word(row["text"], vocabulary, rng) for _ in range(REPLACED)]
        texts = [r["text"] for r in samples_of] + near
        out.append(Recording("sentences", row["voice"], states, texts, {row["text"]}))
    return out


def sentences() -> list[dict[str, str]]:
    """The rows of the sample sentences."""
    with (ASSETS / "speech" / "samples.csv").open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def topics() -> list[tuple[str, set[int]]]:
    """Each topic with the numbers of the sentences that speak of it."""
    with (ASSETS / "speech" / "topics.csv").open(encoding="utf-8", newline="") as f:
        return [(row["topic"], {int(n) for n in row["sentences"].split()}) for row in csv.DictReader(f)]


def ask_said(towers: Towers, asked: list[Recording]) -> Asked:
    """What is known of recordings with texts that were said, or not."""
    parts, match, sets, voices = [], [], [], []
    for one in asked:
        found = towers.media.recogniser.evidence(one.states, one.texts)  # type: ignore[attr-defined]
        vector = towers.media.encode([one.states])[0, : towers.media.dim]
        similarity = towers.text.encode(one.texts) @ vector
        shared = towers.calibration.probability(similarity)
        parts.append(spoken_evidence(np.column_stack([found.likelihood, found.worst]), shared))
        match += [text in one.right for text in one.texts]
        sets += [one.set_name] * len(one.texts)
        voices += [one.voice] * len(one.texts)
    evidence = {name: np.concatenate([p[name] for p in parts]) for name in parts[0]}
    return Asked(evidence, np.array(match), np.array(sets), np.array(voices))


def ask_about(towers: Towers, asked: list[Recording]) -> Asked:
    """What is known of the sample sentences with topics."""
    known, rows = topics(), [one for one in asked if one.set_name == "sentences"]
    vectors = towers.media.encode([one.states for one in rows])[:, : towers.media.dim]
    similarity = vectors @ towers.text.encode([topic for topic, _ in known]).T  # (36, T)
    match = np.array([[i + 1 in numbers for _, numbers in known] for i in range(len(rows))])
    voice = np.repeat([one.voice for one in rows], len(known))
    return Asked({SIMILARITY: similarity.ravel()}, match.ravel(), np.full(match.size, "topics"), voice)


def fitted(pairs: Asked, on: str, show: bool) -> PairFit:
    """A fit on all pairs, with zones and reliability of fits that did not hear the voice that they judge."""

    def fit(rows: np.ndarray) -> PairFit:
        of = pairs.take(rows)
        return fit_pairs(of.evidence, of.match, of.weight, strength=STRENGTH)

    said = unseen(fit, pairs.evidence, pairs.voice)
    for column in (pairs.set_name, pairs.voice) if show else ():
        for name in np.unique(column):
            here = column == name
            tell(name, said[here], pairs.match[here])
    return measured(fit(np.ones(len(said), bool)), said, pairs.match, pairs.weight, on)


def tell(name: str, said: np.ndarray, match: np.ndarray) -> None:
    """Print how far what was said is from what was right."""
    found = reliability(said, match, at_base_rate(match), name)
    wrong, right = (100 * (said[of] >= 0.5).mean() for of in (~match, match))
    shares = f"{wrong:.1f} % of wrong and {right:.1f} % of right ones reach 50 %"
    print(f"  {name}: ECE {100 * found.ece:.1f} %, {shares}")


def main() -> None:
    """Write the two fits beside those of pictures and videos."""
    towers, _ = load_towers(find_preset("whisper-tiny-en-minilm"), load_settings({}, device="cpu"))
    tower = towers.media
    assert isinstance(tower, SpeechTower)
    asked, show = recordings(tower), "--show" in sys.argv
    on = "synthetic voices that it was not fitted on, "
    fits = {
        SAID_FIT: fitted(ask_said(towers, asked), on + "words and sentences beside others", show),
        ABOUT_FIT: fitted(ask_about(towers, asked), on + "sentences beside topics of others", show),
    }
    for name, fit in fits.items():
        assert fit.reliability is not None
        print(name, f"ECE {100 * fit.reliability.ece:.1f} %", fit.zones, fit.weights, fit.bias)
    kept = json.loads(FITS.read_text(encoding="utf-8")) | {n: fit.as_json() for n, fit in fits.items()}
    FITS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
