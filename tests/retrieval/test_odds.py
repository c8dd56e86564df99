"""The percent of a search: at one right answer in a hundred, of the whole collection that it asks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from mmdemo.models.calibration import BASE_RATE
from mmdemo.retrieval.embed import feature_file, text_vectors
from mmdemo.retrieval.odds import SEARCH_RATE, at_search_rate, of_search
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.ranking import first_decided, sort_keys
from mmdemo.retrieval.results import NEAREST
from mmdemo.service.app import App
from tests.conftest import TASK

# What no drawing of the samples shows.
NOT_THERE = ("quarterly tax report", "xyzzy", "a musical instrument", "a dentist", "the taste of salt")


@pytest.fixture
def app(read_only_app: App) -> App:
    """It is only searched here."""
    return read_only_app


def test_what_knows_nothing_of_a_pair_says_the_rate_of_a_search() -> None:
    assert at_search_rate(np.array(BASE_RATE)) == pytest.approx(SEARCH_RATE)
    assert at_search_rate(np.array([0.0, 1.0])).tolist() == [0.0, 1.0]
    odds = np.array([-6.0, 0.0, 6.0])
    assert of_search(odds) == pytest.approx(at_search_rate(expit(odds)))


def test_a_picture_found_by_likeness_has_the_log_odds_of_align_at_the_rate_of_a_search(app: App) -> None:
    aligner, words = app.models.aligner(TASK), "something that swims"
    found = [r for r in app.media.search(Query(text=words, k=8, everything=True)).results if not r.found_by]
    features = feature_file(app.ws, aligner.towers).get([r.item for r in found])
    align = aligner.probabilities(features, text_vectors(app.ws, aligner.towers, [words]))[:, 0]
    moved = expit(logit(align) + logit(SEARCH_RATE) - logit(BASE_RATE))
    assert [r.probability for r in found] == pytest.approx(moved.tolist(), abs=1e-4)


def test_texts_of_a_picture_have_the_log_odds_of_align_at_the_rate_of_a_search(app: App) -> None:
    item, aligner = app.ws.items.ids("image")[0], app.models.aligner(TASK)
    found = app.media.search(Query(item=item, target="text", k=5, everything=True)).results
    features = feature_file(app.ws, aligner.towers).get([item])
    align = aligner.probabilities(features, text_vectors(app.ws, aligner.towers, [r.text for r in found]))[0]
    assert [r.probability for r in found] == pytest.approx(at_search_rate(align).tolist(), abs=1e-4)


@pytest.mark.parametrize("words", NOT_THERE)
def test_what_is_not_there_is_not_claimed_with_one_half(app: App, words: str) -> None:
    found = app.media.search(Query(text=words, k=24))
    assert all(r.probability is not None and r.probability < 0.5 for r in found.results)


def test_wrong_titles_seldom_claim_one_half(app: App) -> None:
    pairs = [p for p in app.ws.pairs.browse(TASK, limit=1000) if p.is_own]
    claimed = right = 0
    for pair in pairs[::8]:
        words = "a picture of " + pair.text.casefold()  # so that no text holds them
        for result in app.media.search(Query(text=words, k=24)).results:
            if (result.probability or 0.0) >= 0.5:
                claimed += 1
                right += result.item == pair.item
    assert claimed and claimed - right <= len(pairs[::8]) / 4


def test_likes_have_no_probability_and_stand_by_how_near_they_lie(app: App) -> None:
    item = app.ws.items.ids("image")[0]
    for query in (Query(item=item), Query(item=item, text="red"), Query(text="a dog", target="text")):
        found = app.media.search(query)
        assert len(found.results) == 10 and not found.no_match
        assert {r.probability for r in found.results} == {None}
        scores = [r.score for r in found.results]
        assert scores == sorted(scores, reverse=True)
        assert all(row["probability"] is None for row in found.as_json()["results"])


@pytest.mark.parametrize(
    ("words", "said"),
    [("ein Hund auf dem Sofa", "looks German"), ("собака", "looks Cyrillic"), ("?!", "no word")],
)
def test_words_that_are_not_understood_have_their_sentence_and_no_number(
    app: App, words: str, said: str
) -> None:
    found = app.media.search(Query(text=words, k=24))
    assert said in found.note and found.no_match and len(found.results) == NEAREST
    assert {(r.probability, r.fit) for r in found.results} == {(None, "none")}
    assert app.media.search(Query(text="a dog on the sofa")).note == ""


def test_many_queries_are_ordered_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    near, numbers = rng.normal(size=(7, 40)), rng.normal(size=(7, 40)).round(1)
    together = first_decided(near, numbers, 12)
    for row in range(7):
        alone = sort_keys(near[row], 12, lambda at, row=row: numbers[row, at])  # type: ignore[misc]
        assert np.argsort(-together[row]).tolist() == np.argsort(-alone).tolist()
