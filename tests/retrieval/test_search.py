"""Search ends where matches end, finds words, and follows what people say of its answers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmdemo.errors import UserError
from mmdemo.models.written import Reader, can_read
from mmdemo.retrieval.candidates import Answer, with_crossed
from mmdemo.retrieval.feedback import ALIKE, UNLIKE, alike, moved
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.results import BEST, NEAREST, WEAKER
from mmdemo.retrieval.written import read_written
from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from tests.conftest import drawing

TASK = "image-text"


def tick(app: App, item: str, query: str, verdict: str) -> int:
    label = NewLabel(verdict, origin="search", query=query, rank=1, annotator=f"a{verdict}")
    return int(app.labels.add_on(item, query, label)["label"])


def test_a_picture_is_found_by_its_own_title(app: App) -> None:
    titled = next(p for p in app.ws.pairs.browse(TASK) if p.text.casefold() == "the moon")
    found = app.media.search(Query(text="the moon", k=24))
    assert found.results[0].item in {p.item for p in app.ws.pairs.browse(TASK, contains="moon")}
    best = next(r for r in found.results if r.item == titled.item)
    assert best.found_by == "words" and best.fit == "best" and not found.no_match


def test_an_item_of_another_modality_is_told_by_its_name_and_by_no_file_of_ours(app: App) -> None:
    recording = app.ws.items.listed("audio")[0]
    for target in ("media", "text"):
        with pytest.raises(UserError) as refused:
            app.media.search(Query(item=recording.id, target=target))
        assert str(refused.value) == f"{recording.name} is not a picture. Search with a picture."


def test_answers_stand_in_the_order_of_the_number_that_they_show_and_end_where_matches_end(
    app: App,
) -> None:
    for words in ("the moon", "an apple", "a musical instrument", "a wild animal", "red"):
        found = app.media.search(Query(text=words, k=24))
        numbers = [r.probability for r in found.results]
        assert numbers == sorted(numbers, reverse=True), words
        if not found.no_match:
            assert min(numbers) >= WEAKER
        whole = app.media.search(Query(text=words, k=24, everything=True))
        assert len(whole.results) == 24 and whole.no_match == found.no_match
        assert [r.item for r in whole.results][: len(found.results)] == [r.item for r in found.results]
        assert all((r.fit == "best") == (r.probability >= BEST) for r in found.results)


def test_where_nothing_fits_it_is_said_and_only_the_nearest_are_shown(app: App) -> None:
    found = app.media.search(Query(text="quarterly tax report", k=24))
    assert found.no_match and len(found.results) <= NEAREST


def test_a_text_marked_as_wrong_is_no_longer_found_by_its_words(app: App) -> None:
    titled = next(p for p in app.ws.pairs.browse(TASK) if p.text.casefold() == "the moon")
    app.ws.labels.add(titled.id, NewLabel("mismatch"))
    found = app.media.search(Query(text="moon", k=24, everything=True))
    assert titled.item not in {r.item for r in found.results if r.found_by == "words"}


def test_words_are_found_within_the_filters(app: App) -> None:
    assert not app.media.search(Query(text="the moon", source="elsewhere")).results


def test_ticks_and_crosses_move_the_answers_at_once_and_an_undo_moves_them_back(app: App) -> None:
    asked = Query(text="something to play with", k=200, everything=True)
    before = app.media.search(asked).results
    wanted, other = before[8], before[0]
    ticked = tick(app, wanted.item, asked.text, "match")
    crossed = tick(app, other.item, asked.text, "mismatch")
    after = app.media.search(asked).results
    places = {r.item: i for i, r in enumerate(after)}
    assert places[wanted.item] == 0 and places[other.item] > 0
    assert next(r for r in after if r.item == wanted.item).label == ticked
    assert next(r for r in after if r.item == other.item).verdict == "mismatch"
    for label in (ticked, crossed):
        app.labels.undo(label)
    again = app.media.search(asked).results
    assert [r.item for r in again] == [r.item for r in before]


def test_what_was_crossed_stays_to_be_taken_back(app: App) -> None:
    first = app.media.search(Query(text="an apple", k=24)).results[0]
    tick(app, first.item, "an apple", "mismatch")
    found = app.media.search(Query(text="an apple", k=200)).results
    assert {r.item: r.fit for r in found}[first.item] == "none"


def test_a_query_is_moved_by_how_answers_differ_from_the_middle() -> None:
    middle = np.array([1.0, 0.0, 0.0], np.float32)
    tick, cross = np.array([[1.0, 1.0, 0.0]]), np.array([[1.0, 0.0, 1.0]])
    query = np.array([0.5, 0.0, 0.0], np.float32)
    assert moved(query, tick, cross, middle, (0.6, 0.3)).tolist() == np.float32([0.5, 0.3, -0.15]).tolist()
    assert moved(query, tick[:0], cross[:0], middle).tolist() == query.tolist()
    thrice = moved(query, np.repeat(tick, 3, 0), cross, middle, (0.6, 0.3))
    assert thrice == pytest.approx([0.5, 0.45, -0.15])  # a mean of few counts for less


def test_crosses_without_a_tick_move_nothing_but_what_was_crossed(app: App) -> None:
    asked = Query(text="something to play with", k=200, everything=True)
    before = [r.item for r in app.media.search(asked).results]
    for item in before[:3]:
        tick(app, item, asked.text, "mismatch")
    after = [r.item for r in app.media.search(asked).results]
    kept = [item for item in before if item not in before[:3]]
    assert [item for item in after if item in kept][:20] == kept[:20] and after[0] == kept[0]


def test_what_looks_like_a_tick_is_likelier_and_what_looks_like_a_cross_less_so() -> None:
    middle = np.array([1.0, 1.0], np.float32)
    rows = np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 1.0]], np.float32)
    found = alike(rows, rows[:1], rows[1:2], middle)
    assert found.tolist() == pytest.approx([ALIKE / 2, -UNLIKE / 2, 0.0])
    assert alike(rows, rows[:0], rows[1:2], middle).tolist() == [0.0, 0.0, 0.0]


class Sign:
    """Reads what its test says stands on each picture."""

    def __init__(self) -> None:
        self.seen = 0

    def read(self, pictures: list[object]) -> str:
        self.seen += len(pictures)
        return "Beware of the unicorn" if self.seen == 1 else ""


def test_what_is_written_in_a_picture_is_read_once_and_found(app: App) -> None:
    reader = Sign()
    first = app.ws.items.listed("image")[0]
    stop = iter([False, False, False, True])
    assert read_written(app.ws, TASK, lambda: next(stop), lambda: reader) == 3
    found = app.media.search(Query(text="unicorn"))
    assert found.results[0].item == first.id and found.results[0].found_by == "words"
    rest = len(app.ws.items.listed("image")) - 3
    assert read_written(app.ws, TASK, lambda: False, lambda: reader) == rest
    assert read_written(app.ws, TASK, lambda: False, lambda: reader) == 0
    assert reader.seen == 3 + rest
    assert read_written(app.ws, "speech-text", lambda: False, lambda: reader) == 0


@pytest.mark.skipif(not can_read(), reason="rapidocr is optional")
def test_a_sign_is_read() -> None:
    assert "STOP" in Reader().read([Image.open(drawing("stop_sign"))])


def test_what_people_crossed_is_kept_within_k_in_the_place_of_what_came_last() -> None:
    answers = [Answer(name, 0.0, 1.0 - i / 10) for i, name in enumerate("abcdef")]
    assert "".join(a.id for a in with_crossed(answers, 3, {})) == "abc"
    assert "".join(a.id for a in with_crossed(answers, 3, {"f", "b"})) == "abf"
    assert "".join(a.id for a in with_crossed(answers, 1, {"f", "b"})) == "b"


def test_crossed_answers_stand_at_the_end_and_stay_where_nothing_else_matches(app: App) -> None:
    asked = Query(text="quarterly tax report", k=6)
    first = app.media.search(asked).results[0]
    tick(app, first.item, asked.text, "mismatch")
    found = app.media.search(asked)
    assert found.no_match and [r.item for r in found.results].index(first.item) == NEAREST
    assert found.results[-1].verdict == "mismatch" and found.results[-1].probability < 0.05
