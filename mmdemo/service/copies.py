"""Copies that browsers play, of videos and recordings that they do not: each made once, behind the page.

They lie in the cache and may be deleted: whoever plays the item next has one made again. Nobody's thread
waits for one: players ask how far it is.
"""

from __future__ import annotations

import math
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from mmdemo.asker import current
from mmdemo.errors import BusyError, MediaError, StorageError, cannot_write
from mmdemo.media.listing import files_below
from mmdemo.retrieval.background import Background, put_newest
from mmdemo.store.durable import PART, replacing
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace

As = Literal["video", "sound"]
FOLDERS: dict[As, tuple[str, str]] = {"video": ("players", ".mp4"), "sound": ("sounds", ".ogg")}
MOST_BYTES = 20_000_000_000  # of all copies together: what was played longest ago goes first
LEAST_FREE_BYTES = 2_000_000_000  # that they leave of the disk
# Of 720 rows 1.5 GB an hour where there is most to see; what is only joined anew is as large as its file.
MOST_OF_ONE_BYTES, TIMES_ITS_FILE = 4_000_000_000, 2
# Making one: of what is in the collection, and of what somebody only looks at.
MOST_S, MOST_OF_UPLOADS_S = 4 * 3600.0, 900.0
NICE = 10  # what makes copies takes the processor when answers leave it
MOST_OF_VISITOR = 4  # that wait for one visitor
AGAIN_S = 60.0  # after which it is tried again where the disk was full or something else was wrong here
LOOKS_S = 0.5  # between looks at how large one is by now
JUDGED = 10_000  # items of which it is remembered whether browsers play them


CURE = "Save it as H.264 with AAC to see it move here."


class BeingMadeError(BusyError):
    """A copy is not whole yet."""


class Copies:
    """Makes copies one after another, and tells how far each is.

    Args:
        ws: whose items they are of.
    """

    def __init__(self, ws: Workspace) -> None:
        self._ws = ws
        self._background = Background("mmdemo-copy", at_once=1)
        self._shares: dict[tuple[str, As], float] = {}
        self._plays: dict[tuple[str, As], bool] = {}
        self._again_s: dict[
            tuple[str, As], float
        ] = {}  # of the monotonic clock: when what failed is tried again

    def path(self, item: Item, kind: As) -> Path:
        """What browsers play of an item: its own file, or the copy of it, which is begun where there is none.

        Raises:
            BeingMadeError: the copy is being made, now or in its turn.
            BusyError: too many wait for theirs.
            MediaError: it cannot be made.
        """
        if self._plays_as_it_is(item, kind):
            return self._ws.media_path(item)
        self._begin(item, kind)
        state = self.state(item, kind)
        if state["ready"]:
            path = self._place(item, kind)
            with suppress(OSError):  # it was played just now; a disk that is read only keeps what it has
                os.utime(path)
            return path
        if state["error"]:
            raise MediaError(state["error"])
        raise BeingMadeError(
            f"A copy of {item.name} that browsers play is being made: {state['share']:.0%} of it is there.",
            "It plays when it is whole.",
        )

    def playing(self, item: Item, kind: As) -> dict[str, Any]:
        """The JSON of `playing`: how far the copy is, which is begun where it is needed."""
        if self._plays_as_it_is(item, kind):
            return {"ready": True, "copy": False, "share": 1.0, "error": ""}
        self._begin(item, kind)
        return self.state(item, kind)

    def state(self, item: Item, kind: As) -> dict[str, Any]:
        """How far the copy of an item is."""
        ready = self._place(item, kind).is_file()
        error = "" if ready else self._background.error((item.id, kind))
        share = 1.0 if ready else self._shares.get((item.id, kind), 0.0)
        return {"ready": ready, "copy": True, "share": share, "error": error}

    def is_on(self, item_id: str) -> bool:
        """Whether a copy of an item is being made."""
        return any(key[0] == item_id for key in self._background.running() if isinstance(key, tuple))

    def close(self) -> None:
        """Stop, and wait until that is so."""
        self._background.close()

    def _place(self, item: Item, kind: As) -> Path:
        folder, suffix = FOLDERS[kind]
        return self._ws.made.path(folder, item.id, suffix)

    def _plays_as_it_is(self, item: Item, kind: As) -> bool:
        from mmdemo.media.playable import plays_sound, plays_video

        key = item.id, kind
        if key not in self._plays:
            if len(self._plays) >= JUDGED:
                self._plays.clear()
            judge = plays_video if kind == "video" else plays_sound
            self._plays[key] = judge(self._ws.media_path(item))
        return self._plays[key]

    def _begin(self, item: Item, kind: As) -> None:
        """Have a copy made, unless one is there or failed just now, or can never be made.

        Raises:
            BusyError: too many wait for theirs.
        """
        key = item.id, kind
        if not self._place(item, kind).is_file() and time.monotonic() >= self._again_s.get(key, 0.0):
            most = None if current().may("annotator") else MOST_OF_VISITOR
            self._background.start(
                key, lambda stopped: self._make(item, kind, stopped), f"The copy of {item.name} failed", most
            )

    def _make(self, item: Item, kind: As, stopped: Callable[[], bool]) -> None:
        from mmdemo.media.audio import write_opus
        from mmdemo.media.playable import write_video_copy

        _step_back()
        key, path = (item.id, kind), self._place(item, kind)
        most = max(MOST_OF_ONE_BYTES, TIMES_ITS_FILE * item.bytes)
        until, look_s = time.monotonic() + (MOST_S if item.listed else MOST_OF_UPLOADS_S), 0.0
        try:
            self._make_room()
            with replacing(path, lasting=False) as part:

                def told(share: float) -> None:
                    nonlocal look_s
                    if stopped():
                        raise BusyError("The copy was stopped.", "Play it again.")
                    self._shares[key] = share
                    now = time.monotonic()
                    if now >= look_s:
                        look_s = now + LOOKS_S
                        self._require_in_bounds(part, most, now < until)

                (write_video_copy if kind == "video" else write_opus)(self._ws.media_path(item), part, told)
            self._ws.made.note(item.id)
        except Exception as e:
            if stopped():
                return
            never = isinstance(e, MediaError)
            again_s = math.inf if never else time.monotonic() + AGAIN_S
            put_newest(self._again_s, key, again_s, JUDGED)
            if isinstance(e, OSError):
                raise cannot_write(f"The copy of {item.name} could not be saved", e) from e
            raise
        finally:
            self._shares.pop(key, None)

    def _require_in_bounds(self, part: Path, most_bytes: int, in_time: bool) -> None:
        """Refuse to go on with a copy that takes too long or grows too large.

        Raises:
            MediaError: it does.
            StorageError: the disk is nearly full.
        """
        if not in_time:
            raise MediaError("A copy that browsers play takes too long to make here.", CURE)
        if part.stat().st_size > most_bytes:
            raise MediaError("A copy that browsers play is too large.", CURE)
        if self._ws.media.free_bytes() < LEAST_FREE_BYTES // 2:
            raise StorageError("There is no room on the disk for a copy that browsers play.", "Make room.")

    def _make_room(self) -> None:
        """Let copies go that were not played for long, until there is room for another."""
        folders = [self._ws.made.folder / folder for folder, _ in FOLDERS.values()]
        every = [path for folder in folders for path in files_below(folder) if PART not in path.name]
        kept = []
        for path in every:
            with suppress(OSError):
                facts = path.stat()
                kept.append((facts.st_mtime, facts.st_size, path))
        held, free = sum(size for _, size, _ in kept), self._ws.media.free_bytes()
        for _, size, path in sorted(kept):
            if held <= MOST_BYTES and free >= LEAST_FREE_BYTES:
                return
            self._ws.made.discard(path)
            held, free = held - size, free + size


def _step_back() -> None:
    """Have this thread, and those that it begins, wait for the processor behind others, where that can be."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
