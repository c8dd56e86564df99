"""A TAR of somebody's, packed or not, unpacked in the same bounds as a zip.

Its index stands between the files: a name that is long, or what else is said of a file, has a size that the
archive says itself, and tarfile reads so much at once. So what is read at once is bounded.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import math
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmdemo.errors import UserError, is_disk_full
from mmdemo.media.below import below
from mmdemo.store.archive import (
    COPIED_AT_ONCE,
    MOST_ENTRIES,
    Entry,
    Wanted,
    require_disk,
    require_plain,
    taken,
)

# What tarfile and the libraries that unpack raise of one that is damaged or is none.
UNREADABLE = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)

MOST_OF_ONE = 1_000_000  # bytes of the index on one file: tools write some thousand at most
MOST_FOR_ALL = 1000  # things that an index says of all files together
MOST_NAMES = 200_000_000  # characters of all names: a hundred of a million files, twice
PACKED = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ", lzma.open))  # by their first bytes


class _Bounded:
    """A file of which little is read at once.

    Args:
        file: it, open.
    """

    def __init__(self, file: Any) -> None:
        self._file = file
        self.seek, self.tell = file.seek, file.tell
        self.left = float(MOST_OF_ONE)  # bytes that may be read yet

    def read(self, size: int) -> bytes:
        """So many bytes, or what is left of the file.

        Raises:
            tarfile.ReadError: they are more than an index says of one file.
        """
        if not 0 <= size <= min(self.left, COPIED_AT_ONCE):
            raise tarfile.ReadError("too much is said of one file")
        self.left -= size
        data: bytes = self._file.read(size)
        return data


def unpack_tar(
    archive: Path,
    into: Path,
    wanted: Wanted,
    kept: Callable[[str], bool],
    counted: Callable[[int], None] = lambda size: None,
) -> None:
    """Write the files of a TAR into a new folder.

    Args:
        archive: where it is.
        into: on a disk that has room for it.
        wanted: what it should be, as sentences say it.
        kept: which of its entries, by name.
        counted: told how many bytes of the disk it will take; what it raises refuses them.

    Raises:
        UserError: it is none, is damaged, or holds links or names that lead elsewhere.
        StorageError: the disk has no room for it; nothing was written.
        OSError: the disk refused.
    """
    with _opened(archive, wanted) as (members, file):
        entries, letters = [], 0
        for count, member in enumerate(members):
            members.members.clear()  # of whatever is said of files nothing is kept
            file.left, letters = MOST_OF_ONE, letters + len(member.name)
            if count > MOST_ENTRIES or letters > MOST_NAMES or len(members.pax_headers) > MOST_FOR_ALL:
                raise tarfile.ReadError("too much is said of its files")
            plain = member.isreg() or member.isdir()
            name = member.name.removeprefix("./").rstrip("/")
            if name not in ("", ".") and kept(name):
                entries.append(Entry(name, member.size, member.isdir(), plain, name))
        require_plain(archive, entries, wanted)
        require_disk(archive, into, sum(entry.size for entry in entries))
        counted(taken(entry.size for entry in entries))
    with _opened(archive, wanted) as (members, file):
        file.left = math.inf  # its index was looked at
        for member in members:
            members.members.clear()
            name = member.name.removeprefix("./")
            if not member.isreg() or not kept(name):
                continue
            path = below(into, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            source = members.extractfile(member)
            assert source is not None  # it is a file
            with source, path.open("xb") as target:
                while piece := source.read(COPIED_AT_ONCE):
                    target.write(piece)


@contextmanager
def _opened(archive: Path, wanted: Wanted) -> Iterator[tuple[Any, _Bounded]]:
    try:
        with archive.open("rb") as f:
            first = f.read(8)
        opens: Any = next((opens for mark, opens in PACKED if first.startswith(mark)), open)
        with opens(archive, "rb") as f:
            file: Any = _Bounded(f)
            with tarfile.open(fileobj=file, mode="r:") as members:
                yield members, file
    except UNREADABLE as e:
        if is_disk_full(e):
            raise
        raise UserError(f"{archive.name} is not a TAR that can be read, or is damaged.", wanted.cure) from e
