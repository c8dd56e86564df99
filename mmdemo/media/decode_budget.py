"""How much is decoded at a time: so many files, and so many bytes that they hold together.

A file of some kilobytes can declare a picture of gigabytes. Whoever decodes says beforehand what that takes,
and waits for its turn in the order of arrival.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

MOST_BYTES = 640_000_000
AT_ONCE = max(4, os.cpu_count() or 1)


class DecodeBudget:
    """Bytes and places that decodes share.

    Args:
        most_bytes: what all may hold together; what takes more by itself is decoded alone.
        at_once: how many there may be.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, at_once: int = AT_ONCE) -> None:
        self.most_bytes = most_bytes
        self.at_once = at_once
        self.forget()

    def forget(self) -> None:
        """Begin anew: a process that was forked has none of the threads that held something."""
        self._changed = threading.Condition()
        self._waiting: deque[object] = deque()
        self._bytes_free = self.most_bytes
        self._places_free = self.at_once

    @contextmanager
    def taken(self, bytes_needed: int) -> Iterator[None]:
        """Hold so many bytes within the block; it begins when they are free. One thread takes once at a
        time, for it would wait for itself.
        """
        needed = min(bytes_needed, self.most_bytes)
        mine = object()
        with self._changed:
            self._waiting.append(mine)
            try:
                self._changed.wait_for(
                    lambda: self._waiting[0] is mine and self._bytes_free >= needed and self._places_free
                )
                self._bytes_free -= needed
                self._places_free -= 1
            finally:
                self._waiting.remove(mine)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._bytes_free += needed
                self._places_free += 1
                self._changed.notify_all()


DECODES = DecodeBudget()  # of this process
os.register_at_fork(after_in_child=DECODES.forget)
