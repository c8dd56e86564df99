"""Signed facts are what was signed, or nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mmdemo.service.signing import facts_of, signed

SECRET = b"s" * 32
FACTS = st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none(), max_size=5)


@given(FACTS)
def test_facts_come_back_as_they_were_signed_and_only_with_the_same_secret(facts: dict[str, Any]) -> None:
    text = signed(facts, SECRET)
    assert facts_of(text, SECRET) == facts and facts_of(text, b"t" * 32) is None
    assert text.isascii() and not set(text) & set(' ,;"\\')  # as a cookie takes it


@given(FACTS, st.data())
def test_a_text_that_was_changed_in_any_way_is_nothing_or_the_same_facts(
    facts: dict[str, Any], data: st.DataObject
) -> None:
    """The last letter of either part has spare bits."""
    text = signed(facts, SECRET)
    place = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.characters(codec="utf-8"))
    for changed in (
        text[:place],
        text[:place] + letter + text[place + 1 :],
        letter + text,
        letter,
        text + ".",
    ):
        assert facts_of(changed, SECRET) in (None, facts)


@given(st.text())
def test_any_other_text_is_nothing(text: str) -> None:
    assert facts_of(text, SECRET) is None
