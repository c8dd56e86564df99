"""Ticks and crosses on the answers to a query, by everybody: they move the query at once (Rocchio 1971,
"Relevance feedback in information retrieval").

The query is moved towards the mean of what was ticked and away from the mean of what was crossed, each seen
from the middle of the collection: vectors of media lie together, apart from those of texts, and only how an
answer differs from the others says what was meant. Where a tower tells more of its media than their vectors,
answers that look like what was ticked are likelier for it, and those like what was crossed less so. A mean of
few counts for less. Crosses alone move nothing but what was crossed: they say what is not meant, and what is
meant could be anywhere else (Wang, Fang & Zhai 2008, "A study of methods for negative relevance feedback").
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np

from mmdemo.label_kinds import training_of
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace

TICKED, CROSSED = 0.36, 0.36  # weights of the two means; docs/experiments.md compares others
ALIKE, UNLIKE = 4.8, 2.4  # log-odds for looking like what was ticked, and crossed; docs/experiments.md
MIDDLE_ROWS = 2000  # of the collection, that its middle is taken from


@dataclass(frozen=True)
class Feedback:
    """What people said of the answers to one query."""

    ticked: tuple[str, ...]  # items
    crossed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.ticked or self.crossed)

    def without(self, items: Collection[str]) -> Feedback:
        """The same but of some items."""
        return Feedback(*(tuple(i for i in side if i not in items) for side in (self.ticked, self.crossed)))


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
        weights: of the means of ticked and of crossed, where these are many.
    """
    total = np.array(query, np.float32)
    for vectors, weight in _weighted(ticked, crossed, weights):
        total += weight * (vectors.mean(0) - middle)
    return total


def alike(rows: np.ndarray, ticked: np.ndarray, crossed: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """(C,) log-odds for how answers look beside what was judged: of the mean cosine of each with what was
    ticked, and less that with what was crossed, all seen from the middle of the collection.

    Args:
        rows: (C, F) what a tower sees in the answers.
        ticked: (T, F) in what was ticked; T may be 0.
        crossed: (N, F) in what was crossed; N may be 0.
        middle: (F,) the mean of the collection.
    """
    own, total = _seen_from(middle, rows), np.zeros(len(rows))
    for judged, weight in _weighted(ticked, crossed, (ALIKE, UNLIKE)):
        total += weight * (own @ _seen_from(middle, judged).T).mean(1)
    return total


def _weighted(
    ticked: np.ndarray, crossed: np.ndarray, weights: tuple[float, float]
) -> Iterator[tuple[np.ndarray, float]]:
    """What was ticked, and crossed, with what its mean weighs; nothing without a tick."""
    if len(ticked):
        yield ticked, weights[0] * len(ticked) / (len(ticked) + 1)
        if len(crossed):
            yield crossed, -weights[1] * len(crossed) / (len(crossed) + 1)


def _seen_from(middle: np.ndarray, rows: np.ndarray) -> np.ndarray:
    away = np.asarray(rows, np.float32) - middle
    return np.asarray(away / np.linalg.norm(away, axis=1, keepdims=True).clip(1e-12))


def middle_of(matrix: np.ndarray) -> np.ndarray:
    """(D,) the mean of the rows of a collection, of an even sample where it is large."""
    rows = matrix[:: max(1, len(matrix) // MIDDLE_ROWS)]
    return np.asarray(rows, np.float32).mean(0) if len(rows) else np.zeros(matrix.shape[1], np.float32)
