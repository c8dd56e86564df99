"""Answers of Gradio's queue that nobody fetches go, and what is kept beside each."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.ui import queued_answers
from mmdemo.ui.access.arrivals import Arrivals, Share
from mmdemo.ui.access.gate import ARRIVAL
from tests.ui.conftest import awaited
from tests.waiting import wait_for

Served = tuple[App, Any, str]


@pytest.fixture
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[2], timeout=60) as client:
        client.get("")  # as a browser, whose session comes back
        yield client


def asked(http: httpx.Client, session: str | None = None) -> httpx.Response:
    return http.post("gradio_api/call/label_counts", json={"data": ["image-text"], "session_hash": session})


def fetched(http: httpx.Client, number: str) -> str:
    return http.get(f"gradio_api/call/label_counts/{number}").text


def kept(page: Any) -> tuple[int, ...]:
    """How much a page keeps of calls: messages, sessions, and what is known and was recorded of each."""
    queue = page._queue
    messages = sum(len(found._queue) for found in queue.pending_messages_per_session.values())
    sessions = len(queue.pending_event_ids_session), len(queue.pending_messages_per_session)
    states = len(page.state_holder.session_data)
    return messages, *sessions, len(queue.event_ids_to_events), len(queue.event_analytics), states


def test_a_caller_who_never_fetches_has_so_many_answers_and_loses_the_oldest(
    served: Served, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued_answers, "MOST_OF_ONE", 5)
    page = served[1]
    numbers = []
    for _ in range(20):
        numbers.append(asked(http).json()["event_id"])
        wait_for(lambda: not page._queue.event_ids_to_events)
    assert kept(page)[1] <= 5
    assert "event: complete" in fetched(http, numbers[-1])
    assert "event: complete" not in fetched(http, numbers[0])


def test_where_all_of_ones_calls_are_on_another_is_refused_in_a_sentence(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued_answers, "MOST_OF_ONE", 0)
    refused = asked(http)
    assert refused.status_code == 503
    assert refused.json()["error"] == "Too many of your calls are on. Fetch their answers first."


@pytest.mark.parametrize("session", [None, "one-of-mine"])
def test_calls_leave_nothing_whether_their_answers_are_fetched_or_not(
    served: Served, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, session: str | None
) -> None:
    monkeypatch.setattr(queued_answers, "LOOKED_EVERY_S", 0.05)
    monkeypatch.setattr(queued_answers, "UNFETCHED_S", 0.2)
    monkeypatch.setattr(queued_answers, "FETCHED_S", 0.1)
    page = served[1]
    asked(http)
    wait_for(lambda: kept(page)[:5] == (0, 0, 0, 0, 0))
    before = kept(page)
    numbers = [asked(http, session).json()["event_id"] for _ in range(30)]
    assert kept(page) > before
    if session is None:
        assert "event: complete" in fetched(http, numbers[-1])
    wait_for(lambda: kept(page) == before)


def test_what_a_call_brought_counts_until_it_is_done_and_not_only_until_it_has_its_number() -> None:
    import gradio as gr
    from starlette.requests import Request

    with gr.Blocks() as page:
        pass
    page.queue()

    async def piece() -> dict[str, Any]:
        return {"type": "http.request", "body": b"x" * 700_000, "more_body": False}

    async def taken(**call: Any) -> tuple[bool, str, str]:
        page._queue.event_ids_to_events["1"] = call["body"]
        return True, "1", ""

    async def called() -> list[int]:
        page._queue.push = taken
        answers, counted, held = queued_answers.QueuedAnswers(page), Arrivals(9, 9), []
        with counted.coming(piece, "somebody", "network", Share(2, 9)) as arrival:
            await arrival()
            request = Request({"type": "http", ARRIVAL: arrival})
            await page._queue.push(SimpleNamespace(session_hash="s"), request, None)
            held.append(counted.bytes[""])
        held.append(counted.bytes[""])
        del page._queue.event_ids_to_events["1"]
        for _ in range(2):
            answers._forget_old()
        return [*held, counted.bytes[""]]

    assert awaited(called()) == [700_000, 700_000, 0]


def test_of_all_together_those_go_of_who_has_most(monkeypatch: pytest.MonkeyPatch) -> None:
    import gradio as gr

    with gr.Blocks() as page:
        pass
    page.queue()
    answers = queued_answers.QueuedAnswers(page)
    monkeypatch.setattr(queued_answers, "MOST", 4)
    for number, person in enumerate(["little", "much", "much", "much"]):
        call = queued_answers._Call(f"session {number}", person, person, True, done_s=1.0)
        answers._calls[str(number)] = call
        page._queue.pending_event_ids_session[f"session {number}"] = {str(number)}
    assert answers._make_room("another", True) and list(answers._calls) == ["0", "2", "3"]
    assert list(page._queue.pending_event_ids_session) == ["session 0", "session 2", "session 3"]
    answers._calls = {
        str(i): queued_answers._Call(str(i), person, network, True, done_s=1.0)
        for i, (person, network) in enumerate(
            [("a", "ours"), ("a", "ours"), *((f"s{j}", "theirs") for j in range(3))]
        )
    }
    assert answers._make_room("s9", True) and list(answers._calls) == ["0", "1", "3", "4"]


def test_a_gradio_that_keeps_its_answers_in_another_way_is_told_at_the_start(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued_answers, "OF_STATES", (*queued_answers.OF_STATES, "shelves"))
    with pytest.raises(UserError, match="keeps its answers in another way: it has no shelves"):
        queued_answers.require_known(served[1])


@pytest.mark.parametrize("name", ["x" * 101, ["x"]])
@pytest.mark.parametrize(
    "way", ["run/label_counts", "call/label_counts", "run/predict", "queue/join", "cancel", "reset"]
)
def test_a_name_of_a_session_that_is_long_or_no_text_is_refused_and_not_kept(
    served: Served, http: httpx.Client, way: str, name: Any
) -> None:
    before = kept(served[1])
    body = {"data": [], "fn_index": 0, "event_id": "x", "session_hash": name}
    if way == "call/label_counts":
        del body["fn_index"]
    answer = http.post(f"gradio_api/{way}", json=body)
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("session_hash is no text of at most 100 characters.")
    assert kept(served[1]) == before


@pytest.mark.parametrize("way", ["run", "call"])
def test_a_list_as_text_of_a_million_lines_is_refused_before_it_waits_and_is_taken_apart(
    http: httpx.Client, way: str
) -> None:
    answer = http.post(f"gradio_api/{way}/align", json={"data": [None, "\n" * 1_000_000]})
    assert answer.status_code == 400
    assert answer.json()["error"] == "texts has 1000000 lines, over the limit of 10000."
