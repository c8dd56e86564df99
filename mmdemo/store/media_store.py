"""Media kept once, by the SHA-256 of their bytes."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from mmdemo.media.below import below
from mmdemo.store.durable import write_all, write_durably


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


def id_of(data: bytes | Path) -> str:
    """The id of an item: the hash of its bytes, or of a file's."""
    return file_sha256(data) if isinstance(data, Path) else sha256(data)


def _is_whole(path: Path, data: bytes | Path) -> bool:
    return path.exists() and path.stat().st_size == byte_count(data)


class MediaStore:
    """Files under media/ab/cdef..., named by their hash; suffixes only help people who look there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, item_id: str, suffix: str) -> Path:
        """Where the item of that id is or would be.

        Raises:
            OutsideError: the id or the suffix leads out of the folder.
        """
        return below(self.folder, item_id[:2], f"{item_id[2:]}{suffix}")

    def add(self, item_id: str, data: bytes | Path, suffix: str, name: str) -> None:
        """Keep these bytes, or those of a file of that name, by their `id_of`. The same bytes twice are one
        file.
        """
        path = self.path(item_id, suffix)
        if not _is_whole(path, data):
            write_durably(path, data, name)

    def add_all(self, media: Sequence[tuple[str, bytes | Path, str, str]]) -> None:
        """As `add` for several, each with its id, data, suffix and name."""
        files = {self.path(item_id, suffix): (data, name) for item_id, data, suffix, name in media}
        new = {path: one for path, one in files.items() if not _is_whole(path, one[0])}
        write_all([(path, data, name) for path, (data, name) in new.items()])

    def free_bytes(self) -> int:
        """What the disk has left."""
        return shutil.disk_usage(self.folder).free
