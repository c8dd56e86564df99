"""The gate stands in front of everything that the process serves: foreign pages, foreign names and whatever
is in no list are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from mmdemo.asker import Asker
from mmdemo.errors import AccessError
from mmdemo.service.app import App
from mmdemo.settings import Settings, load_settings
from mmdemo.ui.access.gate import Gate, headers_of_responses, is_foreign
from mmdemo.ui.access.hosts import Hosts
from mmdemo.ui.access.served import path_of, rows_of
from mmdemo.ui.bodies import MOST_CALL_MB, largest_request_mb
from mmdemo.ui.gate import ask
from mmdemo.ui.refusals import PlainRefusals
from tests.ui.conftest import awaited, gated

Served = tuple[App, Any, str]
FOREIGN = {"Origin": "https://evil.example"}
# What Gradio brings and this page does not use: its log-in, files, streams, editor, and its own numbers.
CLOSED = (
    r"/openapi\.json",
    r"/(login/?|logout|pwa_icon(/x)?)",
    r"/monitoring(/x)?",
    r"/gradio_api/(user|login_check|token|runs|component_server)/?",
    r"/gradio_api/(deep_link|dev/reload|queue/status|upload_progress|process_recording)",
    r"/gradio_api/(proxy=|file=|file/|custom_component/x/x/x/)x",
    r"/gradio_api/stream/.*",
    r"/gradio_api/(undo-)?vibe-.*",
    r"/gradio_api/mcp/(sse|messages/?.*)",
)


@pytest.fixture(scope="module")
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[2], timeout=60) as client:
        yield client


def test_a_script_is_told_of_a_token_and_who_is_at_the_page_of_an_invitation(served: Served) -> None:
    for surface, cure in (
        ("api", "Send a token, as Authorization: Bearer TOKEN"),
        ("page", "Sign in with an"),
    ):
        with pytest.raises(AccessError, match=f"This is for annotators, and you are a viewer. {cure}"):
            ask(served[0], "label", {}, surface, Asker("viewer"))  # type: ignore[arg-type]


def routes(found: Any, before: str = "") -> Iterator[tuple[str, list[str]]]:
    """Every route of an application, those of what is mounted in it too: its path and its methods."""
    for route in found:
        path = before + re.sub(r"\{[^}]*\}", "x", getattr(route, "path", ""))
        router = getattr(route, "original_router", None)
        if router is not None:
            yield from routes(router.routes, before)
        elif getattr(route, "routes", None):
            yield from routes(route.routes, path)
        else:
            yield path, sorted(getattr(route, "methods", None) or ["POST"])


def test_every_route_of_the_running_app_is_served_or_known_to_be_closed(
    served: Served, http: httpx.Client
) -> None:
    seen = 0
    for path, methods in routes(served[1].app.routes):
        closed = any(re.fullmatch(pattern, path) for pattern in CLOSED)
        assert bool(rows_of(path)) != closed, f"{path} stands in no list, or in two"
        for method in methods:
            if closed:
                answer = http.request(method, path, json={} if method == "POST" else None)
                assert answer.status_code == 404, (method, path, answer.status_code)
            else:
                assert any(method in row.methods for row in rows_of(path)), (method, path)
            seen += 1
    assert seen > 80


def test_no_route_answers_a_foreign_page(served: Served, http: httpx.Client) -> None:
    """Also not one that is closed, nor one of another method: a refusal says nothing more than that."""
    for path, methods in routes(served[1].app.routes):
        if not rows_of(path):
            continue
        for method in {*methods, "OPTIONS"}:
            for headers in (FOREIGN, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
                answer = http.request(method, path, headers=headers, json={} if method == "POST" else None)
                assert answer.status_code in (403, 405), (method, path, headers, answer.status_code)
                assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_no_route_answers_under_a_name_that_is_not_ours(served: Served, http: httpx.Client) -> None:
    for path, methods in routes(served[1].app.routes):
        for method in methods:
            answer = http.request(method, path, headers={"Host": "evil.example"} | FOREIGN)
            assert answer.status_code == 421, (method, path)


def test_a_form_or_a_text_that_says_json_is_not_json(http: httpx.Client) -> None:
    body = '{"task": "image-text"}'
    for kind in (
        "text/plain; application/json",
        "text/plain;x=application/json",
        "",
        "application/jsonp",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=application/json",
    ):
        for path in (
            "mmdemo/api/label_counts",
            "gradio_api/run/label_counts",
            "gradio_api/queue/join",
            "gradio_api/mcp/",
        ):
            answer = http.post(path, content=body, headers={"Content-Type": kind})
            assert answer.status_code == 400 and "not JSON" in answer.text, (kind, path)
    for kind in ("application/json", "Application/JSON; charset=utf-8"):
        assert (
            http.post("mmdemo/api/label_counts", content=body, headers={"Content-Type": kind}).status_code
            == 200
        )


@pytest.mark.parametrize(
    ("path", "kind", "limit_mb"),
    [
        ("/gradio_api/queue/join", "application/json", MOST_CALL_MB),
        ("/gradio_api/mcp/", "application/json", MOST_CALL_MB),
        ("/gradio_api/upload", "multipart/form-data; boundary=x", None),
    ],
)
def test_no_route_reads_on_past_the_largest_request(
    path: str, kind: str, limit_mb: int | None, served: Served
) -> None:
    """Gradio's own read whatever comes; a body that comes in pieces says no length."""
    read = [0]

    async def reads_all(scope: Scope, receive: Receive, send: Send) -> None:
        async for piece in Request(scope, receive).stream():
            read[0] += len(piece)
        await JSONResponse({})(scope, receive, send)

    app = served[0]
    limit = (limit_mb or largest_request_mb(app.settings)) * 1_000_000
    gate = Gate(PlainRefusals(reads_all) if limit_mb is None else reads_all, app, Hosts(app.settings))
    client = TestClient(gate, base_url="http://127.0.0.1:7860")
    piece = b" " * (limit // 4)
    for pieces, status in ((3, 200), (8, 400)):
        read[0] = 0
        answer = client.post(path, content=(piece for _ in range(pieces)), headers={"Content-Type": kind})
        assert answer.status_code == status and read[0] <= limit, answer.text


@pytest.mark.parametrize("path", ["gradio_api/call/align", "gradio_api/queue/join", "gradio_api/mcp/"])
@pytest.mark.parametrize(
    ("body", "told"),
    [  # three bytes of an empty list would be sixty in memory; names are looked at while nobody is answered
        (b'{"data":[' + b"[]," * 300_000 + b"0]}", "over 200000 parts"),
        (b"{" + b'"a":1,' * 20_000 + b'"b":0}', "over 10000 names"),
    ],
)
def test_json_of_very_many_parts_or_names_is_refused_before_it_is_read(
    path: str, body: bytes, told: str, http: httpx.Client
) -> None:
    answer = http.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400 and told in answer.json()["error"]


def test_how_often_others_call_is_told_to_nobody(http: httpx.Client) -> None:
    assert http.post("mmdemo/api/label_counts", json={}).status_code == 200
    assert http.get("monitoring/summary").json() == {"functions": {}}


def test_every_response_says_who_may_frame_and_read_it(http: httpx.Client) -> None:
    for path in ("", "config", "theme.css", "mmdemo/media/nope", "nope", "gradio_api/info"):
        headers = http.get(path).headers
        assert "frame-ancestors 'self'" in headers["content-security-policy"], path
        assert "huggingface" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"
        assert headers.get_list("x-content-type-options") == ["nosniff"]


def test_the_page_s_own_requests_pass(http: httpx.Client, served: Served) -> None:
    own = served[2].rstrip("/")
    for headers in (
        {"Origin": own, "Sec-Fetch-Site": "same-origin"},
        {"Origin": own},
        {"Referer": f"{own}/?view=label"},
        {"Sec-Fetch-Site": "none"},
        {},
    ):
        assert http.post("mmdemo/api/label_counts", json={}, headers=headers).status_code == 200, headers
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert http.get("", headers=link | {"Referer": "https://evil.example/"}).status_code == 200


def test_a_page_below_a_path_is_served_below_it_and_nothing_more() -> None:
    for path, root, below in (
        ("/demo/mmdemo/api/x", "/demo", "/mmdemo/api/x"),
        ("/demo", "/demo", "/"),
        ("/demo/", "/demo/", "/"),
        ("/mmdemo/api/x", "/demo", "/mmdemo/api/x"),  # a proxy that takes it off
        ("/demonstration", "/demo", "/demonstration"),
        ("/config", "", "/config"),
    ):
        assert path_of({"path": path, "root_path": root}) == below


def test_a_mistake_is_told_from_a_fault_below_a_path_too() -> None:
    async def none(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("this is asked for nothing that there is not")

    client = TestClient(PlainRefusals(none), base_url="http://x", root_path="/demo")
    answer = client.post("/demo/gradio_api/call/nothing_such", json={"data": []})
    assert answer.status_code == 404 and "nothing_such" in answer.json()["error"]


def test_the_files_of_the_page_ask_for_nobody_s_session(make_app: Any) -> None:
    app = make_app("asked", server_name="0.0.0.0", passphrase="x", samples=False)
    client = gated(app, headers={"x-mmdemo-passphrase": "wrong"})
    for path in ("/static/x", "/theme.css", "/favicon.ico", "/gradio_api/theme.css"):
        assert client.get(path).status_code == 404, path  # it has no such file, and asked for no key
    assert client.get("/mmdemo/media/x").status_code == 401


def test_web_sockets_are_refused(served: Served) -> None:
    said: list[Any] = []

    async def send(message: Any) -> None:
        said.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    awaited(served[1].app({"type": "websocket", "path": "/", "headers": []}, receive, send))
    assert [message["type"] for message in said] == ["websocket.close"]


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"origin": "http://127.0.0.1:7860"}, False),
        ({"origin": "http://127.0.0.1:8000"}, True),
        ({"origin": "http://localhost:7860"}, True),
        ({"origin": "http://127.0.0.1"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "http://127.0.0.1:7860.evil.example"}, True),
        ({"origin": "http://127.0.0.1:7860@evil.example"}, True),
        ({"origin": "ftp://127.0.0.1:7860"}, True),
        ({"origin": "http://[::1"}, True),
        ({"referer": "http://127.0.0.1:7860/?view=label"}, False),
        ({"referer": "http://evil.example/127.0.0.1:7860"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
        ({"sec-fetch-site": "same-origin", "referer": "http://evil.example/"}, False),
    ],
)
def test_where_a_change_comes_from_is_told_by_three_headers(
    settings: Settings, headers: dict[str, str], foreign: bool
) -> None:
    headers = {"host": "127.0.0.1:7860"} | headers
    assert is_foreign(Hosts(settings), "POST", "http", headers) is foreign


def test_the_names_of_a_page_are_those_that_it_was_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hosts(**flags: Any) -> Hosts:
        return Hosts(load_settings({}, workspace=tmp_path, **flags))

    monkeypatch.setenv("SPACE_HOST", "me-demo.hf.space")

    here = hosts()
    for name in ("127.0.0.1:7860", "localhost", "LOCALHOST:1", "[::1]:7860", "localhost."):
        assert here.knows(name), name
    for name in (
        *("", "evil.example", "192.168.1.5:7860", "127.0.0.1:x", "127.0.0.1@evil", "0.0.0.0:7860", "a b"),
        *("127.0.0.1.evil.example", "me-demo.hf.space", "[::1"),
    ):
        assert not here.knows(name), name
    assert hosts(server_name="192.168.1.5").knows("192.168.1.5:7860")
    assert not hosts(server_name="192.168.1.5").knows("192.168.1.6:7860")
    everywhere = hosts(server_name="0.0.0.0", hosts="My.Domain, other.example")
    for name in ("192.168.1.5:7860", "[fd00::1]:7860", "my.domain", "other.example:443"):
        assert everywhere.knows(name), name
    assert not everywhere.knows("rebound.example")
    assert everywhere.is_own("https://my.domain", "127.0.0.1:7860")  # a proxy that names itself
    assert everywhere.is_own("http://my.domain:80", "127.0.0.1:7860")
    assert everywhere.is_own("http://my.domain:7860", "my.domain:7860")
    for foreign in ("https://my.domain:8443", "http://my.domain:7861", "https://my.domain:80"):
        assert not everywhere.is_own(foreign, "my.domain:7860"), foreign  # another server of that host
    told = hosts(hosts="my.domain:8443 https://only.example")
    assert told.is_own("https://my.domain:8443", "127.0.0.1:7860")
    assert not told.is_own("https://my.domain", "127.0.0.1:7860")
    assert not told.is_own("http://only.example", "127.0.0.1:7860")
    assert told.is_own("https://only.example", "127.0.0.1:7860") and told.knows("only.example")
    assert everywhere.is_own("https://192.168.1.5", "192.168.1.5")
    assert not everywhere.is_own("https://third.example", "my.domain")
    here.add("https://abc.gradio.live")
    assert here.knows("abc.gradio.live") and here.is_own("https://abc.gradio.live", "abc.gradio.live")
    monkeypatch.setenv("SPACE_ID", "me/demo")
    space = hosts()
    assert space.knows("me-demo.hf.space") and space.is_own("https://me-demo.hf.space", "10.1.2.3:7860")
    assert not space.knows("other.hf.space")
    may_frame = headers_of_responses(space)["content-security-policy"].partition(";")[0]
    assert may_frame == "frame-ancestors 'self' https://huggingface.co"  # and no other Space within that


@pytest.mark.parametrize(
    ("told", "root", "address"),
    [
        ("", "", "http://127.0.0.1:7860/"),
        ("my.domain, other.example", "", "https://my.domain/"),
        ("http://my.domain:8080", "", "http://my.domain:8080/"),
        ("my.domain", "/below", "https://my.domain/below/"),
        ("my.domain/below/", "/below", "https://my.domain/below/"),
        ("my.domain", "https://whole.example/x", "https://whole.example/x/"),
    ],
)
def test_people_reach_the_page_by_the_first_name_that_it_was_told(
    told: str, root: str, address: str, tmp_path: Path
) -> None:
    hosts = Hosts(load_settings({}, workspace=tmp_path, hosts=told))
    assert hosts.for_people("http://127.0.0.1:7860/", root) == address
