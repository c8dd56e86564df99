"""Frames that are cut out of videos when somebody looks at them, and kept to be shown again: so many of one
video and so many in all, of which the oldest go.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mmdemo.media.image import thumbnail
from mmdemo.media.listing import files_below
from mmdemo.store.made_files import MadeFiles
from mmdemo.store.tables import Item

A_SECOND = 10  # of one second so many are told apart
MOST_OF_ONE, MOST = 500, 10_000  # of one video, of all; each has some ten kilobytes
COUNTED_EVERY = 100  # all of them, when so many were made


class Stills:
    """The frames that were cut out of the videos of a workspace.

    Args:
        files: which they are of.
    """

    def __init__(self, files: MadeFiles) -> None:
        self._files = files
        self._made = COUNTED_EVERY
        self._lock = threading.Lock()

    def frame(self, item: Item, source: Path, time_s: float, side_px: int) -> bytes:
        """What a video shows at a time, to a tenth of a second, as WebP.

        Raises:
            MediaError: it cannot be decoded.
            StorageError: the disk refused.
        """
        tenths = round(time_s * A_SECOND)
        kind = f"stills/{side_px}"
        path = self._files.path(kind, item.id, f"-{tenths * 100 // A_SECOND}.webp")
        with suppress(FileNotFoundError):
            return path.read_bytes()
        from mmdemo.media.video import frame_at

        shown = frame_at(source, tenths / A_SECOND, side_px)
        data = thumbnail(shown.image, side_px)
        if not shown.is_exact:  # somebody else may see the one that is asked for
            return data
        self._files.write(path, item.id, data, f"A frame of {item.name}")
        with self._lock:
            _keep_newest(path.parent.glob(f"{item.id[2:]}-*.webp"), MOST_OF_ONE)
            self._made += 1
            if self._made >= COUNTED_EVERY:
                self._made = 0
                _keep_newest(files_below(self._files.folder / kind), MOST)
        return data


def _keep_newest(paths: Iterable[Path], most: int) -> None:
    """Remove the oldest of some files where there are more than so many."""
    found: list[tuple[float, Path]] = []
    for path in paths:
        with suppress(OSError):  # it goes with its video just now
            found.append((path.stat().st_mtime, path))
    for _, path in sorted(found)[: max(0, len(found) - most)]:
        with suppress(OSError):
            path.unlink()
