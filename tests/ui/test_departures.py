"""What is on its way out: an answer that its caller does not read takes little memory, and counts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from mmdemo.service.app import App
from mmdemo.service.shared_json import SharedJson, SharedParts
from mmdemo.ui.access import departures
from mmdemo.ui.access.departures import PIECE
from mmdemo.ui.access.gate import Gate
from mmdemo.ui.access.hosts import Hosts
from mmdemo.ui.json_answer import answer_as_json
from tests.ui.conftest import awaited

LARGE = SharedJson(ids="x" * 500_000, named=[{"name": "é", "x": 0.5}])


class Caller:
    """Somebody who reads so many pieces of an answer, and then none until told so."""

    def __init__(self, gate: Gate, address: str, reads: int) -> None:
        self.sizes: list[int] = []
        self.status, self.body = 0, b""
        self._reads, self.goes_on = reads, asyncio.Event()
        headers = [(b"host", b"0.0.0.0"), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": "/mmdemo/api/map_points", "query_string": b""}
        scope |= {"scheme": "http", "headers": headers, "client": (address, 1), "server": ("0.0.0.0", 80)}
        self.task = asyncio.ensure_future(gate(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif len(self.sizes) >= self._reads:
            await self.goes_on.wait()
        if body := message.get("body", b""):
            self.sizes.append(len(body))
            self.body += body


@pytest.fixture
def open_to_all(make_app: Callable[..., App]) -> App:
    return make_app("open", server_name="0.0.0.0", samples=False)


def gate_of(app: App, answer: Callable[[], Response]) -> Gate:
    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        await answer()(scope, receive, send)

    return Gate(behind, app, Hosts(app.settings))


async def a_moment() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


def test_an_answer_that_is_not_read_counts_and_who_has_too_many_of_them_is_refused(
    open_to_all: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, mb in (("OF_A_PERSON_MB", 1), ("OF_A_NETWORK_MB", 1), ("MOST_MB", 100)):
        monkeypatch.setattr(departures, name, mb)
    gate = gate_of(open_to_all, lambda: JSONResponse({"ids": "x" * 600_000}))

    async def many() -> None:
        first = Caller(gate, "8.8.8.8", reads=1)
        await a_moment()
        assert first.sizes == [PIECE]  # the rest waits for its reader, and is copied nowhere
        second, elsewhere = (Caller(gate, address, reads=99) for address in ("8.8.8.8", "9.9.9.9"))
        await asyncio.gather(second.task, elsewhere.task)
        assert second.status == 429 and "not read yet" in json.loads(second.body)["error"]
        assert elsewhere.status == 200 and len(json.loads(elsewhere.body)["ids"]) == 600_000
        first.goes_on.set()
        await first.task
        assert first.status == 200 and len(json.loads(first.body)["ids"]) == 600_000
        assert not gate._departures.bytes

    awaited(many())


def test_what_all_are_sent_is_one_and_counts_with_nobody(open_to_all: App) -> None:
    gate = gate_of(open_to_all, lambda: answer_as_json({"state": "ready", "points": LARGE, "after": None}))

    async def many() -> None:
        callers = [Caller(gate, "8.8.8.8", reads=1) for _ in range(3)]
        await a_moment()
        assert [caller.status for caller in callers] == [200] * 3 and not gate._departures.bytes
        for caller in callers:
            caller.goes_on.set()
            await caller.task
            assert json.loads(caller.body) == {"state": "ready", "points": LARGE, "after": None}
            assert max(caller.sizes) <= PIECE

    awaited(many())


def test_a_shared_part_is_made_once_for_all_who_are_sent_it_and_few_are_kept() -> None:
    parts, made = SharedParts(1), []

    def make() -> SharedJson:
        made.append(1)
        return SharedJson(a=len(made))

    first = parts.part("one", make)
    parts.part("two", make)
    assert parts.part("one", make) is first  # somebody has it still
    assert len(made) == 2
    del first
    parts.part("two", make)
    assert parts.part("one", make) == {"a": 4}
