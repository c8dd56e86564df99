"""Who is asking, by which key, and what that lets them do: on every surface, as each role."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from http.cookies import SimpleCookie
from typing import Any

import pytest
from starlette.testclient import TestClient

from mmdemo.asker import Asker
from mmdemo.errors import StorageError
from mmdemo.service.app import App
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.store.labels import NewLabel
from mmdemo.store.tables import Grant
from mmdemo.ui.access.askers import Askers
from mmdemo.ui.access.limits import Rates
from mmdemo.ui.access.sessions import Cookies
from tests.ui.conftest import awaited, gated

Make = Callable[..., App]
STATUS = "/mmdemo/api/status"


@pytest.fixture
def shared(make_app: Make) -> App:
    """A workspace that others can reach."""
    return make_app("shared", server_name="0.0.0.0", samples=False)


def role_of(client: TestClient, **more: Any) -> str:
    answer = client.post(STATUS, json={}, **more)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["you"]["role"])


def sign_in(client: TestClient, key: str) -> Any:
    return client.post("/mmdemo/sign-in", json={"key": key})


def holds(app: App, signed: str) -> bool:
    """Whether somebody is let in by a session."""
    session = app.access.session(signed)
    return session is not None and app.access.holds(session.who.by)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


# Who one is


def test_at_this_machine_alone_whoever_asks_is_the_owner(make_app: Make) -> None:
    client = gated(make_app("here", samples=False))
    assert role_of(client) == "owner"
    said = (
        "X-Forwarded-For X-Forwarded-Host Forwarded X-Real-IP Via X-Forwarded-Proto CF-Connecting-IP CDN-Loop"
    )
    for header in said.split():  # a proxy lets others in
        assert role_of(client, headers={header: "10.0.0.1"}) == "viewer", header


@pytest.mark.parametrize("flags", [{"server_name": "0.0.0.0"}, {"share": True}, {"hosts": "my.example"}, {}])
def test_as_soon_as_others_can_reach_it_everybody_is_a_viewer(
    make_app: Make, monkeypatch: pytest.MonkeyPatch, flags: dict[str, Any]
) -> None:
    if not flags:
        monkeypatch.setenv("SPACE_ID", "me/demo")
    client = gated(make_app("there", samples=False, **flags))
    assert role_of(client) == "viewer"
    for name, operation in OPERATIONS.items():
        if operation.role != "viewer" and "page" in operation.surfaces:
            assert client.post(f"/mmdemo/api/{name}", json={}).status_code == 401, name


def test_a_request_that_brings_no_session_is_known_by_its_network(shared: App) -> None:
    cookies = Cookies(shared.access, False)
    askers = Askers(shared.access, shared.settings, cookies, shared.lanes)
    scope = {"client": ("192.0.2.1", 1)}
    first, second = (awaited(askers.visit(scope, {})) for _ in range(2))
    assert first.asker.session != second.asker.session
    assert first.asker.network == second.asker.network == "192.0.2.1"
    cookie = cookies.header(first.session, first.who, False).partition(";")[0]
    again = awaited(askers.visit(scope, {"cookie": cookie})).asker
    assert (again.session, again.network) == (first.session, "")


def test_the_owner_s_key_opens_once(shared: App) -> None:
    key, client, other = shared.access.owner_key(), gated(shared), gated(shared)
    told = sign_in(client, key).json()
    assert told == {"role": "owner", "name": "", "person": Asker().person}
    assert role_of(client) == "owner" and role_of(other) == "viewer"
    assert sign_in(other, key).status_code == 401 and role_of(other) == "viewer"
    assert shared.access.owner_key() != key
    assert client.post("/mmdemo/sign-out", json={}).json()["role"] == "viewer" and role_of(client) == "viewer"


def test_an_invitation_lets_so_many_in_as_what_it_says_until_it_is_revoked(shared: App) -> None:
    owner = gated(shared)
    sign_in(owner, shared.access.owner_key())
    made = owner.post("/mmdemo/api/invite", json={"role": "annotator", "name": "Anna", "uses": 2}).json()
    assert [made["link"], made["workspace"]] == [f"?view=label#sign-in={made['key']}", ""] and made["note"]
    people = [gated(shared) for _ in range(3)]
    answers = [sign_in(person, made["key"]) for person in people]
    assert [answer.status_code for answer in answers] == [200, 200, 401]
    assert [answer.json().get("name") for answer in answers[:2]] == ["Anna 1", "Anna 2"]
    assert [role_of(person) for person in people] == ["annotator", "annotator", "viewer"]
    assert people[0].post("/mmdemo/api/invite", json={}).status_code == 401
    (listed,) = owner.post("/mmdemo/api/grants", json={}).json()["grants"]
    assert (listed["state"], listed["used"], listed["uses_left"]) == ("used", 2, 0)
    assert made["key"] not in json.dumps(listed)
    owner.post("/mmdemo/api/revoke", json={"grant": made["id"]})
    assert [role_of(person) for person in people] == ["viewer"] * 3
    assert owner.post("/mmdemo/api/revoke", json={"grant": 99}).status_code == 400


def test_keys_are_not_kept_in_the_database_and_are_over_in_time(
    shared: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    grant, key = shared.access.grant("invitation", "trainer", "", 1, 1)
    database = (shared.settings.workspace / "mmdemo.sqlite3").read_bytes()
    wal = (shared.settings.workspace / "mmdemo.sqlite3-wal").read_bytes()
    assert key.encode() not in database + wal and grant.digest.encode() in database + wal
    monkeypatch.setattr("mmdemo.store.grants.now", lambda: grant.expires_at)
    assert sign_in(gated(shared), key).status_code == 401


def test_a_key_of_another_workspace_opens_nothing_even_with_its_database(make_app: Make, shared: App) -> None:
    """So a backup brings nobody in, whoever made it."""
    other = make_app("other", server_name="0.0.0.0", samples=False)
    grant, key = other.access.grant("invitation", "owner", "", 1, None)
    columns = ("kind", "role", "name", "digest", "uses_left", "expires_at")
    shared.ws.grants.add(type(grant)(**{name: getattr(grant, name) for name in columns}))
    assert sign_in(gated(shared), key).status_code == 401
    signed = other.access.text_of("x", other.access.by_phrase())
    assert not holds(shared, signed)


def test_a_token_is_a_script_s_key_and_signs_nobody_in(shared: App) -> None:
    _, token = shared.access.grant("token", "annotator", "Robot", 1, None)
    client = gated(shared)
    assert role_of(client, headers=bearer(token)) == "annotator"
    assert role_of(client) == "viewer"
    assert sign_in(client, token).status_code == 401
    _, invitation = shared.access.grant("invitation", "annotator", "", 1, 1)
    assert client.post(STATUS, json={}, headers=bearer(invitation)).status_code == 401
    assert role_of(client, headers={"Authorization": "Bearer hf_somebodys"}) == "viewer"  # the Hub's


def test_the_pass_phrase_is_the_owner_s_key_in_the_header_and_in_the_dialog(make_app: Make) -> None:
    client = gated(make_app("closed", passphrase="öffne dich", samples=False))
    assert role_of(client) == "viewer"
    assert role_of(client, headers={"x-mmdemo-passphrase": "%C3%B6ffne%20dich"}) == "owner"
    assert role_of(client) == "viewer"
    assert sign_in(client, "öffne dich").status_code == 200 and role_of(client) == "owner"
    for key in ("", None, 5, [], "x" * 2000):
        assert sign_in(client, key).status_code == 400  # type: ignore[arg-type]


def test_another_pass_phrase_ends_the_sessions_of_the_one_before(make_app: Make) -> None:
    before = make_app("changed", passphrase="one", samples=False)
    signed = before.access.text_of("x", before.access.by_phrase())
    assert holds(before, signed)
    for phrase in ("two", ""):
        assert not holds(make_app("changed", passphrase=phrase, samples=False), signed)


def test_a_session_does_not_hold_by_a_grant_that_got_the_number_of_its_own(shared: App) -> None:
    """As after a restore, which brings back the rows of before, or another workspace's."""
    grant, key = shared.access.grant("invitation", "trainer", "Bob", 1, 1)
    client = gated(shared)
    assert sign_in(client, key).json()["role"] == "trainer"
    with shared.ws.grants._database.write() as session:
        session.get_one(Grant, grant.id).digest = shared.access.digest("Anna's")
    assert role_of(client) == "viewer"


def test_whoever_did_not_come_as_the_owner_of_this_machine_can_sign_in_and_out(make_app: Make) -> None:
    app = make_app("mine", samples=False)

    def alone(client: TestClient, **more: Any) -> bool:
        return bool(client.post(STATUS, json={}, **more).json()["you"]["alone"])

    client = gated(app)
    assert alone(client) and not alone(client, headers={"X-Forwarded-For": "10.0.0.1"})
    assert sign_in(client, app.access.grant("invitation", "annotator", "", 1, 1)[1]).status_code == 200
    assert role_of(client) == "annotator" and not alone(client)
    client.post("/mmdemo/sign-out", json={})
    assert role_of(client) == "owner" and alone(client)


def test_an_invited_owner_behind_a_proxy_neither_learns_nor_names_paths(make_app: Make) -> None:
    app = make_app("mine", samples=False)
    client = gated(app, headers={"X-Forwarded-For": "10.0.0.1"})
    sign_in(client, app.access.grant("invitation", "owner", "", 1, 1)[1])
    assert role_of(client) == "owner"
    folder = app.settings.workspace
    told = [client.post(f"/mmdemo/api/{name}", json={}) for name in ("status", "data")]
    assert str(folder) not in "".join(answer.text for answer in told) and not told[1].json()["paths"]
    named = client.post("/mmdemo/api/import_preview", json={"source": str(folder)})
    assert named.status_code == 400 and "cannot be named from outside" in named.json()["error"]
    assert str(folder) in gated(app).post("/mmdemo/api/data", json={}).text


# Sessions


def test_a_session_cannot_be_read_by_scripts_nor_sent_by_other_sites(
    make_app: Make, monkeypatch: pytest.MonkeyPatch, shared: App
) -> None:
    answer = gated(shared).post(STATUS, json={})
    (kept,) = SimpleCookie(answer.headers["set-cookie"]).values()
    assert kept["httponly"] and kept["samesite"] == "Lax" and kept["path"] == "/" and not kept["secure"]
    https = gated(shared).post(STATUS, json={}, headers={"Origin": "https://127.0.0.1:7860"})
    assert "; Secure" in https.headers["set-cookie"]
    monkeypatch.setenv("SPACE_ID", "me/demo")
    space = gated(make_app("space", samples=False)).post(STATUS, json={}).headers["set-cookie"]
    assert "HttpOnly; SameSite=None; Secure; Partitioned" in space


def test_a_session_is_given_once_and_with_nothing_that_caches_keep(shared: App) -> None:
    client = gated(shared)
    for path in ("/mmdemo/media/x", "/static/x", "/favicon.ico"):
        assert "set-cookie" not in client.get(path).headers
    assert "set-cookie" in client.post(STATUS, json={}).headers
    assert "set-cookie" not in client.post(STATUS, json={}).headers
    assert gated(shared).get("/").headers["cache-control"] == "private, no-cache"


def test_the_workspace_s_secret_is_its_owner_s_alone_and_no_part_of_a_backup(
    shared: App, tmp_path: Any
) -> None:
    import zipfile

    shared.access.owner_key()
    path = shared.settings.workspace / "access.key"
    assert path.stat().st_mode & 0o777 == 0o600 and len(path.read_bytes()) == 32
    archive = shared.data.back_up(tmp_path / "backup.zip")
    assert not [name for name in zipfile.ZipFile(archive).namelist() if "access" in name]


# Guessing and flooding


def test_wrong_keys_are_slow_after_five_and_told_in_the_log(
    make_app: Make, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app("guessed", passphrase="right", samples=False)
    ways: list[Callable[[TestClient, str], Any]] = [
        sign_in,
        lambda client, key: client.post(STATUS, json={}, headers={"x-mmdemo-passphrase": key}),
        lambda client, key: client.get("/mmdemo/media/x", headers={"x-mmdemo-passphrase": key}),
        lambda client, key: client.post(STATUS, json={}, headers=bearer(f"mmd_{key}")),
    ]
    for way in ways:
        client = gated(app)
        with caplog.at_level(logging.WARNING):
            caplog.clear()
            assert [way(client, f"wrong {i}").status_code for i in range(5)] == [401] * 5
            assert sum("A wrong key came from testclient." in r.getMessage() for r in caplog.records) == 5
        refused = way(client, "right")  # nobody learns whether it was
        assert refused.status_code == 429 and refused.headers["retry-after"] in ("2", "3")
        assert sign_in(gated(app), "right").status_code == 200  # the other client has a gate of its own


def test_wrong_keys_of_others_at_one_s_address_stop_no_token(shared: App) -> None:
    """Behind a share link or a proxy all have one address."""
    _, token = shared.access.grant("token", "annotator", "", 1, None)
    client = gated(shared)
    wrong = [client.post(STATUS, json={}, headers=bearer(f"mmd_{i}")).status_code for i in range(7)]
    assert wrong == [401] * 5 + [429] * 2
    assert role_of(client, headers=bearer(token)) == "annotator"
    assert sign_in(client, token).status_code == 429  # what is typed waits


def test_tokens_that_are_made_up_count_against_their_network(
    shared: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is looked up in the database, where those of others who are signed in are looked up too."""
    monkeypatch.setattr("mmdemo.ui.access.gate.OF_AN_ADDRESS", 3)
    client, looked_up = gated(shared), list[str]()
    by_token = shared.access.by_token
    monkeypatch.setattr(shared.access, "by_token", lambda token: looked_up.append(token) or by_token(token))
    for i in range(6):
        client.post(STATUS, json={}, headers=bearer(f"mmd_{i}"))
    assert len(looked_up) == 3


def test_a_rate_is_so_many_a_minute_of_each() -> None:
    clock = [0.0]
    rates = Rates(lambda: clock[0])
    assert [rates.wait_s("a", 60) for _ in range(61)] == [0.0] * 60 + [1.0]
    assert rates.wait_s("b", 60) == 0
    clock[0] += 1.0
    assert rates.wait_s("a", 60) == 0 and rates.wait_s("a", 60) == 1.0


def test_too_many_requests_are_refused_with_the_time_to_wait_but_not_at_this_machine(
    make_app: Make, shared: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdemo.ui.access.gate.OF_A_PERSON", 3)
    client = gated(shared)
    client.post(STATUS, json={})
    answers = [client.post(STATUS, json={}) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1 and "Too many requests" in answers[-1].json()["error"]
    assert client.get("/mmdemo/media/x").status_code == 404  # what is looked at is not counted
    here = gated(make_app("here", samples=False))
    assert {here.post(STATUS, json={}).status_code for _ in range(8)} == {200}


# What nobody but the owner is told


def test_the_page_tells_no_path_of_the_server_to_anybody_but_the_owner(make_app: Make, shared: App) -> None:
    folder = str(shared.settings.workspace)
    client = gated(shared)
    for name in ("status", "data"):
        assert folder not in client.post(f"/mmdemo/api/{name}", json={}).text
    here = make_app("phrase", passphrase="x", samples=False)
    for name in ("status", "data"):
        assert str(here.settings.workspace) not in gated(here).post(f"/mmdemo/api/{name}", json={}).text
        told = gated(here).post(f"/mmdemo/api/{name}", json={}, headers={"x-mmdemo-passphrase": "x"}).text
        assert str(here.settings.workspace) in told


def test_a_refusal_tells_no_folder_of_the_server_to_anybody_but_the_owner(
    shared: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = shared.settings.workspace / "media"

    def full(app: App, request: Any) -> None:
        raise StorageError(f"{place}/x could not be written: no space is left.", f"Free some of {place}.")

    monkeypatch.setitem(OPERATIONS._entries, "status", replace(OPERATIONS.get("status"), run=full))
    client = gated(shared)
    told = client.post(STATUS, json={}).json()
    assert told["error"] == "the workspace/media/x could not be written: no space is left."
    assert str(shared.settings.workspace) not in json.dumps(told)
    _, token = shared.access.grant("token", "owner", "", 1, None)
    assert str(place) in client.post(STATUS, json={}, headers=bearer(token)).json()["error"]


def test_labels_bear_the_name_of_who_signed_in_whatever_the_browser_says(make_app: Make) -> None:
    app = make_app("named", server_name="0.0.0.0")
    _, key = app.access.grant("invitation", "annotator", "Anna", 1, 1)
    client = gated(app)
    sign_in(client, key)
    pair = app.ws.pairs.browse("image-text", limit=1)[0].id
    body = {"pair": pair, "verdict": "match", "annotator": "Somebody Else", "key": "k"}
    assert client.post("/mmdemo/api/label", json=body).status_code == 200
    assert app.ws.pairs.browse("image-text", limit=1)[0].annotator == "Anna"


def test_who_labelled_is_told_whoever_may_label_and_no_stranger(make_app: Make) -> None:
    app = make_app("told", server_name="0.0.0.0", passphrase="right")
    pair = app.ws.pairs.browse("image-text", state="waiting", limit=1)[0]
    app.ws.labels.add(pair.id, NewLabel("match", annotator="Anna"))
    said = []
    for headers in ({}, {"x-mmdemo-passphrase": "right"}):
        answer = gated(app).post("/mmdemo/api/pairs", json={"state": "match"}, headers=headers)
        said.append({row["annotator"] for row in answer.json()["pairs"]})
    assert "Anna" in said[1] and said[0] == {""}


def test_what_was_made_as_another_is_not_taken_as_one_s_own(make_app: Make) -> None:
    app = make_app("made", server_name="0.0.0.0")
    client = gated(app)
    anna = sign_in(client, app.access.grant("invitation", "annotator", "Anna", 1, 1)[1]).json()["person"]
    client.post("/mmdemo/sign-out", json={})
    pair = app.ws.pairs.browse("image-text", state="unlabelled", limit=1)[0].id

    def sent(by: str) -> int:
        body = {"pair": pair, "verdict": "match", "key": "k"}
        return client.post("/mmdemo/api/label", json=body, headers={"X-Mmdemo-As": by}).status_code

    assert sent(anna) == 401
    bob = sign_in(client, app.access.grant("invitation", "annotator", "", 1, 1)[1]).json()["person"]
    assert bob != anna and sent(anna) == 409 and app.ws.pairs.get(pair).verdict is None
    assert sent(bob) == 200
    again = sign_in(gated(app), app.access.grant("invitation", "annotator", "Anna", 1, 1)[1]).json()
    assert again["person"] == anna  # whatever the invitation


def test_a_key_with_half_a_character_is_a_wrong_one(shared: App) -> None:
    client = gated(shared)
    for key in ('"\\ud800abc"', '"mmd_\\ud800"'):
        answer = client.post(
            "/mmdemo/sign-in", content=f'{{"key": {key}}}', headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 401, answer.text
