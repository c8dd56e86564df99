"""Texts in the form in which they are kept, compared and found."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable

import pytest

from mmdemo.errors import MmdemoError
from mmdemo.retrieval.speech.sounds_alike import sound_of
from mmdemo.store.texts import clean_text, joined, normalized, text_key
from mmdemo.store.words import plain


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


@pytest.mark.parametrize("marks", ["\u0301\u0316", "\u0f73\u0f71", "\uff9e\u0301"])
@pytest.mark.parametrize("key", [plain, text_key, sound_of, lambda text: clean_text(text[:9000])])
def test_letters_with_thousands_of_marks_cost_no_more_than_others(
    key: Callable[[str], str], marks: str
) -> None:
    began_s = time.process_time()
    key("a" + marks * 50_000)
    assert time.process_time() - began_s < 2.0


@pytest.mark.parametrize("text", ["Ångström", "e\u0301\u0316", "ｶﾞ", "한국어", "ﷺ", "a" + "\u0301" * 30])
def test_texts_that_are_text_are_brought_into_unicode_s_own_form(text: str) -> None:
    assert normalized("NFC", text) == unicodedata.normalize("NFC", text)
    assert normalized("NFKC", text) == unicodedata.normalize("NFKC", text)
    assert normalized("NFKD", text) == unicodedata.normalize("NFKD", text)


def test_what_is_said_in_an_error_is_one_line_however_many_blanks_it_has() -> None:
    began_s = time.process_time()
    assert str(MmdemoError(f" a{' ' * 100_000}b \r\n\n c\x1b")) == f"a{' ' * 100_000}b c"
    assert time.process_time() - began_s < 2.0
