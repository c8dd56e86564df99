"""What is on its way in is bounded while it arrives: of one person, of one network, and of all."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request

from mmdemo.asker import Asker
from mmdemo.service.app import App
from mmdemo.service.exchange import exchange_folder
from mmdemo.settings import Settings, load_settings
from mmdemo.ui import uploads, waiting_files
from mmdemo.ui.access import arrivals
from mmdemo.ui.access.arrivals import Arrivals, Share
from mmdemo.ui.access.gate import UPLOADS_OF_ONE, Gate
from mmdemo.ui.access.hosts import Hosts
from mmdemo.ui.access.refused import Refused
from mmdemo.ui.bodies import MOST_CALL_MB
from mmdemo.ui.routes import page_routes
from mmdemo.ui.waiting_files import WaitingFiles
from tests.conftest import png
from tests.ui.conftest import awaited

WAITED_S = 20  # then a test has failed


@pytest.fixture
def shared(make_app: Callable[..., App]) -> App:
    """A workspace that others can reach, where a visitor may bring one megabyte."""
    return make_app("shared", server_name="0.0.0.0", samples=False, visitor_mb=1, annotator_mb=2)


class Sender:
    """A request whose body comes piece by piece.

    Args:
        behind: what is asked.
        address: where it comes from.
        path: of what it asks for.
        kind: of its body.
        key: a token that it shows.
        host: under which name.
        query: what stands behind the path.
    """

    def __init__(
        self,
        behind: Gate,
        address: str,
        path: str = "/mmdemo/upload",
        kind: str = "",
        key: str = "",
        host: str = "0.0.0.0",
        query: bytes = b"name=a.png",
    ) -> None:
        self.body: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue()
        self.status, self.answer, self.headers = 0, b"", {}
        headers = [(b"host", host.encode()), (b"content-type", kind.encode())]
        if key:
            headers.append((b"authorization", f"Bearer {key}".encode()))
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "query_string": query,
            "scheme": "http",
            "headers": headers,
            "client": (address, 1),
            "server": ("0.0.0.0", 80),
        }
        self.task = asyncio.ensure_future(behind(scope, self._receive, self._send))

    async def send(self, data: bytes, more: bool = True) -> Sender:
        """Send a piece, and let it be read."""
        await self.body.put((data, more))
        for _ in range(20):
            await asyncio.sleep(0)
        return self

    async def ended(self) -> tuple[int, str]:
        """How it ends: the status and what is wrong."""
        await asyncio.wait_for(self.task, WAITED_S)
        return self.status, json.loads(self.answer).get("error", "")

    async def _receive(self) -> dict[str, Any]:
        data, more = await self.body.get()
        return {"type": "http.request", "body": data, "more_body": more}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        self.answer += message.get("body", b"")


def gate_of(app: App) -> Gate:
    return Gate(Starlette(routes=page_routes(app)), app, Hosts(app.settings))


def on_the_disk() -> list[Path]:
    return [path for pattern in ("part-*", "sent-*") for path in exchange_folder().glob(pattern)]


def test_one_who_begins_many_uploads_is_refused_more_and_others_are_not(shared: App) -> None:
    async def flood() -> None:
        behind, most = gate_of(shared), UPLOADS_OF_ONE["viewer"]
        before = set(on_the_disk())
        slow = [await Sender(behind, "192.0.2.1").send(b"x") for _ in range(most)]
        assert behind._uploads.bodies[""] == most
        status, told = await (await Sender(behind, "192.0.2.1").send(b"x")).ended()
        assert status == 429 and told == f"More than {most} uploads of yours are on their way."
        other = await Sender(behind, "192.0.2.2").send(png(), more=False)
        assert (await other.ended())[0] == 200
        for one in slow:
            await one.send(b"y", more=False)
            assert (await one.ended())[0] == 400  # it is no picture
        assert not behind._uploads.bytes and not behind._uploads.bodies and set(on_the_disk()) == before
        again = await Sender(behind, "192.0.2.1").send(png(), more=False)
        assert (await again.ended())[0] == 200

    awaited(flood())


def test_files_are_written_by_threads_so_that_a_busy_disk_keeps_nobody_else_waiting(
    shared: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote: set[str] = set()

    def noted(name: str) -> None:
        does = getattr(Path, name)

        def note(path: Path, *of: Any, **how: Any) -> Any:
            assert threading.get_ident() != answers.ident, f"{name} of {path}"
            wrote.add(name)
            return does(path, *of, **how)

        monkeypatch.setattr(Path, name, note)

    async def bring() -> None:
        nonlocal answers
        answers, behind = threading.current_thread(), gate_of(shared)
        small = await Sender(behind, "192.0.2.1").send(png(), more=False)
        assert (await small.ended())[0] == 200
        key = shared.access.grant("token", "trainer", "Tom", 1.0, None)[1]
        sent = await Sender(behind, "192.0.2.3", key=key, query=b"name=a.png&batch=abcdefgh12").send(
            b"x" * 600_000
        )
        assert (await (await sent.send(b"y", more=False)).ended())[0] == 200

    answers = threading.current_thread()
    exchange_folder()  # made here, and kept
    for name in ("open", "unlink", "replace", "mkdir"):
        noted(name)
    awaited(bring())
    assert wrote == {"open", "unlink", "replace", "mkdir"}


def test_a_visitors_bytes_are_counted_while_they_arrive_and_nothing_of_what_is_refused_stays(
    shared: App,
) -> None:
    async def bring() -> None:
        behind, before = gate_of(shared), set(on_the_disk())
        large = await Sender(behind, "192.0.2.1").send(b"x" * 1_100_000)
        assert await large.ended() == (413, "This is over the limit of 1 MB of a viewer.")
        first = await Sender(behind, "192.0.2.1").send(b"x" * 600_000)
        second = await Sender(behind, "192.0.2.1", "/gradio_api/upload", FORM).send(part(b"x" * 600_000))
        assert await second.ended() == (429, "More than 1 MB of yours are on their way.")
        assert second.headers["retry-after"]
        invited = await shared_token(behind).send(b"x" * 1_100_000)
        assert not invited.task.done()  # who may label has more
        for one in (first, invited):
            assert (await (await one.send(b"", more=False)).ended())[0] == 400
        assert set(on_the_disk()) == before and not behind._uploads.bytes

    def shared_token(behind: Gate) -> Sender:
        key = shared.access.grant("token", "annotator", "Anna", 1.0, None)[1]
        return Sender(behind, "192.0.2.3", key=key)

    awaited(bring())


FORM = "multipart/form-data; boundary=b"


def part(data: bytes) -> bytes:
    """The beginning of a form with a file."""
    return b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + data


@pytest.mark.parametrize(("path", "kind"), [("/mmdemo/upload", ""), ("/gradio_api/upload", FORM)])
def test_an_upload_that_comes_no_further_is_ended_and_leaves_nothing(
    shared: App, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    monkeypatch.setattr(arrivals, "STALLED_S", 0.1)
    before, append = set(on_the_disk()), uploads._append
    were_there: list[bool] = []

    def append_and_look(*of: Any) -> None:
        append(*of)
        were_there.append(set(on_the_disk()) > before)

    monkeypatch.setattr(uploads, "_append", append_and_look)

    async def stall() -> None:
        behind, first = gate_of(shared), b"x" * 300_000
        slow = await Sender(behind, "192.0.2.1", path, kind).send(part(first) if kind else first)
        if kind:  # what Gradio takes in is written at once
            were_there.append(set(on_the_disk()) > before)
        assert await slow.ended() == (408, "The upload came no further.")
        assert were_there == [True]
        assert slow.headers["connection"] == "close" and set(on_the_disk()) == before
        dripping = Sender(behind, "192.0.2.1", path, kind)
        while not dripping.task.done():
            await dripping.send(part(b"x") if kind else b"x")
            await asyncio.sleep(0.01)
        assert (await dripping.ended())[0] == 408

    awaited(stall())


def test_calls_that_come_slowly_fill_no_memory(shared: App) -> None:
    async def call() -> None:
        behind = gate_of(shared)
        nearly = b" " * (MOST_CALL_MB * 1_000_000 - 1)
        slow = [
            await Sender(behind, "192.0.2.1", "/mmdemo/api/status", "application/json").send(nearly)
            for _ in range(5)
        ]
        assert await slow[-1].ended() == (429, f"More than {4 * MOST_CALL_MB} MB of yours are on their way.")
        other = Sender(behind, "192.0.2.2", "/mmdemo/api/status", "application/json")
        assert (await (await other.send(b"{}", more=False)).ended())[0] == 200
        for one in slow[:-1]:
            one.task.cancel()
        await asyncio.gather(*(one.task for one in slow), return_exceptions=True)
        assert not behind._calls.bytes and not behind._calls.bodies

    awaited(call())


@pytest.mark.parametrize(
    ("most_mb", "most_bodies", "told"),
    [
        (9, 4, ["", "", "429 network", "", "503 Too many", "503 Too many", ""]),
        (3, 99, ["", "429 network", "429 network", "", "429 network", "503 Too much", ""]),
    ],
)
def test_one_network_has_half_of_what_all_have_and_all_visitors_leave_a_quarter_to_who_works_here(
    most_mb: int, most_bodies: int, told: list[str]
) -> None:
    async def piece() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 900_000, "more_body": True}

    async def fill() -> list[str]:
        counted, refused = Arrivals(most_mb, most_bodies), []
        with ExitStack() as on_their_way:
            for person in ("a1", "b1", "c1", "d2", "e2", "f3", "ann"):
                with ExitStack() as one:
                    share = Share(2, 9, is_visitor=person != "ann")
                    block = counted.coming(piece, person[0], person[1:], share)
                    try:
                        await one.enter_context(block)()
                        on_their_way.push(one.pop_all())
                        refused.append("")
                    except Refused as e:
                        refused.append(f"{e.status} {'network' if 'network' in e.what else e.what[:8]}")
        assert not counted.bytes and not counted.bodies
        return refused

    assert awaited(fill()) == told


def test_the_owner_at_this_machine_may_send_as_they_like(make_app: Callable[..., App]) -> None:
    app = make_app("here", samples=False, visitor_mb=1)

    async def bring() -> None:
        behind = gate_of(app)
        slow = [
            await Sender(behind, "127.0.0.1", host="127.0.0.1:7860").send(b"x" * 100_000) for _ in range(20)
        ]
        assert not any(one.task.done() for one in slow) and not behind._uploads.bytes
        for one in slow:
            assert (await (await one.send(b"", more=False)).ended())[0] == 400

    awaited(bring())


# Files that wait for their call


async def sent(waiting: WaitingFiles, asker: Asker, settings: Settings, size: int) -> str:
    body = part(b"x" * size) + b"\r\n--b--\r\n"

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", FORM.encode())]}
    return (await waiting.receive(Request(scope, receive), asker, settings))[0]


def test_where_too_much_waits_the_oldest_go_of_who_has_most_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, waiting = load_settings({}, workspace=tmp_path), WaitingFiles()
    little, much = Asker("viewer", session="little"), Asker("annotator", session="much")
    mine = awaited(sent(waiting, little, settings, 10_000))
    theirs = [awaited(sent(waiting, much, settings, 40_000)) for _ in range(2)]
    monkeypatch.setattr(waiting_files, "MOST_WAITING_BYTES", 100_000)
    theirs.append(awaited(sent(waiting, much, settings, 40_000)))
    assert waiting.path(mine, little) is not None  # though it is the oldest
    assert [waiting.path(name, much) is not None for name in theirs] == [False, True, True]
    monkeypatch.setattr(waiting_files, "MOST_WAITING", 2)
    theirs.append(awaited(sent(waiting, much, settings, 1)))
    assert waiting.path(mine, little) is not None and waiting.path(theirs[-1], much) is not None
    assert waiting.path(theirs[1], much) is None and len(waiting._uploads) == 2


def test_many_sessions_of_one_network_send_away_nothing_that_another_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, waiting = load_settings({}, workspace=tmp_path), WaitingFiles()
    other = Asker("viewer", session="other", address="203.0.113.1")
    mine = awaited(sent(waiting, other, settings, 40_000))
    monkeypatch.setattr(waiting_files, "MOST_WAITING_BYTES", 100_000)
    for i in range(6):
        asker = Asker("viewer", session=f"s{i}", address="198.51.100.7")
        theirs = awaited(sent(waiting, asker, settings, 20_000))
    assert waiting.path(mine, other) is not None and waiting.path(theirs, asker) is not None


def test_who_sends_more_than_their_share_loses_their_own_oldest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, waiting = load_settings({}, workspace=tmp_path, visitor_mb=1), WaitingFiles()
    one, other = Asker("viewer", session="one"), Asker("viewer", network="192.0.2.1")
    theirs = awaited(sent(waiting, other, settings, 600_000))
    mine = [awaited(sent(waiting, one, settings, 600_000)) for _ in range(2)]
    assert [waiting.path(name, one) is not None for name in mine] == [False, True]
    assert waiting.path(theirs, other) is not None
    monkeypatch.setattr("mmdemo.bounds.MOST_FILES", {"viewer": 2})
    mine += [awaited(sent(waiting, one, settings, 1)) for _ in range(2)]
    assert [waiting.path(name, one) is not None for name in mine] == [False, False, True, True]
