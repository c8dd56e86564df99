from __future__ import annotations

import pytest

from mmdemo.store.texts import joined


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["at", "12", ".00", "today."], "at 12.00 today."),
        (["K", "-R", "-D"], "K-R-D"),
        (["I", "don", "'t", "know", "(yet)"], "I don't know (yet)"),
        ([], ""),
    ],
)
def test_the_parts_of_a_word_are_joined_without_blanks(words: list[str], text: str) -> None:
    assert joined(words) == text
