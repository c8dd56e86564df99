"""Media kept once, by the SHA-256 of their bytes, and thumbnails that can be made again."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from mmdemo.errors import cannot_write
from mmdemo.media.below import below

COPIED_AT_ONCE = 1 << 20  # bytes
PART = ".part-"  # how a file that is not whole yet is called
ABANDONED_S = 3600.0  # no file takes that long to be written


def byte_count(data: bytes | Path) -> int:
    """How many bytes there are."""
    return data.stat().st_size if isinstance(data, Path) else len(data)


def sha256(data: bytes) -> str:
    """The id of an item with these bytes."""
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: Path) -> str:
    """The id of an item with a file's bytes, which are never in memory at once."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def write_durably(path: Path, data: bytes | Path, called: str = "") -> None:
    """Write a file, of bytes or as the copy of another, so that it is there whole, on disk, or not at all.

    Args:
        path: where.
        data: what.
        called: how a person knows it, where its own name says nothing, such as a hash.

    Raises:
        StorageError: the disk refused; the cure is by its reason.
    """
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=PART)
        with os.fdopen(handle, "wb") as f:
            if isinstance(data, Path):
                with data.open("rb") as source:
                    shutil.copyfileobj(source, f, COPIED_AT_ONCE)
            else:
                f.write(data)
            f.flush()
            os.fsync(f.fileno())
        Path(temporary).replace(path)
    except OSError as e:
        raise cannot_write(f"{called or path.name} could not be saved", e) from e
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def remove_abandoned(folder: Path) -> None:
    """Remove the files below a folder that a process which was killed has not written to their ends."""
    for part in folder.rglob(f"{PART}*"):
        with suppress(OSError):  # it was another process's, and is whole by now
            if time.time() - part.stat().st_mtime > ABANDONED_S:
                part.unlink()


class MediaStore:
    """Files under media/ab/cdef..., named by their hash; suffixes only help people who look there."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self._cache = cache

    def path(self, item_id: str, suffix: str) -> Path:
        """Where the item of that id is or would be.

        Raises:
            OutsideError: the id or the suffix leads out of the folder.
        """
        return below(self.folder, item_id[:2], f"{item_id[2:]}{suffix}")

    def add(self, data: bytes | Path, suffix: str, name: str) -> str:
        """Keep these bytes, or those of a file of that name; returns their id. The same bytes twice are one
        file.
        """
        item_id = file_sha256(data) if isinstance(data, Path) else sha256(data)
        path = self.path(item_id, suffix)
        if not path.exists() or path.stat().st_size != byte_count(data):
            write_durably(path, data, name)
        return item_id

    def thumbnail_path(self, item_id: str, side_px: int) -> Path:
        """Where the thumbnail of that size is or would be."""
        return self.made_path(f"thumbs/{side_px}", item_id, ".webp")

    def made_path(self, kind: str, item_id: str, suffix: str) -> Path:
        """Where something that was made of an item is or would be; it may be deleted.

        Raises:
            OutsideError: it would lie elsewhere than below the cache.
        """
        return below(self._cache, kind, item_id[:2], f"{item_id[2:]}{suffix}")

    def size_bytes(self) -> int:
        """Bytes of all media."""
        return sum(f.stat().st_size for f in self.folder.rglob("*") if f.is_file())

    def free_bytes(self) -> int:
        """What the disk has left."""
        return shutil.disk_usage(self.folder).free
