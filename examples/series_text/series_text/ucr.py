"""The UCR archive's tables: NAME_TRAIN.tsv and NAME_TEST.tsv, a class and then its values a line
(Dau et al. 2019, arXiv:1810.07758).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mmdemo.data.importers.base import NOT_MINE, Recognition
from mmdemo.data.rows import Row, Skipped, attempt
from mmdemo.data.source import Source
from mmdemo.errors import ImportRowError

NAMED = re.compile(r"(.+)_(TRAIN|TEST)\.(?:tsv|txt)")
SPLITS = {"TRAIN": "train", "TEST": "held-out"}


class UcrArchive:
    """One row a line: the series is its bytes, since there is no file of it, and the class is its text."""

    name = "ucr"
    about = "a table of the UCR archive"

    def recognise(self, source: Source) -> Recognition:
        """By the names of its tables, and a number in front of their lines."""
        tables = self._tables(source)
        if not tables or not re.match(r"-?\d+[\t ,]", source.head(tables[0])):
            return NOT_MINE
        return Recognition(0.9, f"{tables[0].name} is named like a table of the UCR archive.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The lines of the tables."""
        number = 0
        for table in self._tables(source):
            named = NAMED.fullmatch(table.name)
            for line in source.read_text(table).splitlines():
                number += 1
                name = f"{table.stem}-{number}.series.csv"
                split = SPLITS[named[2]] if named else ""

                def made(line: str = line, number: int = number, name: str = name, split: str = split) -> Row:
                    label, *values = re.split(r"[\t ,]+", line.strip())
                    if len(values) < 2:
                        raise ImportRowError("The line is no class and values.")
                    data = "\n".join(["value", *values]).encode()
                    return Row(number, name, data=data, text=f"class {label}", split=split)

                yield attempt(number, name, made)

    @staticmethod
    def _tables(source: Source) -> list[Path]:
        return [file for file in source.files if NAMED.fullmatch(file.name)]
