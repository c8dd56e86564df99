"""Runs wait for each other, can be stopped, gone on with and removed; versions are compared and deleted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from mmdemo.errors import UserError
from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.service.app import App
from mmdemo.store.cards import read_card
from mmdemo.store.labels import NewLabel
from mmdemo.store.splits import HELD_OUT, TRAIN
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests.conftest import TASK, execute_run
from tests.training.test_training import label_samples, run
from tests.waiting import wait_for


def execute(app: App, run_id: str, stop_after: int = 0):  # type: ignore[no-untyped-def]
    """Carry a run out here; perhaps it is stopped after an epoch."""

    def progress(record: object) -> None:
        if record.epoch == stop_after:  # type: ignore[attr-defined]
            app.context.jobs.stop(run_id)

    return execute_run(app, run_id, progress)


@pytest.fixture
def app(app_over_each: App) -> App:
    """A workspace with the sample collection, indexed, over each database."""
    return app_over_each


def without_worker(app: App) -> None:
    """No worker of the page takes what the test itself works on."""
    app.context.jobs._workers.see_to_waiting = lambda: None  # type: ignore[method-assign]


@pytest.mark.slow
def test_several_runs_wait_in_a_queue_and_are_done_in_their_order(app: App) -> None:
    label_samples(app, 20)
    ids = [app.training.start(TASK, "head", {"epochs": 2, "seed": seed}, "ask") for seed in range(3)]
    out = app.context.jobs.stop(ids[1])
    assert out == ids[1]
    wait_for(lambda: app.context.jobs.status(ids[2])["status"] == "done")
    listed = {r["run"]: r for r in app.context.jobs.list(TASK)}
    assert [r["run"] for r in app.context.jobs.list(TASK)] == ids[::-1] or len(listed) == 3
    assert [listed[i]["status"] for i in ids] == ["done", "stopped", "done"]
    first, last = (app.ws.runs.get(ids[i]) for i in (0, 2))
    assert first.finished_at <= last.finished_at  # type: ignore[operator]
    assert listed[ids[1]]["model"] is None and listed[ids[0]]["recall"] > 0


@pytest.mark.slow
def test_a_stopped_run_is_usable_and_goes_on_to_what_an_unbroken_one_reaches(app: App) -> None:
    label_samples(app, 40)
    whole = run(app, "ask", epochs=5)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=5, members=1), "ask")
    stopped = execute(app, run_id, stop_after=2)
    assert stopped.status == "stopped" and stopped.version_id
    half = app.models.aligner(TASK, stopped.version_id)
    with pytest.raises(UserError, match="Only one that was stopped"):
        app.context.jobs.resume(whole.id)
    without_worker(app)
    assert app.context.jobs.resume(run_id) == run_id
    assert [r.id for r in app.ws.runs.waiting()] == [run_id]
    done = execute(app, run_id)
    assert done.status == "done" and done.version_id not in {None, stopped.version_id}
    texts = ["a dog", "a red car"]
    full, own = (app.models.aligner(TASK, v).encode_text(texts) for v in (whole.version_id, done.version_id))
    assert np.allclose(full, own, atol=1e-6)
    assert not np.allclose(half.encode_text(texts), own, atol=1e-4)  # the one before is what it was
    assert not (app.ws.run_folder(run_id) / "state").exists()


def test_a_removed_run_leaves_its_version_and_one_that_works_is_not_removed(app: App) -> None:
    label_samples(app, 20)
    done = run(app, "ask", epochs=2)
    waiting = create_run(app.ws, TASK, "head", TrainSettings(), "ask")
    with pytest.raises(UserError, match="Stop it first"):
        app.context.jobs.remove(waiting)
    app.context.jobs.stop(waiting)
    assert app.ws.runs.get(waiting).status == "stopped"
    assert execute(app, waiting).status == "stopped"  # a worker that hears of it later leaves it alone
    for run_id in (waiting, done.id):
        app.context.jobs.remove(run_id)
        assert not app.ws.run_folder(run_id).exists()
    assert app.context.jobs.list(TASK) == []
    assert app.versions.activate(done.version_id)["versions"][-1]["active"]
    assert app.versions.card(done.version_id)["card"]["trained_on"]["match"] == 20


def test_what_has_lost_its_file_keeps_no_run_nor_figure_from_being_made(app: App) -> None:
    label_samples(app, 40)
    lost = take_snapshot(app.ws, TASK).of(TRAIN)[:2]
    first, *others = (*lost, *take_snapshot(app.ws, TASK).of(HELD_OUT, match=True)[:2])

    def lose(item: str) -> None:
        app.ws.media_path(app.ws.items.get(item)).unlink()  # type: ignore[arg-type]

    lose(first.item)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=1, members=1), "ask")
    for other in others:  # while it waits
        lose(other.item)
    done = execute(app, run_id)
    assert done.status == "done" and done.result["trained_on"]["left_out"] == 4
    card = app.versions.card(done.version_id)["card"]
    assert card["trained_on"]["left_out"] == 4 and card["labels_sha256"] == done.snapshot_sha256
    labels = read_card(app.ws.version_folder(str(done.version_id)))["labels"]
    assert not {e.label for e in (first, *others)} & set(labels)
    assert app.media.evaluate(TASK)["left_out"] == 2
    assert app.versions.compare([card["parent"], done.version_id])["left_out"] == 2


def test_a_version_tells_what_it_learned_from_and_not_all_labels_that_were_frozen(app: App) -> None:
    label_samples(app, 60)
    version, examples = run(app, "ask", epochs=2).version_id, take_snapshot(app.ws, TASK).examples
    learned = sum(e.split == TRAIN for e in examples)
    assert app.versions.tree(TASK)[-1]["learned_from"] == learned < len(examples)
    assert app.versions.card(version)["snapshot"] == len(examples)


def test_any_two_versions_are_compared_on_any_split(app: App) -> None:
    label_samples(app, 60)
    done = run(app, "ask", epochs=3)
    base = app.settings.model
    for split, pairs in (("held-out", 112), ("train", 52), ("validation", 8), ("all", 172)):
        found = app.versions.compare([base, done.version_id], split)
        assert found["pairs"] == found["two"]["before"]["pairs"] == pairs
    held_out = app.versions.compare([base, done.version_id])["two"]
    assert held_out["after"]["mean_recall"] == done.result["after"]["mean_recall"]
    back = app.versions.compare([done.version_id, base])["two"]
    assert back["gains"]["mean_recall"]["gain"] == -held_out["gains"]["mean_recall"]["gain"]
    with pytest.raises(UserError, match="is a version of speech-text"):
        app.versions.compare([base, "whisper-tiny-en-minilm"])


def test_a_removed_version_is_gone_with_its_files_and_its_labels_stay(app: App) -> None:
    label_samples(app, 20)
    first = run(app, "when-better", epochs=3)
    app.versions.activate(first.version_id)
    app.context.keeper.update()
    second = run(app, "ask", epochs=1)
    labels = app.ws.labels.total()
    with pytest.raises(UserError, match="is active"):
        app.versions.remove(first.version_id)
    app.versions.activate(app.settings.model)
    with pytest.raises(UserError, match="stands on"):
        app.versions.remove(first.version_id)
    vectors = app.ws.folder / "vectors"
    assert list(vectors.glob(f"*{first.version_id}*"))
    app.versions.remove(second.version_id)
    left = app.versions.remove(first.version_id)["versions"]
    assert [v["id"] for v in left] == [app.settings.model]
    assert not app.ws.version_folder(first.version_id).exists()
    assert not list(vectors.glob(f"*{first.version_id}*"))
    assert app.ws.labels.total() == labels
    with pytest.raises(UserError, match="no version"):
        app.versions.activate(first.version_id)
    assert app.context.jobs.status(second.id)["status"] == "done"


def test_a_label_counts_less_when_others_disagree(app: App) -> None:
    pair = app.ws.pairs.browse(TASK, state="unlabelled")[0]
    for annotator, verdict in (("ann", "mismatch"), ("bob", "match"), ("eve", "match")):
        app.ws.labels.add(pair.id, NewLabel(verdict, annotator=annotator))
    found = next(e for e in take_snapshot(app.ws, TASK).examples if e.pair == pair.id)
    assert found.match and found.agreement == pytest.approx(2 / 3)
    app.ws.labels.add(pair.id, NewLabel("match", annotator="ann"))  # her last word counts
    found = next(e for e in take_snapshot(app.ws, TASK).examples if e.pair == pair.id)
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


def test_a_version_is_pushed_to_the_hub_with_its_card_by_who_may(app: App, hub: str) -> None:
    label_samples(app, 20)
    done = run(app, "ask", epochs=1)
    with pytest.raises(UserError, match="could not be pushed to me/mine"):
        app.versions.publish(done.version_id, "me/mine", "hf_bad")
    assert app.versions.publish(done.version_id, "me/mine", "hf_good")["address"] == f"{hub}/me/mine"
    assert {"README.md", "card.json", "head.safetensors", "head.json"} <= set(FakeHub.committed)


def test_a_push_without_a_token_a_name_or_a_network_is_told(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    with pytest.raises(UserError, match="Nobody is signed in"):
        app.versions.publish(app.settings.model, "me/mine")
    with pytest.raises(UserError, match="YOUR-NAME/MODEL"):
        app.versions.publish(app.settings.model, "mine", "hf_x")
    with pytest.raises(UserError, match=r"could not be pushed.*Check the token, the name and the network"):
        app.versions.publish(app.settings.model, "me/mine", "hf_x")
