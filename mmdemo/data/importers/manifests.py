"""Manifests: tables of files and texts, of whatever name, in a folder or in those of its splits.

A folder with `metadata.csv` beside its files is the Hub's ImageFolder, AudioFolder and VideoFolder; Parquet
files with the media in them are the Hub's own. So all of these are manifests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from mmdemo.data.columns import KNOWN, Columns, columns_of, plain, said_in, split_said
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.packed import stem_of, suffix_of
from mmdemo.data.rows import Row, Skipped, attempt, read_field
from mmdemo.data.side_names import Sides, side_name_of, side_word
from mmdemo.data.source import UNREAD_TABLES, Source, is_address, same_name
from mmdemo.data.tables import DELIMITED, Line, is_table, lines_of
from mmdemo.errors import ImportRowError, UserError
from mmdemo.media.regular_file import is_file
from mmdemo.store.splits import HELD_OUT_NAMES, SPLIT_NAMES, VALIDATION_NAMES, split_names

LOOKED_AT = 20  # lines by which a table is known
MOST_TABLES = 2000  # of a folder that are looked at
SHORT = 100_000_000  # bytes of a JSON
METADATA = "metadata"  # what the Hub calls a table beside files
# Texts about a data set, which may name files of it; and the second of two tables of the same rows.
NO_TABLES = re.compile(
    r"(class(es|_?names)?|synsets|read.?me|licen[cs]e|notes?|changelog|citation|about|terms)\b|.*\blemma\b",
    re.IGNORECASE,
)
LISTED, LISTS = "text", (".txt", ".token")  # of Kaldi, and of Flickr30k


class Manifest:
    """A table of files and texts, or several."""

    name = "manifest"
    about = "a CSV, TSV, JSON, JSONL, Parquet or Excel table with file_name and text"

    def recognise(self, source: Source) -> Recognition:
        """By its tables: whether one has a column of files, and how many of these are there."""
        if is_file(source.path):
            return self._one(source)
        found = [(table, columns, share) for table, columns, share in _tables(source)]
        if not found:
            return NOT_MINE
        table, columns, share = found[0]
        told = f"{_told(source, table)} names files in its column {columns.file}"
        more = len(found) - 1
        others = f", and so do {more} other tables" if more > 1 else ", and so does another table" * more
        sure = 0.3 + 0.45 * share + (0.1 if stem_of(table).lower() == METADATA else 0.0)
        if not columns.text:  # a list of files, which says less than what lies beside them
            sure = 0.15 if stem_of(table).lower() != METADATA else sure
        return Recognition(sure, f"{told}{others}.")

    def _one(self, source: Source) -> Recognition:
        if not (is_table(source.path) or suffix_of(source.path) in (*DELIMITED, *UNREAD_TABLES)):
            return NOT_MINE
        try:
            columns, share = _look(source, source.path)
        except UserError:
            columns, share = None, 0.0
        if columns is None:  # whoever names a table means it as one, and is told what it lacks
            return Recognition(0.1 if suffix_of(source.path) not in (".json", ".txt") else 0.0)
        return Recognition(0.55 + 0.25 * share, f"It names files in its column {columns.file}.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """One row a line and text, table after table; the first line of a CSV is its header.

        Raises:
            UserError: a table cannot be read or lacks a column.
        """
        tables = [table for table, _, _ in _tables(source)] if source.is_folder else [source.path]
        if not tables:
            raise UserError(f"{source.path} has no table of files.", "Add one with file_name and text.")
        sides = {table: side_name_of(source, table) for table in tables}
        of_files = Sides(source)
        names = {*sides.values(), *of_files.names}
        number = 0
        for table in tables:
            for row in self._of(source, table, sides[table], of_files, names, number):
                number = row.number if isinstance(row, Row) else row.row
                yield row
        self._tell_unread(source, tables)

    @staticmethod
    def _tell_unread(source: Source, tables: list[Path]) -> None:
        """Say of tables that are called as if they were to be read why they were not."""
        for path in _named_tables(source) if source.is_folder else []:
            if path not in tables and (side_word(stem_of(path)) or stem_of(path).lower() == METADATA):
                try:
                    _look(source, path)
                except (UserError, OSError, ValueError) as e:
                    source.note(f"{path.name} was not read. {e}")

    def _of(
        self, source: Source, table: Path, side: str, of_files: Sides, others: set[str], before: int
    ) -> Iterator[Row | Skipped]:
        """The rows of one table, whose numbers go on from those before it."""
        first: list[Line] = []
        lines = lines_of(source, table)
        for line in lines:
            first.append(line)
            if len(first) == LOOKED_AT:
                break
        columns = _columns(source, table, [line for line in first if isinstance(line, dict)])
        if columns is not None and columns.guessed:
            source.note(f"The texts of {table.name} are those of its column {columns.text}.")
        told = _with_splits(_chained(first, lines), others)
        for number, (line, splits) in enumerate(told, before + 1):
            if columns is None and isinstance(line, dict):
                _require_files(table, line)
                has = ", ".join(map(str, line)) or "none"
                raise UserError(
                    f"{table.name} has no column file_name; its columns are {has}.",
                    "Name the columns file_name and text in the first line.",
                )
            if isinstance(line, str) or columns is None:
                yield Skipped(number, str(line))
            else:
                yield from _rows(source, number, line, table, columns, splits, side, of_files)


def _require_files(table: Path, line: dict[str, Any]) -> None:
    """Say of a table of addresses that what they lead to is not fetched.

    Raises:
        UserError: it is one.
    """
    far = next((name for name, cell in line.items() if isinstance(cell, str) and is_address(cell)), "")
    if far:
        raise UserError(
            f"{table.name} names files on the network, in its column {far}.",
            "Save them beside the table first, as img2dataset does.",
        )


def _chained(first: list[Line], rest: Iterator[Line]) -> Iterator[Line]:
    yield from first
    yield from rest


def _is_short(path: Path) -> bool:
    """Whether a table can be looked at before anybody has chosen it: a JSON is read whole for that."""
    return suffix_of(path) != ".json" or path.stat().st_size < SHORT


def _told(source: Source, table: Path) -> str:
    return str(table.relative_to(source.root)) if table.is_relative_to(source.root) else table.name


def _tables(source: Source) -> list[tuple[Path, Columns, float]]:
    """The tables of a folder that name files of it, those that are called metadata first: where there are
    some, no other counts; with their columns and which share of their files are there.
    """
    if not source.is_folder:
        return []
    named = _named_tables(source)
    metadata = [f for f in named if stem_of(f).lower() == METADATA]
    for group in (metadata, [f for f in named if f not in metadata]):
        found = []
        for table in group:
            try:
                columns, share = _look(source, table)
            except (UserError, OSError, ValueError):
                continue
            if columns is not None and (share > 0 or table in metadata):
                found.append((table, columns, share))
        with_texts = [one for one in found if one[1].texts]  # a list of files says no more beside them
        if found:
            return _one_kind(with_texts or found)
    return []


def _named_tables(source: Source) -> list[Path]:
    """The files of a folder that are called like tables, without those that are captions of a medium."""
    media = {(f.parent, same_name(name)) for f in source.media for name in (stem_of(f), f.name)}
    named = [f for f in source.files if is_table(f) or suffix_of(f) in LISTS or f.name == LISTED]
    named = [f for f in named if not (suffix_of(f) == ".txt" and NO_TABLES.match(stem_of(f)))]
    return [f for f in named if (f.parent, same_name(stem_of(f))) not in media and _is_short(f)][:MOST_TABLES]


def _one_kind(found: list[tuple[Path, Columns, float]]) -> list[tuple[Path, Columns, float]]:
    """Of tables of the same name in a folder, as labels.csv beside labels.jsonl, the first; those that say a
    side, as train.csv does, before one of all rows, which then says no more.
    """
    kept: dict[Path, tuple[Path, Columns, float]] = {}
    for one in sorted(found, key=lambda f: (-f[2], len(f[0].parts), f[0])):
        kept.setdefault(one[0].with_name(stem_of(one[0])), one)
    return sorted(kept.values(), key=lambda f: (not side_word(stem_of(f[0])), len(f[0].parts), f[0]))


def _look(source: Source, table: Path) -> tuple[Columns | None, float]:
    """The columns of a table, and which share of the files that its first lines name are there."""
    lines = [line for line in islice(lines_of(source, table), LOOKED_AT) if isinstance(line, dict)]
    columns = _columns(source, table, lines)
    if columns is None or not lines:
        return columns, 0.0
    found = sum(_is_there(source, line.get(columns.file), table.parent) for line in lines)
    return columns, found / len(lines)


def _columns(source: Source, table: Path, lines: list[dict[str, Any]]) -> Columns | None:
    return columns_of(lines, source.modality, lambda cell: _is_there(source, cell, table.parent))


def _is_there(source: Source, cell: Any, folder: Path) -> bool:
    """Whether a cell is a file, or names one of the source."""
    if isinstance(cell, dict):
        return _is_file_cell(cell)
    return source.names_medium(cell, folder)


def _split_or_none(line: Mapping[str, Any]) -> str:
    try:
        return split_said(line)
    except ImportRowError:  # which its row will say
        return ""


def _is_file_cell(cell: Any) -> bool:
    """Whether a cell is a file as the Hub keeps it: its bytes, its path, or both."""
    return isinstance(cell, dict) and set(cell) == {"bytes", "path"} and any(cell.values())


def _with_splits(lines: Iterable[Line], others: set[str]) -> Iterator[tuple[Line, Mapping[str, str]]]:
    """Each line with what the names of splits mean in its table, which is read once: lines from the first
    validation row on wait until a row to measure on comes, or the end.

    Args:
        lines: of a table.
        others: the names of splits that its own and other tables have.
    """
    waiting: list[Line] = []
    meaning = split_names(others) if others & set(HELD_OUT_NAMES) else None
    for line in lines:
        split = "" if isinstance(line, str) else _split_or_none(line)
        if meaning is None and split in HELD_OUT_NAMES:
            meaning = split_names([split])
            for earlier in waiting:
                yield earlier, meaning
            waiting = []
        if meaning is None and (waiting or split in VALIDATION_NAMES):
            waiting.append(line)
        else:
            yield line, meaning or SPLIT_NAMES
    for line in waiting:
        yield line, SPLIT_NAMES


def _rows(
    source: Source,
    number: int,
    line: dict[str, Any],
    table: Path,
    columns: Columns,
    splits: Mapping[str, str],
    side: str,
    of_files: Sides,
) -> Iterator[Row | Skipped]:
    """The rows of a line: one, or one for each text where a column of several holds them."""
    cell = line.get(columns.file)
    texts = columns.texts_of(line)
    line = {plain(k) if plain(k) in KNOWN else k: v for k, v in line.items() if k not in columns.texts}
    named = str(cell.get("path") or "") if isinstance(cell, dict) else str(cell if cell is not None else "")

    def made(text: Any) -> Row:
        split = split_said(line)
        if split and split not in splits and not (split := side_word(split)):
            raise ImportRowError(
                f"The split {line.get('split')!r} is neither train, validation nor held-out."
            )
        split = split or side
        facts: dict[str, Any] = {
            "text": read_field(text, columns.text or "text"),
            "split": splits.get(split, ""),
            **said_in(line),
        }
        if isinstance(cell, dict) and isinstance(cell.get("bytes"), bytes) and cell["bytes"]:
            name = Path(named.replace("\\", "/")).name or f"{columns.file}-{number}"
            return Row(number, name, data=cell["bytes"], **facts)
        name = named if isinstance(cell, dict) else read_field(cell, columns.file, int)
        file = source.find(name, table.parent)
        if not facts["split"] and not split:
            facts["split"] = splits.get(of_files.name(file), "")
        return Row(number, file.name, file, **facts)

    for text in texts:
        yield attempt(number, named, lambda text=text: made(text))  # type: ignore[misc]


IMPORTERS.add(Manifest.name, Manifest())
