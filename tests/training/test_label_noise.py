"""Labels that seem wrong weigh less; right ones weigh what they did."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.service.app import App
from mmdemo.training import label_noise
from mmdemo.training.config import TrainSettings
from mmdemo.training.label_noise import FEWEST, _by_others, _Side, _unit, doubted, right_shares
from mmdemo.training.recipes import head as recipe
from mmdemo.training.recipes.base import StartedRun
from mmdemo.training.runs import create_run
from mmdemo.training.trainables.head import HeadLearning, new_head
from tests.conftest import TASK
from tests.training.test_training import CPU, label_samples, toy

N = 240


def told(pairs: PairArrays) -> np.ndarray:
    """(N,) the weights of examples whose features are standardised by their own."""
    found = doubted(pairs, pairs.features.mean(0), pairs.features.std(0), 8).weight
    assert found is not None
    return found


def with_wrong(pairs: PairArrays, count: int) -> PairArrays:
    """The first examples with their texts passed around."""
    order = np.r_[np.roll(np.arange(count), 1), np.arange(count, len(pairs))]
    return replace(pairs, texts=pairs.texts[order], text_code=pairs.text_code[order])


def test_right_labels_weigh_what_they_did() -> None:
    agreed = np.linspace(0.5, 1, N).astype(np.float32)
    assert told(replace(toy(N), weight=agreed)) == pytest.approx(agreed)


def test_texts_that_were_passed_around_weigh_less_than_right_ones() -> None:
    found = told(with_wrong(toy(N), 48))
    assert found[:48].mean() < 0.2 and found[48:].mean() > 0.8


def test_marked_mismatches_and_few_labels_are_not_doubted() -> None:
    mixed = with_wrong(toy(N), 48)
    half = np.arange(N) < 24
    assert (told(replace(mixed, match=~half))[half] == 1).all()
    assert (told(mixed.take(np.arange(FEWEST - 1))) == 1).all()


def test_one_text_of_many_items_is_one_answer() -> None:
    data = toy(2 * N)
    same = np.arange(2 * N) % N
    classes = replace(data, texts=data.texts[same], features=data.features[same], text_code=same)
    assert told(classes).mean() > 0.95


def test_many_labels_are_judged_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_noise, "TOGETHER", N)
    mixed = with_wrong(toy(2 * N), 96)
    both = told(mixed)
    assert both[:96].mean() < 0.3 and both[96:].mean() > 0.8


def test_what_the_others_foretell_is_what_a_fit_without_the_pair_does() -> None:
    rng = np.random.default_rng(0)
    features, texts = rng.normal(size=(12, 5)), _unit(rng.normal(size=(12, 4)))
    near, centred = _unit(features), _unit(texts - texts.mean(0))
    kernel = np.exp(label_noise.SHARPNESS * (near @ near.T - 1))
    foretold = []
    for i in range(12):
        rest = np.flatnonzero(np.arange(12) != i)
        fit = np.linalg.solve(
            kernel[np.ix_(rest, rest)] + label_noise.RIDGE * np.eye(11), centred[rest]
        )  # (11, 4)
        foretold.append(kernel[i, rest] @ fit)
    wanted = _unit(np.array(foretold) - np.mean(foretold, 0)) @ centred.T
    assert _by_others(features, texts) == pytest.approx(wanted, abs=1e-9)


def test_the_slopes_of_the_likelihood_are_its_derivatives() -> None:
    rng = np.random.default_rng(1)
    side = _Side(rng.normal(size=(2, 9, 9)), np.array([0, 0, 1, 2, 3, 4, 5, 6, 7]))
    at = np.array([0.7, 1.2, 0.2])
    by_steps = approx_fprime(at, lambda known: side.unlikely(known[:-1], known[-1])[0], 1e-7)
    assert side.unlikely(at[:-1], at[-1])[1] == pytest.approx(by_steps, abs=1e-5)


def test_tables_that_say_nothing_doubt_no_pair_more_than_another() -> None:
    found = right_shares(np.zeros((2, N, N)), np.arange(N), np.arange(N))
    assert np.ptp(found) == pytest.approx(0)


def test_a_head_learns_by_these_weights_unless_labels_are_trusted() -> None:
    mixed = with_wrong(toy(N), 48)

    def weights(trusted: bool) -> np.ndarray:
        settings = TrainSettings(members=2, hidden=4, trust_labels=trusted)
        head = new_head(mixed, mixed.features, 8, settings, CPU)
        return HeadLearning(head, mixed, settings, CPU)._rows.weight.numpy()

    assert (weights(True) == 1).all()
    assert weights(False)[:48].mean() < 0.2


def test_a_run_of_enough_labels_asks_the_base_models_log_odds(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    label_samples(app, 20)
    run = app.ws.runs.get(create_run(app.ws, TASK, "head", TrainSettings(members=2, hidden=4), "never"))
    for module in (recipe, label_noise):
        monkeypatch.setattr(module, "FEWEST", 5)
    started = StartedRun(app.ws, run, take_snapshot(app.ws, TASK), app.models, lambda: False)
    learning = recipe.open_run(started).trainable
    assert isinstance(learning, HeadLearning)
    assert learning._train.grounds is not None
    assert learning._rows.weight.shape == (len(started.train),)
