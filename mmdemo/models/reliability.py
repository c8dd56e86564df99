"""Whether a probability is what it says: its reliability diagram, its error, and the three zones.

The expected calibration error is the mean distance between what was said and what was right, over ten bins of
equal width (Naeini et al. 2015, "Obtaining well calibrated probabilities using Bayesian binning").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 10
FITS, CANNOT_TELL, DOES_NOT_FIT = "fits", "can't tell", "doesn't fit"
RIGHT_ABOVE, RIGHT_BELOW = 0.9, 0.1  # the shares of right ones that the two limits promise
LEAST_FITS, MOST_DOES_NOT = 0.6, 0.25  # the limits' own bounds: at a limit itself it is no toss-up
MARGIN = 0.025  # that much better on the pairs at hand, as other pairs are a little worse
GRID = 0.01  # steps of a limit
LEAST_IN_ZONE = 20.0  # right ones that a limit is read from


@dataclass(frozen=True)
class Zones:
    """The two limits of the probability, between which the model can't tell.

    The defaults promise of a calibrated probability what they say, pair by pair.
    """

    fits: float = RIGHT_ABOVE  # from here on at least nine in ten are right
    does_not: float = RIGHT_BELOW  # up to here at most one in ten is

    def word(self, probability: float) -> str:
        """fits, can't tell or doesn't fit."""
        if probability >= self.fits:
            return FITS
        return DOES_NOT_FIT if probability <= self.does_not else CANNOT_TELL

    def as_json(self) -> dict[str, float]:
        """The two limits."""
        return asdict(self)


@dataclass(frozen=True)
class Bin:
    """The answers that said about the same."""

    said: float  # mean probability
    right: float  # the share that was right
    count: float  # answers, at the base rate


@dataclass(frozen=True)
class Reliability:
    """What a probability was measured on, and what came out."""

    ece: float  # expected calibration error, 0..1
    bins: tuple[Bin, ...]  # of those that hold any
    pairs: int  # right pairs that it was measured on
    on: str  # what they were, in words

    def as_json(self) -> dict[str, Any]:
        """What `Reliability.of` reads."""
        rows = [{name: round(value, 4) for name, value in asdict(b).items()} for b in self.bins]
        return {"ece": round(self.ece, 4), "pairs": self.pairs, "on": self.on, "bins": rows}

    @staticmethod
    def of(row: Mapping[str, Any]) -> Reliability:
        """What `as_json` wrote."""
        return Reliability(row["ece"], tuple(Bin(**b) for b in row["bins"]), row["pairs"], row["on"])


def reliability(probability: np.ndarray, matches: np.ndarray, weight: np.ndarray, on: str) -> Reliability:
    """What (N,) probabilities said of N pairs, and what was right.

    Args:
        probability: 0..1.
        matches: whether each pair matches.
        weight: how much each counts.
        on: what the pairs are, in words.
    """
    right = np.asarray(matches, dtype=np.float64)
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    bins, error = [], 0.0
    for i in range(BINS):
        here = place == i
        count = float(weight[here].sum())
        if count > 0:
            said, was = (float(weight[here] @ values[here]) / count for values in (probability, right))
            bins.append(Bin(said, was, count))
            error += count * abs(said - was)
    total = float(weight.sum())
    return Reliability(error / total if total else 0.0, tuple(bins), int(right.sum()), on)


def find_zones(probability: np.ndarray, matches: np.ndarray, weight: np.ndarray) -> Zones:
    """The widest zones that hold what they promise on N pairs, and by the probabilities' own word.

    A limit is taken only where both the share that was right and the mean that was said keep the promise, and
    where enough right pairs say so; else it stays where a calibrated probability keeps it pair by pair.
    """
    right = np.asarray(matches, dtype=np.float64)

    def shares(here: np.ndarray) -> tuple[float, float, float]:
        count = float(weight[here].sum())
        if not count:
            return np.nan, np.nan, 0.0
        was, said = (float(weight[here] @ values[here]) / count for values in (right, probability))
        return was, said, count

    fits = RIGHT_ABOVE
    for limit in np.arange(RIGHT_ABOVE, LEAST_FITS - GRID / 2, -GRID):
        was, said, count = shares(probability >= limit)
        if count >= LEAST_IN_ZONE and min(was, said) >= RIGHT_ABOVE + MARGIN:
            fits = limit
    does_not = RIGHT_BELOW
    for limit in np.arange(RIGHT_BELOW, MOST_DOES_NOT + GRID / 2, GRID):
        was, said, count = shares(probability <= limit)
        if count >= LEAST_IN_ZONE and max(was, said) <= RIGHT_BELOW - MARGIN:
            does_not = limit
    return Zones(round(float(fits), 2), round(float(does_not), 2))
