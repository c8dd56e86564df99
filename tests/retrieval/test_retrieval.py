from __future__ import annotations

import itertools
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdemo.errors import UserError
from mmdemo.evaluation.comparison import gains
from mmdemo.evaluation.evaluate import Measured
from mmdemo.evaluation.metrics import evaluate_retrieval
from mmdemo.media.image import decode_image
from mmdemo.retrieval.encode_stream import encode_stream
from mmdemo.retrieval.index import VectorIndex
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.video.search import best_cut
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from mmdemo.store.labels import NewLabel
from mmdemo.store.vectors import VectorFile
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, drawing, png


def unit(rows: int, dim: int, seed: int) -> np.ndarray:
    v = np.random.default_rng(seed).normal(size=(rows, dim)).astype(np.float32)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def slow_ranks(queries: np.ndarray, targets: np.ndarray, q_ids: list[str], t_ids: list[str]) -> list[int]:
    """One query after another, as one would by hand."""
    joined = set(zip(q_ids, t_ids, strict=True))
    first = {}
    for t, v in zip(t_ids, targets, strict=True):
        first.setdefault(t, v)
    of_query = {}
    for q, v in zip(q_ids, queries, strict=True):
        of_query.setdefault(q, v)
    ranks = []
    for q in q_ids:
        score = {t: float(np.dot(of_query[q], v)) for t, v in first.items()}
        best = max(score[t] for t in first if (q, t) in joined)
        ranks.append(1 + sum(score[t] >= best - 1e-7 for t in first if (q, t) not in joined))
    return ranks


@given(st.integers(2, 30), st.integers(1, 12), st.integers(1, 12), st.integers(0, 999))
def test_recall_agrees_with_a_count_by_hand_when_texts_and_items_repeat(
    n: int, items: int, texts: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    i, t = rng.integers(0, items, n), rng.integers(0, texts, n)
    media, text = unit(items, 6, seed)[i], unit(texts, 6, seed + 1)[t]
    i_ids, t_ids = [f"i{x}" for x in i], [f"t{x}" for x in t]
    found = evaluate_retrieval(media, text, i_ids, t_ids)
    assert found.text_to_media.first.tolist() == slow_ranks(text, media, t_ids, i_ids)
    assert found.media_to_text.first.tolist() == slow_ranks(media, text, i_ids, t_ids)
    joined, shown = set(zip(t_ids, i_ids, strict=True)), found.text_to_media.shown
    assert shown is not None and shown.shape == (n, min(5, len(set(i_ids))))
    for query, rank in enumerate(found.text_to_media.first.astype(int)):  # what is kept stands at its rank
        assert rank > shown.shape[1] or (t_ids[query], i_ids[shown[query, rank - 1]]) in joined
    row = found.text_to_media.as_json()
    assert 0 <= row["R@1"] <= row["R@5"] <= row["R@10"] <= 100 and row["MedR"] >= 1 and 0 < row["mAP"] <= 100


def test_equal_texts_count_as_equal() -> None:
    media = np.eye(3, dtype=np.float32)
    text = media[[1, 1, 2]]  # the first two texts are one, and lie on the second picture
    assert evaluate_retrieval(media, text, ["a", "b", "c"], ["t", "t", "u"]).text_to_media.recall(1) == 100


def test_a_model_that_scores_all_alike_gains_nothing_by_it() -> None:
    same = np.ones((20, 4), np.float32) / 2
    ids = [str(i) for i in range(20)]
    assert evaluate_retrieval(same, same, ids, ids).mean_recall == 0


def test_the_index_gives_the_same_answer_whether_grown_or_built_at_once(tmp_path: Path) -> None:
    rows, queries = unit(500, 16, 0), unit(5, 16, 1)
    file = VectorFile(tmp_path / "grown", 16)
    held = []
    for begin, end in itertools.pairwise((0, 1, 100, 101, 500)):
        file.append([f"{i:064x}" for i in range(begin, end)], rows[begin:end])
        held.append((end, VectorIndex(file.matrix())))
    for end, index in [*held, (500, VectorIndex(rows))]:  # what was held before it grew is as it was
        scores, found = index.search(queries, 7)
        assert found.tolist() == np.argsort(-(queries @ rows[:end].T), axis=1)[:, :7].tolist()
        assert len(index) == end and np.all(np.diff(scores) <= 0)
    assert VectorIndex(rows[:0]).search(queries, 7)[1].shape == (5, 0)


def test_a_filter_looks_only_where_it_may() -> None:
    index = VectorIndex(unit(100, 8, 0))
    allowed = np.zeros(100, bool)
    allowed[[3, 50, 97]] = True
    _, found = index.search(unit(2, 8, 1), 10, allowed)
    assert found.shape == (2, 3) and set(found.ravel().tolist()) == {3, 50, 97}
    assert index.search(unit(1, 8, 1), 5, np.zeros(100, bool))[1].shape == (1, 0)


def test_words_find_pictures_and_a_picture_finds_its_like_and_its_text(app: App) -> None:
    found = app.media.search(Query(text="a watermelon", k=5))
    assert "A watermelon" in [r.text for r in found.results] and not found.no_match
    item = next(i for i in app.ws.items.listed("image") if i.name == "an_apple.jpg")
    near = app.media.search(Query(item=item.id, k=8))
    assert item.id not in [r.item for r in near.results] and any(
        "apple" in r.text.lower() for r in near.results
    )
    cat = next(i for i in app.ws.items.listed("image") if i.name == "chelsea.jpg")
    texts = app.media.search(Query(item=cat.id, target="text", k=5))
    assert any("cat" in r.text.lower() for r in texts.results)
    both = app.media.search(Query(text="orange", medium=decode_image(drawing("an_apple")), k=3))
    assert len(both.results) == 3


def test_what_is_not_in_the_collection_is_said_to_be_no_good_match(app: App) -> None:
    for words in ("quarterly tax report", "existential philosophy of time", "database migration script"):
        assert app.media.search(Query(text=words)).no_match, words


def test_filters_by_label_state_and_source(app: App) -> None:
    pair = app.ws.pairs.browse(TASK, state="unlabelled")[0]
    app.ws.labels.add(pair.id, NewLabel("unsure"))
    assert [r.item for r in app.media.search(Query(text="anything", state="unsure")).results] == [pair.item]
    assert app.media.search(Query(text="anything", source="samples", k=3)).results
    assert not app.media.search(Query(text="anything", source="elsewhere")).results


def test_a_search_for_nothing_says_so(app: App) -> None:
    with pytest.raises(UserError, match="nothing to look for"):
        app.media.search(Query(text="  "))
    with pytest.raises(UserError, match="target 'sound' is unknown"):
        app.media.search(Query(text="x", target="sound"))


def test_a_new_picture_is_found_after_an_update_without_embedding_the_others_again(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    tower = app.models.aligner(TASK).towers.media
    real = tower.encode
    monkeypatch.setattr(tower, "encode", lambda media: encoded.append(len(media)) or real(media))
    item = app.ws.add_media(
        "image",
        drawing("violin").read_bytes() if drawing("violin").exists() else png(),
        "new.jpg",
        source="mine",
    )
    before = len(app.context.keeper.serving().index)
    app.context.keeper.update()
    assert encoded == [1] and len(app.context.keeper.serving().index) == before + 1
    assert item.id in [r.item for r in app.media.search(Query(text="x", source="mine")).results]


def test_what_another_process_imports_is_found_here(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    import mmdemo.retrieval.serving as serving

    monkeypatch.setattr(serving, "COUNTED_EVERY_S", -1)  # look each time the page asks, not every few seconds
    app.context.keeper.request()
    assert app.context.keeper.wait(60)
    other = Workspace(app.settings)
    item = other.add_media("image", png((9, 8, 7)), "other.png", source="other")
    other.close()
    assert app.context.keeper.status.items == app.ws.items.count("image")
    assert app.context.keeper.wait(60)
    assert item.id in [r.item for r in app.media.search(Query(text="x", source="other")).results]


@pytest.mark.slow
def test_the_old_version_answers_while_the_new_vectors_are_made(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mmdemo.retrieval.serving as serving
    from mmdemo.training.config import TrainSettings
    from mmdemo.training.runs import create_run
    from tests.conftest import execute_run

    for pair in app.ws.pairs.browse(TASK, state="unlabelled")[:12]:
        app.ws.labels.add(pair.id, NewLabel("match"))
    run = create_run(app.ws, TASK, "head", TrainSettings(epochs=1), "ask")
    version = execute_run(app, run).version_id
    base = app.context.keeper.serving().version
    go = threading.Event()
    real = serving.project_items
    monkeypatch.setattr(serving, "project_items", lambda *a: (go.wait(30), real(*a))[1])
    app.versions.activate(version)
    assert app.media.search(Query(text="an apple")).version == base
    assert app.context.keeper.status.stale_share == 1.0
    go.set()
    assert app.context.keeper.wait(60)
    assert app.media.search(Query(text="an apple")).version == version
    assert app.context.keeper.status.stale_share == 0.0


def test_embedding_passes_over_what_cannot_be_read_and_keeps_the_order_of_the_rest(
    app: App, tmp_path
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no")
    paths = [ASSETS / "photos" / "chelsea.jpg", broken, ASSETS / "photos" / "coffee.jpg"]
    tower = app.models.aligner(TASK).towers.media
    batches = list(encode_stream(tower, decode_image, paths, batch=2))
    assert [p.name for batch, _ in batches for p in batch] == ["chelsea.jpg", "coffee.jpg"]


def test_the_best_cut_parts_two_groups() -> None:
    assert 0.3 < best_cut(np.array([0.5, 0.6, 0.7]), np.array([0.1, 0.2, 0.3])) <= 0.5


@pytest.mark.parametrize(
    ("items", "texts", "says"),
    [
        ("ab", "tt", "All of them have one text, so any model is right."),
        ("aa", "tu", "All texts are of one item, so any model is right."),
        ("a", "t", "There is one pair only, so any model is right."),
        ("", "", ""),
    ],
)
def test_where_nothing_can_be_answered_wrongly_figures_are_left_out_with_the_reason(
    items: str, texts: str, says: str
) -> None:
    vectors = unit(len(items), 4, 0) if items else np.empty((0, 4), np.float32)
    found = evaluate_retrieval(vectors, vectors, list(items), list(texts))
    told = Measured(found).as_json()
    assert list(told) == ["pairs", "text_to_media", "media_to_text", "note"] and told["note"] == says
    rows = [told["text_to_media"], told["media_to_text"], *gains(found, found)["text_to_media"].values()]
    assert {value for row in rows for value in row.values()} == {None} and found.told_recall is None
    assert list(rows[0]) == ["R@1", "R@5", "R@10", "MedR", "mAP"]


def test_where_something_can_be_answered_wrongly_there_are_figures() -> None:
    found = evaluate_retrieval(unit(3, 4, 0), unit(3, 4, 1), list("abc"), list("ttu"))
    told = Measured(found).as_json()
    assert not told["note"] and None not in told["text_to_media"].values() and found.told_recall is not None
