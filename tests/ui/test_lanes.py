"""However many keep the models busy, labels are stored at once, and nobody waits without an end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from mmdemo.errors import BusyError
from mmdemo.retrieval import background
from mmdemo.retrieval.background import Background
from mmdemo.service.app import App
from mmdemo.service.lanes import Lane, Lanes
from mmdemo.service.operations.requests import Request
from mmdemo.service.operations.table import OPERATIONS, operation
from mmdemo.ui import turns
from mmdemo.ui.refusals import PlainRefusals
from tests.ui.conftest import agent, awaited
from tests.waiting import wait_for

TIMEOUT_S = 60


class NothingAsked(Request):
    """No fields."""


@pytest.fixture
def held() -> Iterator[tuple[threading.Event, list[int]]]:
    """An operation that asks a model for as long as the test wants; and how many of it are on."""
    go, inside = threading.Event(), [0]
    lock = threading.Lock()

    def slow_model(app: App, request: NothingAsked) -> dict[str, Any]:
        """Keep a model busy."""
        with lock:
            inside[0] += 1
        go.wait(TIMEOUT_S)
        return {"done": True}

    operation("slow_model", role="viewer")(slow_model)
    yield go, inside
    go.set()
    OPERATIONS.remove("slow_model")


def test_a_label_is_stored_while_the_models_are_busy_and_what_may_not_wait_is_told_so(
    served: tuple[App, Any, str], held: tuple[threading.Event, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _, address = served
    go, inside = held
    monkeypatch.setattr(app.lanes.models.places, "most_waiting", 26)
    pair = app.ws.pairs.browse("image-text", limit=1)[0].id
    with (
        httpx.Client(base_url=f"{address}mmdemo/api/", timeout=TIMEOUT_S) as page,
        ThreadPoolExecutor(30) as pool,
    ):
        asked = [
            pool.submit(httpx.post, f"{address}mmdemo/api/slow_model", json={}, timeout=TIMEOUT_S)
            for _ in range(30)
        ]
        wait_for(lambda: inside[0] == 4 and app.lanes.models.places.waiting == 26)
        stored = page.post("label", json={"pair": pair, "verdict": "match"})
        assert stored.status_code == 200 and stored.json()["label"] > 0
        assert page.post("status", json={}).status_code == 200
        refused = page.post("slow_model", json={})
        assert refused.status_code == 503 and refused.headers["retry-after"]
        assert refused.json()["error"] == "This page is busy: too many are waiting."
        called = httpx.post(f"{address}gradio_api/run/align", json={"data": [None, "a"]}, timeout=TIMEOUT_S)
        assert called.status_code == 503 and "Try again" in str(called.json())
        _, told = agent(address, "align", {"texts": "a"})
        assert told.isError and "busy" in told.content[0].text
        assert inside[0] == 4
        go.set()
        assert {f.result().status_code for f in asked} == {200}
    assert app.lanes.models.places.held == 0


KINDS = {
    "labels": """
        label label_result label_span last_labels leave_queue take_back undo
    """,
    "quick": """
        activate add_to_collection changes data decide device edit_item edit_pair end_session export_preview
        grants hide hub imports show
        import_list import_pause import_resume import_start import_state import_stop invite items label_counts
        label_later loading
        make_token map_items map_points measured_on medium
        model_trial models next_pair offered_model pairs playing queue remove_run remove_search remove_version
        resume_training revoke roll_back runs samples save_search saved_searches
        sessions short_link shorten start_training status
        stop_loading stop_map
        stop_training subtitles training training_data training_status transcript transcript_stop
        try_model version_card version_tree versions warm_up watch_stop watching
    """,
    "models": """
        align align_words caption choose_model compare_versions describe_video estimate_training
        evaluate explain find_moments import_preview map map_near map_scores moments
        search take_model transcribe watch
    """,
    "long": """
        backup check export export_version import import_go_on publish_version remove restore
        retest_version train
    """,
}


def test_every_operation_has_the_lane_of_its_kind() -> None:
    ours = [o for o in OPERATIONS.values() if o.run.__module__.startswith("mmdemo.")]
    chosen = {lane: {o.name for o in ours if o.lane == lane} for lane in KINDS}
    assert chosen == {lane: set(names.split()) for lane, names in KINDS.items()}


def test_a_run_is_stopped_while_exports_and_models_keep_all_their_threads_busy(
    served: tuple[App, Any, str], held: tuple[threading.Event, list[int]]
) -> None:
    _, _, address = served
    go, inside = held

    def export_it(app: App, request: NothingAsked) -> dict[str, Any]:
        """Write for minutes."""
        return OPERATIONS.get("slow_model")(app, request)

    operation("slow_export", role="owner")(export_it)
    try:
        with ThreadPoolExecutor(8) as pool:
            asked = [
                pool.submit(httpx.post, f"{address}mmdemo/api/{name}", json={}, timeout=TIMEOUT_S)
                for name in ("slow_model", "slow_export")
                for _ in range(4)
            ]
            wait_for(lambda: inside[0] == 8)
            for name in ("stop_training", "versions", "device", "training_data"):
                got = httpx.post(f"{address}mmdemo/api/{name}", json={}, timeout=TIMEOUT_S / 2)
                assert got.status_code in {200, 400}, name
            assert inside[0] == 8
            go.set()
            assert {f.result().status_code for f in asked} == {200}
    finally:
        OPERATIONS.remove("slow_export")


def test_work_that_fails_leaves_its_place() -> None:
    lane = Lane(1, 0)

    def fail() -> None:
        raise ValueError("no")

    async def twice() -> int:
        for _ in range(2):
            with pytest.raises(ValueError, match="no"):
                await lane.run(fail)
        return int(await lane.run(lambda: 7))

    assert awaited(twice()) == 7


def test_a_call_that_is_cancelled_keeps_its_place_until_its_thread_has_ended() -> None:
    lane = Lane(1, 0)

    async def cancelled() -> Any:
        go, inside = threading.Event(), threading.Event()
        call = asyncio.create_task(lane.run(lambda: (inside.set(), go.wait(TIMEOUT_S))))
        await asyncio.to_thread(inside.wait, TIMEOUT_S)
        for _ in range(3):  # as Gradio does for whoever asks it to
            call.cancel()
            await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await lane.run(lambda: 7)
        assert not call.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await call
        return await lane.run(lambda: 7)

    assert awaited(cancelled()) == 7


def test_a_lane_that_is_full_refuses() -> None:
    lane = Lane(1, 1)

    async def three() -> list[Any]:
        go = threading.Event()
        first = [asyncio.create_task(lane.run(go.wait, TIMEOUT_S)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="busy"):
            await lane.run(go.wait, TIMEOUT_S)
        go.set()
        return await asyncio.gather(*first)

    assert awaited(three()) == [True, True]


def test_little_is_looked_through_behind_the_page_at_a_time_and_what_waits_can_be_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "MOST_WAITING", 2)
    work, go, begun = Background("test"), threading.Event(), []

    def busy(name: str) -> None:
        begun.append(name)
        go.wait(TIMEOUT_S)

    for name in "abcd":
        work.start(name, lambda stopped, name=name: busy(name), "It failed")
    wait_for(lambda: len(begun) == background.AT_ONCE)
    with pytest.raises(BusyError, match="waiting to be done behind the page"):
        work.start("e", lambda stopped: None, "It failed")
    waiting = next(name for name in "abcd" if name not in begun)
    work.stop(waiting)
    wait_for(lambda: not work.is_running(waiting))
    go.set()
    wait_for(lambda: len(begun) == 3)
    assert waiting not in begun
    work.close()


def test_the_lanes_together_are_fewer_threads_than_the_system_gives() -> None:
    assert sum(lane._threads.total_tokens for lane in vars(Lanes()).values()) <= 64


def test_few_messages_of_agents_are_on_at_a_time_and_one_that_waits_for_a_thread_or_hangs_keeps_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(turns, "LONGEST_S", 0.2)
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}'

    async def ask_often() -> list[int]:
        begun: list[turns.Turn] = []
        answered, hung = asyncio.Event(), asyncio.Event()

        async def protocol(scope: Any, receive: Any, send: Any) -> None:
            begun.append(scope[turns.TURN])
            await (hung if len(begun) > 6 else answered).wait()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            raise AssertionError(message)

        async def seen() -> int:
            for _ in range(20):
                await asyncio.sleep(0)
            return len(begun)

        behind = PlainRefusals(protocol)
        scope = {"type": "http", "method": "POST", "path": "/gradio_api/mcp/"}
        asked = [asyncio.ensure_future(behind(dict(scope), receive, send)) for _ in range(12)]
        counts = [await seen()]
        begun[0].over()
        begun[0].over()
        counts.append(await seen())
        begun[1].over()
        counts.append(await seen())
        answered.set()
        counts.append(await seen())
        while len(begun) < 12:  # those that hang have had their turns
            await asyncio.sleep(0.01)
        hung.set()
        await asyncio.gather(*asked)
        return counts

    assert awaited(ask_often()) == [4, 5, 6, 10]
