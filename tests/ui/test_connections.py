"""Connections that say nothing, and streams that never end, shut nobody out."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from mmdemo.service.app import App
from mmdemo.ui.access import connections, gate
from mmdemo.ui.access.connections import OUT_OF_ROOM, Connection, Room
from mmdemo.ui.access.gate import Gate
from mmdemo.ui.access.hosts import Hosts
from tests.ui.conftest import awaited
from tests.waiting import wait_for

Served = tuple[App, Any, str]
CALLS = b"GET /monitoring/summary HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def line_to(address: str, said: bytes) -> socket.socket:
    name, port = address.removeprefix("http://").strip("/").split(":")
    line = socket.create_connection((name, int(port)), timeout=30)
    line.sendall(said)
    return line


def is_closed(line: socket.socket) -> bool:
    """Whether the server closes it, before the line's own time is up."""
    try:
        return line.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("said", [b"", HALF], ids=["nothing", "half a request"])
def test_a_connection_without_a_whole_request_is_closed(
    served: Served, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    with line_to(served[2], said) as line:
        assert is_closed(line)


def test_a_connection_that_goes_on_with_half_a_request_is_closed_after_its_first_answer(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    with line_to(served[2], HALF + b"\r\n") as line:
        line.recv(20)
        line.sendall(HALF)
        while line.recv(65_536):
            pass


def test_a_request_that_comes_as_the_time_of_a_silent_connection_ends_is_answered(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop is busy while the time ends, and the request comes between its last look and the end."""
    silent = connections._rooms[served[1].server.server_state].silent
    with line_to(served[2], CALLS) as line:
        answered(line)
        wait_for(lambda: line.getsockname() in [one.client for one in list(silent)])
        own = next(one for one in list(silent) if one.client == line.getsockname())

        def end_as_it_comes() -> None:
            own._timer.cancel()
            line.sendall(CALLS)  # the loop, in which this is, reads it only afterwards
            monkeypatch.setattr(connections, "HEAD_S", 0.1)  # for the silence that follows
            own._end()

        own.loop.call_soon_threadsafe(end_as_it_comes)
        answered(line)
        assert is_closed(line)  # nothing more is asked on it


def test_an_answer_that_nobody_reads_is_not_kept_for_long(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "UNREAD_S", 0.3)
    silent = connections._rooms[served[1].server.server_state].silent
    with line_to(served[2], CALLS) as line:
        answered(line)
        wait_for(lambda: any(one.client == line.getsockname() for one in silent))
        own = next(one for one in silent if one.client == line.getsockname())
        for fills in (own.pause_writing, own.resume_writing):  # as its transport does
            own.loop.call_soon_threadsafe(fills)
        line.sendall(CALLS)
        answered(line)
        own.loop.call_soon_threadsafe(own.pause_writing)
        line.settimeout(connections.HEAD_S / 2)
        assert is_closed(line)


def answered(line: socket.socket) -> None:
    """Read an answer to its end."""
    came = b""
    while b'"functions":{}}' not in came:
        part = line.recv(65_536)
        assert part, came
        came += part
    assert came.startswith(b"HTTP/1.1 200")


def test_where_there_are_too_many_the_silent_ones_go_and_whoever_asks_is_answered(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = connections._rooms[served[1].server.server_state]
    monkeypatch.setattr(room, "most", 8)
    with ExitStack() as held:
        lines = [held.enter_context(line_to(served[2], b"")) for _ in range(12)]
        assert all(map(is_closed, lines[:4]))
        for _ in range(3):
            assert httpx.get(f"{served[2]}mmdemo/api/label_counts").status_code in (200, 404, 405)
        assert room._of.total() <= 8


def test_one_public_address_has_half_of_the_room_and_a_proxy_all_of_it() -> None:
    room = Room(8)
    assert [room.take("8.8.8.8") for _ in range(5)] == [True] * 4 + [False]
    assert [room.take("10.0.0.7") for _ in range(5)] == [True] * 4 + [False]
    room.give_back("8.8.8.8")
    assert room.take("10.0.0.7")


@pytest.mark.parametrize(
    ("path", "limit"),
    [("/gradio_api/heartbeat/x", "AT_ONCE_OF_A_PERSON"), ("/mmdemo/media/x", "MEDIA_OF_A_PERSON")],
)
def test_streams_that_stay_open_and_media_are_counted_by_person_and_network(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch, path: str, limit: str
) -> None:
    app = make_app("open", server_name="0.0.0.0", samples=False)
    monkeypatch.setattr(gate, limit, 2)

    async def ask_within(depth: int, statuses: list[int]) -> None:
        """A request, and within its answer the next."""

        async def behind(scope: Scope, receive: Receive, send: Send) -> None:
            await PlainTextResponse("on its way")(scope, receive, send)
            if depth_left[0]:
                depth_left[0] -= 1
                await one()

        depth_left = [depth]
        at = Gate(behind, app, Hosts(app.settings))

        async def one() -> None:
            transport = httpx.ASGITransport(at, client=("8.8.8.8", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                statuses.append((await client.get(path)).status_code)

        await one()

    statuses: list[int] = []
    awaited(ask_within(3, statuses))
    assert sorted(statuses) == [200, 200, 429]
    again = TestClient(Gate(Starlette(), app, Hosts(app.settings)), base_url="http://127.0.0.1")
    assert again.get(path).status_code == 404  # passed on: there is nothing behind


def test_that_nothing_can_be_accepted_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    with connections.counted():
        pass
    connections._told_s.clear()
    log = logging.getLogger("asyncio")
    for _ in range(50):
        log.error("%s\nsocket: 7", OUT_OF_ROOM)
    log.error("something else")
    assert [record.getMessage().split("\n")[0] for record in caplog.records] == [
        OUT_OF_ROOM,
        "something else",
    ]
    caplog.clear()
    for _ in range(50):  # of each request that is none
        logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
    assert len(caplog.records) == 1
    assert issubclass(Connection, asyncio.Protocol)
