"""Manifests: tables of files and texts, of whatever name, in a folder or in those of its splits.

A folder with `metadata.csv` beside its files is the Hub's ImageFolder, AudioFolder and VideoFolder; Parquet
files with the media in them are the Hub's own. So all of these are manifests.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from mmdemo.data.columns import Columns, columns_of, said_in
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.rows import Row, Skipped, attempt, read_field
from mmdemo.data.side_names import side_name, side_name_of, side_word
from mmdemo.data.source import Source, same_name
from mmdemo.data.tables import DELIMITED, Line, is_table, lines_of
from mmdemo.errors import ImportRowError, UserError
from mmdemo.media.regular_file import is_file
from mmdemo.modality import is_medium
from mmdemo.store.splits import HELD_OUT_NAMES, SPLIT_NAMES, VALIDATION_NAMES, split_names

LOOKED_AT = 20  # lines by which a table is known
MOST_TABLES = 2000  # of a folder that are looked at
SHORT = 100_000_000  # bytes of a JSON
METADATA = "metadata"  # what the Hub calls a table beside files


class Manifest:
    """A table of files and texts, or several."""

    name = "manifest"
    about = "a CSV, TSV, JSON, JSONL or Parquet table with file_name and text"

    def recognise(self, source: Source) -> Recognition:
        """By its tables: whether one has a column of files, and how many of these are there."""
        if is_file(source.path):
            return self._one(source)
        found = [(table, columns, share) for table, columns, share in _tables(source)]
        if not found:
            return NOT_MINE
        table, columns, share = found[0]
        told = f"{_told(source, table)} names files in its column {columns.file}"
        others = f", and so do {len(found) - 1} other tables" if len(found) > 1 else ""
        sure = 0.3 + 0.45 * share + (0.1 if table.stem.lower() == METADATA else 0.0)
        if not columns.text:  # a list of files, which says less than what lies beside them
            sure = 0.15 if table.stem.lower() != METADATA else sure
        return Recognition(sure, f"{told}{others}.")

    def _one(self, source: Source) -> Recognition:
        if not (is_table(source.path) or source.path.suffix.lower() in DELIMITED):
            return NOT_MINE
        try:
            columns, share = _look(source, source.path)
        except UserError:
            columns, share = None, 0.0
        if columns is None:  # whoever names a table means it as one, and is told what it lacks
            return Recognition(0.1 if source.path.suffix.lower() not in (".json", ".txt") else 0.0)
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
        number = 0
        named: set[int] = set()  # of a hundred thousand paths their hashes take a tenth of the memory
        for table in tables:
            for row in self._of(source, table, sides[table], set(sides.values()), number):
                number = row.number if isinstance(row, Row) else row.row
                if isinstance(row, Row) and row.file is not None:
                    named.add(hash(row.file))
                yield row
        others = sum(hash(file) not in named for file in source.media) if source.is_folder else 0
        if others:
            source.note(f"{others} files of the folder are in no row that can be read, and were left out.")

    def _of(
        self, source: Source, table: Path, side: str, others: set[str], before: int
    ) -> Iterator[Row | Skipped]:
        """The rows of one table, whose numbers go on from those before it."""
        first: list[Line] = []
        lines = lines_of(source, table)
        for line in lines:
            first.append(line)
            if len(first) == LOOKED_AT:
                break
        columns = _columns(source, table, [line for line in first if isinstance(line, dict)])
        told = _with_splits(_chained(first, lines), others)
        for number, (line, splits) in enumerate(told, before + 1):
            if columns is None and isinstance(line, dict):
                has = ", ".join(map(str, line)) or "none"
                raise UserError(
                    f"{table.name} has no column file_name; its columns are {has}.",
                    "Name the columns file_name and text in the first line.",
                )
            if isinstance(line, str) or columns is None:
                yield Skipped(number, str(line))
            else:
                yield from _rows(source, number, line, table, columns, splits, side)


def _chained(first: list[Line], rest: Iterator[Line]) -> Iterator[Line]:
    yield from first
    yield from rest


def _is_short(path: Path) -> bool:
    """Whether a table can be looked at before anybody has chosen it: a JSON is read whole for that."""
    return path.suffix.lower() != ".json" or path.stat().st_size < SHORT


def _told(source: Source, table: Path) -> str:
    return str(table.relative_to(source.root)) if table.is_relative_to(source.root) else table.name


def _tables(source: Source) -> list[tuple[Path, Columns, float]]:
    """The tables of a folder that name files of it, those that are called metadata first: where there are
    some, no other counts; with their columns and which share of their files are there.
    """
    if not source.is_folder:
        return []
    media = {(f.parent, same_name(f.stem)) for f in source.media}
    named = [f for f in source.files if is_table(f) or f.suffix.lower() == ".txt"]
    named = [f for f in named if (f.parent, same_name(f.stem)) not in media and _is_short(f)][:MOST_TABLES]
    metadata = [f for f in named if f.stem.lower() == METADATA]
    for group in (metadata, [f for f in named if f not in metadata]):
        found = []
        for table in group:
            try:
                columns, share = _look(source, table)
            except (UserError, OSError, ValueError):
                continue
            if columns is not None and (share > 0 or table in metadata):
                found.append((table, columns, share))
        if found:
            return _one_kind(found)
    return []


def _one_kind(found: list[tuple[Path, Columns, float]]) -> list[tuple[Path, Columns, float]]:
    """Of tables of the same name in a folder, as labels.csv beside labels.jsonl, the first; those that say a
    side, as train.csv does, before one of all rows, which then says no more.
    """
    kept: dict[Path, tuple[Path, Columns, float]] = {}
    for one in sorted(found, key=lambda f: (-f[2], len(f[0].parts), f[0])):
        kept.setdefault(one[0].with_suffix(""), one)
    return sorted(kept.values(), key=lambda f: (not side_word(f[0].stem), len(f[0].parts), f[0]))


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
    if not isinstance(cell, str) or not 0 < len(cell) < 1000 or "\n" in cell:
        return False
    try:
        return is_medium(source.find(cell, folder))
    except ImportRowError:
        return False


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
        split = "" if isinstance(line, str) else str(line.get("split") or "").strip().lower()
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
) -> Iterator[Row | Skipped]:
    """The rows of a line: one, or one for each text where a column of several holds them."""
    cell = line.get(columns.file)
    value = line.get(columns.text) if columns.text else None
    many = columns.may_be_list and isinstance(value, list) and len(value) > 0
    named = str(cell.get("path") or "") if isinstance(cell, dict) else str(cell if cell is not None else "")

    def made(text: Any) -> Row:
        split = side_name(read_field(line.get("split"), "split", int)) or side
        if split and split not in splits:
            raise ImportRowError(f"The split {split!r} is neither train, validation nor held-out.")
        facts = {
            "text": read_field(text, columns.text or "text"),
            "split": splits.get(split, ""),
            **said_in(line),
        }
        if isinstance(cell, dict) and cell.get("bytes"):
            name = Path(named.replace("\\", "/")).name or f"{columns.file}-{number}"
            return Row(number, name, data=bytes(cell["bytes"]), **facts)
        name = named if isinstance(cell, dict) else read_field(cell, columns.file, int)
        file = source.find(name, table.parent)
        return Row(number, file.name, file, **facts)

    for text in value if many and isinstance(value, list) else [value]:
        yield attempt(number, named, lambda text=text: made(text))  # type: ignore[misc]


IMPORTERS.add(Manifest.name, Manifest())
