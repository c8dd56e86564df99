"""Hubs do not crowd the answers, and nothing that is measured knows itself by the bank."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmdemo.data.importing import import_source
from mmdemo.retrieval.hubness import LEAST, MOST, NEAREST, WEIGHT, Hubs, above_mean, bank_of, reached
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from mmdemo.store.imported import imported_pairs
from mmdemo.store.labels import NewLabel
from mmdemo.store.splits import TRAIN

TASK = "image-text"


def unit(rows: int, dim: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True))


def import_drawings(app: App, folder: Path, count: int) -> None:
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        rows = [(ASSETS / "clipart" / row["file_name"], row["text"]) for row in csv.DictReader(f)][:count]
    folder.mkdir()
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as f:
        out = csv.writer(f)
        out.writerow(["file_name", "text", "split"])
        for i, (path, text) in enumerate(rows):
            shutil.copy(path, folder / path.name)
            out.writerow([path.name, text, "train" if i % 4 else "held-out"])
    assert not import_source(app.ws, str(folder / "manifest.csv"), TASK).skipped


def test_what_is_reached_is_the_mean_of_the_ten_highest() -> None:
    vectors, bank = unit(7, 16), unit(50, 16, 1)
    by_hand = [np.mean(sorted(bank @ v)[-NEAREST:]) for v in vectors]
    assert np.allclose(reached(vectors, bank), by_hand, atol=1e-6)
    less = above_mean(reached(vectors, bank))
    assert np.isclose(less.mean(), 0, atol=1e-6)
    assert np.allclose(less - less[0], WEIGHT * (np.array(by_hand) - by_hand[0]), atol=1e-6)


def test_a_small_bank_lessens_nothing() -> None:
    assert not reached(unit(7, 16), unit(LEAST - 1, 16, 1)).any()
    assert reached(unit(7, 16), unit(LEAST, 16, 1)).any()


def test_the_bank_is_the_train_side_without_what_is_measured(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    app = make_app(samples=False)
    import_drawings(app, tmp_path / "set", 60)
    rows = imported_pairs(app.ws.database, TASK, TRAIN)
    whole = bank_of(app.ws, TASK)
    assert set(whole.texts) == {text for _, _, text in rows} and set(whole.items) == {i for i, _, _ in rows}
    held_out = {p.text for p in app.ws.pairs.browse(TASK, split="held-out")}
    assert len(whole.texts) == 45 and not held_out & set(whole.texts)
    item, key, text = rows[0]
    rest = bank_of(app.ws, TASK, {item}, {key})
    assert set(whole.texts) - set(rest.texts) == {text} and set(whole.items) - set(rest.items) == {item}
    assert len(whole.texts) <= MOST
    many = {i for i, _, _ in rows[: len(rows) - LEAST + 1]}
    assert not bank_of(app.ws, TASK, many).items


@pytest.mark.slow
def test_a_search_asks_each_candidate_once_and_follows_the_bank(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    app = make_app(samples=False)
    import_drawings(app, tmp_path / "set", 60)
    serving = app.context.keeper_of(TASK).serving()
    hubs, rows = Hubs(app.ws, TASK), np.arange(60)
    aligner, matrix = serving.aligner, serving.index.matrix
    bank = aligner.encode_text(bank_of(app.ws, TASK).texts)
    expected = above_mean(reached(matrix, bank))
    assert np.allclose(hubs.of_media(serving, rows[::-1]), expected[::-1], atol=1e-5)
    for words in ("a hub of everything", "whatever it is"):
        app.labels.add_on(app.ws.items.ids("image")[0], words, NewLabel("match", origin="search"))
    assert len(bank_of(app.ws, TASK).texts) == 45  # what people look for is no text of the collection
    import_drawings(app, tmp_path / "more", 80)
    grown = app.context.keeper_of(TASK).update()
    bank, matrix = grown.aligner.encode_text(bank_of(app.ws, TASK).texts), grown.index.matrix
    assert len(bank) == 60 and len(matrix) == 80
    expected = above_mean(reached(matrix, bank))
    assert np.allclose(hubs.of_media(grown, np.arange(80)), expected, atol=1e-5)


@pytest.mark.slow
def test_a_drawing_that_is_near_to_all_texts_answers_fewer_of_them(
    make_app: Callable[..., App], tmp_path: Path
) -> None:
    app = make_app(samples=False)
    import_drawings(app, tmp_path / "set", 120)
    serving = app.context.keeper_of(TASK).serving()
    asked = [p.text for p in app.ws.pairs.browse(TASK, split="held-out")]

    def busiest(firsts: list[list[str]]) -> int:
        shown = [item for first in firsts for item in first]
        return max(shown.count(item) for item in set(shown))

    found = [app.media.search(Query(text=t, k=5, everything=True, given=False)).results for t in asked]
    near = serving.aligner.encode_text(asked) @ serving.index.matrix.T
    plain = [[str(row) for row in np.argsort(-line)[:5]] for line in near]
    assert busiest([[r.item for r in first] for first in found]) < busiest(plain)
