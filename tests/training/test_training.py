from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from mmdemo.errors import DataError, UserError
from mmdemo.evaluation.comparison import paired_bootstrap
from mmdemo.evaluation.learning_curve import forecast
from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.labeling.snapshot import Snapshot, check_snapshot, take_snapshot
from mmdemo.models.device import decide_compute
from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import EpochRecord, TrainSettings
from mmdemo.training.progress import append_progress, read_progress
from mmdemo.training.runs import create_run
from mmdemo.training.trainables.head import train_head
from tests.conftest import TASK, execute_run, png
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
CPU = decide_compute("cpu")


def label_samples(app: App, count: int, verdict: str = "match") -> None:
    """Label pairs all over the collection: the first ones are photographs and animals alone."""
    waiting = app.ws.pairs.browse(TASK, state="unlabelled")
    for row in np.linspace(0, len(waiting) - 1, min(count, len(waiting))).astype(int):
        app.ws.labels.add(waiting[row].id, NewLabel(verdict))


def run(app: App, promote: str = "when-better", **settings: object):  # type: ignore[no-untyped-def]
    """A run of one head, which is a third of the work of the five that are the default."""
    settings = {"members": 1} | settings
    run_id = create_run(app.ws, TASK, "head", TrainSettings(**settings), promote)  # type: ignore[arg-type]
    return execute_run(app, run_id)


def toy(n: int = 60, dim: int = 8, features: int = 20, seed: int = 0) -> PairArrays:
    g = torch.Generator().manual_seed(seed)
    hidden = torch.randn(n, dim, generator=g)
    x = torch.cat(
        [
            hidden + 2 * torch.randn(n, dim, generator=g),
            hidden @ torch.randn(dim, features - dim, generator=g),
        ],
        1,
    )
    codes = np.arange(n, dtype=np.int64)
    return PairArrays(x.numpy(), normalize(hidden, dim=1).numpy(), np.ones(n, bool), codes, codes)


def test_a_marked_mismatch_pushes_its_pair_apart() -> None:
    data = toy()
    wrong = PairArrays(
        np.concatenate([data.features, data.features[:1]]),
        np.concatenate([data.texts, data.texts[1:2]]),
        np.append(data.match, False),
        np.append(data.item_code, 0),
        np.append(data.text_code, 1),
    )

    def similarity(train: PairArrays, weight: float) -> float:
        settings = TrainSettings(epochs=30, hidden=16, mark_weight=weight, learning_rate=1e-2)
        *_, (_, head) = train_head(train, None, data.features, 8, settings, CPU)
        media = head.project_media(torch.from_numpy(data.features[:1]))
        return float((media @ head.project_text(torch.from_numpy(data.texts[1:2])).T).detach())

    assert similarity(wrong, 1000.0) < similarity(data, 1000.0)


# The loop


def test_training_improves_what_it_never_saw() -> None:
    data = toy(200)
    train, held_out = data.take(np.arange(150)), data.take(np.arange(150, 200))
    *_, (record, head) = train_head(
        train, held_out, data.features, 8, TrainSettings(hidden=64, learning_rate=5e-3, epochs=20), CPU
    )
    assert (
        record.epoch == record.epochs and record.validation_recall == measure(head, held_out, 8).mean_recall
    )
    assert record.validation_recall > measure(None, held_out, 8).mean_recall + 5


def test_a_run_that_was_interrupted_ends_as_the_one_that_was_not(tmp_path: Path) -> None:
    data, settings = toy(), TrainSettings(epochs=8, hidden=16, batch=16)
    whole = list(train_head(data, data, data.features, 8, settings, CPU, tmp_path / "a"))
    for _, (record, _) in zip(
        range(3), train_head(data, data, data.features, 8, settings, CPU, tmp_path / "b"), strict=False
    ):
        assert record.epoch <= 3
    rest = list(train_head(data, data, data.features, 8, settings, CPU, tmp_path / "b"))
    assert [r.epoch for r, _ in rest][-1] == 8 and rest[0][0].epoch in (3, 4)
    assert [r.loss for r, _ in rest] == [r.loss for r, _ in whole[-len(rest) :]]
    for name, tensor in whole[-1][1].state_dict().items():
        assert torch.equal(tensor, rest[-1][1].state_dict()[name]), name


def test_the_same_seed_gives_the_same_head_and_another_seed_another() -> None:
    data = toy()

    def weights(seed: int) -> torch.Tensor:
        *_, (_, head) = train_head(
            data, None, data.features, 8, TrainSettings(epochs=2, hidden=16, seed=seed), CPU
        )
        return head.media_out.weight.detach().clone()

    assert torch.equal(weights(1), weights(1)) and not torch.equal(weights(1), weights(2))


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"learning_rate": 5.0}, "learning rate is 5"),
        ({"epochs": -1}, "epochs is -1"),
        ({"batch": 1}, "batch is 1"),
        ({"loss": "magic"}, "loss 'magic' is unknown"),
    ],
)
def test_an_absurd_setting_is_refused_with_what_would_work(settings: dict[str, float], says: str) -> None:
    with pytest.raises(UserError, match=says):
        TrainSettings(**settings).check()  # type: ignore[arg-type]


ALONE = """
import sys
from tests.training.test_training import CPU, toy
from mmdemo.training.config import EpochRecord, TrainSettings
from mmdemo.training.trainables.head import train_head
data = toy()
list(train_head(data, data, data.features, 8, TrainSettings(epochs=2, hidden=16), CPU))
print("transformers" in sys.modules)
"""


@pytest.mark.slow
def test_a_head_is_trained_without_the_libraries_of_networks() -> None:
    done = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.split() == ["False"], done.stderr


# Snapshots and what they lack


def pair_of(ws: Workspace, i: int, text: str, split: str, verdict: str = "match") -> None:
    item = ws.add_media("image", png((i, 2 * i, 5)), f"{i}.png", source="t")
    with ws.database.write() as session:
        pair, _ = ws.pairs.add(session, TASK, item.id, text, source="t", split=split)
        ws.labels.add_in(session, pair, NewLabel(verdict))


def test_no_labels_is_said(ws: Workspace) -> None:
    assert "no labels" in check_snapshot(ws, take_snapshot(ws, TASK)).missing[0]


def test_labels_all_on_the_held_out_side_is_said(ws: Workspace) -> None:
    pair_of(ws, 1, "one", "held-out")
    assert "All 1 labels are on the held-out side" in check_snapshot(ws, take_snapshot(ws, TASK)).missing[0]


def test_only_one_text_is_said(ws: Workspace) -> None:
    for i in range(3):
        pair_of(ws, i, "the same", "train")
    assert "All matches to train on have one text" in check_snapshot(ws, take_snapshot(ws, TASK)).missing[0]


def test_only_mismatches_is_said_and_only_matches_is_warned_of(ws: Workspace) -> None:
    pair_of(ws, 1, "one", "train", "mismatch")
    assert "only mismatches" in check_snapshot(ws, take_snapshot(ws, TASK)).missing[0]
    pair_of(ws, 2, "two", "train")
    pair_of(ws, 3, "three", "train")
    assert check_snapshot(ws, take_snapshot(ws, TASK)).missing == ()
    ws.labels.add(1, NewLabel("unsure"))
    warnings = " ".join(check_snapshot(ws, take_snapshot(ws, TASK)).warnings)
    assert "no mismatches yet" in warnings and "are few" in warnings and "cannot be measured" in warnings


def test_what_has_lost_its_file_is_left_out_and_counted(ws: Workspace, tmp_path: Path) -> None:
    for i in range(4):
        pair_of(ws, i, f"text {i}", "train")
    for number, item in enumerate(ws.items.listed("image")):
        report = check_snapshot(ws, take_snapshot(ws, TASK))
        assert len(report.snapshot.examples) == 4 - number and report.snapshot.lost == number
        report.snapshot.save(tmp_path / "snapshot.json")
        assert Snapshot.load(tmp_path / "snapshot.json") == report.snapshot
        ws.media_path(item).unlink()
        if number == 1:
            assert report.warnings[0] == "1 pair was left out: its file is gone." and not report.missing
    assert check_snapshot(ws, take_snapshot(ws, TASK)).missing == (
        "4 pairs were left out: their files are gone. No labels are left: import the files again.",
    )


def test_a_corrected_text_is_a_match_and_never_crosses_the_split(ws: Workspace) -> None:
    pair_of(ws, 1, "one", "train")
    pair_of(ws, 2, "two", "held-out")
    ws.labels.add(1, NewLabel("mismatch", text="better"))
    assert [(e.text, e.match, e.split) for e in take_snapshot(ws, TASK).examples][-1] == (
        "better",
        True,
        "train",
    )
    ws.labels.add(1, NewLabel("match", text="two"))
    assert [e.text for e in take_snapshot(ws, TASK).examples] == ["two"]


# Runs


@pytest.mark.slow
def test_two_hundred_labels_make_the_model_better_and_it_is_promoted(app: App) -> None:
    label_samples(app, 200)
    done = run(app)
    assert done.status == "done" and done.decision == "promoted" == done.decision
    assert done.result["after"]["mean_recall"] > done.result["before"]["mean_recall"]
    assert app.ws.versions.active(TASK) == done.version_id
    card = app.ws.version_folder(done.version_id) / "card.json"
    assert '"base_licence": "Apache-2.0"' in card.read_text()
    learned, chosen = (done.result["trained_on"][side] for side in ("match", "validation"))
    assert learned + chosen == 200 and 10 <= chosen <= 40
    points = done.result["curve"]["points"]
    assert [p["labels"] for p in points] == [0, *(round(f * learned) for f in (0.25, 0.5, 0.75, 1.0))]
    assert {f.suffix for f in app.ws.version_folder(done.version_id).iterdir()} == {".json", ".safetensors"}


def test_a_run_with_too_few_validation_matches_says_why_it_has_no_learning_curve(app: App) -> None:
    train = [p for p in app.ws.pairs.browse(TASK, state="unlabelled") if p.split == "train"]
    for pair in train[:8]:
        app.ws.labels.add(pair.id, NewLabel("match"))
    status = app.context.jobs.status(run(app, epochs=1).id)
    assert status["curve"] is None
    assert "cannot be said yet: 0 of the 5 pairs to check by" in status["no_curve"]


@pytest.mark.slow
def test_what_is_not_better_is_kept_as_a_version_and_not_promoted(app: App) -> None:
    pairs = app.ws.pairs.browse(TASK, state="unlabelled")[:40]
    for pair, other in itertools.pairwise(pairs):  # every picture with another's text
        app.ws.labels.add_on(TASK, pair.item, other.text, NewLabel("match"), "t")
    done = run(app, epochs=60, learning_rate=2e-3)
    assert done.result["after"]["mean_recall"] < done.result["before"]["mean_recall"]
    assert done.decision == "candidate" and app.ws.versions.active(TASK) == app.settings.model
    assert done.version_id in [v.id for v in app.ws.versions.of_task(TASK)]


def test_a_stopped_run_is_usable(app: App) -> None:
    label_samples(app, 20)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=50), "ask")

    def stop_after_two(record) -> None:  # type: ignore[no-untyped-def]
        if record.epoch == 2:
            (app.ws.run_folder(run_id) / "stop").touch()

    done = execute_run(app, run_id, stop_after_two)
    assert done.status == "stopped" and "kept as a version" in done.message
    assert app.models.aligner(TASK, done.version_id).encode_text(["x"]).shape == (1, 384)


def test_promote_keep_and_roll_back(app: App) -> None:
    label_samples(app, 20)
    done = run(app, "ask", epochs=2)
    assert app.ws.versions.active(TASK) == app.settings.model and done.decision == ""
    app.context.jobs.decide(done.id, promote=True)
    assert app.ws.versions.active(TASK) == done.version_id
    assert [told["active"] for told in app.context.jobs.list(TASK)] == [True]
    assert app.context.jobs.roll_back(TASK) == app.settings.model
    told = app.context.jobs.list(TASK)[0]  # what was promoted was in use, and is no more
    assert told["decision"] == "promoted" and not told["active"] and isinstance(told["gain"], float)
    with pytest.raises(UserError, match="nothing before it"):
        app.context.jobs.roll_back(TASK)
    app.context.jobs.decide(done.id, promote=True)
    app.context.jobs.decide(done.id, promote=False)
    assert app.ws.versions.active(TASK) == app.settings.model


def test_a_start_without_labels_and_a_stop_without_a_run_say_so(app: App) -> None:
    with pytest.raises(UserError, match="no run yet"):
        app.context.jobs.stop()
    with pytest.raises(DataError, match="All 112 labels are on the held-out side"):
        app.training.start(TASK, "head", {}, "ask")


@pytest.mark.slow
def test_killing_the_worker_in_the_middle_loses_at_most_an_epoch_and_no_label(app: App) -> None:
    label_samples(app, 60)
    labels = app.ws.labels.total()
    run_id = create_run(app.ws, TASK, "head", TrainSettings(epochs=40, members=1), "never")
    variables = {f"MMDEMO_{k.upper()}": str(v) for k, v in asdict(app.settings).items()}
    worker = subprocess.Popen(
        [sys.executable, "-m", "mmdemo.training.worker"],
        stderr=subprocess.DEVNULL,
        env=os.environ | variables,
        cwd=ROOT,
    )

    def has_begun() -> bool:
        assert worker.poll() is None
        return len(read_progress(app.ws, run_id)) >= 3

    wait_for(has_begun)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    done_before = len(read_progress(app.ws, run_id))
    assert 3 <= done_before < 40
    assert [r.id for r in app.ws.runs.unfinished()] == [run_id]
    assert app.ws.runs.claim("another", run_id) is None  # its lease is not over yet
    holder = app.ws.runs.get(run_id).holder
    app.ws.runs.free(holder)  # type: ignore[arg-type]  # as a page does whose worker died
    first: list[int] = []
    done = execute_run(app, run_id, lambda r: first.append(r.epoch))
    assert done.status == "done" and first[0] >= done_before - 1 and first[-1] == 40
    assert [r["epoch"] for r in read_progress(app.ws, run_id)] == list(range(1, 41))
    assert app.ws.labels.total() == labels


def test_a_record_that_a_kill_cut_off_takes_no_other_with_it(app: App) -> None:
    label_samples(app, 20)
    run_id = create_run(app.ws, TASK, "head", TrainSettings(), "never")
    folder = app.ws.run_folder(run_id)
    one = EpochRecord(1, 2, 0.5, None, 1.0, 1.0)
    with append_progress(folder) as write:
        write(one)
    with (folder / "progress.jsonl").open("a") as file:
        file.write('{"epoch": 2, "lo')
    with append_progress(folder) as write:
        write(replace(one, epoch=2))
    assert [r["epoch"] for r in read_progress(app.ws, run_id)] == [1, 2]


# Numbers


def test_the_interval_of_no_change_holds_zero_and_that_of_a_clear_one_does_not() -> None:
    rng = np.random.default_rng(0)
    before = rng.random(200) < 0.3
    assert paired_bootstrap(before, before).as_json() == {"gain": 0.0, "low": 0.0, "high": 0.0}
    after = before | (rng.random(200) < 0.2)
    interval = paired_bootstrap(before, after)
    assert 0 < interval.low < interval.gain < interval.high


def test_the_forecast_says_when_more_labels_no_longer_help() -> None:
    rng = np.random.default_rng(0)
    queries = rng.random(300)
    flat = np.stack([queries < 0.3] * 4).astype(float)
    assert "no longer help" in forecast([0, 200, 400, 800], flat).advice
    few = np.stack([queries[:30] < 0.3] * 4).astype(float)
    assert "it is not certain" in forecast([0, 10, 20, 33], few).advice
    fewer = np.stack([queries[:5] < 0.3] * 4).astype(float)
    assert forecast([0, 10, 20, 33], fewer).advice.startswith("5 pairs to check by are too few to tell")
    rising = np.stack([queries < p for p in (0.2, 0.3, 0.4, 0.5)]).astype(float)
    curve = forecast([0, 50, 100, 150], rising)
    assert "should bring" in curve.advice and curve.next_low > 0
