"""Who may compute: somebody who waits for an answer goes before a training that takes minutes.

The page and the training are two processes on one device. While the page answers it holds a lock file; the
training looks at it before each step and waits until it is free. A step that has begun is finished, and no
answer holds a training up for longer than `LONGEST_S`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

LONGEST_S = 2.0
LOOK_S = 0.005


class RightOfWay:
    """The lock that both sides look at.

    Args:
        file: the same for both.
    """

    def __init__(self, file: Path) -> None:
        self._lock = FileLock(file, thread_local=False)
        self._asking = 0
        self._guard = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Within this block trainings wait; any number of threads at once."""
        with self._guard:
            self._asking += 1
            if self._asking == 1:
                with suppress(Timeout, OSError):  # then both compute at once: slower, and nothing worse
                    self._lock.acquire(timeout=LONGEST_S, poll_interval=LOOK_S)
        try:
            yield
        finally:
            with self._guard:
                self._asking -= 1
                if self._asking == 0 and self._lock.is_locked:
                    self._lock.release()

    def give(self) -> None:
        """Wait while somebody has taken it."""
        try:
            self._lock.acquire(timeout=LONGEST_S, poll_interval=LOOK_S)
        except (Timeout, OSError):
            return
        self._lock.release()
