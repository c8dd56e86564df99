"""Runs wait for each other, can be stopped, gone on with and removed; versions are compared and deleted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from mmdemo.demo import Demo
from mmdemo.errors import UserError
from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.store.labels import NewLabel
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run, execute_run
from tests.conftest import TASK
from tests.training.test_training import label_samples, run


def execute(demo: Demo, run_id: str, stop_after: int = 0):  # type: ignore[no-untyped-def]
    """Carry a run out here; perhaps it is stopped after an epoch."""

    def progress(record: object) -> None:
        if record.epoch == stop_after:  # type: ignore[attr-defined]
            demo.jobs.stop(run_id)

    return execute_run(demo.ws, run_id, lambda: demo.models.towers(demo.settings.model), progress)


def wait_for(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Look again and again until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def without_worker(demo: Demo) -> None:
    """No worker of the page takes what the test itself works on."""
    demo.jobs._see_to_waiting = lambda: None  # type: ignore[method-assign]


def test_several_runs_wait_in_a_queue_and_are_done_in_their_order(demo: Demo) -> None:
    label_samples(demo, 20)
    ids = [demo.start_training(TASK, "head", {"epochs": 2, "seed": seed}, "ask") for seed in range(3)]
    out = demo.jobs.stop(ids[1])
    assert out == ids[1]
    wait_for(lambda: demo.jobs.status(ids[2])["status"] == "done")
    listed = {r["run"]: r for r in demo.jobs.list(TASK)}
    assert [r["run"] for r in demo.jobs.list(TASK)] == ids[::-1] or len(listed) == 3
    assert [listed[i]["status"] for i in ids] == ["done", "stopped", "done"]
    first, last = (demo.ws.runs.get(ids[i]) for i in (0, 2))
    assert first.finished_at <= last.finished_at  # type: ignore[operator]
    assert listed[ids[1]]["model"] is None and listed[ids[0]]["recall"] > 0


def test_a_stopped_run_is_usable_and_goes_on_to_what_an_unbroken_one_reaches(demo: Demo) -> None:
    label_samples(demo, 40)
    whole = run(demo, "ask", epochs=5)
    run_id = create_run(demo.ws, TASK, "head", TrainSettings(epochs=5), "ask")
    stopped = execute(demo, run_id, stop_after=2)
    assert stopped.status == "stopped" and stopped.version_id
    half = demo.models.aligner(TASK, stopped.version_id)
    with pytest.raises(UserError, match="Only one that was stopped"):
        demo.jobs.resume(whole.id)
    without_worker(demo)
    assert demo.jobs.resume(run_id) == run_id
    assert [r.id for r in demo.ws.runs.waiting()] == [run_id]
    done = execute(demo, run_id)
    assert done.status == "done" and done.version_id not in {None, stopped.version_id}
    texts = ["a dog", "a red car"]
    full, own = (demo.models.aligner(TASK, v).encode_text(texts) for v in (whole.version_id, done.version_id))
    assert np.allclose(full, own, atol=1e-6)
    assert not np.allclose(half.encode_text(texts), own, atol=1e-4)  # the one before is what it was
    assert not (demo.ws.run_folder(run_id) / "state").exists()


def test_a_removed_run_leaves_its_version_and_one_that_works_is_not_removed(demo: Demo) -> None:
    label_samples(demo, 20)
    done = run(demo, "ask", epochs=2)
    waiting = create_run(demo.ws, TASK, "head", TrainSettings(), "ask")
    with pytest.raises(UserError, match="Stop it first"):
        demo.jobs.remove(waiting)
    demo.jobs.stop(waiting)
    assert demo.ws.runs.get(waiting).status == "stopped"
    assert execute(demo, waiting).status == "stopped"  # a worker that hears of it later leaves it alone
    for run_id in (waiting, done.id):
        demo.jobs.remove(run_id)
        assert not demo.ws.run_folder(run_id).exists()
    assert demo.jobs.list(TASK) == []
    assert demo.activate(done.version_id)["versions"][-1]["active"]
    assert demo.version_card(done.version_id)["card"]["trained_on"]["match"] == 20


def test_any_two_versions_are_compared_on_any_split(demo: Demo) -> None:
    label_samples(demo, 30)
    done = run(demo, "ask", epochs=3)
    base = demo.settings.model
    for split, pairs in (("held-out", 112), ("train", 30), ("all", 142)):
        found = demo.compare_versions(base, done.version_id, split)
        assert found["pairs"] == found["before"]["pairs"] == pairs
    held_out = demo.compare_versions(base, done.version_id)
    assert held_out["after"]["mean_recall"] == done.result["after"]["mean_recall"]
    back = demo.compare_versions(done.version_id, base)
    assert back["gains"]["mean_recall"]["gain"] == -held_out["gains"]["mean_recall"]["gain"]
    with pytest.raises(UserError, match="no split 'test'"):
        demo.compare_versions(base, done.version_id, "test")
    with pytest.raises(UserError, match="is a version of speech-text"):
        demo.compare_versions(base, "whisper-tiny-en-minilm")


def test_a_removed_version_is_gone_with_its_files_and_its_labels_stay(demo: Demo) -> None:
    label_samples(demo, 20)
    first = run(demo, "when-better", epochs=3)
    demo.activate(first.version_id)
    demo.keeper.update()
    second = run(demo, "ask", epochs=1)
    labels = demo.ws.labels.total()
    with pytest.raises(UserError, match="is active"):
        demo.remove_version(first.version_id)
    demo.activate(demo.settings.model)
    with pytest.raises(UserError, match="stands on"):
        demo.remove_version(first.version_id)
    vectors = demo.ws.folder / "vectors"
    assert list(vectors.glob(f"*{first.version_id}*"))
    demo.remove_version(second.version_id)
    left = demo.remove_version(first.version_id)["versions"]
    assert [v["id"] for v in left] == [demo.settings.model]
    assert not demo.ws.version_folder(first.version_id).exists()
    assert not list(vectors.glob(f"*{first.version_id}*"))
    assert demo.ws.labels.total() == labels
    with pytest.raises(UserError, match="no version"):
        demo.activate(first.version_id)
    assert demo.jobs.status(second.id)["status"] == "done"


def test_a_label_counts_less_when_others_disagree(demo: Demo) -> None:
    pair = demo.ws.pairs.browse(TASK, state="unlabelled")[0]
    for annotator, verdict in (("ann", "mismatch"), ("bob", "match"), ("eve", "match")):
        demo.ws.labels.add(pair.id, NewLabel(verdict, annotator=annotator))
    found = next(e for e in take_snapshot(demo.ws, TASK).examples if e.pair == pair.id)
    assert found.match and found.agreement == pytest.approx(2 / 3)
    demo.ws.labels.add(pair.id, NewLabel("match", annotator="ann"))  # her last word counts
    found = next(e for e in take_snapshot(demo.ws, TASK).examples if e.pair == pair.id)
    assert found.agreement == 1.0


class FakeHub(BaseHTTPRequestHandler):
    """As much of the Hub's protocol as a push needs; it keeps what was committed."""

    committed: list[str] = []  # noqa: RUF012
    allowed = "hf_good"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Authorization") != f"Bearer {self.allowed}":
            return self._answer(401, {"error": "Invalid username or password."})
        if self.path == "/api/repos/create":
            return self._answer(200, {"url": f"http://{self.headers['Host']}/me/mine", "name": "me/mine"})
        if self.path == "/api/validate-yaml":
            assert "library_name: mmdemo" in json.loads(body)["content"]
            return self._answer(200, {"errors": [], "warnings": []})
        if "/preupload/" in self.path:
            files = [f | {"uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]]
            return self._answer(200, {"files": files})
        if "/commit/" in self.path:
            rows = [json.loads(line) for line in body.splitlines()]
            type(self).committed += [r["value"]["path"] for r in rows if r["key"] == "file"]
            return self._answer(
                200, {"commitOid": "0" * 40, "commitUrl": f"http://{self.headers['Host']}/me/mine/commit/0"}
            )
        return self._answer(404, {"error": self.path})

    def do_GET(self) -> None:
        self._answer(200, {"id": "me/mine", "sha": "0" * 40, "siblings": []})

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", address)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.hf_api.ENDPOINT", address, raising=False)
    yield address
    server.shutdown()


def test_a_version_is_pushed_to_the_hub_with_its_card_by_who_may(demo: Demo, hub: str) -> None:
    label_samples(demo, 20)
    done = run(demo, "ask", epochs=1)
    with pytest.raises(UserError, match="could not be pushed to me/mine"):
        demo.publish_version(done.version_id, "me/mine", "hf_bad")
    assert demo.publish_version(done.version_id, "me/mine", "hf_good")["address"] == f"{hub}/me/mine"
    assert {"README.md", "card.json", "head.safetensors", "head.json"} <= set(FakeHub.committed)


def test_a_push_without_a_token_a_name_or_a_network_is_told(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(UserError, match="Nobody is signed in"):
        demo.publish_version(demo.settings.model, "me/mine")
    with pytest.raises(UserError, match="YOUR-NAME/MODEL"):
        demo.publish_version(demo.settings.model, "mine", "hf_x")
    with pytest.raises(UserError, match=r"could not be pushed.*Check the token, the name and the network"):
        demo.publish_version(demo.settings.model, "me/mine", "hf_x")
