"""What is fetched, and was fetched for calls that are not answered yet, by who asked.

A fetch may take a minute of one of the few threads that there are for it, so nobody has all of them. What
lies elsewhere is fetched before a call has its turn, so it is on the disk while the call waits: of one person
as much as they may have here otherwise, and of all of their role together.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmdemo.asker import Asker
from mmdemo.bounds import quota_of
from mmdemo.errors import BusyError
from mmdemo.settings import Settings

MOST_AT_ONCE = 4  # fetches of one person; there are twice as many threads


class FetchedBytes:
    """Counts fetches and their bytes."""

    def __init__(self) -> None:
        self._on: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def on(self, asker: Asker) -> Iterator[None]:
        """One more fetch of somebody, until it is done.

        Raises:
            BusyError: too many of theirs are on.
        """
        own = _own(asker)
        with self._lock:
            if self._on[own] >= MOST_AT_ONCE and not asker.may("owner"):
                raise BusyError(f"{MOST_AT_ONCE} files are fetched for you already.", "Ask again after them.")
            self._on[own] += 1
        try:
            yield
        finally:
            with self._lock:
                self._on[own] -= 1
                self._on += Counter()  # those with nothing left go

    @contextmanager
    def counted(self, asker: Asker, settings: Settings) -> Iterator[Callable[[int], None]]:
        """What counts bytes as they come, until the call is answered.

        It raises:
            BusyError: there is no room for them.
        """
        quota = quota_of(asker, settings)
        own, every, taken = _own(asker), f"of each {asker.role}", 0

        def count(size: int) -> None:
            nonlocal taken
            if quota is None:
                return
            with self._lock:
                taken += size
                self._bytes.update({own: size, every: size})
                over = self._bytes[own] > quota.mb * 1_000_000
                if over or self._bytes[every] > quota.all_mb * 1_000_000:
                    whose = "for calls of yours" if over else "for calls"
                    raise BusyError(f"Too much was fetched {whose} that still wait.", "Ask again after them.")

        try:
            yield count
        finally:
            with self._lock:
                self._bytes.subtract({own: taken, every: taken})
                self._bytes += Counter()


def _own(asker: Asker) -> str:
    """With whom it counts."""
    return f"of {asker.session or asker.network}"


FETCHED = FetchedBytes()  # of this process
