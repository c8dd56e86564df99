"""Places on a map: near means alike. Vectors are laid out in the plane by t-SNE.

It is openTSNE's (Poličar, Stražar and Zupan 2024, Journal of Statistical Software 109(3)), whose negative
forces are interpolated by FFT: 100,000 points take two minutes of two cores. It starts from the two main
axes, so the same vectors give the same map; from a map that is there already it goes on, so that a new
version or new items move what has changed, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import faiss
import numpy as np

Report = Callable[[float], None]  # the share that is done, 0..1

AXES = 50  # main axes in which neighbours are looked for
EXACT = 20_000  # vectors whose neighbours are looked for among all
PERPLEXITY = 15.0  # how many neighbours pull at a point: few, so that small collections fall into groups too
APART = 12.0  # exaggeration of the first rounds, as in van der Maaten and Hinton 2008
TOGETHER = 2.5  # of the others: groups stand apart, with room between them for their names
FIRST, THEN, AGAIN = 250, 350, 250  # rounds: apart, together, and from a map that is there
START = 2e-4  # how wide a map is at first, as its rounds need it
LEAST_RATE = 200.0  # of learning: with that of a large map a small one would not come apart
AT_ONCE = 25  # rounds between looks at whether it was stopped
BY_TREE = 5_000  # points from which on the FFT is quicker than the tree
LEAST = 8  # points that are laid out by t-SNE; of fewer the main axes say as much
NEIGHBOURS = 5  # on the map, among which a new point is put
BESIDE = 1e-3  # of the map's width: how far a new point stands from the middle of its neighbours
SEED = 0


@dataclass(frozen=True)
class Stop:
    """Whether it was stopped, and who hears how far it is."""

    asked: Callable[[], bool] = lambda: False
    report: Report = lambda share: None


class Stopped(Exception):
    """Somebody stopped it before it was done."""


def main_axes(vectors: np.ndarray, count: int) -> np.ndarray:
    """(N, count) float32 of (N, D) vectors along the axes in which they differ most, nought beyond D.

    The sign of an axis is that of its largest weight, so that the same vectors give the same numbers.
    """
    if not len(vectors):
        return np.zeros((0, count), np.float32)
    centred = np.asarray(vectors, np.float32) - np.mean(vectors, axis=0, dtype=np.float64).astype(np.float32)
    spread = np.asarray(centred.T @ centred, np.float64)  # (D, D)
    _, axes = np.linalg.eigh(spread)
    axes = axes[:, ::-1][:, :count]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.sign(axes[largest, np.arange(axes.shape[1])])
    found = np.zeros((len(vectors), count), np.float32)
    found[:, : axes.shape[1]] = centred @ axes.astype(np.float32)
    return found


def first_places(vectors: np.ndarray) -> np.ndarray:
    """(N, 2) float32 places of (N, D) vectors along their two main axes, made in a moment."""
    flat = main_axes(vectors, 2)
    widest = float(np.abs(flat).max(initial=0.0))
    return flat if widest == 0 else np.asarray(flat / widest, np.float32)


def laid_out(vectors: np.ndarray, start: np.ndarray | None = None, stop: Stop | None = None) -> np.ndarray:
    """(N, 2) float32 places of (N, D) unit vectors, alike ones near each other.

    Args:
        vectors: what is laid out.
        start: (N, 2) places on a map that this function has made, from which to go on; None: from the main
            axes.
        stop: whether it was stopped, and who hears how far it is.

    Raises:
        Stopped: it was stopped.
    """
    stop = stop or Stop()
    if len(vectors) < LEAST:
        return first_places(vectors)
    if stop.asked():
        raise Stopped
    tsne = import_module("openTSNE")
    affinities = _affinities(vectors)
    if start is None:
        begun = START * first_places(vectors).astype(np.float64)
        begun += np.random.default_rng(SEED).normal(scale=START / 100, size=begun.shape)  # equal ones part
        rounds = [(FIRST, APART, 0.5), (THEN, TOGETHER, 0.8)]
    else:
        begun, rounds = np.array(start, np.float64), [(AGAIN, TOGETHER, 0.8)]
    map_ = tsne.TSNEEmbedding(
        begun,
        affinities,
        n_jobs=cores(),
        random_state=SEED,
        negative_gradient_method="fft" if len(vectors) >= BY_TREE else "bh",
    )
    total, done = sum(count for count, _, _ in rounds), 0
    for count, exaggeration, momentum in rounds:
        for _ in range(0, count, AT_ONCE):
            if stop.asked():
                raise Stopped
            map_.optimize(
                AT_ONCE,
                learning_rate=max(LEAST_RATE, len(vectors) / exaggeration),
                exaggeration=exaggeration,
                momentum=momentum,
                inplace=True,
            )
            done += AT_ONCE
            stop.report(done / total)
    found = np.asarray(map_, np.float32)
    return found if start is None else turned_like(found, np.asarray(start, np.float32))


def _affinities(vectors: np.ndarray) -> Any:
    """How much each of (N, D) vectors pulls at its neighbours."""
    perplexity = min(PERPLEXITY, (len(vectors) - 1) / 3)
    count = max(1, min(len(vectors) - 1, int(3 * perplexity)))
    rows, near = neighbours(main_axes(vectors, min(AXES, vectors.shape[1])), count)
    found = import_module("openTSNE.nearest_neighbors").PrecomputedNeighbors(rows, near)
    make = import_module("openTSNE.affinity").PerplexityBasedNN
    return make(knn_index=found, perplexity=perplexity, n_jobs=cores())


def neighbours(points: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, count) rows of the nearest of each of (N, D) points, and (N, count) how far they are."""
    points = np.ascontiguousarray(points, np.float32)
    if len(points) <= EXACT:
        index: Any = faiss.IndexFlatL2(points.shape[1])
    else:
        index = faiss.IndexIVFFlat(faiss.IndexFlatL2(points.shape[1]), points.shape[1], 256)
        index.nprobe = 8
        index.train(points[:: max(1, len(points) // (2 * EXACT))])
    index.add(points)
    far, rows = index.search(points, count + 1)
    kept_rows, kept_far = np.empty((len(points), count), np.int64), np.empty((len(points), count))
    own = rows == np.arange(len(points))[:, None]
    own[~own.any(axis=1), -1] = True  # one that is not its own nearest, as among equals
    kept_rows[:], kept_far[:] = rows[~own].reshape(-1, count), far[~own].reshape(-1, count)
    lacking = kept_rows < 0  # of a part of the collection with fewer
    kept_rows[lacking], kept_far[lacking] = 0, np.nanmax(np.where(np.isfinite(kept_far), kept_far, 0))
    return kept_rows, np.sqrt(np.maximum(kept_far, 0.0))


def put_among(vectors: np.ndarray, known: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(M, 2) float32 places of new vectors on a map that stays as it is: among their nearest there.

    Args:
        vectors: (M, D) of the new ones.
        known: (N, D) of those that have a place, at least one.
        places: (N, 2) theirs.
    """
    index = faiss.IndexFlatIP(known.shape[1])
    index.add(np.ascontiguousarray(known, np.float32))
    near, rows = index.search(np.ascontiguousarray(vectors, np.float32), min(NEIGHBOURS, len(known)))
    weights = np.maximum(near, 1e-6) ** 8  # the nearest says most
    middle = (places[rows] * (weights / weights.sum(axis=1, keepdims=True))[:, :, None]).sum(axis=1)
    width = float(np.ptp(places, axis=0).max(initial=0.0))
    beside = np.random.default_rng(SEED).normal(scale=BESIDE * width, size=middle.shape)
    return np.asarray(middle + beside, np.float32)


def turned_like(places: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(N, 2) float32 the same map, moved and turned, perhaps over, to lie as near as it can to another of the
    same points: what still differs is what has changed among them.
    """
    middle = before.mean(axis=0)
    own = places - places.mean(axis=0)
    left, _, right = np.linalg.svd(own.T @ (before - middle))
    return np.asarray(own @ (left @ right) + middle, np.float32)


def cores() -> int:
    """How many cores a map may take: all but one, which answers."""
    return max(1, int(faiss.omp_get_max_threads()) - 1)
