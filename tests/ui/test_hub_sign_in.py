"""Signing in with Hugging Face on a Space, over HTTP with a Hugging Face of this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from mmdemo.service.access import Admitted
from mmdemo.service.app import App
from mmdemo.service.let_in_by import HUB
from tests.ui.conftest import gated
from tests.ui.test_who_is_asking import STATUS, holds, role_of

SPACE = "https://me-demo.hf.space"


class HuggingFace:
    """As much of its OpenID provider as signing in needs.

    Args:
        name: who is signed in there.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.codes: dict[str, str] = {}  # with their challenges, each to be asked once
        self.tokens: set[str] = set()
        self.broken = False

    def authorize(self, address: str) -> dict[str, str]:
        """What a browser brings back that was sent to an address of it."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["redirect_uri"] == f"{SPACE}/mmdemo/hub/callback" and asked["client_id"] == "the-space"
        assert asked["code_challenge_method"] == "S256" and "openid" in asked["scope"]
        code = secrets.token_hex(8)
        self.codes[code] = asked["code_challenge"]
        return {"code": code, "state": asked["state"]}

    def answer(self, path: str, headers: dict[str, str], form: dict[str, str]) -> tuple[int, dict[str, str]]:
        """Its two endpoints."""
        if self.broken:
            return 500, {}
        if path == "/oauth/userinfo":
            known = headers.get("authorization", "").removeprefix("Bearer ") in self.tokens
            return (200, {"sub": "1", "preferred_username": self.name}) if known else (401, {})
        challenge = self.codes.pop(form.get("code", ""), "")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        right = base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge
        by = base64.b64decode(headers.get("authorization", "").removeprefix("Basic ")).decode()
        if not right or by != "the-space:its-secret":
            return 400, {"error": "invalid_grant"}
        self.tokens.add(token := secrets.token_hex(8))
        return 200, {"access_token": token}


@pytest.fixture
def hugging_face(monkeypatch: pytest.MonkeyPatch) -> Iterator[HuggingFace]:
    """One that a Space of "Me" is told of."""
    known = HuggingFace("me")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer("")

        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers["Content-Length"])).decode())

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, body: str) -> None:
            form = {name: values[0] for name, values in parse_qs(body).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, told = known.answer(self.path, headers, form)
            data = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "SPACE_ID": "Me/demo",
        "SPACE_HOST": "me-demo.hf.space",
        "SPACE_AUTHOR_NAME": "Me",
        "OAUTH_CLIENT_ID": "the-space",
        "OAUTH_CLIENT_SECRET": "its-secret",
        "OPENID_PROVIDER_URL": f"http://127.0.0.1:{server.server_port}",
    }.items():
        monkeypatch.setenv(name, value)
    yield known
    server.shutdown()
    server.server_close()


def browser(app: App) -> TestClient:
    """A browser at the Space."""
    client = gated(app, follow_redirects=False)
    client.base_url = SPACE  # type: ignore[assignment]
    return client


def went(client: TestClient) -> str:
    """Where a browser is sent to sign in."""
    answer = client.get("/mmdemo/hub/sign-in")
    assert answer.status_code == 303 and "Partitioned" in answer.headers["set-cookie"]
    return answer.headers["location"]


def test_the_owner_of_the_space_is_the_owner_and_others_are_viewers_with_a_name(
    make_app: Callable[..., App], hugging_face: HuggingFace
) -> None:
    app = make_app("space", samples=False)
    for name, role in (("me", "owner"), ("somebody", "viewer"), ("me2", "viewer")):
        hugging_face.name, client = name, browser(app)
        assert role_of(client) == "viewer"
        back = client.get("/mmdemo/hub/callback", params=hugging_face.authorize(went(client)))
        assert (back.status_code, back.headers["location"]) == (303, "/")
        you = client.post(STATUS, json={}).json()["you"]
        assert (you["role"], you["name"], you["hub"]) == (role, name, True)


def test_nobody_is_signed_in_by_what_another_browser_began_or_twice_or_made_up(
    make_app: Callable[..., App], hugging_face: HuggingFace
) -> None:
    app = make_app("space", samples=False)
    client = browser(app)
    other = TestClient(client.app, base_url=SPACE, follow_redirects=False)
    brought = hugging_face.authorize(went(client))
    for params in ({}, {"state": brought["state"]}, {"code": brought["code"]}, brought | {"state": "x"}):
        went(other)
        refused = other.get("/mmdemo/hub/callback", params=params)
        assert refused.status_code == 401 and role_of(other) == "viewer", params
    assert other.get("/mmdemo/hub/callback", params=brought).status_code == 401
    assert client.get("/mmdemo/hub/callback", params=brought).status_code == 401  # it was asked already
    brought = hugging_face.authorize(went(client))
    assert client.get("/mmdemo/hub/callback", params=brought | {"code": "made up"}).status_code == 401
    assert role_of(client) == "viewer"
    hugging_face.broken = True
    brought = hugging_face.authorize(went(client))
    assert client.get("/mmdemo/hub/callback", params=brought).status_code == 401


def test_a_flood_of_sign_ins_from_one_network_pushes_nobody_else_s_out(
    make_app: Callable[..., App], hugging_face: HuggingFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdemo.ui.access.hub_sign_in.MOST_BEGUN", 3)
    client = browser(make_app("space", samples=False))
    brought = hugging_face.authorize(went(client))
    flood = TestClient(client.app, base_url=SPACE, follow_redirects=False, client=("8.8.8.8", 1))
    for _ in range(5):
        went(flood)
    assert client.get("/mmdemo/hub/callback", params=brought).status_code == 303


def test_elsewhere_than_on_such_a_space_there_is_no_sign_in_with_hugging_face(
    make_app: Callable[..., App], hugging_face: HuggingFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app("space", samples=False)
    signed = app.access.text_of("x", Admitted("owner", "me", HUB))
    assert holds(app, signed)
    monkeypatch.delenv("SPACE_ID")
    here = make_app("space", samples=False, server_name="0.0.0.0")
    assert not holds(here, signed)
    assert gated(here).get("/mmdemo/hub/sign-in").status_code == 404
    assert gated(here).post(STATUS, json={}).json()["you"]["hub"] is False
