"""What the words of a text say of how likely its item is an answer."""

from __future__ import annotations

import numpy as np
import pytest

from assets.sounds import wav_bytes
from mmdemo.media.audio import RATE_HZ
from mmdemo.retrieval.by_words import ANOTHER, BESIDE, PART, SURE, names, sure_of, word_hits
from mmdemo.retrieval.results import BEST
from mmdemo.store.labels import NewLabel
from mmdemo.store.words import LABEL, PAIR, stems
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png


def add(ws: Workspace, task: str, text: str, number: int) -> tuple[str, int]:
    if task == TASK:
        item = ws.add_media("image", png((number, 0, 0)), f"{number}.png", source="test")
    else:
        sound = wav_bytes(np.full(RATE_HZ, number / 300, np.float32))
        item = ws.add_media("audio", sound, f"{number}.wav", source="test")
    with ws.database.write() as session:
        pair, _ = ws.pairs.add(session, task, item.id, text, source="test")
    return item.id, pair.id


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("a tower", "Water tower"),
        ("dogs", "A dog on a leash"),
        ("leash", "A dog on a leash"),
        ("a water tower", "Old water tower"),
        ("a red car", "A red toy car"),
        ("a woman", "A woman reading"),
        ("glass", "A glass, half full"),
    ],
)
def test_the_last_of_several_words_in_a_row_is_what_a_text_names(query: str, text: str) -> None:
    assert names(stems(query), text)


@pytest.mark.parametrize(
    ("query", "text"),
    [("water", "Water tower"), ("a giraffe", "Giraffe cichlid"), ("apples", "An apple pie")],
)
def test_a_word_before_it_is_not(query: str, text: str) -> None:
    assert not names(stems(query), text)


def test_a_hot_dog_is_less_likely_a_dog_than_a_dog_is_and_is_a_hot_dog() -> None:
    assert sure_of(stems("a dog"), "Hot dog") == ANOTHER < sure_of(stems("dogs"), "A dog on a leash")
    assert sure_of(stems("hot dogs"), "A hot dog") == SURE[PAIR]
    assert sure_of(stems("a dog"), "A dog, hot from running") == SURE[PAIR]
    assert sure_of(stems("a tower"), "Water tower") == SURE[PAIR]  # no other class is called a tower


def test_a_part_of_a_name_is_no_match_that_stands_among_the_best_by_its_words_alone() -> None:
    assert sure_of(stems("water"), "Old water tower") == PART < BEST
    assert sure_of(stems("ice"), "Ice cream cone") == PART
    assert sure_of(stems("ice cream"), "Ice cream cone") == BESIDE
    assert sure_of(stems("apples"), "An apple pie") == BESIDE


def test_words_before_what_a_given_text_names_make_a_picture_less_likely_an_answer(ws: Workspace) -> None:
    tower, _ = add(ws, TASK, "Water tower", 1)
    glass, pair = add(ws, TASK, "A jug", 2)
    ws.labels.add(pair, NewLabel("match", text="A glass of water"))
    found = word_hits(ws, TASK, "water")
    assert found[tower].sure == PART and found[glass].sure == SURE[LABEL]
    assert word_hits(ws, TASK, "a tower")[tower].sure == SURE[PAIR] > PART


def test_in_what_is_said_every_word_counts_alike(ws: Workspace) -> None:
    spoken, _ = add(ws, "speech-text", "the water tower fell", 1)
    assert word_hits(ws, "speech-text", "water")[spoken].sure == SURE[PAIR]
