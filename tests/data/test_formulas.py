"""A spreadsheet calculates no cell of a CSV, and what was defused for it comes back as it was."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mmdemo.data.delimited import rows_of, split_head
from mmdemo.data.formulas import quote_formula, unquote_formula

SIGNS = ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"]
TEXTS = st.text(
    st.sampled_from("=+-@\uff1d\uff0b'\t\r\n ;,a\"\u2028\u00a0\u200b") | st.characters(codec="utf-8"),
    max_size=12,
)


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("before", ["", " ", "\u00a0", "\u200b", "\n", "a\n", "a\r\n ", "a; ", "\ufeff"])
def test_no_cell_and_no_line_of_one_begins_with_a_sign_of_a_formula(sign: str, before: str) -> None:
    assert re.search(f"'[^{sign}]*{re.escape(sign)}", quote_formula(f"{before}{sign}1+1"))


@pytest.mark.parametrize("text", ["\tx", "\rx", "'=x", "''\t"])
def test_a_cell_that_begins_with_a_tab_a_line_break_or_an_apostrophe_is_defused(text: str) -> None:
    assert quote_formula(text) == f"'{text}"


@pytest.mark.parametrize("text", ["a-b", "1 + 1 = 2", "", "it's", "'tis", "me@home", " plain"])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert quote_formula(text) == text


@given(TEXTS)
@example("'\n'=x")
@example("\n\n=x;'=")
def test_what_was_defused_is_undone(text: str) -> None:
    quoted = quote_formula(text)
    assert unquote_formula(quoted) == text
    for cell in re.split("[;\t\n\v\f\r\x85\u2028\u2029]", quoted):
        assert not cell.strip().startswith(tuple(SIGNS))


@pytest.mark.parametrize(("delimiter", "read"), [(",", "=x"), (";", "=x"), ("\t", "'=x")])
def test_a_table_with_tabs_is_for_programs_and_read_as_it_stands(delimiter: str, read: str) -> None:
    text = f"file_name{delimiter}text\na.png{delimiter}'=x\n"
    (row,) = rows_of(split_head(text, ".tsv" if delimiter == "\t" else ".csv"), lambda cell: ".png" in cell)
    assert isinstance(row, dict) and row["text"] == read
