"""The speech aligner: a shared space of recordings and texts, and the likelihood that decides what was said.

The shared space makes search fast. A recording's features are the text vector of its quick transcript, so
that an untrained head compares transcripts, and the mean of its encoder states, from which a head learns
what transcripts get wrong. The score of a recording with a text joins three things by a logistic regression
(assets/speech.json, fitted with Whisper tiny.en): the likelihood of the text, that of its least likely word,
so that one wrong word counts in a long text too, and the similarity in the shared space as the version in
force calibrates it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy.special import expit, logit

from mmdemo.errors import UserError
from mmdemo.finite import CURE_OF_MODEL, require_finite
from mmdemo.models.aligner import HeadAligner, Towers
from mmdemo.models.calibration import BASE_RATE, Calibration
from mmdemo.models.device import Compute, decide_compute
from mmdemo.models.encoders.efficientnet_minilm import shared_text_tower
from mmdemo.models.presets import Preset
from mmdemo.models.protocols import MediaTower, Modality, Score, TextTower
from mmdemo.models.reliability import Zones
from mmdemo.models.speech.recogniser import EncoderStates, Evidence, SpeechRecogniser
from mmdemo.settings import ASSETS, Settings

LEAST_LIKELIHOOD = -12.0  # nats a token; below it everything is equally impossible
SILENT = 0.001  # the probability of any text where nobody speaks
SILENCE = -1e6  # its evidence there, in nats
# A query that nobody is so likely to have said is a topic; with 0.2, single words lose up to 3 points.
LEAST_SAID = 0.05
OpenRecogniser = Callable[[Preset, Compute, int], SpeechRecogniser]  # with so many threads on a CPU


@dataclass(frozen=True)
class SpokenScore:
    """The logistic regression from what is measured to the probability that a text was said."""

    likelihood: float  # the weight of nats a token
    worst: float  # of nats a token of the least likely word
    shared: float  # of the log-odds in the shared space
    bias: float

    def probability(self, found: Evidence, shared: np.ndarray) -> np.ndarray:
        """(T,) probabilities of T texts, given their (T,) probabilities in the shared space."""
        odds = logit(np.clip(shared, 1e-4, 1 - 1e-4))
        return expit(
            self.likelihood * np.maximum(found.likelihood, LEAST_LIKELIHOOD)
            + self.worst * np.maximum(found.worst, LEAST_LIKELIHOOD)
            + self.shared * odds
            + self.bias
            + logit(BASE_RATE)  # it is fitted where as many texts were said as were not
        )


class SpeechTower:
    """Recordings to (N, D + H) features: the vector of the quick transcript, then the pooled states."""

    modality: Modality = "audio"

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
    reranks = 200
    reranks_texts = 100

    @property
    def zones(self) -> Zones:
        """Those of a calibrated probability: that of what was said is no matter of the shared space."""
        return Zones()

    def align(self, medium: np.ndarray | EncoderStates, texts: Sequence[str]) -> list[Score]:
        """How likely it is that each text was said; the similarity is that of the shared space."""
        tower = self.towers.media
        assert isinstance(tower, SpeechTower)
        states = tower.prepare(medium)
        if not states.heard:
            return self.scored(texts, np.zeros(len(texts)), np.full(len(texts), SILENT))
        vector = self.encode_media([states])[0]
        similarity = self.encode_text(texts) @ vector
        probability = self.probability_of(states, texts, similarity)
        return self.scored(texts, similarity, probability)

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
        return said(evidence, similarity, self.calibration)

    def decided(self, evidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """See `said_or_about`."""
        return said_or_about(evidence, similarity, self.calibration)

    def place(self, medium: np.ndarray | EncoderStates, text: str) -> tuple[float, float] | None:
        """Where a text is said, start and end in seconds."""
        tower = self.towers.media
        assert isinstance(tower, SpeechTower)
        return tower.recogniser.place(tower.prepare(medium), text)


def said(evidence: np.ndarray, similarity: np.ndarray, calibration: Calibration) -> np.ndarray:
    """(K,) probability that the texts of pairs were said, from (K, 2) evidence and (K,) similarity."""
    found = Evidence(evidence[:, 0].astype(np.float64), evidence[:, 1].astype(np.float64))
    sure = spoken_score().probability(found, calibration.probability(similarity))
    return np.where(evidence[:, 0] <= SILENCE, SILENT, sure)


def said_or_about(evidence: np.ndarray, similarity: np.ndarray, calibration: Calibration) -> np.ndarray:
    """(K,) numbers that order the answers to one query: that it was said or, where nobody is likely to have
    said it, that it is what they speak about.
    """
    sure = said(evidence, similarity, calibration)
    if len(sure) and sure.max() >= LEAST_SAID:
        return sure
    return np.where(evidence[:, 0] <= SILENCE, SILENT, calibration.probability(similarity))


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
def spoken_score() -> SpokenScore:
    """The regression that ships in assets/."""
    return SpokenScore(**_facts()["score"])


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
