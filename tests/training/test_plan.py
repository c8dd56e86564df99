"""Which examples a step takes, and when a training is measured."""

from __future__ import annotations

from collections import Counter

import pytest

from mmdemo.training.config import TrainSettings
from mmdemo.training.trainables.head import LEAST_STEPS, head_defaults, train_head
from mmdemo.training.trainer import Plan, make_plan
from tests.training.test_training import CPU, toy


def plan_of(examples: int, **settings: int) -> Plan:
    """That of five heads."""
    asked = TrainSettings(**settings)  # type: ignore[arg-type]
    return make_plan(examples, head_defaults(examples, asked), asked)


@pytest.mark.parametrize("examples", [2, 25, 100, 200, 300, 420, 1000, 5000])
def test_few_labels_are_gone_through_often_and_measured_no_more_often_than_many(examples: int) -> None:
    plan = plan_of(examples)
    assert plan.epochs <= 10 and plan.total >= LEAST_STEPS
    assert plan.total < 1.4 * max(LEAST_STEPS, 10 * plan.steps_of_pass)  # no more is learned than is needed


def test_each_pass_of_an_epoch_takes_every_label_once_in_an_order_of_its_own() -> None:
    plan = plan_of(50)
    assert plan.passes > 1
    passes = [tuple(plan.rows(step)) for step in range(plan.steps)]
    assert all(Counter(rows) == Counter(range(50)) for rows in passes)
    assert len(set(passes)) == plan.passes


def test_epochs_that_somebody_asks_for_are_one_pass_each() -> None:
    plan = plan_of(50, epochs=7)
    assert (plan.epochs, plan.passes, plan.total) == (7, 1, 7)


def test_a_training_on_few_labels_says_ten_epochs_of_ten() -> None:
    records = [r for r, _ in train_head(toy(20), toy(20), toy(20).features, 8, TrainSettings(hidden=4), CPU)]
    assert [r.epoch for r in records] == list(range(1, 11))
    assert all(r.epochs == 10 and r.validation_recall is not None for r in records)
