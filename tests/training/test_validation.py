"""Validation pairs choose between epochs, and held-out pairs decide on versions and do nothing else."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

from mmdemo.labeling.snapshot import LEAST_VALIDATION, Example, split_validation, take_snapshot
from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from mmdemo.store.splits import HELD_OUT, TRAIN, VALIDATION, validates
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import EpochRecord
from mmdemo.training.progress import read_progress
from tests.conftest import TASK, png
from tests.training.test_training import label_samples, run


def example(
    i: int, text: str = "", split: str = TRAIN, validation: bool = False, match: bool = True
) -> Example:
    """An example of an item whose hash says whether it is for validation."""
    return Example(
        i, i, f"{i:08x}{'00000000' if validation else 'ffffffff'}", text or f"text {i}", match, split
    )


def chosen(examples: list[Example]) -> list[int]:
    return [e.label for e in split_validation(examples) if e.split == VALIDATION]


@pytest.mark.slow
def test_a_fourth_of_new_items_is_held_out_and_half_as_many_validate_and_stay_there(ws: Workspace) -> None:
    for i in range(400):
        item = ws.add_media("image", png((i % 250, i // 250, 7)), f"{i}.png", source="t")
        with ws.database.write() as session:
            ws.pairs.add(session, TASK, item.id, f"text {i}", source="t")
    sides = {p.item: p.split for p in ws.pairs.browse(TASK)}
    count = {side: sum(s == side for s in sides.values()) for side in (TRAIN, VALIDATION, HELD_OUT)}
    assert sum(count.values()) == 400
    assert 75 <= count[HELD_OUT] <= 125 and 32 <= count[VALIDATION] <= 70
    with ws.database.write() as session:  # whatever its hash says, a text is where it was met first
        other = next(i for i, side in sides.items() if side == VALIDATION)
        known = next(p for p in ws.pairs.browse(TASK) if p.split == TRAIN)
        pair, _ = ws.pairs.add(session, TASK, other, known.text, source="t")
        assert pair.split is None


def test_what_a_source_says_is_to_be_trained_on_is_on_the_train_side(ws: Workspace) -> None:
    for i in range(60):
        item = ws.add_media("image", png((i, 9, 9)), f"{i}.png", source="t")
        with ws.database.write() as session:
            ws.pairs.add(session, TASK, item.id, f"text {i}", source="t", split=TRAIN)
    assert {p.split for p in ws.pairs.browse(TASK)} == {TRAIN}


def test_where_no_pair_is_for_validation_a_tenth_of_the_train_items_is_by_their_hash() -> None:
    plain = [example(i) for i in range(40)]
    own = [example(100 + i, validation=True) for i in range(6)]
    held_out = [example(200, split=HELD_OUT, validation=True)]
    assert chosen([*plain, *own, *held_out]) == [e.label for e in own]
    assert split_validation([*own, *plain])[len(own) :] == plain
    assert 130 < sum(validates(f"{i:08x}{i * 2654435761 % 2**32:08x}") for i in range(1000)) < 210


def test_too_few_validation_pairs_are_none_and_mismatches_do_not_count() -> None:
    few = [example(100 + i, validation=True) for i in range(LEAST_VALIDATION - 1)]
    plain = [example(i) for i in range(40)]
    assert chosen([*plain, *few]) == []
    assert chosen([*plain, *few, example(300, validation=True, match=False)]) == []
    assert len(chosen([*plain, *few, example(300, validation=True)])) == LEAST_VALIDATION


def test_of_few_items_with_many_pairs_no_more_than_a_fifth_is_for_validation() -> None:
    pairs = [example(i, f"{i} {j}", validation=i < 3) for i in range(6) for j in range(8)]
    assert len(chosen(pairs)) == 8  # one item of the three that the hash names


def test_a_text_that_is_trained_on_is_not_validated_by_and_neither_is_what_hangs_on_it() -> None:
    plain = [example(i) for i in range(40)]
    own = [example(100 + i, validation=True) for i in range(6)]
    shared = example(200, "Text  1", validation=True)  # text 1 is trained on
    chain = [example(201, "both", validation=True), example(200, "both", validation=True)]
    assert chosen([*plain, *own, shared, *chain]) == [e.label for e in own]


def test_a_validation_side_of_its_own_is_left_as_it_is() -> None:
    own = [example(i, split=VALIDATION) for i in range(LEAST_VALIDATION)]
    assert chosen([*own, example(100, validation=True)]) == [e.label for e in own]


def test_the_counts_tell_the_validation_side_last(app: App) -> None:
    counts = app.labels.counts(TASK)
    assert list(counts)[-1] == "validation" and counts["validation"] == 0
    item = next(i for i in app.ws.items.listed("image") if app.ws.pairs.of_items(TASK, [i.id])[i.id])
    assert item.split == TRAIN or item.split == HELD_OUT
    pair = app.ws.pairs.browse(TASK, state="unlabelled")[0]
    with app.ws.database.write() as session:
        from mmdemo.store.tables import Pair

        session.get(Pair, pair.id).split = VALIDATION  # type: ignore[union-attr]
    app.ws.labels.add(pair.id, NewLabel("match"))
    assert app.labels.counts(TASK)["validation"] == 1
    assert [p.id for p in app.ws.pairs.browse(TASK, split=VALIDATION)] == [pair.id]


def test_label_and_fine_tune_count_the_same_labels_on_each_side(app: App) -> None:
    for count in (40, 20):  # the second time after labels that were counted already
        label_samples(app, count)
        counts, data = app.labels.counts(TASK), app.training.data(TASK)
        for side in ("train", "validation", "held_out"):
            assert counts[side] == sum(data[side].values())
    assert counts["train"] > 2 * counts["validation"] > 0


def test_the_curve_of_a_head_is_measured_on_validation_pairs(app: App) -> None:
    label_samples(app, 60)
    done = run(app, "ask", epochs=6)
    epochs = [r["validation_recall"] for r in read_progress(app.ws, done.id)]
    found = app.versions.compare([app.settings.model, done.version_id], "validation")["two"]
    assert len(epochs) == 6 and found["after"]["mean_recall"] == pytest.approx(epochs[-1], abs=0.01)
    assert found["before"]["pairs"] == done.result["trained_on"]["validation"]
    held_out = app.versions.compare([app.settings.model, done.version_id])["two"]
    assert held_out["after"]["mean_recall"] == done.result["after"]["mean_recall"]


def test_a_head_stops_when_validation_gets_no_better_and_keeps_its_best_epoch(app: App) -> None:
    label_samples(app, 60)
    done = run(app, "ask", epochs=300, patience=3, learning_rate=5e-3)
    recalls = [r["validation_recall"] for r in read_progress(app.ws, done.id)]
    best = int(np.argmax(recalls))
    assert done.status == "done" and len(recalls) == best + 4 < 300
    found = app.versions.compare([app.settings.model, done.version_id], "validation")["two"]
    assert found["after"]["mean_recall"] == pytest.approx(recalls[best], abs=0.01)


def test_held_out_labels_change_nothing_that_is_learned(app: App) -> None:
    label_samples(app, 60)
    heads = []
    for _ in range(2):
        done = run(app, "ask", epochs=300, patience=2, learning_rate=5e-3)
        heads.append(app.models.aligner(TASK, done.version_id).encode_text(["a dog", "a red car"]))
        for e in take_snapshot(app.ws, TASK).of(HELD_OUT)[:100]:
            app.ws.labels.add(e.pair, NewLabel("unsure"))
    assert np.array_equal(heads[0], heads[1])


def test_the_curve_is_called_what_it_is_measured_on_and_runs_of_before_can_still_be_read(app: App) -> None:
    label_samples(app, 60)
    done = run(app, "ask", epochs=2)
    records = read_progress(app.ws, done.id)
    assert [set(r) for r in records] == [{f.name for f in fields(EpochRecord)}] * 2
    status = app.context.jobs.status(done.id)
    assert status["validation_recall"] == status["recall"] == records[-1]["validation_recall"] > 0
    progress = app.ws.run_folder(done.id) / "progress.jsonl"
    progress.write_text(progress.read_text().replace("validation_", ""))
    assert read_progress(app.ws, done.id) == records
