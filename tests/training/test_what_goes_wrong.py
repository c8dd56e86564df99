"""Full disks, slices of time, absurd settings, and names that somebody hostile would choose."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmdemo.errors import DataError, MmdemoError, StorageError, UserError
from mmdemo.modality import CAPTIONING
from mmdemo.models.heads.residual import ResidualHead
from mmdemo.models.heads.saved import save_head
from mmdemo.models.version_source import NETWORK
from mmdemo.service.app import App
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.store.labels import NewLabel
from mmdemo.training import estimate
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from mmdemo.training.worker import Worker
from tests import checkpoints
from tests.conftest import TASK, execute_run
from tests.full_disk import full_disk
from tests.training.test_architectures import labelled
from tests.training.test_runs import without_worker
from tests.training.test_training import label_samples, run


def execute(app: App, run_id: str):  # type: ignore[no-untyped-def]
    return execute_run(app, run_id)


def send(app: App, name: str, body: dict[str, object]) -> object:
    """Ask for an operation as the page does."""
    asked = OPERATIONS.get(name)
    return asked(app, asked.parse(body, "page"))


# A full disk


@pytest.mark.parametrize("largest", [1_000, 20_000])  # bytes: the labels do not fit; or only the database
def test_a_run_that_cannot_be_written_is_refused_and_leaves_no_folder(app: App, largest: int) -> None:
    label_samples(app, 30)
    with full_disk(largest), pytest.raises(StorageError):
        create_run(app.ws, TASK, "head", TrainSettings(), "ask")
    assert not list((app.ws.folder / "runs").glob("run-*")) and app.context.jobs.list(TASK) == []


@pytest.mark.slow
@pytest.mark.parametrize("place", ["state", "version"])
def test_a_full_disk_fails_a_run_in_a_sentence_and_it_goes_on_when_there_is_room(
    place: str, app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    label_samples(app, 30)
    labels = app.ws.labels.total()
    whole = run(app, "ask", epochs=3)
    known = app.versions.listed(TASK)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=3, members=1), "ask")
    version = app.ws.version_folder(run_id.replace("run-", "tuned-"))

    def save_on_full_disk(head: ResidualHead, folder: Path) -> None:
        with full_disk():
            save_head(head, folder)

    with monkeypatch.context() as patch:
        if place == "version":
            patch.setattr("mmdemo.training.recipes.head.save_head", save_on_full_disk)
            failed = execute(app, run_id)
        else:
            with full_disk():
                failed = execute(app, run_id)
    assert failed.status == "failed"
    assert re.fullmatch(
        r"The disk is full\. Free [1-9]\d* MB, then go on with the run: nothing it was trained on is lost\.",
        failed.message,
    ), failed.message
    assert not version.exists() and app.ws.labels.total() == labels and app.versions.listed(TASK) == known
    assert not list(app.ws.run_folder(run_id).rglob("*.part"))
    without_worker(app)
    app.context.jobs.resume(run_id)
    done = execute(app, run_id)
    assert done.status == "done" and done.version_id
    own, other = (
        app.models.aligner(TASK, v).encode_text(["a dog"]) for v in (whole.version_id, done.version_id)
    )
    assert np.allclose(own, other, atol=1e-6)


def test_who_goes_on_with_a_run_that_the_disk_has_no_room_for_is_told_how_much_it_takes(app: App) -> None:
    label_samples(app, 30)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=3, members=1), "ask")
    app.ws.runs.update(run_id, status="stopped")
    state = app.ws.run_folder(run_id) / "state" / "state-0.safetensors"
    state.parent.mkdir()
    state.touch()
    os.truncate(state, app.ws.media.free_bytes() + 50_000_000)  # a file with a hole takes no room itself
    with pytest.raises(
        StorageError, match=rf"^Going on with {run_id} takes about \d+ MB .* \d+ MB are free\."
    ):
        app.context.jobs.resume(run_id)
    assert app.ws.runs.get(run_id).status == "stopped"
    without_worker(app)
    os.truncate(state, 1_000)
    app.context.jobs.resume(run_id)
    assert app.ws.runs.get(run_id).status == "queued"


# Slices of time


@pytest.mark.slow
def test_a_head_learns_in_slices_of_time_what_it_learns_in_one_piece(make_app: Callable[..., App]) -> None:
    app = make_app(slice_s=1e-9)
    label_samples(app, 30)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=3, members=1), "ask")
    statuses = [execute(app, run_id).status for _ in range(3)]
    assert statuses == ["queued", "queued", "done"]
    whole = create_run(app.ws, TASK, "head", TrainSettings(epochs=3, members=1), "ask")
    sliced, unbroken = app.ws.runs.get(run_id), Worker(app.ws, app.models).see_to(whole)
    vectors = [app.models.aligner(TASK, r.version_id).encode_text(["a dog"]) for r in (sliced, unbroken)]
    assert np.allclose(*vectors, atol=1e-6)


def test_a_network_learns_in_slices_of_time_what_it_learns_in_one_piece(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    from safetensors.numpy import load_file

    model = f"dual:{checkpoints.save_clip(tmp_path / 'clip')}"
    app = labelled(make_app, TASK, model)
    sliced = make_app(model=model, samples=False, slice_s=1e-9)
    made = []
    for one in (app, sliced):
        settings = TrainSettings(epochs=2, batch=6, learning_rate=1e-3)
        run_id = create_run(one.ws, TASK, "full", settings, "ask")
        first = execute_run(one, run_id)
        assert first.status == ("done" if one is app else "queued"), first.message
        done = Worker(one.ws, one.models).see_to(run_id)
        assert done.version_id
        made.append(load_file(one.ws.version_folder(done.version_id) / NETWORK / "model.safetensors"))
    assert all(np.allclose(made[0][name], made[1][name], atol=1e-6) for name in made[0])


def test_a_state_of_another_network_is_told_and_not_loaded(app: App) -> None:
    label_samples(app, 20)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=2, hidden=16, members=1), "ask")
    other = create_run(app.ws, TASK, "head", TrainSettings(epochs=2, hidden=32, members=1), "ask")
    state = app.ws.run_folder(run_id) / "state"

    def stop_after_one(record: object) -> None:
        app.context.jobs.stop(run_id)

    execute_run(app, run_id, stop_after_one)
    state.rename(app.ws.run_folder(other) / "state")
    failed = execute(app, other)
    assert failed.status == "failed" and "does not fit its model" in failed.message


# Labels and settings that cannot work


def test_settings_that_cannot_work_are_refused_before_anything_starts(app: App) -> None:
    label_samples(app, 20)
    for values, says in (
        ({"learning_rate": 5.0}, "learning rate is 5"),
        ({"learning_rate": -1e-3}, "learning rate is -0.001"),
        ({"epochs": 100_000}, "epochs is 100000"),
        ({"batch": 1}, "batch is 1"),
        ({"loss": "hinge"}, "The loss 'hinge' is unknown"),
        ({"head": "mixer"}, "has no head 'mixer'"),
    ):
        with pytest.raises(UserError, match=says):
            app.training.start(TASK, "head", values, "ask")
    for body, says in (
        ({"learning_rate": "0"}, "learns nothing"),
        ({"batch": "many"}, "batch is 'many'"),
        ({"head": "mixer"}, "There is no head 'mixer'. Use one of: residual, "),
    ):
        with pytest.raises(UserError, match=says):
            send(app, "start_training", body)
    assert app.context.jobs.list(TASK) == []


def test_labels_of_one_class_are_told_before_anything_starts(app: App) -> None:
    train = [p for p in app.ws.pairs.browse(TASK, state="unlabelled") if p.split == "train"][:6]
    for pair in train:
        app.ws.labels.add(pair.id, NewLabel("match", "one and the same"))
    with pytest.raises(DataError, match="All matches to train on have one text"):
        app.training.start(TASK, "head", {}, "ask")
    for pair in train:
        app.ws.labels.add(pair.id, NewLabel("mismatch"))
    with pytest.raises(DataError, match="There are only mismatches"):
        app.training.start(TASK, "head", {}, "ask")


# Names that somebody hostile would choose


HOSTILE = [
    "$(touch ran)",
    "; touch ran",
    "../../outside",
    "/etc/passwd",
    "a\nb",
    "`touch ran`",
    "-rf",
    "x" * 5000,
]


def test_no_name_that_is_sent_reaches_a_shell_or_a_path_outside_the_workspace(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    app.settings.workspace.mkdir(exist_ok=True)
    before = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if app.ws.folder not in p.parents)
    fields = {
        "choose_model": ["model"],
        "start_training": ["method", "head", "loss"],
        "activate": ["version"],
        "export_version": ["version"],
        "remove_version": ["version"],
        "version_card": ["version"],
        "remove_run": ["run"],
        "resume_training": ["run"],
        "stop_training": ["run"],
        "decide": ["run"],
        "publish_version": ["version", "repo"],
    }
    for action, names in fields.items():
        for name in names:
            for value in HOSTILE:
                with pytest.raises(MmdemoError) as refused:
                    send(app, action, {name: value, "token": "hf_x"})
                assert len(str(refused.value)) < 12_000
    after = sorted(p.relative_to(tmp_path) for p in tmp_path.rglob("*") if app.ws.folder not in p.parents)
    assert before == after and not list(tmp_path.rglob("ran"))


# A choice that lasts


def test_a_model_that_a_person_chose_serves_after_a_restart(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    app = make_app("w", samples=False)
    chosen = app.versions.choose_model(TASK, f"dual:{checkpoints.save_clip(tmp_path / 'clip')}")
    active = next(v["id"] for v in chosen["versions"] if v["active"])
    app.versions.choose_model(CAPTIONING, f"captioner:{checkpoints.save_git(tmp_path / 'git')}")
    app.close()
    again = make_app("w", samples=False)
    assert again.ws.versions.active(TASK) == active != again.settings.model
    assert again.ws.versions.active(CAPTIONING).startswith("captioner-")
    again.versions.choose_model(TASK, again.settings.model)
    again.close()
    assert make_app("w", samples=False).ws.versions.active(TASK) == again.settings.model


def test_what_a_huge_head_takes_is_told_without_making_it(
    make_app: Callable[..., App], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = labelled(make_app, TASK, f"dual:{checkpoints.save_clip(tmp_path / 'clip')}")
    app.models.aligner(TASK)
    made: list[TrainSettings] = []
    trains = estimate.train_head

    def watched(*given: Any) -> Any:
        made.append(given[4])
        return trains(*given)

    monkeypatch.setattr(estimate, "train_head", watched)
    monkeypatch.setattr(estimate, "MOST_TIMED", 100_000)
    small = app.training.estimate(TASK, "head", {"members": 2, "hidden": 64})
    found = app.training.estimate(TASK, "head", {"members": 64, "hidden": 16_384})
    assert (made[0].members, made[0].hidden) == (2, 64)
    assert made[1].members * made[1].hidden <= 64 * made[0].members * made[0].hidden
    assert found["memory_mb"] > 100 * small["memory_mb"]
    monkeypatch.setattr(estimate, "free_mb", lambda compute: 10)
    assert "train fewer or narrower heads" in app.training.estimate(TASK, "head", {"members": 64})["sentence"]


@pytest.mark.parametrize("method", ["head", "lora", "full"])
def test_a_run_is_estimated_before_it_starts(
    method: str, make_app: Callable[..., App], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = labelled(make_app, TASK, f"dual:{checkpoints.save_clip(tmp_path / 'clip')}")
    assert app.training.estimate(TASK, method, {})["seconds"] is None  # the model is not loaded
    app.models.aligner(TASK)
    found = app.training.estimate(TASK, method, {"epochs": 4})
    assert 0 < found["seconds"] < 60 and (found["epochs"], found["labels"]) == (4, 12)
    assert "4 epochs over 12 labels on cpu" in found["sentence"]
    monkeypatch.setattr("mmdemo.training.estimate.free_mb", lambda compute: -1)
    cure = "train fewer or narrower heads" if method == "head" else "train the head or LoRA"
    assert cure in app.training.estimate(TASK, method, {})["sentence"]
    with pytest.raises(UserError, match="epochs is 9999"):
        app.training.estimate(TASK, method, {"epochs": 9999})
