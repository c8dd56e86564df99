"""From what is measured of a pair to the probability that it matches, at one right text in five.

Two steps of the same kind. `Calibration` is Platt scaling (Platt 1999, "Probabilistic outputs for support
vector machines"): one scale (an inverse temperature) and one bias of the similarity. `PairFit` is logistic
regression over all that is known of a pair: how far the similarity stands above what the medium reaches on
texts that have nothing to do with it, and the text on such media (the neighbours of Conneau et al. 2018,
arXiv:1710.04087), how sure the medium's classifier is, and what its classes say of the text. Each fit is the
prior of the next one, so ten labels move it a little and a thousand decide.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy  # imports its parts when they are used: the page answers a quarter of a second earlier

from mmdemo.finite import require_finite
from mmdemo.models.reliability import Reliability, Zones

LEAST_SCALE = 1.0  # a higher similarity is never less likely to match
PRIOR_STRENGTH = 10.0  # the prior weighs about as much as this many labels
BASE_RATE = 0.2  # one right text in five: what every probability means
CERTAIN = 6.0  # log-odds: nothing is claimed with more than 99.75 %, whatever the evidence

# What can be known of a pair. `Judge` measures it; what it has no means for is left out.
SIMILARITY = "similarity"  # the cosine, or that of the best moment
OVER_TEXTS = "over_texts"  # similarity less what the medium reaches on background texts
OVER_MEDIA = "over_media"  # similarity less what the text reaches on background media
ENTROPY = "entropy"  # of the classifier's classes, in nats
CLASSES = "classes"  # log of how much more the likely classes speak for the text than all do
BASE = "base"  # log-odds of the base version, of a tuned one
Evidence = Mapping[str, np.ndarray]  # of N pairs: (N,) of each


@dataclass(frozen=True)
class Calibration:
    """probability = sigmoid(scale * similarity + bias)."""

    scale: float
    bias: float

    def probability(self, similarity: np.ndarray | float) -> np.ndarray:
        """Probabilities, 0..1, of similarities of any shape."""
        z = self.scale * np.asarray(similarity, dtype=np.float64) + self.bias
        return scipy.special.expit(z)

    def similarity(self, probability: float) -> float:
        """The similarity at which a pair matches with that probability."""
        return float((np.log(probability / (1 - probability)) - self.bias) / self.scale)


@dataclass(frozen=True)
class PairFit:
    """probability = sigmoid(weights * evidence + bias), with the zones and the measurement of it."""

    weights: Mapping[str, float]
    bias: float
    zones: Zones = field(default_factory=Zones)
    reliability: Reliability | None = None  # None: nothing was measured

    def log_odds(self, evidence: Evidence) -> np.ndarray:
        """(N,) log-odds that each of N pairs matches.

        Raises:
            KeyError: a weight's evidence is not there.
        """
        total = np.float64(self.bias) + sum(
            weight * np.asarray(evidence[name], dtype=np.float64) for name, weight in self.weights.items()
        )
        return np.clip(total, -CERTAIN, CERTAIN)

    def probability(self, evidence: Evidence) -> np.ndarray:
        """(N,) probabilities, 0..1, of N pairs."""
        return scipy.special.expit(self.log_odds(evidence))

    def as_json(self) -> dict[str, Any]:
        """What `PairFit.of` reads."""
        return {
            "weights": {name: round(float(w), 5) for name, w in self.weights.items()},
            "bias": round(float(self.bias), 5),
            "zones": self.zones.as_json(),
            "reliability": self.reliability.as_json() if self.reliability else None,
        }

    @staticmethod
    def of(row: Mapping[str, Any]) -> PairFit:
        """A fit that `as_json` wrote."""
        measured = row.get("reliability")
        return PairFit(
            dict(row["weights"]),
            float(row["bias"]),
            Zones(**row["zones"]),
            Reliability.of(measured) if measured else None,
        )

    @staticmethod
    def from_similarity(calibration: Calibration) -> PairFit:
        """A fit that knows the similarity alone, of which nothing was measured."""
        return PairFit({SIMILARITY: calibration.scale}, calibration.bias)


def fit_calibration(
    similarity: np.ndarray, matches: np.ndarray, prior: Calibration, strength: float = PRIOR_STRENGTH
) -> Calibration:
    """Maximum a posteriori scale and bias.

    Args:
        similarity: (N,) cosines.
        matches: (N,) 1 where the pair matches, 0 where not.
        prior: what to believe without labels.
        strength: how many labels the prior weighs.

    Returns:
        The calibration; the prior itself when N is 0.
    """
    if len(similarity) == 0:
        return prior
    require_finite(similarity, lambda i: f"The similarity of pair {i + 1}", "Calibrate another version.")
    x = np.stack([np.asarray(similarity, dtype=np.float64), np.ones(len(similarity))], axis=1)  # (N, 2)
    y = np.asarray(matches, dtype=np.float64)
    mean = np.array([prior.scale, prior.bias])
    # How sharply the prior is known: the curvature that `strength` pairs at its own boundary would give it.
    boundary = np.array([-prior.bias / prior.scale, 1.0])
    spread = np.array([0.1, 0.0])  # cosines scatter by about 0.1 around the boundary
    precision = strength * 0.25 * (np.outer(boundary, boundary) + np.outer(spread, spread))

    def objective(at: np.ndarray) -> tuple[float, np.ndarray]:
        z = x @ at
        away = at - mean
        loss = np.sum(np.logaddexp(0.0, z) - y * z) + away @ precision @ away / 2
        return float(loss), x.T @ (scipy.special.expit(z) - y) + precision @ away

    found = scipy.optimize.minimize(
        objective, mean, jac=True, method="L-BFGS-B", bounds=[(LEAST_SCALE, None), (None, None)]
    )
    return Calibration(scale=float(found.x[0]), bias=float(found.x[1]))


def fit_pairs(
    evidence: Evidence,
    matches: np.ndarray,
    weight: np.ndarray,
    prior: PairFit | None = None,
    strength: float = PRIOR_STRENGTH,
) -> PairFit:
    """Maximum a posteriori weights of all the evidence.

    The step away from the prior is measured in the evidence's own spread, so that a weight which ten pairs
    say nothing of stays where it was.

    Args:
        evidence: (N,) of each name.
        matches: (N,) 1 where the pair matches, 0 where not.
        weight: (N,) how much each pair counts; see `at_base_rate`.
        prior: what to believe without labels; weights that it lacks are nought. None: nothing.
        strength: how many labels the prior weighs.

    Returns:
        The fit; the prior itself when nothing counts.
    """
    names = tuple(evidence)
    before = prior or PairFit({}, float(np.log(BASE_RATE / (1 - BASE_RATE))))
    if not np.sum(weight):
        return before
    x = np.stack([np.asarray(evidence[name], dtype=np.float64) for name in names], axis=1)  # (N, E)
    require_finite(x, lambda i: f"What is known of pair {i + 1}", "Calibrate another version.")
    share = weight / weight.sum()
    centre = share @ x
    spread = np.sqrt(share @ (x - centre) ** 2).clip(1e-6)
    z = np.column_stack([(x - centre) / spread, np.ones(len(x))])  # (N, E + 1)
    slopes = np.array([before.weights.get(name, 0.0) for name in names])
    start = np.append(slopes * spread, before.bias + slopes @ centre)
    y = np.asarray(matches, dtype=np.float64)
    held = 0.25 * strength  # the curvature that so many pairs at the boundary give

    def objective(at: np.ndarray) -> tuple[float, np.ndarray]:
        odds, away = z @ at, at - start
        loss = weight @ (np.logaddexp(0.0, odds) - y * odds) + held * away @ away / 2
        return float(loss), z.T @ (weight * (scipy.special.expit(odds) - y)) + held * away

    found = scipy.optimize.minimize(objective, start, jac=True, method="L-BFGS-B").x
    learned = found[:-1] / spread
    return PairFit(dict(zip(names, learned.tolist(), strict=True)), float(found[-1] - learned @ centre))


def at_base_rate(matches: np.ndarray) -> np.ndarray:
    """(N,) how much each pair counts so that one in five matches; each match counts as one."""
    right = np.asarray(matches, dtype=bool)
    wrong = max(1, int((~right).sum()))
    return np.where(right, 1.0, right.sum() * (1 - BASE_RATE) / BASE_RATE / wrong)
