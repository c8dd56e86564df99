"""What the database said a moment ago, which is believed for that moment: also that it could not be asked."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mmdemo.errors import StorageError

Clock = Callable[[], float]


@dataclass(frozen=True)
class Answer:
    """What the database said."""

    value: Any
    at_s: float  # when it was asked


class Recent:
    """Answers by what was asked. What asks takes as long as the database does; `get` takes no time.

    Args:
        believed_s: how long an answer is believed, and that there was none.
        most: answers that are kept; the oldest go first.
        clock: the seconds.
    """

    def __init__(self, believed_s: float, most: int = 10_000, clock: Clock = time.monotonic) -> None:
        self._believed_s, self._most, self._clock = believed_s, most, clock
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._failed: Answer | None = None  # of whatever was asked: the database is one
        self._forgotten = 0  # times
        self._lock = threading.Lock()

    def get(self, of: str) -> Answer | None:
        """What was said a moment ago; None: it has to be asked.

        Raises:
            StorageError: the database could not be asked a moment ago.
        """
        with self._lock:
            found, failed = self._answers.get(of), self._failed
        if found is not None and self._is_new(found):
            return found
        if failed is not None and self._is_new(failed):
            raise type(failed.value)(failed.value.what, failed.value.cure) from failed.value
        return None

    def ask(self, of: str, question: Callable[[], Any]) -> Any:
        """What was said a moment ago, or is said now.

        Raises:
            StorageError: the database cannot be asked.
        """
        if (known := self.get(of)) is not None:
            return known.value
        at_s, forgotten = self._clock(), self._forgotten
        try:
            found = Answer(question(), at_s)
        except StorageError as e:
            self._failed = Answer(e, self._clock())
            raise
        with self._lock:
            if forgotten == self._forgotten:  # else it may be from before
                self._answers[of] = found
                self._answers.move_to_end(of)
                if len(self._answers) > self._most:
                    self._answers.popitem(last=False)
        return found.value

    def forget(self) -> None:
        """Forget all answers, after a change."""
        with self._lock:
            self._answers.clear()
            self._forgotten += 1

    def _is_new(self, answer: Answer) -> bool:
        return self._clock() - answer.at_s <= self._believed_s
