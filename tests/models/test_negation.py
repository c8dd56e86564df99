from __future__ import annotations

import csv

import pytest

from mmdemo.media.image import decode_image
from mmdemo.models.negation import negation_in
from mmdemo.models.reliability import CANNOT_TELL, FITS
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from tests.conftest import TASK

MOST_APART = 0.05  # of probabilities: that of “not a tabby cat” from that of “a tabby cat”


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("not a cat", "not"),
        ("No animal at all", "No"),
        ("a street without people", "without"),
        ("there aren\u2019t any dogs", "aren\u2019t"),
        ("nobody is here", "nobody"),
    ],
)
def test_the_word_that_denies_something_is_told(text: str, word: str) -> None:
    assert negation_in(text) == word


@pytest.mark.parametrize(
    "text", ["a knot", "a forget-me-not", "a no-entry sign", "No. 5", "chapter no 12", "a note", "", "snow"]
)
def test_what_only_looks_like_it_denies_nothing(text: str) -> None:
    assert negation_in(text) == ""


def test_of_the_titles_that_ship_only_those_of_prohibition_signs_deny_something() -> None:
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        found = [row["text"] for row in csv.DictReader(f) if negation_in(row["text"])]
    assert found == ["Do not enter sign", "No u turn sign"]


def test_the_text_model_passes_over_a_negation_so_it_is_never_said_to_fit_and_has_a_sentence(
    read_only_app: App,
) -> None:
    aligner = read_only_app.models.aligner(TASK)
    cat = decode_image(ASSETS / "photos" / "chelsea.jpg")
    plain, denied = aligner.align(cat, ["a tabby cat", "not a tabby cat"])
    assert plain.zone == FITS and plain.note == ""
    assert plain.probability is not None and denied.probability is not None
    assert abs(plain.probability - denied.probability) < MOST_APART, "it reads it: the sentence is untrue"
    assert denied.zone == CANNOT_TELL
    assert denied.note == (
        "The model doesn't read “not”: it answers as if that weren't there. Write what there is instead."
    )


def test_a_search_for_what_is_denied_has_the_sentence_and_no_percent(read_only_app: App) -> None:
    found = read_only_app.media.search(Query(text="not a cat", k=5))
    assert found.note.startswith("The model doesn't read “not”") and found.no_match
    assert all(r.probability is None for r in found.results)


def test_a_prohibition_sign_is_found_by_the_words_of_its_title(read_only_app: App) -> None:
    first = read_only_app.media.search(Query(text="do not enter sign", k=5)).results[0]
    assert first.found_by == "words" and first.text == "A do not enter sign" and first.probability
