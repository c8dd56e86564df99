"""Vectors on disk: appended once, read through memory mapping, found by their 32-byte key."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock

from mmdemo.errors import LostError, cannot_write
from mmdemo.finite import require_finite
from mmdemo.store.texts import short_id

LARGEST = 6e4  # of a feature of any model, and of any unit vector
KEY_BYTES = 32  # a SHA-256
DIM = ".dim"
NO_KEY = b"\xff" * KEY_BYTES  # of a row that was taken out
CHECKED_AT_ONCE = 65_536  # rows whose numbers are looked at together
CURE = "Try again: it is made anew."
CURE_OF_LOST = (
    "Run mmdemo check: it names files that are missing. Bring those back, or remove what they were."
)
log = logging.getLogger(__name__)
FileId = tuple[int, int]  # device and inode
Named = Callable[[str], str]  # what a key stands for, as in "cat.jpg"


class VectorFile:
    """An append-only matrix with a key per row.

    Two flat files lie side by side: `NAME.f16` or `NAME.f32` with the rows and `NAME.keys` with their keys,
    and `NAME.dim` says how many numbers a row has to who takes rows out. A
    row counts only when both are whole, so a kill in the middle of an append loses that append and no more;
    the next one cuts off what was left half-written. A damaged row counts as missing, and is made anew. What
    is taken out leaves a row of noughts without a key, so that no other row moves under who reads. Where
    other files have taken the place of these two, as after a restore, `refresh` begins with them.

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
        self._dim_path = path.with_name(f"{path.name}{DIM}")
        self._forget()
        if self.refresh():
            self._tell_dim()

    def _forget(self) -> None:
        self._row_of: dict[bytes, int] = {}  # filled when a key is first asked for: searching needs no key
        self._indexed = 0
        self._map: np.ndarray = np.empty((0, self.dim), self.dtype)
        self._keys: np.ndarray = np.empty((0, KEY_BYTES), np.uint8)
        self._seen = 0
        self._finite = 0  # rows from the beginning that were seen to hold numbers
        self._file: FileId | None = None  # which file the keys are in

    def __len__(self) -> int:
        return self._seen

    def refresh(self) -> int:
        """Take in what another process has appended or put in their place; returns the number of rows."""
        with self._lock:
            while True:
                try:
                    with self._keys_path.open("rb") as keys, self._rows_path.open("rb") as rows:
                        self._map_files(keys, rows)
                    if _which(self._keys_path.stat()) == self._file:
                        return self._seen
                except FileNotFoundError:
                    self._forget()
                    return 0

    def _map_files(self, keys: BinaryIO, rows: BinaryIO) -> None:
        facts = os.fstat(keys.fileno())
        if _which(facts) != self._file:
            self._forget()
            self._file = _which(facts)
        whole = os.fstat(rows.fileno()).st_size // (self.dim * self.dtype.itemsize)
        count = min(whole, facts.st_size // KEY_BYTES)
        if count > self._seen:
            self._map = np.memmap(rows, self.dtype, "r", shape=(count, self.dim))
            self._keys = np.memmap(keys, np.uint8, "r", shape=(count, KEY_BYTES))
            self._seen = count

    def _tell_dim(self) -> None:
        with suppress(OSError):  # then `take_out` has it made anew
            if not self._dim_path.is_file():
                self._dim_path.write_text(str(self.dim), encoding="utf-8")

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
            fresh = np.flatnonzero(self._rows_of([bytes.fromhex(key) for key in keys]) < 0).tolist()
            if not fresh:
                return
            self._tell_dim()
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

    def mapped(self) -> tuple[np.ndarray, FileId | None]:
        """`matrix`, and which file its rows are in."""
        with self._lock:
            return self._map, self._file

    def is_now(self, file: FileId | None) -> bool:
        """Whether that file is still the one here: none was put in its place, by this process or another."""
        try:
            return file is not None and _which(self._keys_path.stat()) == file == self._file
        except OSError:
            return False

    def keys(self, start: int = 0) -> list[str]:
        """The keys of the rows from `start` on, in order."""
        with self._lock:
            return [bytes(key).hex() for key in self._keys[start:]]

    def keys_at(self, rows: np.ndarray) -> list[str]:
        """The keys of those rows."""
        with self._lock:
            return [bytes(self._keys[row]).hex() for row in rows] if self._seen else []

    def rows_of(self, keys: Sequence[str]) -> np.ndarray:
        """(N,) row numbers, -1 where a key is not there."""
        with self._lock:
            return self._rows_of([bytes.fromhex(key) for key in keys])

    def _rows_of(self, keys: Sequence[bytes]) -> np.ndarray:
        """The same of keys as they are in the file; whoever has taken one out, it is asked for again."""
        known = self._known()
        rows = np.array([known.get(key, -1) for key in keys], dtype=np.int64)
        there = np.flatnonzero(rows >= 0)
        asked = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY_BYTES)
        if len(there) and (self._keys[rows[there]] != asked[there]).any():
            self._row_of, self._indexed = {}, 0
            return self._rows_of(keys)
        return rows

    def without_key(self) -> np.ndarray:
        """(G,) the rows of what was taken out."""
        with self._lock:
            return np.flatnonzero((self._keys == NO_KEY[0]).all(axis=1))

    def missing(self, keys: Sequence[str]) -> list[str]:
        """Those of the keys that have no row yet, or a damaged one, in order, each once."""
        with self._lock:
            found = self.rows_of(keys)
            rows = np.unique(found[found >= 0])
            if len(rows) > CHECKED_AT_ONCE:  # of a large collection each row is looked at once
                damaged = self._damaged_from(self._finite)
            else:
                damaged = not whole_rows(self._map[rows]).all()
            if damaged:
                self.drop_damaged()
                found = self.rows_of(keys)
            return list(dict.fromkeys(key for key, row in zip(keys, found.tolist(), strict=True) if row < 0))

    def drop_damaged(self) -> int:
        """Leave out the rows that are no vector, as on a failing disk; returns how many.

        Raises:
            StorageError: the disk refused.
        """
        with self._lock, self._file_lock:
            self.refresh()
            parts = (self._map[i : i + CHECKED_AT_ONCE] for i in range(0, self._seen, CHECKED_AT_ONCE))
            whole = np.concatenate([np.empty(0, bool), *map(whole_rows, parts)])
            lost = int((~whole).sum())
            if lost:
                log.warning("%d damaged rows of %s are made anew", lost, self._rows_path.name)
                self._keep_only(np.flatnonzero(whole))
            return lost

    def _keep_only(self, rows: np.ndarray) -> None:
        """Write the files anew. Without keys no row counts, so a kill loses them all and mixes none up."""
        fresh = {path: path.with_name(f"{path.name}.part") for path in (self._rows_path, self._keys_path)}
        try:
            for part, data in zip(fresh.values(), (self._map, self._keys), strict=True):
                part.unlink(missing_ok=True)
                for start in range(0, max(1, len(rows)), CHECKED_AT_ONCE):
                    piece = np.ascontiguousarray(data[rows[start : start + CHECKED_AT_ONCE]])
                    _append_at(part, start * data.shape[1] * data.dtype.itemsize, piece.tobytes())
            self._keys_path.unlink()
            for path, part in fresh.items():
                part.replace(path)
        except OSError as e:
            raise cannot_write("Vectors could not be made anew", e) from e
        self.refresh()

    def get(self, keys: Sequence[str], named: Named | None = None) -> np.ndarray:
        """(N, dim) float32 rows of keys that are all there.

        Raises:
            LostError: some are not.
            NumberError: a row is damaged.
        """
        with self._lock:  # both of the same file
            rows, matrix = self.rows_of(keys), self._map
        lost = list(dict.fromkeys(key for key, row in zip(keys, rows.tolist(), strict=True) if row < 0))
        if lost:
            more = f", and of {len(lost) - 1} others," if lost[1:] else ""
            what = f"What was made of {(named or short_id)(lost[0])}{more} is not here."
            raise LostError(what, CURE_OF_LOST, lost)
        found = np.array(matrix[rows], dtype=np.float32)
        found[~whole_rows(found)] = np.nan
        return require_finite(found, lambda i: self._kept_of(keys[i], named), CURE)

    def leave_out_damaged(self) -> None:
        """Look at the rows that were not looked at before, and leave out those that are damaged."""
        with self._lock:
            if self._damaged_from(self._finite):
                self.drop_damaged()

    def _damaged_from(self, start: int) -> bool:
        """Whether a row from `start` on is damaged; those before the first that is are known to be whole."""
        for row in range(start, self._seen, CHECKED_AT_ONCE):
            self._finite = row
            if not whole_rows(self._map[row : row + CHECKED_AT_ONCE]).all():
                return True
        self._finite = self._seen
        return False

    def _kept_of(self, key: str, named: Named | None) -> str:
        return f"What is kept of {(named or short_id)(key)} in {self._rows_path.name}"

    def _known(self) -> dict[bytes, int]:
        fresh = self._keys[self._indexed :].tobytes()
        for i in range(0, len(fresh), KEY_BYTES):
            if (key := fresh[i : i + KEY_BYTES]) != NO_KEY:
                self._row_of.setdefault(key, self._indexed + i // KEY_BYTES)
        self._indexed = self._seen
        return self._row_of


def count_rows(path: Path) -> int:
    """How many rows a vector file has, those included that were taken out; `path` is without a suffix."""
    try:
        return path.with_name(f"{path.name}.keys").stat().st_size // KEY_BYTES
    except FileNotFoundError:
        return 0


def whole_rows(rows: np.ndarray) -> np.ndarray:
    """(N,) bool, of (N, D) rows: whether all of a row are numbers that a vector can have. What was
    overwritten holds finite ones too, of any size.
    """
    within = np.logical_and(rows <= LARGEST, rows >= -LARGEST)  # no NaN is
    return np.asarray(within.all(axis=1))


def _which(facts: os.stat_result) -> FileId:
    """What tells one file from another that has its name."""
    return facts.st_dev, facts.st_ino


def _append_at(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b" if path.exists() else "w+b") as f:
        f.truncate(offset)
        f.seek(offset)
        f.write(data)
        f.flush()
        os.fsync(f.fileno())


def take_out(folder: Path, keys: Iterable[str]) -> int:
    """Take what some keys stand for out of every vector file of a folder; returns how many rows it were.

    Numbers go before keys: after a kill what still has its key is found again.

    Raises:
        StorageError: the disk refused.
    """
    wanted = {bytes.fromhex(key) for key in keys}
    taken = 0
    for named in sorted(folder.glob("*.keys")) if wanted else ():
        rows = next((path for path in map(named.with_suffix, (".f16", ".f32")) if path.is_file()), None)
        try:
            with FileLock(named.with_suffix(".lock")):
                taken += _take_out_of(named, rows, wanted) if rows else 0
        except FileNotFoundError:  # it is made anew just now
            continue
        except OSError as e:
            raise cannot_write("Vectors could not be taken out", e) from e
    return taken


def _take_out_of(named: Path, rows_path: Path, wanted: Set[bytes]) -> int:
    """The same of one file; where nobody knows how long its rows are, all of it goes, and is made anew."""
    found = _as_rows(named.read_bytes())
    likely = np.flatnonzero(np.isin(_beginnings(found), _beginnings(_as_rows(b"".join(wanted)))))
    gone = [int(row) for row in likely if bytes(found[row]) in wanted]
    if not gone:
        return 0
    try:
        dim = int(named.with_suffix(DIM).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a file of before, or a damaged one
        dim, rest = divmod(rows_path.stat().st_size * 8 // int(rows_path.suffix[2:]), max(1, len(found)))
        if rest or not dim:
            named.unlink()
            rows_path.unlink()
            return len(gone)
    for path, empty in ((rows_path, bytes(dim * int(rows_path.suffix[2:]) // 8)), (named, NO_KEY)):
        with path.open("r+b") as file:
            for row in gone:
                file.seek(row * len(empty))
                file.write(empty)
            file.flush()
            os.fsync(file.fileno())
    return len(gone)


def _as_rows(keys: bytes) -> np.ndarray:
    """(N, 32) bytes of the whole keys."""
    return np.frombuffer(keys[: len(keys) // KEY_BYTES * KEY_BYTES], np.uint8).reshape(-1, KEY_BYTES)


def _beginnings(keys: np.ndarray) -> np.ndarray:
    """(N,) the first eight bytes of each key as one number, by which few are alike."""
    return np.ascontiguousarray(keys[:, :8]).view(np.uint64)[:, 0]
