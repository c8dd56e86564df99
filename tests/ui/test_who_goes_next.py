"""Visitors keep nobody waiting who works here: whatever they ask, and by whatever way in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from mmdemo.asker import current
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from tests.ui.conftest import agent
from tests.waiting import wait_for

TIMEOUT_S = 60
ASKED = {"query": "a cup of coffee", "k": 1}
Visit = Callable[[], httpx.Client]


@pytest.fixture
def held(
    served: tuple[App, Any, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[threading.Semaphore, list[str]]]:
    """Searches of visitors take as long as the test wants; and who of them has begun."""
    go, begun, media = threading.Semaphore(0), list[str](), served[0].media
    found = media.search(Query(text="coffee", k=1), "image-text")

    def slow(query: Any, task: Any, version: str = "") -> Any:
        if not current().may("annotator"):
            begun.append(current().session)
            assert go.acquire(timeout=TIMEOUT_S)
        return found

    monkeypatch.setattr(media, "search", slow)
    yield go, begun
    go.release(1000)


@pytest.fixture
def visit(served: tuple[App, Any, str]) -> Iterator[Visit]:
    """Makes another visitor, who comes by a proxy."""
    clients: list[httpx.Client] = []

    def one() -> httpx.Client:
        headers = {"x-forwarded-for": "10.0.0.1"}
        # Certificates, which nothing here looks at, would take 30 ms to read for each.
        clients.append(httpx.Client(base_url=served[2], headers=headers, timeout=TIMEOUT_S, verify=False))
        clients[-1].get("")  # whose session comes back
        return clients[-1]

    yield one
    for client in clients:
        client.close()


def search(client: httpx.Client) -> httpx.Response:
    return client.post("mmdemo/api/search", json=ASKED)


def queued(client: httpx.Client) -> Callable[[], str]:
    """Ask by Gradio's queue; returns what fetches the answer."""
    number = client.post("gradio_api/call/search", json={"data": ["a cup of coffee"]}).json()["event_id"]
    return lambda: client.get(f"gradio_api/call/search/{number}").text


def test_forty_visitors_who_search_keep_nobody_waiting_who_works_here_by_no_way_in(
    served: tuple[App, Any, str],
    held: tuple[threading.Semaphore, list[str]],
    visit: Visit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, _, address = served
    (go, begun), places = held, app.lanes.models.places
    monkeypatch.setattr(places, "most_waiting", 400)
    _, token = app.access.grant("token", "annotator", "Ann", 1, None)
    with httpx.Client(base_url=address, timeout=TIMEOUT_S) as owner, ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(search, client) for client in (visit() for _ in range(40))]
        last = visit()
        fetches = [queued(last) for _ in range(45)]  # Gradio itself would begin 40
        wait_for(lambda: places.waiting == 82)
        assert search(owner).status_code == 200
        bearer = {"Authorization": f"Bearer {token}"}
        assert owner.post("mmdemo/api/search", json=ASKED, headers=bearer).status_code == 200
        assert owner.post("gradio_api/run/search", json={"data": ["coffee"]}).status_code == 200
        assert "event: complete" in queued(owner)()
        _, told = agent(address, "search", {"query": "coffee"}, token)
        assert not told.isError
        assert len(begun) == 3 and places.waiting == 82
        go.release(85)
        assert {one.result(TIMEOUT_S).status_code for one in asked} == {200}
        assert all("event: complete" in fetch() for fetch in fetches)
    assert (places.held, places.waiting) == (0, 0)


def test_visitors_over_their_share_of_the_room_are_told_when_to_come_back_and_the_owner_is_answered(
    served: tuple[App, Any, str],
    held: tuple[threading.Semaphore, list[str]],
    visit: Visit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app, _, address = served
    (go, _), places = held, app.lanes.models.places
    monkeypatch.setattr(places, "most_waiting", 10)
    with httpx.Client(base_url=address, timeout=TIMEOUT_S) as owner, ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(search, client) for client in (visit() for _ in range(8))]
        wait_for(lambda: (places.held, places.waiting) == (3, 5))
        another = visit()
        refused = search(another)
        assert refused.status_code == 503 and refused.headers["retry-after"]
        refused = another.post("gradio_api/run/search", json={"data": ["coffee"]})
        assert refused.status_code == 503 and refused.headers["retry-after"]
        assert "This page is busy" in queued(another)()
        assert search(owner).status_code == 200
        go.release(8)
        assert {one.result(TIMEOUT_S).status_code for one in asked} == {200}


def test_a_visitor_with_one_search_waits_for_one_of_another_who_has_thirty(
    served: tuple[App, Any, str], held: tuple[threading.Semaphore, list[str]], visit: Visit
) -> None:
    app, _, _ = served
    (go, begun), places = held, app.lanes.models.places
    greedy, single = visit(), visit()
    with ThreadPoolExecutor(31) as pool:
        asked = [pool.submit(search, greedy) for _ in range(30)]
        wait_for(lambda: places.waiting == 27)
        answer = pool.submit(search, single)
        wait_for(lambda: places.waiting == 28)
        go.release()
        wait_for(lambda: len(begun) == 4)
        assert begun[3] not in begun[:3]
        go.release(30)
        assert {one.result(TIMEOUT_S).status_code for one in [*asked, answer]} == {200}


def test_visitors_who_use_up_what_their_network_may_ask_leave_it_to_who_works_there(
    served: tuple[App, Any, str], visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _, address = served
    _, token = app.access.grant("token", "annotator", "", 1, None)
    visitor, status = visit(), "mmdemo/api/status"
    bearer = {"Authorization": f"Bearer {token}", "x-forwarded-for": "10.0.0.1"}
    with httpx.Client(base_url=address, timeout=TIMEOUT_S, headers=bearer) as annotator:
        assert annotator.post(status, json={}).json()["you"]["role"] == "annotator"
        monkeypatch.setattr("mmdemo.ui.access.gate.OF_AN_ADDRESS", 3)
        answers = [visitor.post(status, json={}).status_code for _ in range(7)]
        assert answers[0] == 200 and answers[-1] == 429
        assert annotator.post(status, json={}).status_code == 200
