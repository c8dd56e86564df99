"""What is made of items, below `cache/`: thumbnails, waveforms, frames, copies that play, what models heard
and saw. Each may be deleted and made again, and goes with its item.

How much is made of a file that somebody brought counts as theirs, so whoever writes here says of what.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from pathlib import Path

from mmdemo.media.below import below
from mmdemo.media.listing import entries, files_below
from mmdemo.store.durable import write_durably

OF_ITEM = re.compile("[0-9a-f]{64}")  # how the name of its folder and its own begin
REST_OF_ID = 62  # characters of the name of a file of an item, in a folder of the first two


class MadeFiles:
    """Files that were made of items: kind/ab/cdef...

    Args:
        folder: below which they lie.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._noted: set[str] = set()

    def path(self, kind: str, item_id: str, suffix: str) -> Path:
        """Where something that was made of an item is or would be.

        Raises:
            OutsideError: it would lie elsewhere than below the folder.
        """
        return below(self.folder, kind, item_id[:2], f"{item_id[2:]}{suffix}")

    def thumbnail_path(self, item_id: str, side_px: int) -> Path:
        """Where the thumbnail of that size is or would be."""
        return self.path(f"thumbs/{side_px}", item_id, ".webp")

    def write(self, path: Path, item_id: str, data: bytes, called: str) -> None:
        """Keep what was made of an item; `called` is how a person knows it.

        Raises:
            StorageError: the disk refused.
        """
        write_durably(path, data, called)
        self.note(item_id)

    def discard(self, path: Path) -> None:
        """Remove one, which is made again when somebody wants it."""
        path.unlink(missing_ok=True)
        self.note(f"{path.parent.name}{path.name[:REST_OF_ID]}")

    def note(self, *ids: str) -> None:
        """More or less is there of some items than before."""
        with self._lock:
            self._noted.update(ids)

    def noted(self) -> set[str]:
        """The items that were noted since this was asked last."""
        with self._lock:
            noted, self._noted = self._noted, set()
        return noted

    def of(self, ids: Iterable[str]) -> Iterator[Path]:
        """The files that were made of some items, each in a folder of its id's first two letters; what cannot
        be looked into is passed over.
        """
        by_folder: dict[str, set[str]] = {}
        for item_id in ids:
            by_folder.setdefault(item_id[:2], set()).add(item_id[2:])
        if by_folder:
            yield from _below(self.folder, by_folder)

    def bytes_of(self, ids: Iterable[str]) -> dict[str, int]:
        """How large all is that was made of each of some items."""
        sizes = dict.fromkeys(ids, 0)
        for path in self.of(sizes):
            with suppress(OSError):  # it is gone again
                sizes[f"{path.parent.name}{path.name[:REST_OF_ID]}"] += path.stat().st_size
        return sizes


def _below(folder: Path, by_folder: Mapping[str, Set[str]]) -> Iterator[Path]:
    for path in (path for path in entries(folder) if path.is_dir() and not path.is_symlink()):
        if path.name in by_folder:
            names = by_folder[path.name]
            yield from (file for file in entries(path) if file.name[:REST_OF_ID] in names)
        elif not re.fullmatch("[0-9a-f]{2}", path.name):
            yield from _below(path, by_folder)


def by_item(folder: Path, older_s: float) -> dict[str, list[Path]]:
    """The files below a folder that have the name of an item's id and are so old, by that id."""
    found: dict[str, list[Path]] = {}
    bound_s = time.time() - older_s
    for path in files_below(folder):
        if named := OF_ITEM.match(f"{path.parent.name}{path.name}"):
            with suppress(OSError):
                if path.stat().st_mtime < bound_s:
                    found.setdefault(named.group(), []).append(path)
    return found
