"""Connections: so many, and none that says nothing.

uvicorn holds as many connections as there are file descriptors, however long nothing is asked on them: a
thousand that are silent would shut everybody out, the database's files too. Here one that has no whole
request after a while is closed, and where there are too many, those that ask nothing go first.

What was sent and is not read yet when its connection is closed is lost: the system tells its sender
"connection reset by peer". So it is read first.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import selectors
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import uvicorn.config
from uvicorn.protocols.http.auto import AutoHTTPProtocol

from mmdemo.ui.access.limits import Tally

HEAD_S = 15.0  # until a connection has a whole request, from its begin or its last answer
UNREAD_S = 60.0  # that an answer is kept for somebody who reads nothing of it
WANTED = 16_384  # file descriptors
SHARE = 3 / 8  # of them: each may have a file open as well, and the database and models need some
MOST = 8192  # connections
TOLD_AGAIN_S = 60.0
OUT_OF_ROOM = "socket.accept() out of system resource"  # what asyncio says, once for each try

log = logging.getLogger(__name__)


def most_connections() -> int:
    """How many connections there may be, after as many file descriptors as may be had were asked for."""
    if sys.platform == "win32":
        return MOST
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return MOST if soft == resource.RLIM_INFINITY else min(MOST, int(soft * SHARE))


class Room:
    """The connections of one server.

    Args:
        most: how many there may be; one public address has half of them.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.silent: dict[Connection, None] = {}  # those that ask nothing, oldest first
        self._of = Tally()
        self._told_s = -TOLD_AGAIN_S

    def take(self, peer: str) -> bool:
        """Count one more, for which the oldest that asks nothing may have to go; False: there is no room."""
        full = self._of.total() >= self.most
        if full and self.silent:
            next(iter(self.silent)).drop()
        elif full or (self._of[peer] >= self.most // 2 and _is_public(peer)):
            self._tell()
            return False
        self._of.add(peer, 1)
        return True

    def give_back(self, peer: str) -> None:
        """One is gone."""
        self._of.add(peer, -1)

    def _tell(self) -> None:
        if time.monotonic() - self._told_s >= TOLD_AGAIN_S:
            self._told_s = time.monotonic()
            log.warning("There are %d connections: more are turned away.", self._of.total())


_rooms: WeakKeyDictionary[Any, Room] = WeakKeyDictionary()  # by the state of the server


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """A connection of uvicorn's that is counted, and closed where nothing is asked on it."""

    _peer: str | None = None  # with whom it is counted
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None  # while more was sent than is read

    @property
    def room(self) -> Room:
        """Where it is counted."""
        found = _rooms.get(self.server_state)
        if found is None:
            found = _rooms[self.server_state] = Room(most_connections())
        return found

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        super().connection_made(transport)
        peer = self.client[0] if self.client else ""
        if not self.room.take(peer):
            self.transport.abort()
            return
        self._peer = peer
        self._look()

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """A request was answered."""
        super().on_response_complete()
        self._unset_keepalive_if_required()  # uvicorn's five seconds: our own time is that of all silence
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self._leave()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """More was sent than is read of it: that is waited for no longer than UNREAD_S."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_S, self.drop)

    def resume_writing(self) -> None:
        """It was read."""
        super().resume_writing()
        self._forget_unread()

    def drop(self) -> None:
        """Close it, for another or for its silence."""
        self._leave()
        self.transport.abort()

    def _look(self) -> None:
        """Whether something is asked: while nothing is, its time runs, whatever comes of a request's head."""
        if self._peer is None:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._ask()
        elif self._timer is None:
            self.room.silent[self] = None
            self._timer = self.loop.call_later(HEAD_S, self._end)

    def _end(self) -> None:
        """Its time is over. A request that has come meanwhile, while the loop was busy, is read first."""
        if _has_unread(self.transport):
            self._timer = self.loop.call_later(0, self.drop)  # after the next look at what can be read
        else:
            self.drop()

    def _ask(self) -> None:
        self.room.silent.pop(self, None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _forget_unread(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _leave(self) -> None:
        self._ask()
        self._forget_unread()
        if self._peer is not None:
            self.room.give_back(self._peer)
            self._peer = None


@contextmanager
def counted() -> Iterator[None]:
    """A server that is set up within this block counts its connections: Gradio takes no protocol to give
    uvicorn.
    """
    before = uvicorn.config.HTTP_PROTOCOLS["auto"]
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{Connection.__module__}:{Connection.__qualname__}"
    logging.getLogger("asyncio").addFilter(_once_a_minute)
    logging.getLogger("uvicorn.error").addFilter(_once_a_minute)
    try:
        yield
    finally:
        uvicorn.config.HTTP_PROTOCOLS["auto"] = before


_told_s: dict[str, float] = {}  # when a line of those was told


def _once_a_minute(record: logging.LogRecord) -> bool:
    """Whether a record is to be told: asyncio says thousands of times a second that it can accept nothing,
    and uvicorn tells of each request that is none.
    """
    of_strangers = record.name == "uvicorn.error" and record.levelno == logging.WARNING
    line = OUT_OF_ROOM if OUT_OF_ROOM in record.getMessage() else str(record.msg) if of_strangers else ""
    now_s = time.monotonic()
    if not line or now_s - _told_s.get(line, -TOLD_AGAIN_S) >= TOLD_AGAIN_S:
        if line:
            _told_s[line] = now_s
        return True
    return False


def _has_unread(transport: asyncio.BaseTransport) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(transport.get_extra_info("socket"), selectors.EVENT_READ)
        return bool(selector.select(0))


def _is_public(peer: str) -> bool:
    """Whether an address is somebody's alone, and not a proxy's within a network or this machine's."""
    try:
        return ipaddress.ip_address(peer).is_global
    except ValueError:
        return False
