"""The UCR archive's tables: NAME_TRAIN.tsv and NAME_TEST.tsv, a class and then its values a line
(Dau et al. 2019, arXiv:1810.07758).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from mmdemo.data.importers.base import NOT_MINE, Recognition
from mmdemo.data.rows import Row, Skipped, attempt
from mmdemo.data.source import Source
from mmdemo.errors import ImportRowError

SIDES = {"TRAIN": "train", "TEST": "held-out"}


class UcrArchive:
    """One row a line: the series is its bytes, since there is no file of it, and the class is its text."""

    name = "ucr"
    about = "a table of the UCR archive"

    def recognise(self, source: Source) -> Recognition:
        """By the name of a table, and a number in front of its first line."""
        for table in source.files:
            if _side(table.name) and re.match(r"-?\d+[\t ,]", source.head(table)):
                return Recognition(0.9, f"{table.name} is named like a table of the UCR archive.")
        return NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The lines of the tables."""
        tables = [table for table in source.files if _side(table.name)]
        lines = ((table, line) for table in tables for line in source.read_text(table).splitlines())
        for number, (table, line) in enumerate(lines, 1):
            name = f"{table.stem}-{number}.series.csv"
            yield attempt(number, name, partial(_row, number, name, line, _side(table.name)))


def _side(name: str) -> str:
    found = re.fullmatch(r".+_(TRAIN|TEST)\.(?:tsv|txt)", name)
    return SIDES[found[1]] if found else ""


def _row(number: int, name: str, line: str, side: str) -> Row:
    label, *values = re.split(r"[\t ,]+", line.strip())
    if len(values) < 2:
        raise ImportRowError("The line is no class and values.")
    return Row(number, name, data="\n".join(["value", *values]).encode(), text=f"class {label}", split=side)
