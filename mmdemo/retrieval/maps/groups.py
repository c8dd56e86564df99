"""Groups of what lies together, and their names: those of the texts nearest to their centres.

A group has no name where none is clear: where the text that is nearest is as near to another group.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import faiss
import numpy as np
from scipy.optimize import linear_sum_assignment

MOST_GROUPS = 24
OF_EACH = 6  # items to a group, in small collections; their number grows with the root of the items'
LEAST = 12  # items that are grouped
NAMED = 40  # characters of a text that can be a name
WORDS = 5  # and words
CLEAR = 1.0  # standard deviations by which a name is nearer to its group than to any other
ARTICLE = re.compile(r"^(?:an?|the|some)\s+(?=\S)", re.IGNORECASE)
SEED = 0
ROUNDS = 25
MOST_SEEN = 256  # vectors a group that are looked at to find centres


def how_many(count: int) -> int:
    """How many groups so many items make; 0: too few to be grouped."""
    return 0 if count < LEAST else int(np.clip(round((count / OF_EACH) ** 0.5), 2, MOST_GROUPS))


def centres_of(vectors: np.ndarray) -> np.ndarray:
    """(G, D) float32 unit centres of groups of (N, D) unit vectors, by k-means; the same for the same."""
    count = how_many(len(vectors))
    if not count:
        return np.empty((0, vectors.shape[1]), np.float32)
    means = faiss.Kmeans(
        vectors.shape[1],
        count,
        niter=ROUNDS,
        seed=SEED,
        spherical=True,
        max_points_per_centroid=MOST_SEEN,
        min_points_per_centroid=1,
    )
    means.train(np.ascontiguousarray(vectors, np.float32))
    return np.asarray(means.centroids, np.float32)


def group_of(vectors: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(N,) int16 the group of each of (N, D) vectors, -1 where there is none."""
    if not len(centres):
        return np.full(len(vectors), -1, np.int16)
    return np.asarray((vectors @ centres.T).argmax(axis=1), np.int16)


def in_the_order_of(centres: np.ndarray, now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(G, D) the same centres in the order of a map before, so that a group keeps its number and colour.

    Args:
        centres: (G, D).
        now: (N,) the groups of N items by them, or -1.
        before: (N,) those of the same items before.
    """
    count = len(centres)
    shared = np.zeros((count, max(count, int(before.max(initial=-1)) + 1)))
    both = (now >= 0) & (before >= 0)
    np.add.at(shared, (now[both], before[both]), 1)
    rows, places = linear_sum_assignment(-shared)
    order = rows[np.argsort(places, kind="stable")]
    return np.asarray(centres[order])


def can_name(text: str) -> bool:
    """Whether a text is short enough to stand on a map."""
    return 0 < len(text) <= NAMED and len(text.split()) <= WORDS


def names_of(centres: np.ndarray, texts: Sequence[str], vectors: np.ndarray) -> list[str]:
    """The name of each of G groups, or an empty one.

    Args:
        centres: (G, D) unit vectors.
        texts: T texts that can be names.
        vectors: (T, D) unit vectors of them.
    """
    names = [""] * len(centres)
    if len(centres) < 2 or not texts:
        return names
    near = np.asarray(vectors @ centres.T, np.float64)  # (T, G)
    near -= near.mean(axis=0)  # some centres are near to every text
    near -= near.mean(axis=1, keepdims=True)  # and some texts to every centre
    near /= max(float(near.std()), 1e-9)
    first_two = np.sort(near, axis=1)[:, ::-1][:, :2]
    lead = first_two[:, 0] - first_two[:, 1]  # (T,) how clearly a text is of one group
    best = near.argmax(axis=1)
    taken: set[str] = set()
    for row in np.argsort(-np.minimum(lead, first_two[:, 0]), kind="stable").tolist():
        name = ARTICLE.sub("", texts[row].strip().rstrip("."))
        group = int(best[row])
        if names[group] or name.casefold() in taken or lead[row] < CLEAR:
            continue
        names[group] = name
        taken.add(name.casefold())
    return names
