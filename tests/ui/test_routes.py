"""The page's own routes refuse in JSON, whatever a browser or a script sends."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from mmdemo.ui.bodies import MAX_JSON_MB
from mmdemo.ui.routes import page_routes


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
    body = b'{"query": "' + b"a" * MAX_JSON_MB * 1_000_000 + b'"}'
    refused = client.post("/mmdemo/api/search", content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 400 and "over the limit of 2 MB" in refused.json()["error"]


def test_a_version_that_is_not_there_is_refused_without_a_word_of_the_command_line(
    client: TestClient,
) -> None:
    refused = client.post("/mmdemo/api/version_card", json={"version": "v99"}).json()
    assert refused["error"] == "There is no version 'v99'."
    assert "efficientnet-lite0-minilm" in refused["cure"] and "`" not in refused["cure"]


@pytest.mark.parametrize("way", ["media", "thumb", "player", "frame", "strip", "peaks", "sound"])
def test_an_item_whose_file_is_gone_from_the_disk_is_told_by_its_name(
    app: App, client: TestClient, tmp_path: Path, way: str
) -> None:
    modality = {"media": "image", "thumb": "image", "peaks": "audio", "sound": "audio"}.get(way, "video")
    sources = {
        "image": ASSETS / "photos" / "coffee.jpg",
        "audio": next((ASSETS / "speech" / "samples").iterdir()),
        "video": next((ASSETS / "video").glob("*.mp4")),
    }
    changed = tmp_path / f"gone{sources[modality].suffix}"
    changed.write_bytes(sources[modality].read_bytes() + b"\0")  # no sample: nothing is made of it yet
    item = app.ws.add_media(modality, changed, "gone.file", source="upload")
    app.ws.media_path(item).unlink()
    gone = client.get(f"/mmdemo/{way}/{item.id}")
    assert gone.status_code == 404, gone.text
    assert gone.json()["error"] == "The file of gone.file is gone from the workspace."


def test_an_id_that_is_none_and_an_item_of_another_modality_are_told_so(app: App, client: TestClient) -> None:
    picture = app.ws.items.listed("image", limit=1)[0].id
    for address in ("media/x", "thumb/%00", f"media/{'0' * 64}", f"sound/{picture}", f"player/{picture}"):
        refused = client.get(f"/mmdemo/{address}")
        assert refused.status_code == 404 and refused.json()["error"].startswith("There is no such ")
