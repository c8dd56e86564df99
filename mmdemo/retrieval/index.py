"""The nearest vectors, by FAISS (Johnson et al. 2019, arXiv:1702.08734), exact, over rows that stay on disk.

FAISS's own indices hold a copy of the vectors, and adding to one moves them while somebody searches. Here the
rows are the memory-mapped file itself, as it was when it was mapped: it only grows, so what a reader holds
never changes, and a collection that has grown is another index, made in no time.
"""

from __future__ import annotations

import faiss
import numpy as np

from mmdemo.errors import NumberError
from mmdemo.store.vectors import CURE, whole_rows


class VectorIndex:
    """An exact inner-product index over the rows of a matrix, in its order.

    Args:
        matrix: (N, D) float32 unit vectors, of which nobody changes a row.
    """

    def __init__(self, matrix: np.ndarray) -> None:
        self._matrix = np.ascontiguousarray(matrix, dtype=np.float32)  # no copy of a mapped file

    def __len__(self) -> int:
        return len(self._matrix)

    @property
    def matrix(self) -> np.ndarray:
        """(N, D) the rows."""
        return self._matrix

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

        Raises:
            NumberError: one of these rows is damaged.
        """
        k = min(k, len(self) if allowed is None else int(allowed.sum()))
        scores = np.empty((len(queries), k), np.float32)
        rows = np.empty((len(queries), k), np.int64)
        if not k or not len(queries):
            return scores, rows
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        arrays = [faiss.swig_ptr(a) for a in (queries, self._matrix, scores, rows)]
        sizes = queries.shape[1], len(queries), len(self), k
        only = []
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")  # held until the search is over
            only = [faiss.IDSelectorBitmap(bits)]  # type: ignore[call-arg, arg-type]
        faiss.knn_inner_product(arrays[0], arrays[1], *sizes, arrays[2], arrays[3], *only)
        if (rows < 0).any() or not whole_rows(self._matrix[np.unique(rows)]).all():  # none: not a number
            raise NumberError("A vector that was found is not a number.", CURE)
        return scores, rows
