"""A session begins at a sign-in and ends at a sign-out, wherever its cookie was copied to."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from mmdemo.errors import StorageError
from mmdemo.service.app import App
from mmdemo.ui.access.gate import Gate
from mmdemo.ui.access.hosts import Hosts
from tests.ui.conftest import gated
from tests.ui.test_who_is_asking import STATUS, role_of, sign_in

Make = Callable[..., App]
PICTURE = "assets/photos/chelsea.jpg"


@pytest.fixture
def shared(make_app: Make) -> App:
    """A workspace that others can reach."""
    return make_app("shared", server_name="0.0.0.0", samples=False)


def cookie_of(client: TestClient) -> str:
    (value,) = client.cookies.values()
    return str(value)


def id_of(app: App, client: TestClient) -> str:
    session = app.access.session(cookie_of(client))
    assert session is not None
    return session.id


def with_cookie_of(app: App, client: TestClient) -> TestClient:
    """Somebody who copied the cookie of a browser."""
    other = gated(app)
    (name,) = client.cookies.keys()
    other.cookies.set(name, cookie_of(client))
    return other


def invited(app: App, role: Any = "annotator", name: str = "Anna", uses: int = 9) -> str:
    return app.access.grant("invitation", role, name, 1, uses)[1]


def brought(app: App, client: TestClient) -> str:
    """A picture that somebody brings to look at; its id."""
    from mmdemo.settings import ASSETS

    data = (ASSETS / "photos" / "chelsea.jpg").read_bytes()
    answer = client.post("/mmdemo/upload?name=cat.jpg", content=data)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["item"])


def sees(client: TestClient, item: str) -> bool:
    return client.get(f"/mmdemo/media/{item}").status_code == 200


def test_signing_in_and_out_give_a_session_that_nobody_could_know_before(shared: App) -> None:
    client = gated(shared)
    role_of(client)
    ids = [id_of(shared, client)]
    planted = with_cookie_of(shared, client)
    for step in (lambda: sign_in(client, invited(shared)), lambda: client.post("/mmdemo/sign-out", json={})):
        assert step().status_code == 200
        ids.append(id_of(shared, client))
    assert len(set(ids)) == 3
    assert role_of(planted) == "viewer"


def test_a_copied_cookie_ends_with_the_sign_out_also_after_a_restart(shared: App, make_app: Make) -> None:
    client = gated(shared)
    sign_in(client, invited(shared))
    copies = [with_cookie_of(shared, client) for _ in range(3)]
    assert role_of(copies[0]) == "annotator"
    client.post("/mmdemo/sign-out", json={})
    assert role_of(copies[1]) == "viewer"
    again = make_app("shared", server_name="0.0.0.0", samples=False)
    assert role_of(with_cookie_of(again, copies[2])) == "viewer"


def test_signing_in_as_another_ends_the_session_of_before(shared: App) -> None:
    client = gated(shared)
    sign_in(client, invited(shared))
    copy = with_cookie_of(shared, client)
    sign_in(client, invited(shared, "trainer", "Bob"))
    assert role_of(client) == "trainer" and role_of(copy) == "viewer"


def test_a_session_outlives_a_restart_and_ends_everywhere_when_its_grant_is_revoked(
    shared: App, make_app: Make
) -> None:
    one, other = gated(shared), gated(shared)
    key = invited(shared)
    for client in (one, other):
        sign_in(client, key)
    again = make_app("shared", server_name="0.0.0.0", samples=False)
    assert role_of(with_cookie_of(again, one)) == "annotator"
    again.access.revoke(1)
    assert not again.ws.sessions.listed()
    assert [role_of(with_cookie_of(again, client)) for client in (one, other)] == ["viewer"] * 2


def test_what_a_visitor_brought_stays_theirs_when_they_sign_in_and_is_no_one_else_s(shared: App) -> None:
    client = gated(shared)
    role_of(client)
    planted = with_cookie_of(shared, client)
    item = brought(shared, client)
    assert sees(client, item) and sees(planted, item)
    key = invited(shared)
    sign_in(client, key)
    assert sees(client, item) and not sees(planted, item)
    sign_in(client, invited(shared, "trainer", "Bob"))
    assert not sees(client, item)  # another person at the same browser


def test_files_that_wait_for_a_call_follow_who_signs_in(shared: App) -> None:
    from mmdemo.asker import Asker
    from mmdemo.ui.waiting_files import WAITING

    client = gated(shared)
    role_of(client)
    before = id_of(shared, client)
    (name,) = client.post("/gradio_api/upload", files={"files": ("a.txt", b"words")}).json()
    sign_in(client, invited(shared))
    assert WAITING.path(name, Asker(session=id_of(shared, client))) is not None
    assert WAITING.path(name, Asker(session=before)) is None


@pytest.mark.parametrize("role", ["owner", "annotator"])
@pytest.mark.parametrize("step", ["sessions.add_in", "scratch.hand_over_in"])
def test_a_sign_in_that_cannot_be_kept_uses_up_no_key_and_changes_nothing(
    shared: App, monkeypatch: pytest.MonkeyPatch, role: str, step: str
) -> None:
    def full(*_given: Any) -> None:
        raise StorageError("The disk is full.", "Free some space.")

    key = shared.access.owner_key() if role == "owner" else invited(shared, uses=1)
    client = gated(shared)
    role_of(client)
    with monkeypatch.context() as patched:
        part, name = step.split(".")
        patched.setattr(getattr(shared.ws, part), name, full)
        assert sign_in(client, key).status_code == 507
    assert role_of(client) == "viewer" and not shared.ws.sessions.listed()
    assert sign_in(client, key).status_code == 200 and role_of(client) == role


def test_a_sign_out_that_the_database_does_not_hear_says_so(
    shared: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(mark: str) -> None:
        raise StorageError("The database is away.", "Try again.")

    client = gated(shared)
    sign_in(client, invited(shared))
    monkeypatch.setattr(shared.ws.sessions, "end", away)
    assert client.post("/mmdemo/sign-out", json={}).status_code == 507
    assert client.post(STATUS, json={}).json()["you"]["name"].startswith("Anna")


def test_the_owner_sees_who_is_let_in_and_takes_each_back(shared: App) -> None:
    owner, anna, bob = gated(shared), gated(shared), gated(shared)
    sign_in(owner, shared.access.owner_key())
    keys = [invited(shared, "annotator", name) for name in ("Anna", "Bob")]
    _, token = shared.access.grant("token", "trainer", "Robot", 1, None)
    for client, key in zip((anna, bob), keys, strict=True):
        sign_in(client, key)
    assert role_of(gated(shared), headers={"Authorization": f"Bearer {token}"}) == "trainer"

    def listed(what: str) -> list[dict[str, Any]]:
        return list(owner.post(f"/mmdemo/api/{what}", json={}).json()[what])

    rows = {row["name"]: row for row in listed("sessions")}
    assert [(rows[n]["role"], rows[n]["own"]) for n in ("", "Anna 1")] == [
        ("owner", True),
        ("annotator", False),
    ]
    assert rows["Anna 1"]["by"] == "invitation 1" and rows[""]["by"] == "the link of the start"
    assert all(row[when] for row in rows.values() for when in ("made", "last_used", "expires"))
    assert all(grant["made"] and grant["last_used"] for grant in listed("grants"))
    told = str(listed("sessions")) + str(listed("grants"))
    for client in (owner, anna):
        assert id_of(shared, client) not in told and cookie_of(client) not in told
    assert anna.post("/mmdemo/api/sessions", json={}).status_code == 401
    ended = owner.post("/mmdemo/api/end_session", json={"session": rows["Anna 1"]["id"]})
    assert ended.status_code == 200 and role_of(anna) == "viewer" and role_of(bob) == "annotator"
    assert owner.post("/mmdemo/api/end_session", json={"session": rows["Anna 1"]["id"]}).status_code == 400


def test_a_cookie_header_is_read_in_a_time_that_grows_with_its_length_alone(shared: App) -> None:
    client, begun_s = gated(shared), time.process_time()
    cookie = {"Cookie": 'a="' + "\\" * 60_000 + '"'}
    assert client.post("/mmdemo/api/label_counts", json={}, headers=cookie).status_code == 200
    assert time.process_time() - begun_s < 5  # unquoted, as Python does it, it takes 20 s


def test_what_stands_behind_the_gate_sees_no_cookie_and_no_name_of_the_page_that_somebody_invents(
    shared: App,
) -> None:
    seen: dict[bytes, bytes] = {}

    async def behind(scope: Scope, receive: Receive, send: Send) -> None:
        seen.clear()
        seen.update(scope["headers"])
        await Response()(scope, receive, send)

    client = TestClient(Gate(behind, shared, Hosts(shared.settings)), base_url="http://127.0.0.1:7860")
    names = {b"cookie", b"x-forwarded-host", b"x-forwarded-proto", b"x-gradio-server"}
    for host in (
        "a" * 256,
        "evil.example",
        "localhost:4321",
        "127.0.0.1:99999",
        "localhost/x",
        "http://localhost",
        "\xe4",
        "",
    ):
        invented = {"X-Forwarded-Host": host.encode("latin-1"), "X-Gradio-Server": b"http://localhost/1"}
        headers = [("Cookie", b"a=b"), ("X-Own", b"1"), ("X-Forwarded-Proto", b"a"), *invented.items()]
        assert client.get("/mmdemo/media/x", headers=headers).status_code == 200
        assert b"x-own" in seen and not names & set(seen)
    told = {"X-Forwarded-Host": "LocalHost, evil.example", "X-Forwarded-Proto": "HTTPS, x"}
    assert client.get("/mmdemo/media/x", headers=told).status_code == 200
    assert seen[b"x-forwarded-host"] == b"localhost" and seen[b"x-forwarded-proto"] == b"https"
