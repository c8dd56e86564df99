"""Files of text that are packed by themselves, as metadata.csv.gz: what they are called without that, and
their bytes, unpacked in bounds.
"""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from mmdemo.errors import MediaError
from mmdemo.media.regular_file import TABLE_MB, is_file, require_file
from mmdemo.store.archive import COPIED_AT_ONCE, MOST_RATIO, SMALL

PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open}
UNREADABLE = (EOFError, OSError, ValueError, zlib.error)  # what is damaged or cut off


def plain_name(path: Path) -> Path:
    """A file as it would be called unpacked: metadata.csv of metadata.csv.gz, and any other as it is."""
    return path.with_suffix("") if path.suffix.lower() in PACKED else path


def suffix_of(path: Path) -> str:
    """What a file holds by its name, in small letters: .csv of metadata.csv and of metadata.csv.gz."""
    return plain_name(path).suffix.lower()


def stem_of(path: Path) -> str:
    """The name of a file without its suffix and what packed it: metadata of metadata.csv.gz."""
    return plain_name(path).stem


def packed_or_not(path: Path) -> Path:
    """The file of that name, or of that name and what packs it, where only that is there."""
    packed = (path.with_name(path.name + suffix) for suffix in PACKED)
    return path if is_file(path) else next(filter(is_file, packed), path)


def read_whole(path: Path) -> bytes:
    """The bytes of a file, unpacked where its name says that it is packed.

    Raises:
        MediaError: it is no file that can be read, too large, or does not unpack.
    """
    require_file(path, TABLE_MB, may_be_empty=True)
    if path.suffix.lower() not in PACKED:
        return path.read_bytes()
    most = min(TABLE_MB * 1_000_000, max(path.stat().st_size * MOST_RATIO, SMALL))
    parts, size = [], 0
    with _opened(path) as file:
        while part := file.read(COPIED_AT_ONCE):
            size += len(part)
            if size > most:
                raise MediaError(
                    f"{path.name} is damaged, or no table: {path.stat().st_size} bytes of it would become "
                    f"more than {most // 1_000_000} MB.",
                    "Unpack it first.",
                )
            parts.append(part)
    return b"".join(parts)


def read_head(path: Path, length: int) -> bytes:
    """The first bytes of a file, as `read_whole` has them, so many at most.

    Raises:
        MediaError: likewise.
    """
    require_file(path, TABLE_MB)
    with _opened(path) as file:
        return file.read(length)


def parts_of(path: Path, length: int) -> Iterator[bytes]:
    """The bytes of a file, as `read_whole` has them, in parts of so many.

    Raises:
        MediaError: likewise, but that it unpacks to any size.
    """
    require_file(path, TABLE_MB)
    with _opened(path) as file:
        while part := file.read(length):
            yield part


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    how = PACKED.get(path.suffix.lower())
    if how is None:
        with path.open("rb") as plain:
            yield plain
        return
    try:
        with how(path, "rb") as unpacked:
            yield unpacked
    except UNREADABLE as e:
        raise MediaError(f"{path.name} does not unpack: it is damaged or cut off.", "Pack it again.") from e
