from __future__ import annotations

import numpy as np
import pytest

from mmdemo.models.video.moments import Moment, find_moments, shot_rows, similarity_curve

TIMES = np.arange(0, 20, 0.5, dtype=np.float32)
SHOTS = np.array([[0, 5], [5, 10], [10, 20]], np.float32)


def test_the_curve_is_smoothed_within_a_shot_and_never_across_a_cut() -> None:
    scores = np.where(TIMES < 5, 0.0, 1.0).astype(np.float32)
    assert np.allclose(similarity_curve(TIMES, scores, SHOTS), scores)
    spike = np.zeros(len(TIMES), np.float32)
    spike[30] = 1.0
    curve = similarity_curve(TIMES, spike, SHOTS)
    assert curve[30] < 0.5 and curve[29] > 0.1 and curve[:20].max() == 0.0
    assert curve.sum() == pytest.approx(1.0, abs=0.01)


def test_a_short_shot_is_one_moment_and_the_best_comes_first() -> None:
    scores = np.concatenate([np.full(10, 0.5), np.full(10, 0.6), np.full(20, 0.1)])
    found = find_moments(TIMES, scores, SHOTS)
    assert [(m.start, m.end) for m in found] == [(5.0, 10.0), (0.0, 5.0)]  # the third lies far below


def test_the_part_of_a_long_shot_that_fits_is_the_moment() -> None:
    scores = np.zeros(len(TIMES))
    scores[26:32] = 0.6  # 13 to 16 s
    (best,) = find_moments(TIMES, scores, SHOTS)
    assert (best.start, best.end) == (13.0, 16.0) and best.score == pytest.approx(0.6)


def test_neighbours_that_fit_alike_are_one_moment() -> None:
    scores = np.concatenate([np.full(10, 0.60), np.full(10, 0.61), np.full(20, 0.1)])
    (one,) = find_moments(TIMES, scores, SHOTS)
    assert (one.start, one.end) == (0.0, 10.0) and one.score == pytest.approx(0.605)


def test_one_frame_is_a_moment_too() -> None:
    assert find_moments(np.zeros(1), np.ones(1), np.array([[0.0, 0.04]])) == [Moment(0.0, 0.04, 1.0)]
    assert shot_rows(np.zeros(1), np.array([[0.0, 0.04]])) == [(0, 1)]
