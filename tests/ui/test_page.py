"""The page as a server: its routes, its pass phrase, its API."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from mmdemo.service.app import App
from mmdemo.service.exchange import batch_folder
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.settings import ASSETS
from tests.conftest import TASK, labels_of, png
from tests.ui.conftest import agent, gated
from tests.waiting import wait_for


@pytest.fixture
def client(app: App) -> TestClient:
    """The page's own routes over a workspace with samples."""
    return gated(app)


def test_media_are_served_by_their_hash_and_nothing_else(client: TestClient, app: App) -> None:
    item = app.ws.items.listed("image")[0]
    got = client.get(f"/mmdemo/media/{item.id}")
    assert got.status_code == 200 and got.headers["content-type"] == "image/jpeg"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert client.get(f"/mmdemo/thumb/{item.id}?s=320").headers["content-type"] == "image/webp"
    for path in ("..%2F..%2Fmmdemo.sqlite3", "0" * 64, "passwd"):
        assert client.get(f"/mmdemo/media/{path}").status_code == 404


def test_a_picture_that_is_named_html_is_not_served_as_html(client: TestClient) -> None:
    item = client.post("/mmdemo/upload?name=evil.html", content=png()).json()["item"]
    assert client.get(f"/mmdemo/media/{item}").headers["content-type"] == "image/png"


def test_an_upload_that_is_no_picture_or_too_large_is_refused_with_a_sentence(client: TestClient) -> None:
    got = client.post("/mmdemo/upload?name=a.jpg", content=b"%PDF-1.7")
    assert got.status_code == 400 and "not a picture" in got.json()["error"]
    climbs = client.post("/mmdemo/upload?name=..%2F..%2Fx&batch=abcdefgh12", content=png())
    assert climbs.status_code == 400 and "no file name" in climbs.json()["error"]


def test_an_uploaded_file_with_a_name_that_is_too_long_is_kept_by_a_shorter_one(client: TestClient) -> None:
    for letter, colour in (("n", (1, 2, 3)), ("é", (1, 2, 4)), ("🙂", (1, 2, 5))):
        name, data = f"{letter * 400}.png", png(colour)
        kept = client.post("/mmdemo/upload", params={"name": name}, content=data).json()["name"]
        assert kept.startswith(letter * 40) and kept.endswith(".png") and len(kept.encode()) <= 200
        for other in ("a", "b"):
            params = {"name": f"x/{letter * 400}{other}.png", "batch": f"batch{ord(letter)}"}
            assert client.post("/mmdemo/upload", params=params, content=data).status_code == 200
        waiting = list((batch_folder(f"batch{ord(letter)}") / "x").iterdir())
        assert len(waiting) == 2 and all(path.suffix == ".png" for path in waiting)
    assert client.post("/mmdemo/upload", params={"name": "n" * 3000}, content=png()).status_code == 400


def test_every_refusal_is_a_sentence_and_no_stack_trace(client: TestClient) -> None:
    for name, body in (
        ("align", {"item": "nope", "texts": ["x"]}),
        ("align", {"item": 5}),
        ("label", {"pair": "x", "verdict": "match"}),
        ("label", {"pair": 1, "verdict": "great"}),
        ("search", {}),
        ("undo", {"label": 10**6}),
        ("stop_training", {}),
        ("import_start", {"batch": "../.."}),
        ("restore", {"batch": "abcdefgh"}),
        ("queue", {"passed": "all"}),
    ):
        got = client.post(f"/mmdemo/api/{name}", json=body)
        assert got.status_code == 400, (name, got.text)
        assert got.json()["error"].endswith(".") and "Traceback" not in got.text


def test_a_foreign_page_cannot_post_a_form(client: TestClient) -> None:
    got = client.post("/mmdemo/api/label", content="{}", headers={"content-type": "text/plain"})
    assert got.status_code == 400


def test_with_a_pass_phrase_looking_is_free_and_every_change_asks(make_app: Callable[..., App]) -> None:
    client = gated(make_app("closed", passphrase="öffne dich"))
    assert client.post("/mmdemo/api/status", json={}).status_code == 200
    writing = [name for name, o in OPERATIONS.items() if o.role != "viewer" and "page" in o.surfaces]
    assert {"label", "label_result", "undo", "start_training", "import_start", "activate", "restore"} <= set(
        writing
    )
    for name in writing:
        assert client.post(f"/mmdemo/api/{name}", json={}).status_code == 401, name
    wrong = client.post("/mmdemo/api/undo", json={"label": 1}, headers={"x-mmdemo-passphrase": "sesame"})
    assert wrong.status_code == 401 and "wrong" in wrong.json()["error"]
    right = {"x-mmdemo-passphrase": "%C3%B6ffne%20dich"}
    assert client.post("/mmdemo/api/undo", json={"label": 1}, headers=right).status_code == 200


def test_from_outside_nobody_names_a_path_of_the_server(make_app: Callable[..., App]) -> None:
    app = make_app("open", server_name="0.0.0.0")
    _, token = app.access.grant("token", "trainer", "", 1, None)
    headers = {"Authorization": f"Bearer {token}"}
    got = gated(app).post("/mmdemo/api/import_start", json={"source": "/etc"}, headers=headers)
    assert got.status_code == 400 and "cannot be named from outside" in got.json()["error"]


def test_a_label_on_a_search_result_records_the_query_the_rank_and_the_version(
    client: TestClient, app: App
) -> None:
    found = client.post("/mmdemo/api/search", json={"query": "a red apple", "everything": True}).json()
    body = {
        "item": found["results"][2]["item"],
        "text": "a red apple",
        "verdict": "match",
        "query": "a red apple",
    }
    body |= {"rank": 3, "version": found["model"], "origin": "search", "key": "k1"}
    receipt = client.post("/mmdemo/api/label_result", json=body).json()
    assert receipt["saved"] == "disk"
    label = labels_of(app.ws, receipt["pair"])[0]
    assert (label.query, label.rank, label.version_id) == ("a red apple", 3, found["model"])
    again = client.post("/mmdemo/api/search", json={"query": "a red apple", "everything": True}).json()
    first = again["results"][0]  # a tick moves it to the top
    assert (first["item"], first["verdict"], first["label"]) == (body["item"], "match", receipt["label"])


def test_a_space_without_a_lasting_disk_is_warned_of(
    make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmdemo.service.operations.page import keeping

    app = make_app("space")
    assert keeping(app)["lasting"]
    monkeypatch.setenv("SPACE_ID", "me/demo")
    assert not keeping(app)["lasting"] and "LOST" in keeping(app)["text"]


# The named endpoints, through gradio_client, as people's scripts call them


def test_the_api_answers_as_the_command_line_does(api: tuple[App, Any, str]) -> None:
    from gradio_client import handle_file

    _, client, _ = api
    cup = handle_file(str(ASSETS / "photos" / "coffee.jpg"))
    scores = client.predict(cup, "a rocket\na cup of espresso", TASK, api_name="/align")["scores"]
    assert [s["text"] for s in scores] == ["a rocket", "a cup of espresso"] and scores[1]["probability"] > 0.8
    assert client.predict(cup, api_name="/caption")["captions"][0]["text"] == "an espresso"
    assert len(client.predict("an apple", None, TASK, 3, api_name="/search")["results"]) == 3
    assert client.predict("", cup, TASK, 2, api_name="/search")["results"][0]["file"] == "coffee.jpg"


@pytest.mark.slow
def test_the_api_labels_undoes_counts_and_trains(api: tuple[App, Any, str]) -> None:
    _demo, client, _ = api
    pair = client.predict(TASK, "", api_name="/next_pair")
    before = client.predict(TASK, api_name="/label_counts")
    receipt = client.predict(pair["pair"], "match", "", None, None, "", api_name="/label")
    assert receipt["saved"] == "disk"
    assert client.predict(TASK, api_name="/label_counts")["match"] == before["match"] + 1
    client.predict(receipt["label"], api_name="/undo")
    assert client.predict(TASK, api_name="/label_counts") == before
    for _ in range(25):
        pair = client.predict(TASK, "samples", api_name="/next_pair")
        client.predict(pair["pair"], "match", api_name="/label")
    run = client.predict(TASK, "head", 3, 0, api_name="/start_training")["run"]
    ended = {"done", "failed", "stopped"}
    wait_for(lambda: client.predict(run, api_name="/training_status")["status"] in ended)
    status = client.predict(run, api_name="/training_status")
    assert status["status"] == "done" and status["epochs"] == 3 and status["after"]["pairs"] == 112
    versions = client.predict(TASK, api_name="/versions")["versions"]
    assert versions[-1]["id"] == status["model"] and versions[-1]["active"] == status["promoted"]
    assert client.predict(versions[0]["id"], api_name="/activate")["versions"][0]["active"]
    packed = client.predict(
        TASK, "csv", api_name="/export"
    )  # the client has fetched what the answer calls a path
    assert zipfile.is_zipfile(packed) and "metadata.csv" in zipfile.ZipFile(packed).namelist()


def test_an_api_error_is_a_sentence(api: tuple[App, Any, str]) -> None:
    from gradio_client.exceptions import AppError

    with pytest.raises(AppError, match="no pair 999999"):
        api[1].predict(999999, "match", api_name="/label")


def test_the_same_functions_are_mcp_tools_that_answer_in_json(api: tuple[App, Any, str]) -> None:
    app, client, address = api
    endpoints = {name.strip("/") for name in client.view_api(return_format="dict")["named_endpoints"]}
    tools, quick = agent(address, "label_counts", {"task": TASK})
    assert {tool.name for tool in tools} == endpoints
    assert quick.structuredContent == app.labels.counts(TASK) == json.loads(quick.content[0].text)
    _, queued = agent(address, "versions", {"task": TASK})
    assert queued.structuredContent == app.versions.listed(TASK)
    _, none = agent(address, "next_pair", {"task": "video-text", "batch": "samples"})
    assert set(none.structuredContent) >= {"pair", "item"}
    _, refused = agent(address, "search", {"query": "an apple", "k": 0})
    assert refused.isError and "k is 0. Use a number of at least 1." in refused.content[0].text
    schema = next(tool for tool in tools if tool.name == "search").inputSchema
    assert (
        schema["properties"]["k"]["type"] == "integer"
        and "how many" in schema["properties"]["k"]["description"]
    )


def test_an_agent_passes_a_file_as_a_data_url_or_as_what_it_uploaded(api: tuple[App, Any, str]) -> None:
    import base64

    import httpx

    _, _, address = api
    photo = (ASSETS / "photos" / "coffee.jpg").read_bytes()
    path = httpx.post(f"{address}gradio_api/upload", files={"files": ("c.jpg", photo)}).json()[0]
    sent = f"data:image/jpeg;base64,{base64.b64encode(photo).decode()}"
    for file in (sent, path, f"{address}gradio_api/file={path}"):
        _, found = agent(
            address, "align", {"file": file, "texts": "a rocket\na cup of espresso", "task": TASK}
        )
        assert not found.isError, found.content[0].text
        assert found.structuredContent["scores"][1]["probability"] > 0.5
    for file in (str(ASSETS / "photos" / "coffee.jpg"), f"{address}app.py", "file:///etc/passwd", "\0", 5):
        _, refused = agent(address, "align", {"file": file, "texts": "a cup"})
        assert refused.isError and "Send a data: URL" in refused.content[0].text


@pytest.mark.parametrize(
    ("tool", "arguments", "sentence"),
    [
        ("label", {"pair": 999999, "verdict": "match"}, "There is no pair 999999. Check the number, and"),
        ("undo", {"label": 999999}, "There is no label 999999 to undo. Check the number, and"),
        ("label", {"verdict": "match"}, "pair is missing. Send its number, from /next_pair."),
        ("search", {"query": "x", "colour": 1}, "search takes no 'colour'. It takes query"),
        ("search", {"query": "\ud800"}, "query holds a character that cannot be stored. Remove it."),
        ("search", {"query": ["x"]}, "query is not a text. Send a text."),
    ],
)
def test_an_agent_is_refused_in_one_sentence(
    api: tuple[App, Any, str], tool: str, arguments: dict[str, Any], sentence: str
) -> None:
    import httpx

    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }
    headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    got = httpx.post(f"{api[2]}gradio_api/mcp/", content=json.dumps(call), headers=headers)
    line = next(one for one in got.text.splitlines() if one.startswith("data:"))
    result = json.loads(line.removeprefix("data:"))["result"]
    assert result["isError"] and result["content"][0]["text"].startswith(sentence)


def called(address: str, name: str, values: list[Any]) -> str:
    """What a raw call of an endpoint answers."""
    import httpx

    begun = httpx.post(f"{address}gradio_api/call/{name}", json={"data": values}).json()["event_id"]
    return httpx.get(f"{address}gradio_api/call/{name}/{begun}").text


def test_values_that_a_raw_call_leaves_out_have_their_defaults(
    api: tuple[App, Any, str], capfd: pytest.CaptureFixture[str]
) -> None:
    address = api[2]
    assert "event: complete" in called(address, "search", ["an apple"])
    assert "There is nothing to look for." in called(address, "search", [])
    assert "pair is missing." in called(address, "label", [])
    assert "label_counts takes 1 values, and 2 were sent." in called(address, "label_counts", [TASK, 1])
    url = {"path": "http://127.0.0.1:1/x.png", "meta": {"_type": "gradio.FileData"}}
    assert "127.0.0.1' is not on the public network. Pass handle_file" in called(address, "align", [url, "x"])
    assert "Traceback" not in "".join(capfd.readouterr())


@pytest.mark.slow
def test_a_bad_value_is_the_same_sentence_on_every_surface(
    api: tuple[App, Any, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from gradio_client.exceptions import AppError

    from mmdemo.command_line import main

    _, client, address = api
    sentence = "k is 1000. Use a number of at most 200."
    with pytest.raises(AppError, match=sentence):
        client.predict("an apple", None, TASK, 1000, api_name="/search")
    assert main(["search", "an apple", "-k", "1000", "--workspace", str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err
    body = json.dumps({"query": "an apple", "k": 1000}).encode()
    request = urllib.request.Request(
        f"{address}mmdemo/api/search", body, {"Content-Type": "application/json"}
    )
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request)
    answer = json.load(refused.value)
    assert f"{answer['error']} {answer['cure']}" == sentence


def test_a_path_of_the_server_is_no_file_of_a_request(api: tuple[App, Any, str]) -> None:
    body = {"data": [{"path": str(ASSETS / "photos" / "coffee.jpg")}, "a cup", TASK]}
    request = urllib.request.Request(
        f"{api[2]}gradio_api/call/align", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as begun:
        event = json.load(begun)["event_id"]
    with urllib.request.urlopen(f"{api[2]}gradio_api/call/align/{event}") as answer:
        told = answer.read().decode()
    assert "event: error" in told and "probability" not in told


def test_every_endpoint_is_documented(api: tuple[App, Any, str]) -> None:
    info = api[1].view_api(return_format="dict")["named_endpoints"]
    assert set(info) == {
        "/align", "/caption", "/transcribe", "/moments", "/search", "/map", "/next_pair", "/label", "/undo",
        "/label_counts",
        "/start_training", "/training_status", "/stop_training", "/versions", "/activate", "/export",
        "/import_state", "/import_pause", "/import_resume", "/import_stop", "/imports",
        "/changes", "/edit_item", "/edit_pair", "/hide", "/show", "/remove",
    }  # fmt: skip
    with urllib.request.urlopen(f"{api[2]}gradio_api/info") as answer:
        for name, endpoint in json.load(answer)["named_endpoints"].items():
            assert endpoint["description"], name


def test_files_of_the_working_directory_are_not_served(api: tuple[App, Any, str]) -> None:
    for path in ("app.py", str(Path(__file__).resolve())):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{api[2]}gradio_api/file={path}")
