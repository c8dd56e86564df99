"""From a similarity to the probability that a pair matches.

Platt scaling (Platt 1999, "Probabilistic outputs for support vector machines"): one scale (an inverse
temperature) and one bias, fitted on labels. The base version's own fit is the prior of every later one,
so ten labels move it a little and a thousand decide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy  # imports its parts when they are used: the page answers a quarter of a second earlier

from mmdemo.finite import require_finite

LEAST_SCALE = 1.0  # a higher similarity is never less likely to match
PRIOR_STRENGTH = 10.0  # the prior weighs about as much as this many labels


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
