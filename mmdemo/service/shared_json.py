"""A part of an answer that is the same for everybody who asks, such as the points of a map: it is made once,
and whoever is sent it is sent the same bytes.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

from mmdemo.retrieval.background import put_newest


class SharedJson(dict[str, Any]):
    """An object of an answer, of which nothing is changed any more, and its JSON."""

    @cached_property
    def body(self) -> bytes:
        """The JSON."""
        return json.dumps(self, ensure_ascii=False, separators=(",", ":")).encode()


class SharedParts:
    """Such parts, each known as long as somebody is sent it, and the last few longer than that.

    Args:
        most: how many those are.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._alive: WeakValueDictionary[str, SharedJson] = WeakValueDictionary()
        self._latest: dict[str, SharedJson] = {}
        self._lock = threading.Lock()

    def part(self, token: str, make: Callable[[], SharedJson]) -> SharedJson:
        """The part of a token, made where nobody has it; one is made at a time, for whoever waits too."""
        with self._lock:
            found = self._alive.get(token)
            if found is None:
                found = self._alive[token] = make()
                _ = found.body
            put_newest(self._latest, token, found, self._most)
            return found
