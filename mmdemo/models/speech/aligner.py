"""The speech aligner: a shared space of recordings and texts, and the likelihood that decides what was said.

The shared space makes search fast. A recording's features are the text vector of its quick transcript, so
that an untrained head compares transcripts, and the mean of its encoder states, from which a head learns
what transcripts get wrong. Two probabilities are two questions. Whether a text **was said** follows from the
likelihood of the text, from that of its least likely word, so that one wrong word counts in a long text too,
and from the shared space as the version in force calibrates it. Whether it is what somebody speaks **about**
follows from the similarity alone. Both are fitted on other pairs (assets/fit_speech.py).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.special import expit, logit

from mmdemo.errors import UserError
from mmdemo.finite import CURE_OF_MODEL, require_finite
from mmdemo.models.aligner import HeadAligner, Towers
from mmdemo.models.calibration import CERTAIN, SIMILARITY, Calibration, PairFit
from mmdemo.models.device import Compute, decide_compute
from mmdemo.models.encoders.efficientnet_minilm import shared_text_tower
from mmdemo.models.languages import language_of
from mmdemo.models.negation import negation_in
from mmdemo.models.presets import Preset
from mmdemo.models.protocols import MediaTower, ModalityName, Score, TextTower
from mmdemo.models.reliability import CANNOT_TELL, Zones
from mmdemo.models.shipped import shipped_fit
from mmdemo.models.speech.language import NO_SPEECH, language_note
from mmdemo.models.speech.recogniser import EncoderStates, SpeechRecogniser
from mmdemo.settings import ASSETS, Settings

SAID, ABOUT = "said", "about"
# In assets/calibration.json, by assets/fit_speech.py; other recognisers' likelihoods are judged by them too.
SAID_FIT, ABOUT_FIT = "whisper-tiny-en-minilm#said", "whisper-tiny-en-minilm#about"
LIKELIHOOD, WORST, SHARED = "likelihood", "worst", "shared"  # nats, nats and log-odds
LEAST_LIKELIHOOD = -12.0  # nats a token; below it everything is equally impossible
SILENT = 0.001  # the probability of any text where nobody speaks
SILENCE = -1e6  # its evidence there, in nats
# A query that nobody is so likely to have said is a topic; with 0.2, single words lose up to 3 points.
LEAST_SAID = 0.05
OpenRecogniser = Callable[[Preset, Compute, int], SpeechRecogniser]  # with so many threads on a CPU


class SpeechTower:
    """Recordings to (N, D + H) features: the vector of the quick transcript, then the pooled states."""

    modality: ModalityName = "audio"

    def __init__(self, preset: Preset, recogniser: SpeechRecogniser, text: TextTower) -> None:
        self.id = preset.media_features
        self.dim = preset.dim
        self.feature_dim = preset.feature_dim
        self.recogniser = recogniser
        self._text = text

    def prepare(self, medium: np.ndarray | EncoderStates) -> EncoderStates:
        """The encoder's states of a (N,) waveform at 16 kHz; states pass through."""
        return medium if isinstance(medium, EncoderStates) else self.recogniser.encode(medium)

    def try_out(self, medium: np.ndarray) -> None:
        """Answer once with everything that a recogniser answers with, of a (N,) waveform at 16 kHz."""
        self.recogniser.try_out(medium)

    def encode(self, media: Sequence[np.ndarray | EncoderStates]) -> np.ndarray:
        """(N, F) float32 features; zeros in front where nobody speaks."""
        states = [self.prepare(m) for m in media]
        heard = [s.heard for s in states]
        vectors = np.zeros((len(states), self.dim), np.float32)
        spoken = [i for i, text in enumerate(heard) if text]
        if spoken:
            vectors[spoken] = self._text.encode([heard[i] for i in spoken])
        return np.concatenate([vectors, np.stack([s.pooled for s in states])], axis=1)


class SpeechAligner(HeadAligner):
    """A speech aligner, whose score of a pair is the likelihood's."""

    evidence_dim = 2  # nats a token of the text, and of its least likely word
    evidence_of_towers = True
    english_only = False  # what was said is told by the recogniser
    measured = True  # of what was said and what is spoken about, whatever was learned
    reranks = 200
    reranks_texts = 100

    @property
    def zones(self) -> Zones:
        """Those of what was said, which is no matter of the shared space."""
        return fit_of(SAID_FIT).zones

    def align(self, medium: np.ndarray | EncoderStates, texts: Sequence[str]) -> list[Score]:
        """How likely it is that each text was said; the similarity is that of the shared space."""
        tower = self.towers.media
        assert isinstance(tower, SpeechTower)
        states = tower.prepare(medium)
        if not states.heard:
            return [Score(text, 0.0, SILENT, doubt=NO_SPEECH) for text in texts]
        vector = self.encode_media([states])[0]
        similarity = self.encode_text(texts) @ vector
        scores = self.scored(texts, similarity, self.probability_of(states, texts, similarity))
        fit = fit_of(ABOUT_FIT)
        topic = [round(float(p), 4) for p in about(similarity)]
        return [  # a text that the text tower does not understand may have been said all the same
            s if language_of(s.text) else _with_topic(s, p, fit.zones)
            for s, p in zip(scores, topic, strict=True)
        ]

    def not_read(self, text: str) -> str:
        """Nothing: every word may have been said."""
        return ""

    def evidence(self, medium: np.ndarray | EncoderStates, texts: Sequence[str]) -> np.ndarray:
        """(T, 2) nats a token of each text and of its least likely word; SILENCE where nobody speaks."""
        tower = self.towers.media
        assert isinstance(tower, SpeechTower)
        states = tower.prepare(medium)
        if not states.heard:
            return np.full((len(texts), 2), SILENCE, np.float32)
        found = tower.recogniser.evidence(states, texts)
        for measured in (found.likelihood, found.worst):
            require_finite(measured, lambda i: f"The likelihood of “{texts[i][:60]}”", CURE_OF_MODEL)
        return np.column_stack([found.likelihood, found.worst]).clip(SILENCE).astype(np.float32)

    def judged(self, evidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """(K,) probability that the texts of pairs were said."""
        return np.where(evidence[:, 0] <= SILENCE, SILENT, self._said(evidence, similarity))

    def _said(self, evidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        return probability(SAID_FIT, spoken_evidence(evidence, self.calibration.probability(similarity)))

    def decided(self, evidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """That they were said or, where nobody is likely to have said any, what they speak about."""
        return self.also(evidence, similarity)[self.measure(evidence, similarity)]

    def also(self, evidence: np.ndarray, similarity: np.ndarray) -> dict[str, np.ndarray]:
        """(K,) of both probabilities."""
        silent = evidence[:, 0] <= SILENCE
        topic = np.where(silent, SILENT, about(similarity))
        return {SAID: self.judged(evidence, similarity), ABOUT: topic}

    def measure(self, evidence: np.ndarray, similarity: np.ndarray) -> str:
        """Which of the two orders the answers to one query."""
        return SAID if self.judged(evidence, similarity).max(initial=0.0) >= LEAST_SAID else ABOUT

    def told_of(self, medium: np.ndarray | EncoderStates) -> tuple[str, str]:
        """The language that is spoken, and that nobody speaks or the text tower does not know it."""
        tower = self.towers.media
        assert isinstance(tower, SpeechTower)
        states = tower.prepare(medium)
        return (states.language, language_note(states.language)) if states.heard else ("", NO_SPEECH)

    def place(self, medium: np.ndarray | EncoderStates, text: str) -> tuple[float, float] | None:
        """Where a text is said, start and end in seconds."""
        tower = self.towers.media
        assert isinstance(tower, SpeechTower)
        return tower.recogniser.place(tower.prepare(medium), text)


def _with_topic(score: Score, about: float, zones: Zones) -> Score:
    """A score with the probability that its text is what is spoken about, if the text tower reads it."""
    word = negation_in(score.text)
    note = f"As a topic it can't be told: the text model doesn't read “{word}”." if word else ""
    return replace(score, about=about, about_zone=CANNOT_TELL if word else zones.word(about), note=note)


def spoken_evidence(evidence: np.ndarray, shared: np.ndarray) -> dict[str, np.ndarray]:
    """(K,) of each thing that is known of K pairs.

    Args:
        evidence: (K, 2), see `SpeechAligner.evidence`.
        shared: (K,) probabilities by the shared space.
    """
    nats = np.maximum(evidence.astype(np.float64), LEAST_LIKELIHOOD)
    odds = logit(np.clip(shared, 1e-4, 1 - 1e-4))
    return {LIKELIHOOD: nats[:, 0], WORST: nats[:, 1], SHARED: odds}


def about(similarity: np.ndarray) -> np.ndarray:
    """(K,) probability that texts are what somebody speaks about, from (K,) similarity."""
    return probability(ABOUT_FIT, {SIMILARITY: np.asarray(similarity, np.float64)})


def probability(name: str, known: dict[str, np.ndarray]) -> np.ndarray:
    """(K,) probabilities by a fit that ships. None is certain, and still no two are made equal."""
    fit = fit_of(name)
    odds = fit.bias + sum(weight * known[n] for n, weight in fit.weights.items())
    beyond = np.maximum(np.abs(odds) - (CERTAIN - 1), 0.0)
    return np.asarray(expit(np.sign(odds) * (np.abs(odds) - beyond - np.expm1(-beyond))))


def hears_words(tower: MediaTower) -> bool:
    """Whether a tower writes down the speech that it hears, or hears sounds only."""
    return getattr(tower, "recogniser", None) is not None


def recogniser_of(tower: MediaTower) -> SpeechRecogniser:
    """What writes down the speech that a tower hears.

    Raises:
        UserError: it hears sounds and no words.
    """
    if not hears_words(tower):
        raise UserError(
            f"{tower.id.removesuffix('-features')} hears sounds, no words.",
            "Activate a speech recogniser, such as whisper-tiny-en-minilm, in the Fine-tune tab.",
        )
    return cast(SpeechTower, tower).recogniser


@cache
def fit_of(name: str) -> PairFit:
    """One of the two fits that ship."""
    fit = shipped_fit(name)
    assert fit is not None, name
    return fit


def _facts() -> dict[str, dict[str, float]]:
    facts: dict[str, dict[str, float]] = json.loads((ASSETS / "speech.json").read_text(encoding="utf-8"))
    return facts


def base_calibration(preset: Preset) -> Calibration:
    """The calibration of the shared space that ships in assets/."""
    return Calibration(**_facts()["calibration"])


def load_towers(open_recogniser: OpenRecogniser, preset: Preset, settings: Settings) -> tuple[Towers, str]:
    """The towers of a speech preset, and the device in words.

    Raises:
        UserError: its weights are not at hand and cannot be fetched.
    """
    compute = decide_compute(settings.device, settings.threads)
    text = shared_text_tower(compute)
    tower = SpeechTower(preset, open_recogniser(preset, compute, settings.threads), text)
    return Towers(tower, text, base_calibration(preset), preset.id), str(compute)


def save_network(open_recogniser: OpenRecogniser, preset: Preset, compute: Compute, folder: Path) -> None:
    """Write a recogniser that has learned into a folder, as transformers loads it; of a base model nothing
    is written.
    """
    if preset.adapter_of:
        recogniser: Any = open_recogniser(preset, compute, 0)
        for part in (recogniser.network, *recogniser.parts):
            part.save_pretrained(folder)
