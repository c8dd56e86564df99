"""What labels are worth: validation recall against the number of labels so far, and what to expect of more.

Heads are trained on the first k labels for growing k; a logarithm is fitted to the recalls, which is how
recall grows with labelled data over the range that one person labels (Hestness et al. 2017,
arXiv:1712.00409, find power laws, of which this is the flat limit). Intervals come from resampling the
validation queries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.heads.residual import ResidualHead

FRACTIONS = (0.25, 0.5, 0.75, 1.0)
NEXT = 50  # labels whose worth is told
WORTH_POINTS = 0.5  # a gain below this many points is not worth 50 labels
RESAMPLES = 500
FEW_PAIRS = 20  # validation matches, of fewer of which nothing is foretold: an interval is 30 points wide
ENOUGH_PAIRS = 60  # of fewer no curve says that labels are of no use


@dataclass(frozen=True)
class LearningCurve:
    """The points, and what to expect."""

    labels: tuple[int, ...]
    recall: tuple[float, ...]  # percent
    low: tuple[float, ...]
    high: tuple[float, ...]
    next_gain: float  # points to expect of the next 50 labels
    next_low: float
    next_high: float
    queries: int  # pairs that it was measured on, each asked both ways

    @property
    def advice(self) -> str:
        """The forecast as a sentence."""
        if self.queries < FEW_PAIRS:
            return (
                f"{self.queries} pairs to check by are too few to tell what more answers would bring: "
                f"{FEW_PAIRS} are needed."
            )
        span = f"{self.next_low:+.1f} to {self.next_high:+.1f}"
        if self.next_high < WORTH_POINTS and self.queries >= ENOUGH_PAIRS:
            return f"More answers of the same kind no longer help ({span} points for the next {NEXT})."
        if self.next_low > 0:
            return f"The next {NEXT} answers should bring {self.next_gain:+.1f} points ({span})."
        return f"The next {NEXT} answers may bring {self.next_gain:+.1f} points ({span}); it is not certain."

    def as_json(self) -> dict[str, Any]:
        """For the page."""
        points = [
            {"labels": n, "recall": round(r, 1), "low": round(lo, 1), "high": round(hi, 1)}
            for n, r, lo, hi in zip(self.labels, self.recall, self.low, self.high, strict=True)
        ]
        ahead = {
            "gain": round(self.next_gain, 1),
            "low": round(self.next_low, 1),
            "high": round(self.next_high, 1),
        }
        return {"points": points, "next": ahead, "next_labels": NEXT, "advice": self.advice}


def learning_curve(
    train: PairArrays, validation: PairArrays, dim: int, fit: Callable[[PairArrays], ResidualHead | None]
) -> LearningCurve | None:
    """Train on the first k labels for several k and forecast; None when stopped or there is too little to
    tell.

    Args:
        train: the examples in the order of labelling.
        validation: those to measure on, matches only.
        dim: D, the shared space.
        fit: trains on some of the examples; None: it was stopped.
    """
    counts = sorted({max(2, round(f * len(train))) for f in FRACTIONS})
    by_query = [measure(None, validation, dim).recall_by_query()]
    labels = [0]
    for count in counts:
        part = train.take(np.arange(count))
        if not part.match.any() or len(set(part.text_code[part.match].tolist())) < 2:
            continue
        head = fit(part)
        if head is None:
            return None
        by_query.append(measure(head, validation, dim).recall_by_query())
        labels.append(count)
    if len(labels) < 3:
        return None
    return forecast(labels, np.stack(by_query))


def forecast(labels: list[int], by_query: np.ndarray, seed: int = 0) -> LearningCurve:
    """The curve and its continuation from (P, Q) recalls, 0..1, of Q queries at P numbers of labels."""
    x = np.log1p(np.array(labels, dtype=np.float64) / NEXT)  # (P,)
    ahead = np.log1p((labels[-1] + NEXT) / NEXT) - x[-1]
    drawn = np.random.default_rng(seed).integers(0, by_query.shape[1], (RESAMPLES, by_query.shape[1]))
    samples = 100.0 * by_query[:, drawn].mean(2)  # (P, RESAMPLES)
    mean = 100.0 * by_query.mean(1)
    low, high = np.percentile(samples, [2.5, 97.5], axis=1)
    slope = np.polyfit(x, mean, 1)[0] * ahead
    slopes = np.polyfit(x, samples, 1)[0] * ahead  # (RESAMPLES,)
    next_low, next_high = np.percentile(slopes, [2.5, 97.5])
    return LearningCurve(
        tuple(labels),
        tuple(mean.tolist()),
        tuple(low.tolist()),
        tuple(high.tolist()),
        float(slope),
        float(next_low),
        float(next_high),
        by_query.shape[1],
    )
