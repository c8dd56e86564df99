"""Two texts are compared word by word, in a bounded time whatever they repeat."""

from __future__ import annotations

import difflib
import random
import time

import pytest

from mmdemo.models.speech import same_words
from mmdemo.models.speech.same_words import SameWords


def test_an_hour_of_speech_is_compared_as_difflib_does() -> None:
    some = random.Random(0)
    words = [f"w{i}" for i in range(20_000)]
    frequent = [1 / (i + 2.7) for i in range(len(words))]  # Zipf's law, as Mandelbrot wrote it
    said = some.choices(words, frequent, k=9_000)
    heard = [word if some.random() > 0.1 else some.choice(words) for word in said]
    found = SameWords(said, heard)
    assert found.get_opcodes() == difflib.SequenceMatcher(None, said, heard, False).get_opcodes()
    assert found._left > same_words.MOST_LOOKED_AT / 2


@pytest.mark.parametrize("repeated", ["a", "abcdefghij"])
def test_texts_that_repeat_few_words_end_in_time(repeated: str) -> None:
    some = random.Random(0)
    said, heard = some.choices(repeated, k=70_000), some.choices(repeated, k=10_000)
    began_s = time.process_time()
    assert 0.0 <= SameWords(said, heard).ratio() < 1.0
    assert time.process_time() - began_s < 5.0


def test_what_was_found_before_the_bound_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_words, "MOST_LOOKED_AT", 8)
    assert SameWords(list("xabcy"), list("zabcw")).get_matching_blocks()[0] == (1, 1, 3)
    monkeypatch.setattr(same_words, "MOST_LOOKED_AT", 7)
    assert SameWords(list("xabcy"), list("zabcw")).ratio() == 0.0
