"""The table of runs is the queue: claimed by leases, shared by pages, the command line and replicas."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

import mmdemo.store.runs as leases
import mmdemo.training.lease as renewing
from mmdemo.service.app import App
from mmdemo.settings import Settings
from mmdemo.store.runs import LEASE_S
from mmdemo.store.tables import now
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import TrainSettings
from mmdemo.training.job_queue import JobRunner
from mmdemo.training.page_worker import kept_free, take_seat
from mmdemo.training.runs import create_run
from mmdemo.training.worker import Worker, page_is_there
from tests.conftest import TASK, execute_run
from tests.training.test_runs import without_worker
from tests.training.test_training import label_samples
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
LONG = {"epochs": 60, "members": 1}  # a second or two, so that it can be met in its middle


def queue(ws: Workspace, count: int = 1, **how: str) -> list[str]:
    """Runs that wait, with nothing to carry out."""
    return [ws.runs.create(TASK, "head", "base", {}, "", **how) for _ in range(count)]


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """From here on it is later by the clock that leases go by."""
    monkeypatch.setattr(leases, "clock", lambda session: now() + timedelta(seconds=seconds))


# Leases


@pytest.fixture
def settings(settings: Settings, database_url: str) -> Settings:
    """An empty workspace's settings over each database."""
    return replace(settings, database_url=database_url)


def test_many_workers_at_once_claim_every_run_once(settings: Settings) -> None:
    stores = [Workspace(settings) for _ in range(4)]  # as four processes
    wanted = queue(stores[0], 40)
    claimed: list[str] = []

    def work(ws: Workspace, name: str) -> None:
        while (run := ws.runs.claim(name)) is not None or ws.runs.waiting():
            if run is not None:
                claimed.append(run.id)
                ws.runs.update(run.id, by=name, status="done")

    threads = [
        threading.Thread(target=work, args=(ws, f"{i}-{j}")) for i, ws in enumerate(stores) for j in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(wanted)
    assert {stores[0].runs.get(run_id).status for run_id in wanted} == {"done"}
    for ws in stores:
        ws.close()


def test_a_lease_that_is_not_renewed_ends_and_one_that_is_goes_on(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run_id,) = queue(ws)
    assert ws.runs.claim("one") is not None and ws.runs.claim("two") is None
    later(monkeypatch, LEASE_S / 2)
    assert ws.runs.renew(run_id, "one")
    later(monkeypatch, LEASE_S + 1)
    assert ws.runs.claim("two") is None
    later(monkeypatch, 2 * LEASE_S)
    taken = ws.runs.claim("two")
    assert taken is not None and taken.id == run_id and taken.holder == "two"
    assert not ws.runs.renew(run_id, "one")
    assert not ws.runs.update(run_id, by="one", status="failed")
    assert ws.runs.get(run_id).status == "running"


def test_a_run_that_was_running_under_an_earlier_mmdemo_is_taken_up(ws: Workspace) -> None:
    (run_id,) = queue(ws)
    ws.runs.update(run_id, status="running")
    assert [r.id for r in ws.runs.waiting()] == [run_id]
    assert ws.runs.claim("one") is not None


def test_who_creates_a_run_to_carry_it_out_itself_is_not_overtaken(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run_id,) = queue(ws, holder="command line")
    assert ws.runs.claim("page") is None
    assert ws.runs.claim("command line", run_id) is not None
    (orphan,) = queue(ws, holder="killed before it began")
    later(monkeypatch, LEASE_S + 1)
    assert orphan in [r.id for r in ws.runs.waiting()]


def test_a_run_that_is_given_back_waits_behind_the_others(ws: Workspace) -> None:
    first, second = queue(ws, 2)
    order = []
    for _ in range(4):
        run = ws.runs.claim("one")
        assert run is not None
        order.append(run.id)
        ws.runs.give_back(run.id, "one", "")
    assert order == [first, second, first, second]


def test_a_worker_that_has_lost_its_run_stops_and_writes_nothing(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    label_samples(app, 20)
    monkeypatch.setattr(renewing, "RENEWED_EVERY_S", 0.01)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=200), "when-better")
    epochs: list[int] = []

    def lose(record: object) -> None:  # as when this machine slept, and another took the run up
        epochs.append(record.epoch)  # type: ignore[attr-defined]
        app.ws.runs.update(run_id, holder="another")

    row = execute_run(app, run_id, lose)
    assert (row.status, row.holder, row.version_id) == ("running", "another", None)
    assert len(epochs) < 200 and len(app.ws.versions.of_task(TASK)) == 1


# Slices


def test_between_two_slices_another_run_that_waits_goes_first(make_app: Callable[..., App]) -> None:
    app = make_app(slice_s=1e-9)
    label_samples(app, 20)
    a, b = (create_run(app.ws, TASK, "head", TrainSettings(epochs=3, members=1), "ask") for _ in range(2))
    worker, order = Worker(app.ws, app.models), []
    while (run := worker.take()) is not None:
        order.append((run.id, run.status))
    assert [i for i, _ in order] == [a, b, a, b, a, b]
    assert [s for _, s in order] == ["queued"] * 4 + ["done"] * 2


def test_the_command_line_gives_its_run_back_too_and_goes_on_until_it_has_finished(
    make_app: Callable[..., App],
) -> None:
    app = make_app(slice_s=1e-9)
    label_samples(app, 20)
    waiting = create_run(app.ws, TASK, "head", TrainSettings(epochs=2, members=1), "ask")
    worker = Worker(app.ws, app.models)
    own = create_run(app.ws, TASK, "head", TrainSettings(epochs=3, members=1), "ask", holder=worker.name)
    epochs: list[int] = []
    assert worker.see_to(own, lambda record: epochs.append(record.epoch)).status == "done"
    assert epochs == [1, 2, 3] and app.ws.runs.get(waiting).status == "done"


# Pages and their workers


def test_a_run_of_another_process_is_seen_and_stopped_by_every_page(
    app: App, make_app: Callable[..., App]
) -> None:
    label_samples(app, 20)
    page = make_app()  # another page on the same workspace
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=200), "ask", holder="command line")
    assert page.context.jobs.status()["run"] == run_id and page.context.jobs._workers.worker is None

    def stop(record: object) -> None:
        if record.epoch == 2:  # type: ignore[attr-defined]
            assert page.context.jobs.status()["status"] == "running"
            page.context.jobs.stop(run_id)

    done = execute_run(app, run_id, stop, "command line")
    assert done.status == "stopped" and done.version_id
    assert page.context.jobs.status()["status"] == "stopped"


@pytest.mark.slow
def test_a_run_of_a_worker_that_died_goes_on_in_a_new_one(app: App) -> None:
    label_samples(app, 30)
    run_id = app.training.start(TASK, "head", LONG, "never")
    wait_for(lambda: app.context.jobs.status(run_id)["epoch"] >= 2)
    first = app.context.jobs._workers.worker
    assert first is not None
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    wait_for(lambda: app.context.jobs.status(run_id)["status"] == "done")
    assert app.context.jobs._workers.worker is not first and not first.seat.exists()
    assert [r["epoch"] for r in app.context.jobs.status(run_id)["progress"]] == list(
        range(1, LONG["epochs"] + 1)
    )


@pytest.mark.slow
def test_a_worker_finishes_what_it_has_begun_when_its_page_closes_and_no_more(app: App) -> None:
    label_samples(app, 30)
    begun = app.training.start(TASK, "head", LONG, "never")
    waits = app.training.start(TASK, "head", LONG | {"epochs": 2}, "never")
    wait_for(lambda: app.context.jobs.status(begun)["epoch"] >= 1)
    worker = app.context.jobs._workers.worker
    assert worker is not None
    app.context.jobs.close()
    assert app.ws.runs.get(begun).status == "running"
    assert worker.process.wait(60) == 0
    assert app.ws.runs.get(begun).status == "done" and app.ws.runs.get(waits).status == "queued"
    assert app.context.jobs.resume_interrupted() == [waits]  # the next page sees to it
    wait_for(lambda: app.context.jobs.status(waits)["status"] == "done")


def test_a_worker_that_still_imports_when_its_page_closes_is_ended_at_once_and_its_run_waits(
    app: App,
) -> None:
    label_samples(app, 30)
    labels = app.ws.labels.total()
    run_id = app.training.start(TASK, "head", LONG, "never")
    worker = app.context.jobs._workers.worker
    assert worker is not None
    app.context.jobs.close()
    assert worker.process.returncode == -signal.SIGKILL  # of its own it would have ended with 0
    run = app.ws.runs.get(run_id)
    assert (run.status, run.holder, app.ws.labels.total()) == ("queued", None, labels)
    assert not list((app.ws.folder / "runs").glob("*.lock"))
    assert app.context.jobs.resume_interrupted() == [run_id]  # the next page sees to it
    app.context.jobs.stop(run_id)


@pytest.mark.slow
def test_a_worker_that_has_taken_its_seat_ends_by_itself(ws: Workspace) -> None:
    jobs = JobRunner(ws)
    jobs.warm_up()
    worker = jobs._workers.worker
    assert worker is not None and not worker.seat.exists()
    wait_for(worker.seat.exists)
    jobs.close()
    assert worker.process.returncode == 0 and not list((ws.folder / "runs").glob("*.lock"))


def test_a_worker_whose_page_has_closed_takes_no_seat(tmp_path: Path) -> None:
    assert not take_seat(tmp_path / "worker.lock")
    kept_free(tmp_path / "worker.lock").touch()
    assert take_seat(tmp_path / "worker.lock") and (tmp_path / "worker.lock").exists()


PAGE = """
import sys, time
from mmdemo.settings import load_settings
from mmdemo.store.workspace import Workspace
from mmdemo.training.job_queue import JobRunner
jobs = JobRunner(Workspace(load_settings()))
jobs.warm_up()
print(jobs._workers.worker.process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
def test_an_idle_worker_ends_when_its_page_is_killed(settings: Settings) -> None:
    Workspace(settings).close()
    variables = {f"MMDEMO_{k.upper()}": str(v) for k, v in asdict(settings).items()}
    page = subprocess.Popen(
        [sys.executable, "-c", PAGE], stdout=subprocess.PIPE, text=True, env=os.environ | variables, cwd=ROOT
    )
    assert page.stdout is not None
    worker = psutil.Process(int(page.stdout.readline()))
    page.send_signal(signal.SIGKILL)  # nobody asks how it ended until the worker is gone
    psutil.wait_procs([worker], timeout=60)
    assert not worker.is_running()
    page.wait()
    page.stdout.close()
    assert not list((settings.workspace / "runs").glob("*.lock"))


def test_a_page_that_never_was_wants_no_worker(tmp_path: Path) -> None:
    seat = tmp_path / "seat"
    seat.touch()
    assert page_is_there(os.getpid(), seat)()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert not page_is_there(gone.pid, seat)()
    there = page_is_there(os.getpid(), seat)
    seat.unlink()
    assert not there()


def test_a_worker_is_not_started_again_and_again_where_it_cannot_work(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(ws)
    jobs, started = JobRunner(ws), []

    def start() -> object:
        started.append(1)
        return begin()

    begin = jobs._workers._start_worker
    monkeypatch.setattr(jobs._workers, "_start_worker", start)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    jobs.resume_interrupted()
    assert jobs._workers.worker is not None
    jobs._workers.worker.process.wait()
    for _ in range(3):
        jobs.resume_interrupted()
    assert len(started) == 1
    jobs.close()


def test_a_run_that_worker_after_worker_dies_of_has_failed(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run_id,) = queue(ws)
    jobs = JobRunner(ws)
    monkeypatch.setattr("mmdemo.training.page_worker.RESTART_S", 0.0)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for _ in range(3):
        assert jobs.resume_interrupted() == [run_id]
        worker = jobs._workers.worker
        assert worker is not None and ws.runs.claim(worker.seat.name) is not None
        worker.process.wait()
    assert jobs.resume_interrupted() == []
    run = ws.runs.get(run_id)
    assert run.status == "failed" and "died 3 times" in run.message and "smaller batch" in run.message
    jobs.close()


def test_a_run_that_waits_is_taken_out_of_the_queue_and_one_that_is_resumed_waits_at_its_end(
    app: App,
) -> None:
    label_samples(app, 20)
    without_worker(app)
    first, second = (create_run(app.ws, TASK, "head", TrainSettings(epochs=1), "ask") for _ in range(2))
    app.context.jobs.stop(first)
    assert app.ws.runs.get(first).status == "stopped"
    app.context.jobs.resume(first)
    assert [r.id for r in app.ws.runs.waiting()] == [second, first]
