"""The row of a run may come from somebody's backup: it is held to the limits of whoever starts one."""

from __future__ import annotations

from typing import Any

import pytest

from mmdemo.errors import StorageError, UserError
from mmdemo.service.app import App
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests.conftest import TASK, execute_run
from tests.training.test_runs import without_worker
from tests.training.test_training import label_samples

OUTSIDE: dict[str, tuple[dict[str, Any], str]] = {
    "too many epochs": ({"epochs": 10**9}, r"epochs is 1000000000\. Use a number from 0 to 500"),
    "a huge batch": ({"batch": 10**9}, "batch is 1000000000"),
    "a rate that is no number": ({"learning_rate": float("nan")}, "learning rate is nan"),
    "a text": ({"epochs": "many"}, r"^epochs .*'many'.* Give a whole number"),
    "a list": ({"seed": [1]}, r"^seed .*\[1\]"),
    "no loss": ({"loss": "nothing"}, "The loss 'nothing' is unknown"),
    "another head": ({"head": "../x"}, "has no head '../x'"),
    "gone on with too often": ({"again": 10**30}, "gone on with"),
    "gone on with by a word": ({"again": "x"}, "gone on with"),
}


@pytest.fixture
def stopped(app: App) -> str:
    label_samples(app, 30)
    without_worker(app)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=1, members=1), "ask")
    app.ws.runs.update(run_id, status="stopped")
    return run_id


def test_no_run_is_gone_on_with_or_carried_out_past_the_limits(app: App, stopped: str) -> None:
    own = app.ws.runs.get(stopped).settings
    for kind, (values, says) in OUTSIDE.items():
        app.ws.runs.update(stopped, settings=own | values, status="stopped")
        with pytest.raises(UserError, match=says):
            app.context.jobs.resume(stopped)
        assert app.ws.runs.get(stopped).status == "stopped", kind
        app.ws.runs.update(stopped, status="queued")  # as in a database that nobody has looked through
        done = execute_run(app, stopped)
        assert done.status == "failed" and "log says" not in done.message, kind
    app.ws.runs.update(stopped, settings=own, method="fully", status="stopped")
    with pytest.raises(UserError, match="cannot be trained by the method 'fully'"):
        app.context.jobs.resume(stopped)


DAMAGED = (
    b"",
    b"[]",
    b'{"task": "image-text"}',
    b'{"task": "image-text", "examples": [{}]}',
    b'{"task": 1, "examples": []}',
    b'{"task": "image-text", "examples": [{"label": 1, "pair": {}, "item": "", "text": "", "match": true, '
    b'"split": ""}]}',
    b"[" * 100_000,
    b"\xff",
)


def test_what_a_run_learns_from_is_damaged_in_a_sentence(app: App, stopped: str) -> None:
    for written in DAMAGED:
        (app.ws.run_folder(stopped) / "snapshot.json").write_bytes(written)
        with pytest.raises(StorageError, match=f"What {stopped} learns from is damaged"):
            app.context.jobs.resume(stopped)
