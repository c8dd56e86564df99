"""One function orders what a search shows and what is measured."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdemo.data.importing import import_source
from mmdemo.data.samples import SPEECH
from mmdemo.errors import NumberError
from mmdemo.evaluation.evaluate import retrieval_with
from mmdemo.evaluation.measure import measure
from mmdemo.evaluation.metrics import PairTable, evaluate_table
from mmdemo.evaluation.pair_arrays import load_arrays
from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.models.version_source import version_source
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.ranking import fused, places, sort_keys
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from tests.conftest import drawing

SPOKEN = "speech-text"


def test_equal_scores_share_the_last_of_their_places() -> None:
    assert places(np.array([0.3, 0.9, 0.9, 0.1])).tolist() == [3, 2, 2, 4]


def test_lists_are_fused_by_reciprocal_rank_and_what_one_lacks_counts_nothing_there() -> None:
    near, words = np.array([0.9, 0.8, 0.7]), np.array([-np.inf, -np.inf, 2.0])
    assert fused([near, words]).tolist() == pytest.approx([1 / 61, 1 / 62, 1 / 63 + 1 / 61])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.integers(1, 25), st.integers(0, 99))
def test_the_first_stand_in_the_order_of_the_number_that_is_shown_and_the_rest_after_them(
    similar: list[int], depth: int, seed: int
) -> None:
    near = np.array(similar) / 5
    number = np.random.default_rng(seed).integers(0, 3, len(near)) / 2
    asked: list[int] = []

    def decide(rows: np.ndarray) -> np.ndarray:
        asked.extend(rows.tolist())
        return number[rows]

    order = np.argsort(-sort_keys(near, depth, decide), kind="stable").tolist()
    assert sorted(order[:depth]) == sorted(asked) and len(asked) == min(depth, len(near))
    shown = [(number[i], near[i]) for i in order[:depth]]
    assert shown == sorted(shown, reverse=True)
    assert [near[i] for i in order[depth:]] == sorted(near[order[depth:]], reverse=True)


def test_a_score_that_is_no_number_is_an_error_and_never_a_rank() -> None:
    with pytest.raises(NumberError, match="similarity of answer 2 is not a number"):
        sort_keys(np.array([0.1, np.nan, 0.2]))
    with pytest.raises(NumberError, match="score of answer 1 is infinite"):
        sort_keys(np.ones(3), 2, lambda rows: np.full(len(rows), np.inf))
    table = PairTable(lambda a, b: np.eye(3)[np.ix_(a, b)], lambda m, t, s: np.full(len(m), np.nan), 3, 3)
    with pytest.raises(NumberError, match="not a number"):
        evaluate_table(table, "abc", "abc")


def places_in_search(app: App, task: str, texts: dict[str, str]) -> dict[str, tuple[int, int]]:
    """For each item its place when its text is searched for, and that of its text when it is searched by.

    Texts that people gave are the answers here, so words do not look in them.
    """
    found = {}
    for item, text in texts.items():
        items = [
            r.item
            for r in app.media.search(Query(text=text, k=200, everything=True, given=False), task).results
        ]
        back = Query(item=item, target="text", k=200, everything=True)
        by_item = [r.text for r in app.media.search(back, task).results]
        found[item] = (items.index(item) + 1, by_item.index(text) + 1)
    return found


def places_in_evaluation(app: App, task: str) -> dict[str, tuple[int, int]]:
    aligner = app.models.aligner(task)
    examples = take_snapshot(app.ws, task).of("held-out", match=True)
    preset = version_source(app.ws, aligner.version).preset
    measured = retrieval_with(app.ws, preset, lambda: aligner.towers, aligner.head, examples)
    both = zip(measured.text_to_media.first, measured.media_to_text.first, strict=True)
    return {e.item: (int(a), int(b)) for e, (a, b) in zip(examples, both, strict=True)}


def imported(
    app: App, folder: Path, rows: list[tuple[Path, str]], task: str, train: Sequence[tuple[Path, str]] = ()
) -> dict[str, str]:
    """A collection whose every pair of `rows` is a held-out match, and those of `train` are learned from; the
    text of each held-out item.
    """
    folder.mkdir()
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as f:
        out = csv.writer(f)
        out.writerow(["file_name", "text", "split", "verdict"])
        sides = [(row, "held-out") for row in rows] + [(row, "train") for row in train]
        for (path, text), side in sides:
            shutil.copy(path, folder / path.name)
            out.writerow([path.name, text, side, "match"])
    report = import_source(app.ws, str(folder / "metadata.csv"), task)
    assert not report.skipped
    app.context.keeper_of(task).update()
    return {p.item: p.text for p in app.ws.pairs.browse(task, split="held-out")}


def test_pictures_are_ranked_by_evaluate_as_by_search(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(samples=False)
    words = {
        "an_apple": "Fruit",
        "rana": "An animal that jumps",
        "a_teapot": "A pot for tea",
        "tiger": "A wild cat",
        "hamburger": "Fast food",
        "piano": "A music instrument",
        "tree": "It grows in the wood",
    }
    rows = [(drawing(name), text) for name, text in words.items()]
    texts = imported(app, tmp_path / "set", rows, "image-text")
    assert places_in_evaluation(app, "image-text") == places_in_search(app, "image-text", texts)


def test_pictures_are_ranked_without_hubs_by_evaluate_as_by_search(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    app = make_app(samples=False)
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        drawings = [(ASSETS / "clipart" / row["file_name"], row["text"]) for row in csv.DictReader(f)]
    held_out, train = drawings[:10], drawings[10:55]
    texts = imported(app, tmp_path / "set", held_out, "image-text", train)
    measured = places_in_evaluation(app, "image-text")
    # A search looks among the train side too, so what is compared is the order of those that are measured.
    aligner = app.models.aligner("image-text")
    preset = version_source(app.ws, aligner.version).preset
    examples = take_snapshot(app.ws, "image-text").of("held-out", match=True)
    pairs = load_arrays(app.ws, preset, examples, lambda: aligner.towers)
    assert pairs.bank is not None and len(pairs.bank.texts) == len(pairs.bank.features) == 45
    plain = measure(None, replace(pairs, bank=None, grounds=None), preset.dim)
    assert [measured[e.item][0] for e in examples] != plain.text_to_media.first.tolist()
    for item, text in texts.items():
        asked = Query(text=text, k=200, everything=True, given=False)
        found = [r.item for r in app.media.search(asked).results if r.item in texts]
        assert found.index(item) + 1 == measured[item][0]
        asked = Query(item=item, target="text", k=200, everything=True)
        said = [r.text for r in app.media.search(asked).results if r.text in texts.values()]
        assert said.index(text) + 1 == measured[item][1]


def test_recordings_are_ranked_by_evaluate_as_by_search(make_app: Callable[..., App], tmp_path: Path) -> None:
    app = make_app(samples=False)
    files = [next((SPEECH / "samples").glob(f"sentence-{n:02d}-*.ogg")) for n in (1, 2, 3, 4)]
    texts = ["The train leaves", "Water the tomatoes", "An old map in the attic", "Closed on Mondays"]
    kept = imported(app, tmp_path / "set", list(zip(files, texts, strict=True)), SPOKEN)
    measured = places_in_evaluation(app, SPOKEN)
    assert measured == places_in_search(app, SPOKEN, kept)
    assert set(measured.values()) == {(1, 1)}


def test_evidence_about_a_recording_is_asked_once_and_kept(
    make_app: Callable[..., App], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(samples=False)
    files = [next((SPEECH / "samples").glob(f"sentence-{n:02d}-*.ogg")) for n in (1, 2)]
    imported(app, tmp_path / "set", [(files[0], "The train"), (files[1], "The tomatoes")], SPOKEN)
    before = places_in_evaluation(app, SPOKEN)
    recogniser = app.models.aligner(SPOKEN).towers.media.recogniser
    monkeypatch.setattr(recogniser, "evidence", lambda *a: pytest.fail("it was asked again"))
    assert places_in_evaluation(app, SPOKEN) == before
