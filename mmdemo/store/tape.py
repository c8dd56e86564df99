"""A TAR of somebody's, packed or not, unpacked in the same bounds as a zip."""

from __future__ import annotations

import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmdemo.errors import UserError, is_disk_full
from mmdemo.media.below import below
from mmdemo.store.archive import COPIED_AT_ONCE, MOST_ENTRIES, Entry, Wanted, require_disk, require_plain

# What tarfile and the libraries that unpack raise of one that is damaged or is none.
UNREADABLE = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, RuntimeError, ValueError)


def unpack_tar(archive: Path, into: Path, wanted: Wanted, kept: Callable[[str], bool]) -> None:
    """Write the files of a TAR into a new folder.

    Args:
        archive: where it is.
        into: on a disk that has room for it.
        wanted: what it should be, as sentences say it.
        kept: which of its entries, by name.

    Raises:
        UserError: it is none, is damaged, or holds links or names that lead elsewhere.
        StorageError: the disk has no room for it; nothing was written.
        OSError: the disk refused.
    """
    with _opened(archive, wanted) as members:
        entries = []
        for member in members:
            plain = member.isreg() or member.isdir()
            name = member.name.removeprefix("./").rstrip("/")
            if name not in ("", ".") and kept(name):
                entries.append(Entry(name, member.size, member.isdir(), plain, name))
            if len(entries) > MOST_ENTRIES:
                break
        require_plain(archive, entries, wanted)
        require_disk(archive, into, sum(entry.size for entry in entries))
    with _opened(archive, wanted) as members:
        for member in members:
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
def _opened(archive: Path, wanted: Wanted) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive) as members:
            yield members
    except UNREADABLE as e:
        if is_disk_full(e):
            raise
        raise UserError(f"{archive.name} is not a TAR that can be read, or is damaged.", wanted.cure) from e
