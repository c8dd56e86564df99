"""The order in which a search shows what it found: one function, by which `evaluate` ranks too.

Candidates come from several lists: the nearest in the shared space, and what was found by words or by how it
sounds. They are fused by reciprocal rank (Cormack, Clarke and Buettcher 2009, "Reciprocal rank fusion
outperforms Condorcet"). Where something tells more of a pair than its place in the lists, it is asked about
the first of them, and they stand in the order of the number that it gives, which is the number shown.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mmdemo.finite import require_finite

CURE = "Activate another version in the Fine-tune tab."
TIE = 1e-9  # what a similarity counts beside a number
RRF_K = 60  # Cormack et al.'s: how little the first places of a list differ
Decide = Callable[[np.ndarray], np.ndarray]  # of (C,) rows of targets: (C,) the number that is shown


def places(scores: np.ndarray) -> np.ndarray:
    """(G,) places of (G,) scores from 1, the greatest first; equal scores share the last place of theirs."""
    ordered = np.sort(-scores)
    return np.searchsorted(ordered, -scores, side="right").astype(np.int64)


def fused(lists: Sequence[np.ndarray]) -> np.ndarray:
    """(G,) reciprocal rank fusion of lists: each (G,) scores, -inf where a list does not hold a target."""
    total = np.zeros(len(lists[0]))
    for scores in lists:
        total += np.where(np.isneginf(scores), 0.0, 1.0 / (RRF_K + places(scores)))
    return total


def sort_keys(
    near: np.ndarray, depth: int = 0, decide: Decide | None = None, lists: Sequence[np.ndarray] = ()
) -> np.ndarray:
    """What the targets of one query are ordered by, the greatest first; equal keys are ties.

    Args:
        near: (G,) similarity in the shared space.
        depth: how many of the first are decided about.
        decide: says of rows of targets the number that is shown; None: the similarity's order stands.
        lists: further lists, each (G,) with -inf where it does not hold a target.

    Returns:
        (G,) float64.

    Raises:
        NumberError: a similarity or a number is infinite or not a number.
    """
    require_finite(near, lambda row: f"The similarity of answer {row + 1}", CURE)
    kept = [one for one in lists if not np.isneginf(one).all()]
    if not kept and (decide is None or depth <= 0):
        return np.asarray(near, np.float64)
    first = fused([near, *kept]) if kept else np.asarray(near, np.float64)
    number = np.zeros(len(near))
    asked = np.zeros(len(near), bool)
    if decide is not None and depth > 0 and len(near):
        rows = np.lexsort((-near, -first))[:depth]
        found = np.asarray(decide(rows), np.float64)
        require_finite(found, lambda row: f"The score of answer {row + 1}", CURE)
        number[rows], asked[rows] = found, True
    by = np.column_stack([asked, number, first, near])
    _, dense = np.unique(by, axis=0, return_inverse=True)  # in the order of the columns, the first before all
    return dense.reshape(-1).astype(np.float64)


def first_decided(near: np.ndarray, numbers: np.ndarray, depth: int) -> np.ndarray:
    """As `sort_keys` of many queries without further lists: (C, G) keys.

    Args:
        near: (C, G) similarities.
        numbers: (C, G) what the first are ordered by; where that is the same, by their similarity.
        depth: how many of the first.
    """
    keys = np.array(near, np.float64)
    first = np.argpartition(-near, min(depth, near.shape[1]) - 1, axis=1)[:, :depth]
    found = np.take_along_axis(np.asarray(numbers, np.float64) + TIE * near, first, axis=1)
    np.put_along_axis(
        keys, first, found - min(found.min(initial=0.0), 0.0) + np.abs(near).max() + 1.0, axis=1
    )
    return keys
