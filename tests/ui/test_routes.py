"""The page's own routes refuse in JSON, whatever a browser or a script sends."""

from __future__ import annotations

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mmdemo.service.app import App
from mmdemo.ui.routes import MAX_JSON_BYTES, page_routes


@pytest.fixture
def client(app: App) -> TestClient:
    return TestClient(Starlette(routes=page_routes(app)))


def test_a_part_of_a_file_that_is_not_there_is_refused_in_json_and_one_that_is_comes(
    app: App, client: TestClient
) -> None:
    item = app.ws.items.listed("image", limit=1)[0]
    address, whole = f"/mmdemo/media/{item.id}", app.ws.media_path(item).read_bytes()
    for wanted, status in (("bytes=9999999999-", 416), ("bytes=a-b", 400), ("lines=1-2", 400), ("x", 400)):
        refused = client.get(address, headers={"Range": wanted})
        assert refused.status_code == status and "is none of this file's" in refused.json()["error"]
        assert f"of {len(whole)} bytes" in refused.json()["cure"]
    assert client.get(address, headers={"Range": "bytes=9999999999-"}).headers["Content-Range"] == (
        f"bytes */{len(whole)}"
    )
    part = client.get(address, headers={"Range": "bytes=2-5"})
    assert part.status_code == 206 and part.content == whole[2:6]
    assert client.get(address).content == whole


def test_a_request_that_is_too_large_is_told_the_limit(client: TestClient) -> None:
    body = b'{"query": "' + b"a" * MAX_JSON_BYTES + b'"}'
    refused = client.post("/mmdemo/api/search", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 400 and "over the limit of 2 MB" in refused.json()["error"]


def test_a_version_that_is_not_there_is_refused_without_a_word_of_the_command_line(
    client: TestClient,
) -> None:
    refused = client.post("/mmdemo/api/version_card", json={"version": "v99"}).json()
    assert refused["error"] == "There is no version 'v99'."
    assert "efficientnet-lite0-minilm" in refused["cure"] and "`" not in refused["cure"]
