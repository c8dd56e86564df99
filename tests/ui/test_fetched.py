"""What is fetched from an address for a caller."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mmdemo.errors import UserError
from mmdemo.settings import Settings
from mmdemo.ui import files
from mmdemo.ui.files import FROM_CLIENT, sent_files


class Packed(BaseHTTPRequestHandler):
    """Says that what it answers is packed, where its path names a way."""

    def do_GET(self) -> None:
        self.send_response(200)
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
    monkeypatch.setattr(files, "is_public", lambda address: True)
    with ThreadingHTTPServer(("127.0.0.1", 0), Packed) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_file_is_asked_for_as_it_is(elsewhere: str, tmp_path: Path) -> None:
    with sent_files(Settings(tmp_path), FROM_CLIENT) as opened:
        path = opened(f"{elsewhere}/plain").path
        assert path is not None and path.read_text() == "asked for identity"


@pytest.mark.parametrize("way", ["br", "gzip", "deflate", "zstd", "gzip, br"])
def test_what_comes_packed_is_refused_and_not_unpacked(way: str, elsewhere: str, tmp_path: Path) -> None:
    """Five kilobytes of brotli are six gigabytes."""
    with (
        sent_files(Settings(tmp_path), FROM_CLIENT) as opened,
        pytest.raises(UserError, match="comes packed"),
    ):
        opened(f"{elsewhere}/{way.replace(' ', '%20')}")
