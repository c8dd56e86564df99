"""The speech aligner: a shared space of recordings and texts, and the likelihood that decides what was said.

The shared space makes search fast. A recording's features are the text vector of its quick transcript, so
that an untrained head compares transcripts, and the mean of its encoder states, from which a head learns
what transcripts get wrong. The score of a recording with a text joins three things by a logistic
regression (assets/speech.json): the likelihood of the text, how far it falls behind the recogniser's own
transcript, and the similarity in the shared space as the version in force calibrates it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from mmdemo.models.aligner import HeadAligner, Towers
from mmdemo.models.base import Modality, Score, TextTower
from mmdemo.models.bundled import shared_text_tower
from mmdemo.models.calibration import Calibration
from mmdemo.models.device import decide_compute
from mmdemo.models.presets import Preset
from mmdemo.models.speech import EncoderStates, Recogniser, bundled_model
from mmdemo.settings import ASSETS, Settings

STATES_DIM = 384  # of Whisper tiny's encoder
LEAST_LIKELIHOOD = -12.0  # nats a token; below it everything is equally impossible
BEHIND = (-40.0, 4.0)  # nats; beyond these it makes no difference
SILENT = 0.001  # the probability of any text where nobody speaks


@dataclass(frozen=True)
class SpokenScore:
    """The logistic regression from what is measured to the probability that a text was said."""

    likelihood: float  # the weight of nats a token
    behind: float  # of nats behind the recogniser's own transcript
    shared: float  # of the log-odds in the shared space
    bias: float

    def probability(self, likelihood: np.ndarray, behind: np.ndarray, shared: np.ndarray) -> np.ndarray:
        """(T,) probabilities of (T,) measurements."""
        odds = logit(np.clip(shared, 1e-4, 1 - 1e-4))
        return expit(self.likelihood * likelihood + self.behind * behind + self.shared * odds + self.bias)


def measurements(
    recogniser: Recogniser, states: EncoderStates, texts: Sequence[str]
) -> tuple[np.ndarray, np.ndarray]:
    """(T,) likelihoods in nats a token, and (T,) by how many nats in all each is behind what was heard.

    The second counts one wrong word in a long sentence as much as in a short one.
    """
    found = np.maximum(recogniser.likelihood(states, [*texts, states.heard]), LEAST_LIKELIHOOD)
    behind = (found[:-1] - found[-1]) * recogniser.lengths(texts)
    return found[:-1], np.clip(behind, *BEHIND)


class SpeechTower:
    """Recordings to (N, 384 + 384) features: the vector of the quick transcript, then the pooled states."""

    modality: Modality = "audio"

    def __init__(self, preset: Preset, recogniser: Recogniser, text: TextTower) -> None:
        self.id = preset.media_features
        self.dim = preset.dim
        self.feature_dim = preset.feature_dim
        self.recogniser = recogniser
        self._text = text

    def prepare(self, medium: np.ndarray | EncoderStates) -> EncoderStates:
        """The encoder's states of a (N,) waveform at 16 kHz; states pass through."""
        return medium if isinstance(medium, EncoderStates) else self.recogniser.encode(medium)

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

    reranks = True

    def align(self, medium: np.ndarray | EncoderStates, texts: Sequence[str]) -> list[Score]:
        """How likely it is that each text was said; the similarity is that of the shared space."""
        tower = self.towers.media
        assert isinstance(tower, SpeechTower)
        states = tower.prepare(medium)
        if not states.heard:
            return [Score(text, 0.0, SILENT) for text in texts]
        vector = self.encode_media([states])[0]
        similarity = self.encode_text(texts) @ vector
        probability = self.probability_of(states, texts, similarity)
        return [
            Score(text, round(float(s), 4), round(float(p), 4))
            for text, s, p in zip(texts, similarity, probability, strict=True)
        ]

    def probability_of(
        self, medium: np.ndarray | EncoderStates, texts: Sequence[str], similarity: np.ndarray
    ) -> np.ndarray:
        """(T,) probability that each text was said, given its (T,) similarity in the shared space."""
        tower = self.towers.media
        assert isinstance(tower, SpeechTower)
        states = tower.prepare(medium)
        if not states.heard:
            return np.full(len(texts), SILENT)
        own, behind = measurements(tower.recogniser, states, texts)
        return spoken_score().probability(own, behind, self.calibration.probability(similarity))


def spoken_score() -> SpokenScore:
    """The regression that ships in assets/."""
    return SpokenScore(**_facts()["score"])


def _facts() -> dict[str, dict[str, float]]:
    facts: dict[str, dict[str, float]] = json.loads((ASSETS / "speech.json").read_text(encoding="utf-8"))
    return facts


def base_calibration(preset: Preset) -> Calibration:
    """The calibration of the shared space that ships in assets/."""
    return Calibration(**_facts()["calibration"])


def load_towers(preset: Preset, settings: Settings) -> tuple[Towers, str]:
    """The towers of a speech preset, and the device in words."""
    compute = decide_compute(settings.device, settings.threads)
    text = shared_text_tower(compute)
    recogniser = Recogniser(
        bundled_model() if preset.media_package else preset.media_tower, compute.device.type, settings.threads
    )
    tower = SpeechTower(preset, recogniser, text)
    return Towers(tower, text, base_calibration(preset), preset.id), str(compute)
