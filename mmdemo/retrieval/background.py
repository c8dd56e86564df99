"""Work on items behind the page: one thread each, which can be asked for twice and stopped; few at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from typing import TypeVar

from mmdemo.asker import Asker, current
from mmdemo.errors import AccessError, BusyError, MmdemoError, unforeseen
from mmdemo.places import Places, Ticket

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

log = logging.getLogger(__name__)
AT_ONCE = 2  # of one kind of work: each keeps the processor or a model busy
MOST_WAITING = 30
LOOKS_S = 0.2  # between looks of what waits at whether it was stopped
MOST_TOLD = 1000  # of what went wrong: then what was first is forgotten
CLOSE_S = 10.0  # a batch of a large model on a busy machine


class Background:
    """What is being done, by key, and what went wrong with it.

    Args:
        name: of the threads.
        at_once: how much is done at a time.
    """

    def __init__(self, name: str, at_once: int = AT_ONCE) -> None:
        self._name = name
        self._flags: dict[Hashable, threading.Event] = {}  # of what is being done: its stop flag
        self._begun_by: dict[Hashable, Asker] = {}
        self._tickets: dict[Hashable, Ticket] = {}
        self._errors: dict[Hashable, str] = {}
        self._threads: list[threading.Thread] = []
        self._places = Places(at_once, MOST_WAITING)
        self._lock = threading.Lock()

    def start(
        self,
        key: Hashable,
        work: Callable[[Callable[[], bool]], None],
        failed: str,
        most_of_one: int | None = None,
    ) -> None:
        """Begin. Asking again while it is done changes nothing, but that it waits as whose turn is sooner.

        Args:
            key: what it is about.
            work: given a function that says whether it was stopped.
            failed: what to say where it fails for another reason than a person can mend.
            most_of_one: how much of whoever asks may be on or waiting; None: as much as of all.

        Raises:
            BusyError: as much as may wait is waiting, of all or of who asks.
        """

        def run(stop: threading.Event, ticket: Ticket, begins: threading.Event) -> None:
            try:
                self._in_turn(work, stop, ticket, begins)
            except MmdemoError as e:
                self._tell(key, str(e))
            except Exception as e:
                log.exception("%s: what it did behind the page failed", self._name)
                self._tell(key, unforeseen(failed, e))
            finally:
                with self._lock:
                    del self._flags[key], self._begun_by[key], self._tickets[key]

        with self._lock:
            asker = current()
            if key in self._flags:
                self._tickets[key].also_for(asker)
                return
            own = sum(by.mark == asker.mark for by in self._begun_by.values())
            if most_of_one is not None and own >= most_of_one:
                raise too_much()
            begins = threading.Event()
            try:
                ticket = self._tickets[key] = self._places.ask(asker, begins.set)
            except BusyError as e:
                raise too_much() from e
            stop = self._flags[key] = threading.Event()
            self._begun_by[key] = asker
            self._errors.pop(key, None)
            thread = threading.Thread(target=run, args=(stop, ticket, begins), name=self._name, daemon=True)
            self._threads = [*(t for t in self._threads if t.is_alive()), thread]
            thread.start()

    def _tell(self, key: Hashable, what: str) -> None:
        """Note what went wrong."""
        with self._lock:
            put_newest(self._errors, key, what, MOST_TOLD)

    def asked_again(self, key: Hashable) -> bool:
        """Whether it is being done already; if it still waits, it does so as whose turn is sooner."""
        with self._lock:
            if key in self._tickets:
                self._tickets[key].also_for(current())
            return key in self._tickets

    def _in_turn(
        self,
        work: Callable[[Callable[[], bool]], None],
        stop: threading.Event,
        ticket: Ticket,
        begins: threading.Event,
    ) -> None:
        """Do it when it has its place, unless it is stopped before.

        Raises:
            BusyError: somebody who had less waiting got the room.
        """
        try:
            while ticket.state == "waiting" and not begins.wait(LOOKS_S):
                if stop.is_set():
                    return
            ticket.require_held()
            work(stop.is_set)
        finally:
            ticket.leave()

    def running(self) -> list[Hashable]:
        """What is being done."""
        with self._lock:
            return list(self._flags)

    def is_running(self, key: Hashable) -> bool:
        """Whether it is being done."""
        return key in self._flags

    def error(self, key: Hashable) -> str:
        """What went wrong when it was done last; empty: nothing."""
        return self._errors.get(key, "")

    def stop(self, key: Hashable) -> None:
        """Ask it to stop, as who began it or may label: others may wait for the same.

        Raises:
            AccessError: somebody else began it.
        """
        asker = current()
        with self._lock:
            flag, by = self._flags.get(key), self._begun_by.get(key)
        if flag is None or by is None:
            return
        if not asker.may("annotator") and asker.mark != by.mark:
            raise AccessError("Somebody else began this.", "Who began it stops it, or who may label.")
        flag.set()

    def close(self) -> None:
        """Stop everything, and wait until it has."""
        with self._lock:
            threads = list(self._threads)
            for flag in self._flags.values():
                flag.set()
        for thread in threads:
            thread.join(CLOSE_S)


def put_newest(known: dict[K, V], key: K, value: V, most: int) -> None:
    """Note something of a key as the newest, of which so many are known: strangers' files are without end."""
    known.pop(key, None)
    known[key] = value
    while len(known) > most:
        del known[next(iter(known))]


def too_much() -> BusyError:
    """The refusal of what may not even wait."""
    return BusyError("Too much is waiting to be done behind the page.", "Try again in some minutes.")
