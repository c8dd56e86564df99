"""The nearest vectors, by FAISS (Johnson et al. 2019, arXiv:1702.08734), exact, grown as items arrive."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

ADD_ROWS = 65_536  # rows handed to FAISS at once: 100 MB at 384 numbers


class VectorIndex:
    """An exact inner-product index over the rows of a matrix, in its order.

    Args:
        dim: numbers a row.
    """

    def __init__(self, dim: int) -> None:
        import faiss

        self._faiss: Any = faiss
        self._index = faiss.IndexFlatIP(dim)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def extend(self, matrix: np.ndarray) -> int:
        """Take in the rows of (N, D) that are not in yet; returns how many they were."""
        with self._lock:
            begun = len(self)
            for start in range(begun, len(matrix), ADD_ROWS):
                self._index.add(np.ascontiguousarray(matrix[start : start + ADD_ROWS], dtype=np.float32))
            return len(self) - begun

    def search(
        self, queries: np.ndarray, k: int, allowed: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The nearest rows, best first.

        Args:
            queries: (Q, D) float32 unit vectors.
            k: how many.
            allowed: (N,) bool, the rows to look among; None: all.

        Returns:
            (Q, k') cosines and (Q, k') row numbers; k' is k or the number of rows to look among.
        """
        count = len(self) if allowed is None else int(allowed[: len(self)].sum())
        k = min(k, count)
        if k == 0:
            return np.empty((len(queries), 0), np.float32), np.empty((len(queries), 0), np.int64)
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if allowed is None:
            return self._index.search(queries, k)
        bits = np.packbits(allowed[: len(self)], bitorder="little")
        selector = self._faiss.IDSelectorBitmap(bits)
        return self._index.search(queries, k, params=self._faiss.SearchParameters(sel=selector))
