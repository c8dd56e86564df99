"""Groups are named by the texts nearest to their centres, and not named where none is clear."""

from __future__ import annotations

import numpy as np

from mmdemo.retrieval.maps.groups import can_name, centres_of, group_of, how_many, in_the_order_of, names_of
from tests.retrieval.maps.test_projection import KINDS, kinds


def test_as_many_groups_are_made_as_there_are_items_for_and_they_are_those_that_are_alike() -> None:
    assert [how_many(n) for n in (0, 11, 12, 54, 324, 100_000)] == [0, 0, 2, 3, 7, 24]
    vectors, which = kinds(54)
    centres = centres_of(vectors)
    groups = group_of(vectors, centres)
    assert len(centres) == KINDS and np.array_equal(centres_of(vectors), centres)
    assert all(len(set(groups[which == kind])) == 1 for kind in range(KINDS))
    assert (group_of(vectors, centres[:0]) == -1).all()


def test_a_group_keeps_its_number_from_one_map_to_the_next() -> None:
    vectors, _ = kinds(54)
    centres = centres_of(vectors)
    before = group_of(vectors, centres)
    other = centres[[2, 0, 1]]
    same = in_the_order_of(other, group_of(vectors, other), before)
    assert np.array_equal(group_of(vectors, same), before)
    fewer = in_the_order_of(centres[:2], group_of(vectors, centres[:2]), before)
    assert sorted(map(tuple, fewer)) == sorted(map(tuple, centres[:2]))


def test_a_name_is_that_of_the_text_nearest_to_a_group_and_of_no_other() -> None:
    vectors, _ = kinds(54)
    centres = centres_of(vectors)
    near = np.array([centres[0], centres[1], centres[1], centres.mean(axis=0)])
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    names = names_of(centres, ["a red car", "The Moon", "the moon", "anything"], near)
    assert names == ["red car", "Moon", ""]
    assert names_of(centres, [], near[:0]) == ["", "", ""]


def test_only_short_texts_can_be_names() -> None:
    assert can_name("a tabby cat") and not can_name("") and not can_name("one two three four five six")
    assert not can_name("x" * 41)
