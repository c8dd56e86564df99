"""Cells of a CSV that a spreadsheet would calculate: defused on the way out, as they were on the way in.

A spreadsheet may pass over blanks and marks that nobody sees, takes full-width signs for the plain ones, and
where it takes another separator than the file's, or no line break in a cell, it begins a cell within one.
"""

from __future__ import annotations

import re

_SIGN = "[=+\\-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b]"  # full-width and small ones too
_UNSEEN = (
    "[\x00-\x08\x0e-\x20\x7f-\x84\x86-\xa0\xad\u1680\u180e\u2000-\u200f\u202a-\u202f"
    "\u205f-\u206f\u3000\ufeff]"
)
_BREAK = "[;\t\n\v\f\r\x85\u2028\u2029]"  # after which a cell may begin
_DANGER = f"'*{_UNSEEN}*{_SIGN}"  # perhaps defused already
# A cell that is in danger, or that begins with what moves it into another; {0}: what stands before it.
_CELL = f"(?:\\A|(?<={_BREAK})){{0}}({_DANGER})|\\A{{0}}('*[\\t\\r\\n])"
FORMULA, DEFUSED = re.compile(_CELL.format("")), re.compile(_CELL.format("'"))


def quote_formula(value: str) -> str:
    """The cell with an apostrophe in front of what a spreadsheet would calculate."""
    return FORMULA.sub(lambda found: f"'{found[0]}", value)


def unquote_formula(value: str) -> str:
    """The cell as it was before `quote_formula`."""
    return DEFUSED.sub(lambda found: found[0][1:], value)
