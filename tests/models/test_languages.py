from __future__ import annotations

import csv

import pytest

from mmdemo.media.image import decode_image
from mmdemo.models.calibration import BASE_RATE
from mmdemo.models.explain import explain
from mmdemo.models.languages import language_of
from mmdemo.models.reliability import CANNOT_TELL, FITS
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from tests.conftest import TASK


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("eine getigerte Katze", "German"),
        ("Eine Katze in dem Haus", "German"),
        ("un chat tigré", "French"),
        ("una taza del café", "Spanish"),
        ("um gato na janela", "Portuguese"),
        ("een kat op de mat", "Dutch"),
        ("一只猫", "Chinese"),
        ("кошка на окне", "Cyrillic"),
    ],
)
def test_a_language_is_told_by_its_letters_or_its_small_words(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    "text",
    ["a tabby cat", "", "?!", "Tiger", "the UN flag", "MIT dome", "two people met", "Eiffel Tower", "Grass",
     "a bowl of chili con carne", "Cafe au lait", "miles per hour", "a bear in its den", "42"],
)  # fmt: skip
def test_english_and_what_can_not_be_told_is_no_other_language(text: str) -> None:
    assert language_of(text) == ""


def test_no_title_that_ships_is_taken_for_another_language() -> None:
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        taken = [row["text"] for row in csv.DictReader(f) if language_of(row["text"])]
    assert taken == []


def test_a_text_in_a_language_that_the_text_model_does_not_know_can_not_be_told_and_has_no_number(
    app: App,
) -> None:
    cat = decode_image(ASSETS / "photos" / "chelsea.jpg")
    found = explain(app.models.aligner(TASK), cat, ["eine getigerte Katze", "a tabby cat"])
    foreign, english = found.scores
    assert foreign.zone == CANNOT_TELL and foreign.probability == BASE_RATE
    assert foreign.doubt == "This looks German, and the text model knows English only. Write it in English."
    assert found.notes[0] == foreign.doubt and found.maps[0].max() == 0
    assert english.zone == FITS and english.doubt == "" and found.maps[1].max() > 0
