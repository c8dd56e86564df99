"""What is fetched from an address for a caller."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from anyio import create_task_group, wait_all_tasks_blocked

from mmdemo.asker import OWNER, Asker, asking
from mmdemo.errors import BusyError, MmdemoError, UserError
from mmdemo.service.app import App
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.settings import Settings
from mmdemo.ui import files
from mmdemo.ui.calls import carried_out
from mmdemo.ui.files import FROM_CLIENT, is_public, sent_files
from tests.ui.conftest import awaited


class Packed(BaseHTTPRequestHandler):
    """Says that what it answers is packed, where its path names a way."""

    def do_GET(self) -> None:
        if self.path == "/on":
            self.send_response(302)
            self.send_header("Location", f"http://127.0.0.2:{self.server.server_address[1]}/plain")
            self.end_headers()
            return
        self.send_response(200)
        if self.path == "/large":
            self.end_headers()
            self.wfile.write(b"0" * 700_000)
            return
        if self.path != "/plain":
            self.send_header("Content-Encoding", self.path[1:])
        self.send_header("X-Asked-For", self.headers.get("Accept-Encoding", ""))
        self.end_headers()
        self.wfile.write(f"asked for {self.headers.get('Accept-Encoding', '')}".encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server that counts as one of the public network."""
    monkeypatch.setattr(files, "is_public", lambda address: address == "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Packed) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_file_is_asked_for_as_it_is(elsewhere: str, tmp_path: Path) -> None:
    with sent_files(Settings(tmp_path), FROM_CLIENT) as opened:
        opened.fetch([f"{elsewhere}/plain"])
        path = opened(f"{elsewhere}/plain").path
        assert path is not None and path.read_text() == "asked for identity"


@pytest.mark.parametrize("way", ["br", "gzip", "deflate", "zstd", "gzip, br"])
def test_what_comes_packed_is_refused_and_not_unpacked(way: str, elsewhere: str, tmp_path: Path) -> None:
    """Five kilobytes of brotli are six gigabytes."""
    with (
        sent_files(Settings(tmp_path), FROM_CLIENT) as opened,
        pytest.raises(UserError, match="comes packed"),
    ):
        opened.fetch([f"{elsewhere}/{way.replace(' ', '%20')}"])


def test_where_an_address_leads_on_to_is_looked_at_too(elsewhere: str, tmp_path: Path) -> None:
    with (
        sent_files(Settings(tmp_path), FROM_CLIENT) as opened,
        pytest.raises(UserError, match=r"'127\.0\.0\.2' is not on the public network"),
    ):
        opened.fetch([f"{elsewhere}/on"])


def test_a_name_within_the_network_is_refused_like_one_that_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: str, *_: Any) -> Any:
        if host == "intranet":
            return [(0, 0, 0, "", ("10.1.2.3", 0))]
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with sent_files(Settings(tmp_path), FROM_CLIENT) as opened:
        for name in ("intranet", "nowhere"):
            with pytest.raises(UserError, match=f"^'{name}' is not on the public network."):
                opened.fetch([f"http://{name}/x"])


def test_the_address_that_was_looked_at_is_the_one_that_is_asked(
    elsewhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name may lead elsewhere a moment later."""
    real, told = socket.getaddrinfo, ["127.0.0.1"]

    def resolve(host: Any, *more: Any, **kinds: Any) -> Any:
        return real(told.pop(0) if host == "rebound.example" else host, *more, **kinds)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with sent_files(Settings(tmp_path), FROM_CLIENT) as opened:
        url = f"{elsewhere.replace('127.0.0.1', 'rebound.example')}/plain"
        opened.fetch([url])
        path = opened(url).path
        assert path is not None and path.read_text() == "asked for identity" and not told


def test_what_lies_here_of_fetched_files_is_bounded_for_one_visitor_and_for_all(
    elsewhere: str, tmp_path: Path
) -> None:
    """It lies here until a call has its turn, which may be long."""
    settings, urls = (
        Settings(tmp_path, visitor_mb=1, visitors_mb=2),
        [f"{elsewhere}/large", f"{elsewhere}/plain"],
    )

    def has_room(*held: str) -> bool:
        """Whether a visitor may fetch while others, who may be the same, hold 700 kB each."""
        with ExitStack() as waiting:
            for session in (*held, "who asks"):
                with asking(Asker("viewer", session)):
                    opened = waiting.enter_context(sent_files(settings, FROM_CLIENT))
                    try:
                        opened.fetch(urls[:1])
                    except BusyError as e:
                        assert str(e).startswith("Too much was fetched for calls")
                        return False
            return True

    assert has_room() and has_room("another")
    assert not has_room("who asks") and not has_room("another", "a third")
    assert has_room()  # nothing of what was refused or answered counts any more


PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e")
NOT_PUBLIC = (
    *("127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "100.100.100.200", "0.0.0.0"),
    *("169.254.169.254", "168.63.129.16", "192.0.0.192", "192.88.99.1", "198.18.0.1", "203.0.113.1"),
    *("224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fec0::1", "fc00::1", "ff02::1"),
    *("fd00:ec2::254", "fd20:ce::254", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::8.8.8.8"),
    *("64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::7f00:1", "2002:7f00:1::1", "2002:808:808::1"),
    *("2001::1", "2001:0:808:808::1", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "3fff::1"),
    *("100::1", "5f00::1", "4000::1", "::ffff:0:7f00:1", "fe80::5efe:7f00:1"),
)


@pytest.mark.parametrize("address", [*PUBLIC, *NOT_PUBLIC])
def test_only_addresses_of_the_public_network_are_asked(address: str) -> None:
    assert is_public(address) == (address in PUBLIC)


class Endless(BaseHTTPRequestHandler):
    """A head that never ends: a byte now and then."""

    def do_GET(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not self.server.closing.wait(0.05):  # type: ignore[attr-defined]
            try:
                self.wfile.write(b"a")
            except OSError:
                return

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server whose answer has no end."""
    monkeypatch.setattr(files, "is_public", lambda address: address == "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        server.closing = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/x.png"
        server.closing.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join()


def test_an_answer_that_comes_byte_by_byte_ends_in_time(
    endless: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WHOLE_S", 0.5)
    with sent_files(Settings(tmp_path), FROM_CLIENT) as opened, pytest.raises(UserError, match=r"took over"):
        opened.fetch([endless])


def test_who_answers_slowly_keeps_no_thread_of_the_models(
    app: App, endless: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WHOLE_S", 2.0)
    operation, refused = OPERATIONS.get("align"), list[UserError]()

    async def call() -> None:
        try:
            await carried_out(app, operation, {"file": endless, "texts": "a cat"}, OWNER, FROM_CLIENT)
        except UserError as e:
            refused.append(e)

    async def asked() -> int:
        async with create_task_group() as calls:
            for _ in range(8):
                calls.start_soon(call)
            await wait_all_tasks_blocked()
            await app.lanes.models.run(lambda: None)
            return len(refused)

    assert awaited(asked()) == 0
    assert len(refused) == 8 and all("took over" in str(e) for e in refused)


def test_a_stranger_whose_addresses_answer_slowly_leaves_threads_to_fetch_for_others(
    app: App, endless: str, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "WHOLE_S", 6.0)  # longer than the other takes on a busy machine
    operation, refused = OPERATIONS.get("align"), list[MmdemoError]()

    async def call(url: str, session: str) -> None:
        try:
            asker = Asker("viewer", session)
            await carried_out(app, operation, {"file": url, "texts": "a cat"}, asker, FROM_CLIENT)
        except MmdemoError as e:
            refused.append(e)

    async def asked() -> list[str]:
        async with create_task_group() as calls:
            for _ in range(8):
                calls.start_soon(call, endless, "a stranger")
            await wait_all_tasks_blocked()
            await call(f"{elsewhere}/plain", "another")
            return [e.what for e in refused]

    told = awaited(asked())
    assert told[:4] == ["4 files are fetched for you already."] * 4
    assert told[4:] == ["fetched-0 is not a picture that can be read."]
