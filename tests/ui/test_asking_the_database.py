"""Whom a key or a session is of is asked of the database, which may be slow or away: nobody else waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest
from sqlalchemy.orm import Session

from mmdemo.errors import UnavailableError
from mmdemo.service.app import App
from mmdemo.service.recent import Recent
from tests.ui.conftest import awaited, gated
from tests.ui.test_who_is_asking import STATUS, bearer, role_of, sign_in


@pytest.fixture
def shared(make_app: Callable[..., App]) -> App:
    """A workspace that others can reach."""
    return make_app("shared", server_name="0.0.0.0", samples=False)


class AskedDatabase:
    """In the place of the database of grants: counts what is asked; waits and fails where it is told to."""

    def __init__(self, app: App) -> None:
        self._database = app.ws.grants._database
        self.reads = 0
        self.fails = False
        self.goes_on = threading.Event()
        self.goes_on.set()
        app.ws.grants._database = self  # type: ignore[assignment]

    @contextmanager
    def read(self) -> Iterator[Session]:
        self.reads += 1
        assert self.goes_on.wait(5), "nothing else was answered meanwhile"
        if self.fails:
            raise UnavailableError("The database does not answer.", "Try again in a while.")
        with self._database.read() as session:
            yield session

    @contextmanager
    def write(self, *, waits: bool = True) -> Iterator[Session]:
        with self._database.write(waits=waits) as session:
            yield session


def test_a_token_is_looked_up_once_in_a_while_and_at_once_after_it_was_revoked(shared: App) -> None:
    grant, token = shared.access.grant("token", "annotator", "", 1, None)
    asked, client = AskedDatabase(shared), gated(shared)
    assert [role_of(client, headers=bearer(token)) for _ in range(3)] == ["annotator"] * 3
    assert asked.reads == 1
    shared.access.revoke(grant.id)
    assert client.post(STATUS, json={}, headers=bearer(token)).status_code == 401


def test_while_the_database_is_waited_for_everybody_else_is_answered(shared: App) -> None:
    _, token = shared.access.grant("token", "annotator", "", 1, None)
    gate, asked = gated(shared).app, AskedDatabase(shared)

    async def both() -> tuple[int, int]:
        transport = httpx.ASGITransport(app=gate)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:7860") as http:
            asked.goes_on.clear()
            script = asyncio.create_task(http.post(STATUS, json={}, headers=bearer(token)))
            while not asked.reads:
                await asyncio.sleep(0)
            other = await http.get("/mmdemo/media/x")
            assert not script.done()
            asked.goes_on.set()
            return other.status_code, (await script).status_code

    assert awaited(both()) == (404, 200)


def test_a_database_that_is_away_is_asked_once_for_all_who_ask_again(shared: App) -> None:
    keys = [shared.access.grant("token", "annotator", "", 1, None)[1] for _ in range(3)]
    signed_in = gated(shared)
    sign_in(signed_in, shared.access.grant("invitation", "annotator", "", 1, 1)[1])
    shared.access.recent = Recent(2.0, clock=lambda: 0.0)  # no time passes meanwhile
    asked = AskedDatabase(shared)
    asked.fails = True
    answers = [gated(shared).post(STATUS, json={}, headers=bearer(key)) for key in (*keys, *keys)]
    answers.append(signed_in.post(STATUS, json={}))
    assert {answer.status_code for answer in answers} == {503} and asked.reads == 1
    assert {answer.json()["error"] for answer in answers} == {"The database does not answer."}


def test_what_was_asked_is_believed_for_a_moment_and_nothing_from_before_a_change() -> None:
    clock = [0.0]
    recent = Recent(2, most=2, clock=lambda: clock[0])
    assert recent.get("a") is None and recent.ask("a", lambda: 1) == 1 and recent.ask("a", lambda: 2) == 1
    clock[0] = 3
    assert recent.get("a") is None and recent.ask("a", lambda: 3) == 3
    assert recent.ask("b", lambda: (recent.forget(), 4)[1]) == 4 and recent.get("b") is None
    for name in "abc":
        recent.ask(name, lambda: 5)
    assert recent.get("a") is None and recent.get("c") is not None  # it keeps two


def test_a_workspace_that_is_gone_tells_nobody_but_its_owner_where_it_was(shared: App) -> None:
    client, folder = gated(shared), shared.ws.folder
    sign_in(client, shared.access.grant("invitation", "annotator", "", 1, 1)[1])
    assert role_of(client) == "annotator"
    away = folder.rename(folder.with_name("elsewhere"))
    body = {"pair": 1, "verdict": "match", "annotator": "Somebody new"}
    answers = [client.post("/mmdemo/api/label", json=body)]
    shared.access.recent.forget()  # now who asks is to be looked up too
    answers.append(client.post("/mmdemo/api/label", json=body))
    away.rename(folder)
    for answer in answers:
        assert answer.status_code >= 400 and "is gone" in answer.text and str(folder) not in answer.text
