"""A zip of somebody's, unpacked in bounds: what it says of itself is checked before anything is written, and
what comes out of it while it is written.
"""

from __future__ import annotations

import lzma
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mmdemo.errors import StorageError, UserError
from mmdemo.media.below import below

MOST_ENTRIES = 1_000_000
MOST_DIRECTORY = 150_000_000  # bytes of the list of its entries, which is in memory whole
MOST_RATIO = 100  # of what comes out to the zip; one of ours is not packed at all
SMALL = 10_000_000  # bytes that may come out of any
COPIED_AT_ONCE = 1 << 20  # bytes
BLOCK = 4096  # bytes of a disk that any file takes
MB = 1_000_000
CURE = "Choose a zip that Back up made."


@dataclass(frozen=True)
class Wanted:
    """What an archive should be, as sentences say it."""

    one: str  # what it is, if it is none: "no backup of mmdemo"
    cure: str


BACKUP = Wanted("no backup of mmdemo", CURE)
# What zipfile raises of a zip that is damaged, encrypted, or packed in a way that it does not know.
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError)


@contextmanager
def opened(archive: Path, wanted: Wanted = BACKUP) -> Iterator[zipfile.ZipFile]:
    """A zip that is open within this block, whose entries are plain files and folders in bounds.

    Raises:
        UserError: it is none, is damaged, or holds what no backup or collection does; in one sentence.
    """
    try:
        _require_short_list(archive, wanted)
        with zipfile.ZipFile(archive) as zipped:
            entries = [
                Entry(
                    info.filename,
                    info.file_size,
                    info.is_dir(),
                    stat.S_IFMT(info.external_attr >> 16) in (0, stat.S_IFREG, stat.S_IFDIR),
                    info.orig_filename,
                )
                for info in zipped.infolist()
            ]
            require_plain(archive, entries, wanted)
            secret = next((info for info in zipped.infolist() if info.flag_bits & 0x1), None)
            if secret is not None:
                raise _refused(archive, wanted, f"{secret.filename[:80]!r} is encrypted")
            yield zipped
    except UNREADABLE as e:
        raise UserError(f"{archive.name} is not a zip that can be read, or is damaged.", wanted.cure) from e


def unpack(
    archive: Path,
    zipped: zipfile.ZipFile,
    into: Path,
    wanted: Callable[[str], bool],
    counted: Callable[[int], None] = lambda size: None,
) -> None:
    """Write the files of an open zip into a new folder.

    Args:
        archive: where it is.
        zipped: it, from `opened`.
        into: on a disk that has room for it.
        wanted: which of its entries, by name.
        counted: told how many bytes of the disk it will take; what it raises refuses them.

    Raises:
        UserError: it is damaged.
        StorageError: the disk has no room for it; nothing was written.
        OSError: the disk refused.
    """
    entries = [info for info in zipped.infolist() if not info.is_dir() and wanted(info.filename)]
    require_disk(archive, into, sum(info.file_size for info in entries))
    counted(taken(info.file_size for info in entries))
    for info in entries:
        path = below(into, info.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        written = 0
        with zipped.open(info) as source, path.open("xb") as target:
            while piece := source.read(COPIED_AT_ONCE):
                written += len(piece)
                if written > info.file_size:
                    break
                target.write(piece)
        if written != info.file_size:
            raise zipfile.BadZipFile(f"{info.filename} is not as long as it says")


@dataclass(frozen=True)
class Entry:
    """What an archive says of one of its files or folders."""

    name: str
    size: int  # bytes of what comes out
    is_folder: bool
    is_plain: bool  # it is a file or a folder, and no link or device
    written: str  # the name as it stands there


def require_plain(archive: Path, entries: Sequence[Entry], wanted: Wanted) -> None:
    """Refuse an archive by what its entries say of themselves.

    Raises:
        UserError: why.
    """
    if len(entries) > MOST_ENTRIES:
        raise _refused(archive, wanted, f"it has {len(entries)} entries")
    names: set[str] = set()
    for entry in entries:
        name = entry.name.rstrip("/")
        if name in names:
            raise _refused(archive, wanted, f"it holds {name[:80]!r} twice")
        names.add(name)
        if not entry.is_plain:
            raise _refused(archive, wanted, f"{name[:80]!r} is a link or a device")
        if "\x00" in entry.written or "\\" in entry.written or not _is_relative(name):
            raise _refused(archive, wanted, f"{entry.written[:80]!r} is no name of a file in it")
    files = {entry.name for entry in entries if not entry.is_folder}
    within = next((n for n in names for up in PurePosixPath(n).parents if str(up) in files), None)
    if within is not None:
        raise _refused(archive, wanted, f"{within[:80]!r} lies in what is a file")
    size, bound = sum(entry.size for entry in entries), archive.stat().st_size * MOST_RATIO
    if size > max(bound, SMALL):
        raise _refused(archive, wanted, f"{archive.stat().st_size} bytes of it would become {size}")


def _refused(archive: Path, wanted: Wanted, why: str) -> UserError:
    return UserError(f"{archive.name} is damaged, or {wanted.one}: {why}.", wanted.cure)


def taken(sizes: Iterable[int]) -> int:
    """The bytes of the disk that files of these sizes take; one without any takes its place too."""
    return sum(max(size, BLOCK) for size in sizes)


def require_disk(archive: Path, into: Path, needed: int) -> None:
    """Refuse what the disk has no room for.

    Raises:
        StorageError: it has none.
    """
    free = shutil.disk_usage(into).free
    if needed > free:
        raise StorageError(
            f"{archive.name} holds {-(-needed // MB)} MB, and {free // MB} MB of the disk are free.",
            "Free some disk space.",
        )


def _is_relative(name: str) -> bool:
    return all(part not in ("", ".", "..") and ":" not in part for part in name.split("/"))


def _require_short_list(archive: Path, wanted: Wanted) -> None:
    """Look at how long a zip's list of entries is before it is read: a short file can say that of a long one.

    Raises:
        UserError: it is too long.
    """
    with archive.open("rb") as file:
        file.seek(max(0, archive.stat().st_size - (1 << 16) - 64))
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) < at + 22:
            raise zipfile.BadZipFile("it has no end")
        size = struct.unpack("<L", tail[at + 12 : at + 16])[0]
        if tail[at - 20 : at - 16] == b"PK\x06\x07":
            # zipfile believes the long record wherever it is pointed at, and looks for it before the pointer
            file.seek(struct.unpack("<Q", tail[at - 12 : at - 4])[0])
            for record in (file.read(56), tail[at - 76 : at - 20]):
                if len(record) == 56 and record.startswith(b"PK\x06\x06"):
                    size = max(size, struct.unpack("<Q", record[40:48])[0])
    if size > MOST_DIRECTORY:
        raise UserError(f"{archive.name} lists more entries than a backup has.", wanted.cure)
