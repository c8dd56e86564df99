"""A run on a disk that is full for a while: it goes on when there is room, and can always be stopped, removed
and gone on with.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from mmdemo.errors import StorageError, UserError
from mmdemo.service.app import App
from mmdemo.store.runs import LEASE_S
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests.conftest import TASK, execute_run
from tests.full_disk import full_disk
from tests.training.test_queue import later
from tests.training.test_runs import without_worker
from tests.training.test_training import label_samples

NOTHING_FITS = 2_000  # bytes: not even that a run has failed


@pytest.fixture
def broken_off(app: App, monkeypatch: pytest.MonkeyPatch) -> str:
    """A run that met a disk on which nothing could be recorded any more, half a minute ago."""
    without_worker(app)
    label_samples(app, 30)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=3, members=1), "ask")

    with ExitStack() as full, pytest.raises(StorageError):
        execute_run(app, run_id, lambda record: full.enter_context(full_disk(NOTHING_FITS)))
    assert app.ws.runs.get(run_id).status == "running"
    later(monkeypatch, LEASE_S + 1)
    return run_id


def shown(app: App, run_id: str) -> str:
    return next(run["status"] for run in app.context.jobs.list(TASK) if run["run"] == run_id)


def test_it_waits_for_the_next_worker_which_brings_it_to_its_end(app: App, broken_off: str) -> None:
    assert shown(app, broken_off) == app.context.jobs.status(broken_off)["status"] == "queued"
    done = execute_run(app, broken_off)
    assert done.status == shown(app, broken_off) == "done" and done.version_id
    assert app.models.aligner(TASK, done.version_id)


def test_it_can_be_stopped_and_removed(app: App, broken_off: str) -> None:
    app.context.jobs.stop(broken_off)
    assert shown(app, broken_off) == "stopped"
    app.context.jobs.remove(broken_off)
    assert app.context.jobs.list(TASK) == [] and not app.ws.run_folder(broken_off).exists()


def test_it_can_be_stopped_and_gone_on_with(app: App, broken_off: str) -> None:
    app.context.jobs.stop(broken_off)
    app.context.jobs.resume(broken_off)
    assert execute_run(app, broken_off).status == "done"


def test_while_the_disk_is_full_a_page_tells_how_its_runs_stand(app: App, broken_off: str) -> None:
    with full_disk(NOTHING_FITS):
        assert shown(app, broken_off) == app.context.jobs.status(broken_off)["status"] == "queued"
        with pytest.raises(StorageError):
            app.context.jobs.stop(broken_off)
        app.context.jobs.warm_up()  # whose worker's log cannot be written either


def test_a_run_is_removed_though_only_that_makes_room(app: App, broken_off: str) -> None:
    app.context.jobs.stop(broken_off)
    folder = app.ws.run_folder(broken_off)
    with full_disk(NOTHING_FITS), pytest.raises(StorageError):
        app.context.jobs.remove(broken_off)
    assert not folder.exists() and shown(app, broken_off) == "stopped"
    with pytest.raises(UserError, match=r"learned from is gone\. Remove it, and start a new one\."):
        app.context.jobs.resume(broken_off)
    app.context.jobs.remove(broken_off)
    assert app.context.jobs.list(TASK) == []


def test_what_shows_how_far_a_run_is_fails_none(app: App, tmp_path: Path) -> None:
    from mmdemo.training.progress import read_steps, step_writer

    run_id = app.ws.runs.create(TASK, "head", "base", {}, "")
    folder = app.ws.run_folder(run_id)
    folder.mkdir()
    note = step_writer(folder)
    with full_disk(1):
        note(1, 1, 0.0)
    assert read_steps(app.ws, run_id) == {} and list(folder.iterdir()) == []
    note(1, 1, 0.0)
    assert read_steps(app.ws, run_id)["step"] == 1
