"""How often somebody may ask, and how often guess. All of it is in memory: a restart forgets it."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

Clock = Callable[[], float]
MOST_KNOWN = 20_000  # people and addresses that are remembered; those not seen for longest are forgotten
FREE_GUESSES = 5
LONGEST_WAIT_S = 300.0
FORGIVEN_S = 3600.0  # after the last wrong key of an address
WRONG_A_MINUTE = 60  # pass phrases, of all together who never gave a right key
TOLD_AGAIN_S = 60.0

log = logging.getLogger(__name__)


@dataclass
class _Bucket:
    left: float
    at_s: float


class Rates:
    """So many requests a minute, of each key: a bucket that fills evenly and holds a minute's worth."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, key: str, a_minute: int, take: bool = True) -> float:
        """Take one, or look whether there is one: 0, or the seconds until there is, and none was taken."""
        with self._lock:
            now_s = self._clock()
            bucket = self._buckets.setdefault(key, _Bucket(a_minute, now_s))
            self._buckets.move_to_end(key)
            if len(self._buckets) > MOST_KNOWN:
                self._buckets.popitem(last=False)
            bucket.left = min(a_minute, bucket.left + (now_s - bucket.at_s) * a_minute / 60)
            bucket.at_s = now_s
            if bucket.left < 1:
                return (1 - bucket.left) * 60 / a_minute
            bucket.left -= take
            return 0.0


class Tally(Counter[str]):
    """Counts by keys, of which those that are nought are forgotten."""

    def add(self, key: str, more: int) -> None:
        """Count so much more, or less."""
        self[key] += more
        if not self[key]:
            del self[key]


def by_most(counted: Counter[tuple[str, str]]) -> list[str]:
    """Whose turn it is to give way, first who has most of those of the network that has most: sessions are
    free, and one network's, however many, take nothing from who has less elsewhere.

    Args:
        counted: how much each has, by their network and themselves.
    """
    networks: Counter[str] = Counter()
    for (network, _), count in counted.items():
        networks[network] += count
    ranked = sorted(counted, key=lambda one: (-networks[one[0]], one[0], -counted[one]))
    return [who for _, who in ranked]


class AtOnce:
    """What goes on at a time, by key: requests that are answered, and streams that stay open."""

    def __init__(self) -> None:
        self._inside = Tally()
        self._lock = threading.Lock()

    @contextmanager
    def inside(self, most: Mapping[str, int]) -> Iterator[str | None]:
        """Count one more as long as this block lasts, by each key; yields a key of which there are too many,
        if any.
        """
        with self._lock:
            full = next((key for key, limit in most.items() if self._inside[key] >= limit), None)
            for key in most:
                self._inside.add(key, 1)
        try:
            yield full
        finally:
            with self._lock:
                for key in most:
                    self._inside.add(key, -1)


@dataclass
class _Wrong:
    count: int
    at_s: float


class Guesses:
    """Wrong keys by who shows them, an address or somebody who is signed in: after five the next one waits,
    twice as long each time. What can be guessed at all, the pass phrase, is also bounded over all who never
    gave a right key.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._wrong: OrderedDict[str, _Wrong] = OrderedDict()
        self._right: OrderedDict[str, None] = OrderedDict()
        self._together = Rates(clock)
        self._told_s = -math.inf
        self._lock = threading.Lock()

    def wait_s(self, who: str, of_phrase: bool = True) -> float:
        """How long somebody has to wait before their next key is looked at.

        Args:
            who: an address, or who is signed in.
            of_phrase: whether it may be meant as the pass phrase; other keys nobody guesses.
        """
        with self._lock:
            known = self._wrong.get(who)
            if known is not None and known.count >= FREE_GUESSES:
                pause_s = min(LONGEST_WAIT_S, 2.0 ** min(known.count - FREE_GUESSES + 1, 30))
                if (left_s := known.at_s + pause_s - self._clock()) > 0:
                    return left_s
            if not of_phrase or who in self._right:
                return 0.0
        wait_s = self._together.wait_s("", WRONG_A_MINUTE, take=False)
        if wait_s and self._clock() - self._told_s > TOLD_AGAIN_S:
            self._told_s = self._clock()
            log.warning(
                "%d wrong pass phrases came within a minute: who never gave a right key waits.",
                WRONG_A_MINUTE,
            )
        return wait_s

    def wrong(self, who: str, of_phrase: bool = True) -> None:
        """A wrong key came from somebody."""
        with self._lock:
            now_s = self._clock()
            known = self._wrong.setdefault(who, _Wrong(0, now_s))
            if now_s - known.at_s > FORGIVEN_S:
                known.count = 0
            known.count, known.at_s = known.count + 1, now_s
            self._wrong.move_to_end(who)
            if len(self._wrong) > MOST_KNOWN:
                self._wrong.popitem(last=False)
            alone = not of_phrase or who in self._right
        if not alone:
            self._together.wait_s("", WRONG_A_MINUTE)

    def right(self, who: str, forgives: bool = False) -> None:
        """A right key came from somebody, whose wrong ones it may make forgotten."""
        with self._lock:
            if forgives:
                self._wrong.pop(who, None)
            self._right[who] = None
            self._right.move_to_end(who)
            if len(self._right) > MOST_KNOWN:
                self._right.popitem(last=False)
