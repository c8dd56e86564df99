"""Media that stay where they are: an item that was imported by reference is read from a folder outside.

The database says which folder, by an id, and which file below it. It may come from a backup that anybody
made, so it is not believed: the folder must be one that was imported by reference at this machine, the file
must lie below it with every link followed, and its bytes must be those that the item is named after.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from pathlib import Path, PurePosixPath

from mmdemo.errors import GoneError, OutsideError
from mmdemo.media.below import below
from mmdemo.store.folders import KnownFolders
from mmdemo.store.media_store import file_sha256
from mmdemo.store.source_files import SourceFiles
from mmdemo.store.tables import Item, SourceFile

MOST_CHECKED = 20_000  # files whose bytes are known to be the right ones
AGAIN = "Import its folder again."
Stamp = tuple[int, ...]


def stamp_of(facts: os.stat_result) -> Stamp:
    """What of a file changes whenever it is written to, or another takes its name."""
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns


class OutsideFiles:
    """The files of items that are read from outside.

    Args:
        files: which these are.
        folders: where their folders are.
    """

    def __init__(self, files: SourceFiles, folders: KnownFolders) -> None:
        self._files = files
        self._folders = folders
        self._checked: OrderedDict[tuple[str, Path], Stamp] = OrderedDict()
        self._lock = threading.Lock()

    def path(self, item: Item) -> Path | None:
        """The file of an item; None: it is not read from outside.

        Raises:
            GoneError: it cannot be any more, and why.
        """
        why = ""
        for file in self._files.of_item(item.id):
            folder = self._folders.read_from(file.folder)
            if folder is None:
                where = "in a folder that this machine does not know"
                why = why or f"The file of {item.name} is not in the workspace but {where}."
                continue
            found = _below(folder, file.name)
            if found is not None and self._is_same(item, found):
                return found
            what = "has changed there since it was imported" if found else "is gone from there"
            where = f"in the folder {folder.name}"
            why = f"The file of {item.name} is not in the workspace but {where}, and {what}."
        if why:
            raise GoneError(why, AGAIN if "not know" in why else f"Put it back, or remove it. {AGAIN}")
        return None

    def places(self, item_id: str) -> list[str]:
        """The whole paths where an item's file was, for whoever works at this machine."""
        known = self._folders.known()
        files = self._files.of_item(item_id)
        return [str(Path(known[f.folder].path, *_parts(f.name))) for f in files if f.folder in known]

    def believe(self, item_id: str, path: Path, facts: os.stat_result) -> None:
        """Take in that a file with these facts had the bytes of an item."""
        with self._lock:
            self._checked[item_id, path] = stamp_of(facts)
            self._checked.move_to_end((item_id, path))
            while len(self._checked) > MOST_CHECKED:
                self._checked.popitem(last=False)

    def _is_same(self, item: Item, path: Path) -> bool:
        """Whether a file has the bytes of an item; they are read once, until it is written to."""
        try:
            facts = path.stat()
            if facts.st_size != item.bytes:
                return False
            if self._checked.get((item.id, path)) == stamp_of(facts):
                return True
            if file_sha256(path) != item.id or stamp_of(path.stat()) != stamp_of(facts):
                return False
        except OSError:
            return False
        self.believe(item.id, path, facts)
        return True


def is_as_noted(file: SourceFile, facts: os.stat_result) -> bool:
    """Whether a file has the size and the time that it was imported with."""
    return (file.bytes, file.mtime_ns) == (facts.st_size, facts.st_mtime_ns)


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name).parts


def _below(folder: Path, name: str) -> Path | None:
    """The regular file of that name below a folder; None: there is none, or it lies elsewhere."""
    try:
        path = below(folder, *_parts(name)).resolve()
        return path if stat.S_ISREG(path.stat().st_mode) else None
    except (OSError, ValueError, OutsideError):
        return None
