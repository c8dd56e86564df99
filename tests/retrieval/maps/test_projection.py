"""A map lays alike vectors near each other, the same ones the same way, and lets what is there stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mmdemo.retrieval.maps.kept import path_of, read_map
from mmdemo.retrieval.maps.making import MapMaker
from mmdemo.retrieval.maps.projection import (
    Stop,
    Stopped,
    first_places,
    laid_out,
    neighbours,
    put_among,
    turned_like,
)

DIM = 16
KINDS = 3


def unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def kinds(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(N, D) vectors of a few kinds, and (N,) of which each is."""
    at_random = np.random.default_rng(seed)
    centres = np.random.default_rng(7).normal(size=(KINDS, DIM))
    which = np.arange(count) % KINDS
    return unit(centres[which] + 0.25 * at_random.normal(size=(count, DIM))), which


def ids(count: int, first: int = 0) -> list[str]:
    return [f"{first + i:064x}" for i in range(count)]


def nearest_are_alike(places: np.ndarray, which: np.ndarray) -> float:
    rows, _ = neighbours(places, 5)
    return float((which[rows] == which[:, None]).mean())


def named(centres: np.ndarray) -> list[str]:
    return [f"group {i}" for i in range(len(centres))]


def test_alike_vectors_lie_near_each_other_and_the_same_ones_always_in_the_same_place() -> None:
    vectors, which = kinds(60)
    places = laid_out(vectors)
    assert places.shape == (60, 2) and nearest_are_alike(places, which) > 0.95
    assert np.array_equal(laid_out(vectors), places)


@pytest.mark.parametrize("count", [9, 36])
def test_small_collections_come_apart_in_both_directions(count: int) -> None:
    vectors, _ = kinds(count)
    places = laid_out(vectors)
    _, sizes, _ = np.linalg.svd(places - places.mean(axis=0))
    assert float(np.ptp(places)) > 1 and sizes[1] > 0.05 * sizes[0]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_a_few_vectors_and_equal_ones_have_finite_places(count: int) -> None:
    vectors, _ = kinds(max(1, count))
    places = laid_out(vectors[:count])
    assert places.shape == (count, 2) and np.isfinite(places).all()
    assert np.isfinite(laid_out(np.repeat(vectors[:1], 12, axis=0))).all()


def test_a_map_can_be_stopped_and_says_how_far_it_is() -> None:
    vectors, _ = kinds(30)
    told: list[float] = []
    with pytest.raises(Stopped):
        laid_out(vectors, stop=Stop(lambda: len(told) == 2, told.append))
    assert 0 < told[0] < told[1] < 0.2


def test_new_vectors_are_put_among_those_that_are_alike() -> None:
    vectors, which = kinds(60)
    places = laid_out(vectors)
    more, of = kinds(9, seed=5)
    put = put_among(more, vectors, places)
    middles = np.array([places[which == kind].mean(axis=0) for kind in range(KINDS)])
    assert (np.linalg.norm(put[:, None] - middles, axis=2).argmin(axis=1) == of).all()


def test_a_turned_map_is_turned_back() -> None:
    places = np.random.default_rng(1).normal(size=(40, 2)).astype(np.float32)
    turned = places @ np.array([[0.0, 1.0], [1.0, 0.0]], np.float32) + 5  # turned over, too
    assert np.allclose(turned_like(turned, places), places, atol=1e-4)
    assert np.array_equal(first_places(np.zeros((3, DIM), np.float32)), np.zeros((3, 2)))


def test_a_few_new_items_move_no_other_and_removed_ones_go(tmp_path: Path) -> None:
    vectors, _ = kinds(60)
    maker = MapMaker(tmp_path, "image-text", "one", ["one"])
    shown: list[int] = []
    first = maker.make(ids(50), vectors[:50], named, (1, 50), lambda kept: shown.append(kept.whole))
    assert first.whole == 50 and shown == [0] and set(first.groups) <= set(range(len(first.names)))
    grown = maker.make(ids(55), vectors[:55], named, (1, 55))
    assert np.array_equal(grown.places[:50], first.places) and grown.whole == 50
    fewer = maker.make(ids(40), vectors[:40], named, (2, 40))
    kept = read_map(tmp_path, "image-text", "one")
    assert kept is not None and len(kept.ids) == 40 and np.array_equal(fewer.places, first.places[:40])
    again = maker.make(ids(60), vectors, named, (2, 60))
    assert again.whole == 60  # too many to be put among the others


def test_another_versions_map_goes_on_from_the_one_before(tmp_path: Path) -> None:
    vectors, which = kinds(60)
    there = ["one", "two"]
    before = MapMaker(tmp_path, "image-text", "one", there).make(ids(60), vectors, named, (2, 60))
    learned = unit(vectors + 0.02 * np.random.default_rng(3).normal(size=vectors.shape))
    after = MapMaker(tmp_path, "image-text", "two", there).make(ids(60), learned, named, (2, 60))
    width = float(np.ptp(before.places, axis=0).max())
    moved = np.linalg.norm(after.places - before.places, axis=1)
    assert float(np.median(moved)) < 0.1 * width and nearest_are_alike(after.places, which) > 0.95
    assert (after.groups == before.groups).mean() > 0.9  # a group keeps its number, and so its colour


def test_a_damaged_map_and_that_of_a_version_that_is_gone_are_made_anew(tmp_path: Path) -> None:
    vectors, _ = kinds(20)
    MapMaker(tmp_path, "image-text", "one", ["one"]).make(ids(20), vectors, named, (1, 20))
    MapMaker(tmp_path, "image-text", "two", ["two"]).make(ids(20), vectors, named, (1, 20))
    assert not path_of(tmp_path, "image-text", "one").exists()
    path_of(tmp_path, "image-text", "two").write_bytes(b"no arrays")
    assert read_map(tmp_path, "image-text", "two") is None
    assert not path_of(tmp_path, "image-text", "two").exists()
