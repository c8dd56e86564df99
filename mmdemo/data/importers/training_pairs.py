"""Pairs that sentence-transformers are trained on: JSON lines with anchor, positive and label."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.packed import stem_of, suffix_of
from mmdemo.data.rows import Row, Skipped, attempt, read_field
from mmdemo.data.side_names import side_word
from mmdemo.data.source import Source
from mmdemo.data.tables import lines_of
from mmdemo.errors import ImportRowError
from mmdemo.label_kinds import MATCH, MISMATCH
from mmdemo.store.splits import split_names

COLUMNS = ('"anchor"', '"positive"')


class TrainingPairs:
    """One row a line: the anchor is a file, the positive a text, and the label 1 where they fit."""

    name = "training-pairs"
    about = "pairs for sentence-transformers: JSON lines with anchor, positive and label"

    def recognise(self, source: Source) -> Recognition:
        """By the columns of the first line."""
        found = _tables(source)
        if not found:
            return NOT_MINE
        return Recognition(0.9, f"{found[0].name} has lines with anchor and positive.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The lines of each table, which is a split where it is called like one."""
        tables = _tables(source)
        sides = {table: side_word(stem_of(table)) for table in tables}
        meaning = split_names(sides.values())
        number = 0
        for table in tables:
            for line in lines_of(source, table):
                number += 1
                if isinstance(line, str):
                    yield Skipped(number, line)
                    continue

                def made(number: int = number, line: dict[str, Any] = line, table: Path = table) -> Row:
                    return _row(source, number, line, meaning.get(sides[table], ""))

                yield attempt(number, str(line.get("anchor") or ""), made)


def _tables(source: Source) -> list[Path]:
    lines = [f for f in source.top_files if suffix_of(f) == ".jsonl"]
    return [f for f in lines if all(column in source.head(f).partition("\n")[0] for column in COLUMNS)]


def _row(source: Source, number: int, line: dict[str, Any], split: str) -> Row:
    file = source.find(read_field(line.get("anchor"), "anchor"))
    label, text = line.get("label"), read_field(line.get("positive"), "positive")
    verdict = "" if label is None else MATCH.name if _number(label) >= 0.5 else MISMATCH.name
    return Row(number, file.name, file, text=text, verdict=verdict, split=split)


def _number(label: Any) -> float:
    try:
        number = float(label)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise ImportRowError(f"The label {str(label)[:50]!r} is no number: 1 is a match, 0 is none.")
    return number


IMPORTERS.add(TrainingPairs.name, TrainingPairs())
