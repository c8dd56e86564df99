"""Labels are counted at once; the sides that a run would take them on, as often as that costs little."""

from __future__ import annotations

import pytest

from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.service import labels
from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from mmdemo.store.splits import HELD_OUT, TRAIN, VALIDATION
from tests.conftest import TASK


def sides(app: App) -> list[int]:
    counts = app.labels.counts(TASK)
    return [counts[side] for side in ("train", "validation", "held_out")]


def label(app: App, count: int) -> None:
    for pair in app.ws.pairs.browse(TASK, state="unlabelled")[:count]:
        app.ws.labels.add(pair.id, NewLabel("match"))


def test_sides_are_those_of_the_snapshot_that_a_run_would_take(app: App) -> None:
    for _ in range(3):
        label(app, 7)
        taken = take_snapshot(app.ws, TASK)
        assert sides(app) == [len(taken.of(side)) for side in (TRAIN, VALIDATION, HELD_OUT)]


def test_what_is_counted_while_labelling_is_what_the_training_data_says_by_meaning(app: App) -> None:
    label(app, 9)
    told = app.training.data(TASK)
    for side, count in zip(("train", "validation", "held_out"), sides(app), strict=True):
        assert told[side]["match"] + told[side]["mismatch"] == count


def test_where_sides_take_long_to_count_labels_are_counted_at_once_all_the_same(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "SOON_S", 0.0)
    monkeypatch.setattr(labels, "COUNTING_SHARE", 1e-9)
    before, known = sides(app), app.labels.counts(TASK)["match"]
    label(app, 5)
    assert app.labels.counts(TASK)["match"] == known + 5 and sides(app) == before
    monkeypatch.setattr(labels, "COUNTING_SHARE", 1e9)
    app.labels._sides.clear()
    assert sum(sides(app)) == sum(before) + 5
