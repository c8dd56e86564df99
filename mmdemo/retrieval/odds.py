"""How likely an answer of a search is right: at another base rate than that of one text beside four others.

A search asks every item of the collection, so few of those that it asks are right: the log-odds of all that
is known of a pair are moved from one right in five to one in a hundred. A fit on drawings of the train side
at that rate gives the same numbers; see docs/experiments.md.
"""

from __future__ import annotations

import numpy as np
import scipy  # imports its parts when they are used

from mmdemo.models.calibration import BASE_RATE, OVER_MEDIA, OVER_TEXTS, SIMILARITY
from mmdemo.models.judge import Judge

SEARCH_RATE = 0.01  # one right answer in a hundred of those that are asked
DECIDED = 50  # of the nearest, that are judged by all that is known of them
SAID = 3.0  # times what a similarity weighs in log-odds: so much count ticks and crosses; docs/experiments.md
_SHIFT = float(np.log(SEARCH_RATE / (1 - SEARCH_RATE)) - np.log(BASE_RATE / (1 - BASE_RATE)))


def knows_more(judge: Judge) -> bool:
    """Whether it judges by more than the similarity of the two vectors."""
    return set(judge.fit.weights) != {SIMILARITY}


def of_search(log_odds: np.ndarray) -> np.ndarray:
    """Probabilities at one right answer in a hundred, of log-odds at one in five, of any shape."""
    return np.asarray(scipy.special.expit(np.asarray(log_odds, np.float64) + _SHIFT))


def at_search_rate(probability: np.ndarray) -> np.ndarray:
    """Probabilities at one right answer in a hundred, of those at one in five, of any shape."""
    return of_search(scipy.special.logit(np.asarray(probability, np.float64)))


def slope(judge: Judge) -> float:
    """Log-odds for a similarity of one more, where ticks and crosses move it."""
    return SAID * sum(judge.fit.weights.get(name, 0.0) for name in (SIMILARITY, OVER_TEXTS, OVER_MEDIA))
