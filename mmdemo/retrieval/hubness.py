"""Against hubs: items that are near to every text, and texts that are near to every item.

Nearest-neighbour normalisation (Chowdhury et al. 2024, "Nearest Neighbor Normalization Improves Multimodal
Retrieval", arXiv:2410.24114): a candidate's similarity is lessened by what it reaches on a bank of queries
that have nothing to do with the one that is asked. The bank is the collection's own train side.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from mmdemo.modality import modality_of
from mmdemo.models.aligner import HeadAligner
from mmdemo.retrieval.embed import text_vectors, version_file
from mmdemo.retrieval.serving import Serving
from mmdemo.store.imported import imported_pairs, latest_import
from mmdemo.store.splits import TRAIN
from mmdemo.store.workspace import Workspace

WEIGHT = 0.75  # of what a candidate reaches on the bank; measured, see docs/experiments.md
NEAREST = 10  # of the bank: the mean of the highest so many is what a candidate reaches
LEAST = 30  # in a bank; with fewer nothing is lessened
MOST = 2000  # in a bank; of more those with the smallest hashes, which others do not push out
REACH = 500  # of the nearest, that are looked at: a hub is among them, and what is far is no answer
SAMPLED = 500  # candidates, evenly spread, whose mean stands for that of all


@dataclass(frozen=True)
class Bank:
    """What stands in for other queries; either side may be empty."""

    items: tuple[str, ...] = ()  # for queries by media
    texts: tuple[str, ...] = ()  # for queries by words


def has_hubs(task: str) -> bool:
    """Whether a task's candidates stand as the nearest of one vector each, not by moments or likelihood."""
    return modality_of(task).searcher is None


def bank_of(
    ws: Workspace, task: str, but_items: Collection[str] = (), but_texts: Collection[str] = ()
) -> Bank:
    """The train side's items and texts, as they came with the collection.

    Args:
        ws: the workspace.
        task: whose pairs.
        but_items: ids of items that are measured on.
        but_texts: keys of texts that are measured on.
    """
    if not has_hubs(task):
        return Bank()
    rows = imported_pairs(ws.database, task, TRAIN)
    texts = {key: text for _, key, text in rows if key not in but_texts}
    items = sorted({item for item, _, _ in rows if item not in but_items})
    return Bank(_enough(items), _enough([texts[key] for key in sorted(texts)]))


def _enough(found: Sequence[str]) -> tuple[str, ...]:
    return tuple(found[:MOST]) if len(found) >= LEAST else ()


def reached(vectors: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """(N,) float32 what each of (N, D) candidates reaches on a bank of (B, D); nought with a small bank."""
    if len(bank) < LEAST:
        return np.zeros(len(vectors), np.float32)
    near = vectors @ bank.T  # (N, B)
    return np.asarray(np.partition(near, -NEAREST, axis=1)[:, -NEAREST:].mean(1), np.float32)


def above_mean(reached: np.ndarray) -> np.ndarray:
    """(N,) what the similarities of candidates are lessened by, around nought: they stay comparable."""
    return np.asarray(WEIGHT * (reached - reached.mean())) if len(reached) else reached


class Hubs:
    """What a task's candidates reach on the bank, each asked once for a version.

    Args:
        ws: the workspace.
        task: whose collection.
    """

    def __init__(self, ws: Workspace, task: str) -> None:
        self._ws = ws
        self._task = task
        self._known: tuple[Hashable, _Sides] | None = None  # of a version, an index, the latest pair, change
        self._lock = threading.Lock()

    def of_media(self, serving: Serving, rows: np.ndarray) -> np.ndarray:
        """(R,) what the similarities of (R,) rows of the index are lessened by."""
        matrix = serving.index.matrix
        return self._sides(serving).media.of(rows.tolist(), len(matrix), lambda i: matrix[np.array(i)])

    def of_texts(self, serving: Serving, texts: Sequence[str], which: np.ndarray) -> np.ndarray:
        """(R,) what the similarities of (R,) rows of texts are lessened by."""

        def vectors(rows: list[int]) -> np.ndarray:
            return projected(self._ws, serving.aligner, [texts[i] for i in rows])

        return self._sides(serving).texts.of(which.tolist(), len(texts), vectors, texts.__getitem__)

    def _sides(self, serving: Serving) -> _Sides:
        latest = latest_import(self._ws.database, self._task), self._ws.changes.latest()
        at = serving.version, serving.file, len(serving.index), *latest
        with self._lock:
            if self._known is None or self._known[0] != at:
                self._known = at, self._made(serving)
            return self._known[1]

    def _made(self, serving: Serving) -> _Sides:
        bank = bank_of(self._ws, self._task)
        rows = version_file(self._ws, serving.aligner).rows_of(bank.items)
        there = rows[(rows >= 0) & (rows < len(serving.index))]
        texts = projected(self._ws, serving.aligner, bank.texts)
        return _Sides(_Reached(texts), _Reached(serving.index.matrix[there]))


def projected(ws: Workspace, aligner: HeadAligner, texts: Sequence[str]) -> np.ndarray:
    """(N, D) vectors of texts in a version's space."""
    return aligner.project_text(text_vectors(ws, aligner.towers, texts))


@dataclass(frozen=True)
class _Sides:
    media: _Reached
    texts: _Reached


class _Reached:
    """What candidates reach on a bank of (B, D), each asked once."""

    def __init__(self, bank: np.ndarray) -> None:
        self._bank = bank
        self._known: dict[Hashable, float] = {}
        self._mean: float | None = None
        self._lock = threading.Lock()

    def of(
        self,
        rows: list[int],
        count: int,
        vectors: Callable[[list[int]], np.ndarray],
        key: Callable[[int], Hashable] = int,
    ) -> np.ndarray:
        """(R,) what rows among `count` candidates are lessened by, seen from the mean of an even sample."""
        if len(self._bank) < LEAST or not rows:
            return np.zeros(len(rows), np.float32)
        with self._lock:
            if self._mean is None:
                self._mean = float(
                    self._asked(list(range(count))[:: max(1, count // SAMPLED)], vectors, key).mean()
                )
            return np.asarray(WEIGHT * (self._asked(rows, vectors, key) - self._mean), np.float32)

    def _asked(
        self, rows: list[int], vectors: Callable[[list[int]], np.ndarray], key: Callable[[int], Hashable]
    ) -> np.ndarray:
        missing = [row for row in rows if key(row) not in self._known]
        if missing:
            found = reached(vectors(missing), self._bank).tolist()
            self._known.update(zip(map(key, missing), found, strict=True))
        return np.array([self._known[key(row)] for row in rows], np.float32)
