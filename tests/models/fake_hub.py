"""A Hub on this machine: as much of its protocol as fetching a repository needs, over real HTTP."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlparse

import pytest

from tests.checkpoints import COMMIT


def point_at(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an address the Hub of this process, as HF_ENDPOINT does that of a new one."""
    from huggingface_hub import constants

    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("transformers.utils.hub._hf_api", None)  # it keeps the address that it was made with


class Repository:
    """A folder that is served.

    Args:
        folder: its files.
        token: who may read it; empty: everybody.
        cut_after: bytes of each safetensors file after which the connection is lost; 0: it is not.
    """

    def __init__(self, folder: Path, token: str = "", cut_after: int = 0) -> None:
        self.folder = folder
        self.token = token
        self.cut_after = cut_after

    def files(self) -> list[str]:
        """Their paths in it."""
        return sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())


@contextmanager
def serving(repositories: dict[str, Repository]) -> Iterator[str]:
    """Serve repositories by their names; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._respond(body=False)

        def do_GET(self) -> None:
            self._respond(body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _respond(self, body: bool) -> None:
            path = urlparse(self.path).path.strip("/")
            name = next((n for n in repositories if f"{n}/" in f"{path}/"), None)
            held = repositories.get(name or "")
            given = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if held is None or (held.token and given != held.token):
                return self._send(404 if held is None else 401, b"{}", {"X-Error-Code": "RepoNotFound"}, body)
            if path.startswith("api/models/"):
                return self._listing(held, path, body)
            file = held.folder / path.split("/resolve/")[1].split("/", 1)[1]
            if not file.is_file():
                return self._send(404, b"", {"X-Error-Code": "EntryNotFound"}, body)
            data = file.read_bytes()
            cut = held.cut_after if body and file.suffix == ".safetensors" else 0
            etag = {"ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": COMMIT}
            self._send(200, data, etag, body, cut)

        def _listing(self, held: Repository, path: str, body: bool) -> None:
            sizes = {f: (held.folder / f).stat().st_size for f in held.files()}
            if "/tree/" in path:
                rows = [{"type": "file", "path": f, "size": n, "oid": COMMIT} for f, n in sizes.items()]
                return self._send(200, json.dumps(rows).encode(), {}, body)
            found = {
                "id": "x",
                "sha": COMMIT,
                "siblings": [{"rfilename": f, "size": n} for f, n in sizes.items()],
            }
            self._send(200, json.dumps(found).encode(), {}, body)

        def _send(self, status: int, data: bytes, headers: dict[str, str], body: bool, cut: int = 0) -> None:
            self.send_response(status)
            for key, value in ({"Content-Length": str(len(data))} | headers).items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                self.wfile.write(data[: cut or len(data)])
            if cut:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
