"""How well a found moment lies on its span."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdemo.evaluation.localisation import Localisation, best_overlap, overlap

SPAN = st.tuples(st.integers(0, 40), st.integers(1, 20)).map(lambda s: (float(s[0]), float(s[0] + s[1])))


@given(SPAN, SPAN)
def test_an_overlap_is_the_share_of_seconds_that_both_cover(
    a: tuple[float, float], b: tuple[float, float]
) -> None:
    seconds = [set(range(int(s[0]), int(s[1]))) for s in (a, b)]
    assert overlap(a, b) == pytest.approx(
        len(seconds[0] & seconds[1]) / len(range(int(min(a[0], b[0])), int(max(a[1], b[1]))))
    )


def test_of_several_right_spans_the_one_that_is_met_best_counts_and_nothing_found_is_nothing() -> None:
    assert best_overlap((2.0, 4.0), [(9.0, 10.0), (2.0, 6.0)]) == 0.5
    assert best_overlap(None, [(0.0, 1.0)]) == 0.0


def test_recall_counts_the_queries_that_reach_a_bound() -> None:
    found = Localisation(np.array([1.0, 0.5, 0.4, 0.0])).as_json()
    assert found == {
        "queries": 4,
        "R@1 IoU 0.3": 75.0,
        "R@1 IoU 0.5": 50.0,
        "R@1 IoU 0.7": 25.0,
        "mIoU": 47.5,
    }
