"""Vectors on disk: appended once, read through memory mapping, found by their 32-byte key."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from filelock import FileLock

from mmdemo.errors import cannot_write
from mmdemo.finite import require_finite
from mmdemo.store.texts import short_id

KEY_BYTES = 32  # a SHA-256
CHECKED_AT_ONCE = 65_536  # rows whose numbers are looked at together
CURE = "Remove that file from the workspace's folder of vectors: what was in it is made again."
Named = Callable[[str], str]  # what a key stands for, as in "cat.jpg"


class VectorFile:
    """An append-only matrix with a key per row.

    Two flat files lie side by side: `NAME.f16` or `NAME.f32` with the rows and `NAME.keys` with their keys. A
    row counts only when both are whole, so a kill in the middle of an append loses that append and no more;
    the next one cuts off what was left half-written.

    Args:
        path: without a suffix.
        dim: numbers a row.
        dtype: float16 for features, float32 for vectors.
    """

    def __init__(self, path: Path, dim: int, dtype: type[np.floating] = np.float32) -> None:
        self.dim = dim
        self.dtype = np.dtype(dtype)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._rows_path = path.with_name(f"{path.name}.f{self.dtype.itemsize * 8}")
        self._keys_path = path.with_name(f"{path.name}.keys")
        self._file_lock = FileLock(path.with_name(f"{path.name}.lock"))
        self._lock = threading.RLock()
        self._row_of: dict[bytes, int] = {}  # filled when a key is first asked for: searching needs no key
        self._indexed = 0
        self._map: np.ndarray = np.empty((0, dim), self.dtype)
        self._seen = 0
        self._finite = 0  # rows from the beginning that were seen to hold numbers
        self.refresh()

    def __len__(self) -> int:
        return self._seen

    def refresh(self) -> int:
        """Take in what another process has appended; returns the number of rows."""
        with self._lock:
            count = self._whole_rows()
            if count > self._seen:
                self._map = np.memmap(self._rows_path, self.dtype, "r", shape=(count, self.dim))
                self._seen = count
            return count

    def append(self, keys: Sequence[str], rows: np.ndarray) -> None:
        """Add (N, dim) rows under N hexadecimal SHA-256 keys; those already there are passed over.

        Raises:
            NumberError: a row, as it would be kept, is infinite or not a number; nothing counts then.
            StorageError: the disk is full; nothing of this call counts then.
        """
        with np.errstate(over="ignore"):
            rows = np.asarray(rows, dtype=self.dtype)
        require_finite(rows, lambda i: f"What would be kept of {short_id(keys[i])}", "Leave its file out.")
        with self._lock, self._file_lock:
            count = self.refresh()
            known = self._known()
            fresh = [i for i, key in enumerate(keys) if bytes.fromhex(key) not in known]
            if not fresh:
                return
            data = np.ascontiguousarray(rows[fresh], dtype=self.dtype).tobytes()
            try:
                _append_at(self._rows_path, count * self.dim * self.dtype.itemsize, data)
                _append_at(
                    self._keys_path, count * KEY_BYTES, b"".join(bytes.fromhex(keys[i]) for i in fresh)
                )
            except OSError as e:
                raise cannot_write("Vectors could not be saved", e) from e
            self.refresh()

    def matrix(self) -> np.ndarray:
        """(N, dim) all rows, memory-mapped, read-only."""
        with self._lock:
            return self._map

    def keys(self, start: int = 0) -> list[str]:
        """The keys of the rows from `start` on, in order."""
        with self._lock:
            if self._seen <= start:
                return []
            with self._keys_path.open("rb") as f:
                f.seek(start * KEY_BYTES)
                data = f.read((self._seen - start) * KEY_BYTES)
        return [data[i : i + KEY_BYTES].hex() for i in range(0, len(data), KEY_BYTES)]

    def keys_at(self, rows: np.ndarray) -> list[str]:
        """The keys of those rows."""
        with self._lock:
            if self._seen == 0:
                return []
            keys = np.memmap(self._keys_path, np.uint8, "r", shape=(self._seen, KEY_BYTES))
            return [bytes(keys[row]).hex() for row in rows]

    def rows_of(self, keys: Sequence[str]) -> np.ndarray:
        """(N,) row numbers, -1 where a key is not there."""
        with self._lock:
            known = self._known()
            return np.array([known.get(bytes.fromhex(key), -1) for key in keys], dtype=np.int64)

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys that have no row yet, in order, each once."""
        with self._lock:
            known = self._known()
            return [key for key in dict.fromkeys(keys) if bytes.fromhex(key) not in known]

    def get(self, keys: Sequence[str], named: Named | None = None) -> np.ndarray:
        """(N, dim) float32 rows of keys that are all there.

        Raises:
            NumberError: a row is infinite or not a number, as in a damaged file.
        """
        rows = self.rows_of(keys)
        if (rows < 0).any():
            raise KeyError(f"{int((rows < 0).sum())} of {len(keys)} keys have no vector")
        found = np.asarray(self.matrix()[rows], dtype=np.float32)
        return require_finite(found, lambda i: self._kept_of(keys[i], named), CURE)

    def require_numbers(self, named: Named | None = None) -> None:
        """Look at the rows that were not looked at before.

        Raises:
            NumberError: one is infinite or not a number; what it is kept of is named.
        """
        matrix = self.matrix()
        while self._finite < len(matrix):
            part = matrix[self._finite : self._finite + CHECKED_AT_ONCE]
            require_finite(part, partial(self._row_kept, self._finite, named), CURE)
            self._finite += len(part)

    def _row_kept(self, start: int, named: Named | None, row: int) -> str:
        return self._kept_of(self.keys_at(np.array([start + row]))[0], named)

    def _kept_of(self, key: str, named: Named | None) -> str:
        return f"What is kept of {(named or short_id)(key)} in {self._rows_path.name}"

    def _known(self) -> dict[bytes, int]:
        if self._indexed < self._seen:
            with self._keys_path.open("rb") as f:
                f.seek(self._indexed * KEY_BYTES)
                fresh = f.read((self._seen - self._indexed) * KEY_BYTES)
            for i in range(self._seen - self._indexed):
                self._row_of.setdefault(fresh[i * KEY_BYTES : (i + 1) * KEY_BYTES], self._indexed + i)
            self._indexed = self._seen
        return self._row_of

    def _whole_rows(self) -> int:
        if not self._keys_path.exists() or not self._rows_path.exists():
            return 0
        rows = self._rows_path.stat().st_size // (self.dim * self.dtype.itemsize)
        return min(rows, self._keys_path.stat().st_size // KEY_BYTES)


def _append_at(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b" if path.exists() else "w+b") as f:
        f.truncate(offset)
        f.seek(offset)
        f.write(data)
        f.flush()
        os.fsync(f.fileno())
