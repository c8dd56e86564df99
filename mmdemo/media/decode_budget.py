"""How much is decoded at a time: so many files, and so many bytes that they hold together.

A file of some kilobytes can declare a picture of gigabytes. Whoever decodes says beforehand what that takes,
and waits for its turn in the order of arrival.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mmdemo.errors import BusyError

MOST_BYTES = 640_000_000
AT_ONCE = max(4, os.cpu_count() or 1)


_BUDGETS: weakref.WeakSet[DecodeBudget] = weakref.WeakSet()  # of this process


def _forget_all() -> None:
    for budget in _BUDGETS:
        budget.forget()


os.register_at_fork(after_in_child=_forget_all)


@dataclass(eq=False)
class _Waiting:
    """Who waits."""

    needed: int  # bytes
    passed: int = 0  # so many that came later went before it


class DecodeBudget:
    """Bytes and places that decodes share.

    Args:
        most_bytes: what all may hold together; what takes more by itself is decoded alone.
        at_once: how many there may be.
        most_passed: how many that fit may go before one that does not fit yet; then it is waited for.
    """

    def __init__(self, most_bytes: int = MOST_BYTES, at_once: int = AT_ONCE, most_passed: int = 0) -> None:
        self.most_bytes = most_bytes
        self.at_once = at_once
        self.most_passed = most_passed
        self.forget()
        _BUDGETS.add(self)

    def forget(self) -> None:
        """Begin anew: a process that was forked has none of the threads that held something."""
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []  # in the order of arrival
        self._bytes_free = self.most_bytes
        self._places_free = self.at_once

    @contextmanager
    def taken(self, bytes_needed: int, most_wait_s: float | None = None) -> Iterator[None]:
        """Hold so many bytes within the block; it begins when they are free. One thread takes once at a
        time, for it would wait for itself.

        Args:
            bytes_needed: so many.
            most_wait_s: how long is waited for them; None: until they are free.

        Raises:
            BusyError: they are not free within that.
        """
        mine = _Waiting(min(bytes_needed, self.most_bytes))
        with self._changed:
            self._waiting.append(mine)
            try:
                if not self._changed.wait_for(lambda: self._is_turn_of(mine), most_wait_s):
                    raise BusyError("Too much is decoded just now.", "Try again in a moment.")
                for other in self._waiting[: self._waiting.index(mine)]:
                    other.passed += 1
                self._bytes_free -= mine.needed
                self._places_free -= 1
            finally:
                self._waiting.remove(mine)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._bytes_free += mine.needed
                self._places_free += 1
                self._changed.notify_all()

    def _is_turn_of(self, mine: _Waiting) -> bool:
        """Whether one may begin: it fits, and of those before it none does or was passed too often."""

        def fits(one: _Waiting) -> bool:
            return self._bytes_free >= one.needed

        before = self._waiting[: self._waiting.index(mine)]
        may_pass = all(not fits(one) and one.passed < self.most_passed for one in before)
        return fits(mine) and self._places_free > 0 and may_pass


DECODES = DecodeBudget()  # of pictures
