"""Cells of a CSV that a spreadsheet would calculate: quoted on the way out, as they were on the way in."""

from __future__ import annotations

import re

FORMULA = re.compile(r"'*[=+\-@\t\r]")  # what a spreadsheet would calculate, perhaps quoted already


def quote_formula(value: str) -> str:
    """The cell with an apostrophe in front where a spreadsheet would read it as a formula."""
    return f"'{value}" if FORMULA.match(value) else value


def unquote_formula(value: str) -> str:
    """The cell as it was before `quote_formula`."""
    return value[1:] if value.startswith("'") and FORMULA.match(value[1:]) else value
