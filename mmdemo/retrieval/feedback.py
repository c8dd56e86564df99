"""Ticks and crosses on the answers to a query, by everybody: they move the query at once (Rocchio 1971,
"Relevance feedback in information retrieval").

The query is moved towards the mean of what was ticked and away from the mean of what was crossed, each seen
from the middle of the collection: vectors of media lie together, apart from those of texts, and only how an
answer differs from the others says what was meant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmdemo.label_kinds import training_of
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace

TICKED, CROSSED = 0.3, 0.3  # weights of the two means; docs/experiments.md compares others
MIDDLE_ROWS = 2000  # of the collection, that its middle is taken from


@dataclass(frozen=True)
class Feedback:
    """What people said of the answers to one query."""

    ticked: tuple[str, ...]  # items
    crossed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.ticked or self.crossed)


def feedback_on(ws: Workspace, task: str, query: str) -> Feedback:
    """The labels in force on pairs of any item with a query's own words."""
    ticked, crossed = [], []
    for pair in ws.pairs.with_text(task, text_key(query)):
        means = training_of(pair.verdict)
        if means == "positive" and not pair.corrected:
            ticked.append(pair.item)
        elif means == "negative":
            crossed.append(pair.item)
    return Feedback(tuple(dict.fromkeys(ticked)), tuple(dict.fromkeys(crossed)))


def moved(
    query: np.ndarray,
    ticked: np.ndarray,
    crossed: np.ndarray,
    middle: np.ndarray,
    weights: tuple[float, float] = (TICKED, CROSSED),
) -> np.ndarray:
    """(D,) a query's vector after feedback; its products are similarities still, but it has no unit length.

    Args:
        query: (D,) its vector.
        ticked: (T, D) vectors of what was ticked; T may be 0.
        crossed: (C, D) vectors of what was crossed; C may be 0.
        middle: (D,) the mean of the collection.
        weights: of the means of ticked and of crossed.
    """
    total = np.array(query, np.float32)
    for vectors, weight in ((ticked, weights[0]), (crossed, -weights[1])):
        if len(vectors):
            total += weight * (vectors.mean(0) - middle)
    return total


def middle_of(matrix: np.ndarray) -> np.ndarray:
    """(D,) the mean of the rows of a collection, of an even sample where it is large."""
    rows = matrix[:: max(1, len(matrix) // MIDDLE_ROWS)]
    return np.asarray(rows, np.float32).mean(0) if len(rows) else np.zeros(matrix.shape[1], np.float32)
