"""A source that is packed: a ZIP or TAR of any layout, unpacked in bounds for as long as it is looked at.

What was uploaded is unpacked once, beside it, goes with the upload, and counts with it. What a person names
on this machine is unpacked into a temporary folder, which goes when the source is closed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

from mmdemo.data.source import is_shown
from mmdemo.errors import UserError
from mmdemo.media.listing import entries
from mmdemo.media.regular_file import is_file, is_folder, require_file
from mmdemo.settings import DATABASE
from mmdemo.store.archive import Wanted, opened, unpack
from mmdemo.store.tape import unpack_tar
from mmdemo.store.unfinished import unfinished

ZIPS = (".zip",)
TARS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MOST_MB = 1_000_000  # of an archive; what comes out of it must have room on the disk
KEPT = ".unpacked-"  # and a digest of its name: where an upload's archive is unpacked
COLLECTION = Wanted("no collection of files", "Pack the folder again, without links.")


class Room(Protocol):
    """What is left to whoever has uploaded something."""

    def take(self, name: str, size: int) -> None:
        """Count so many bytes more, which come out of an archive.

        Raises:
            UserError: there is no room for them.
        """

    def give_back(self, size: int) -> None:
        """So many of them are gone again."""


ROOMS: WeakValueDictionary[Path, Room] = (
    WeakValueDictionary()
)  # by the folders of uploads; of others no bound


def is_archive(path: Path) -> bool:
    """Whether a file is called like one that is packed."""
    return path.name.lower().endswith((*ZIPS, *TARS)) and is_file(path)


@contextmanager
def unpacked(path: Path, within: Path | None = None, keep: bool = True) -> Iterator[Path]:
    """The folder of what is in an archive; it is there within this block.

    Args:
        path: the archive.
        within: the upload that it is in; None: it is of this machine.
        keep: whether an upload's stays as long as the upload does.

    Raises:
        UserError: it is none, is damaged, holds more, other things or other names than a collection does, or
            more than is left to who has uploaded it.
        StorageError: the disk has no room for it.
    """
    require_file(path, MOST_MB)
    counted = _Counted(path.name, ROOMS.get(within) if within is not None else None)
    if within is None or not keep:
        with counted, unfinished(within or Path(tempfile.gettempdir())) as place:
            yield _filled(path, place / "files", counted)
        return
    place = within / f"{KEPT}{sha256(str(path).encode()).hexdigest()[:16]}"
    if not is_folder(place):
        with counted, unfinished(within) as part:
            made = _filled(path, part / "files", counted)
            if not is_folder(place):  # nobody else was faster
                made.replace(place)
                counted.stays()
    yield place


class _Counted:
    """What comes out of an archive counts until this block is over, unless it stays."""

    def __init__(self, name: str, room: Room | None) -> None:
        self._name, self._room, self._size = name, room, 0

    def __enter__(self) -> _Counted:
        return self

    def __call__(self, size: int) -> None:
        if self._room is not None:
            self._room.take(self._name, size)
            self._size += size

    def stays(self) -> None:
        """It counts for as long as its upload does."""
        self._size = 0

    def __exit__(self, *raised: object) -> None:
        if self._room is not None and self._size:
            self._room.give_back(self._size)


def _filled(path: Path, folder: Path, counted: _Counted) -> Path:
    folder.mkdir()
    if path.name.lower().endswith(ZIPS):
        with opened(path, COLLECTION) as zipped:
            unpack(path, zipped, folder, _is_kept, counted)
    else:
        unpack_tar(path, folder, COLLECTION, _is_kept, counted)
    if is_file(folder / DATABASE):
        shutil.rmtree(folder)
        raise UserError(f"{path.name} is a backup of mmdemo.", "Restore it instead.")
    return folder


def _is_kept(name: str) -> bool:
    """Whether an entry is somebody's file, and no system's or tool's."""
    return all(is_shown(part) or part in (".", "..") for part in name.split("/"))  # which is refused


def inside(folder: Path) -> Path:
    """What of an archive is the source: the folder that holds all others."""
    found = [p for p in entries(folder) if is_shown(p.name)]
    return inside(found[0]) if len(found) == 1 and is_folder(found[0]) else folder
