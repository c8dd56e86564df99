"""Manifests: CSV, TSV, JSONL or Parquet with `file_name` and `text`, and the folders that hold one.

A folder with `metadata.csv` beside its files is the Hub's ImageFolder convention, and so a manifest.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mmdemo.data.columns import TEXT_COLUMNS, said_in
from mmdemo.data.formulas import unquote_formula
from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.rows import Row, Skipped, file_row, parse_json, read_field, read_text
from mmdemo.errors import ImportRowError, UserError, reason
from mmdemo.media.regular_file import TABLE_MB, is_file, is_folder
from mmdemo.modality import is_medium
from mmdemo.store.splits import HELD_OUT_NAMES, SPLIT_NAMES, VALIDATION_NAMES, split_names

SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")
ROWS_AT_ONCE = 64  # of a Parquet file, where one long text may stand in every row and be packed once
FILE_COLUMNS = ("file_name", "filename", "file", "image", "audio", "path", "image_path", "audio_filepath")


class Manifest:
    """A table of files and texts."""

    name = "manifest"
    about = "a CSV, TSV, JSONL or Parquet manifest with file_name and text"
    order = 500

    def accepts(self, path: Path) -> bool:
        """A table that is not called like a medium, as x.series.csv may be; or a folder with one called
        metadata.
        """
        table = path.suffix.lower() in SUFFIXES and not is_medium(path)
        return table or self._inside(path) is not None

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """One row a line; the first line of a CSV is its header.

        Raises:
            UserError: the table cannot be read or lacks a column.
        """
        table = path if is_file(path) else self._inside(path)
        if table is None:
            raise UserError(f"{path} does not exist.", "Check the path.")
        file_column = text_column = ""
        for number, (line, splits) in enumerate(_with_splits(_lines(table)), 1):
            if isinstance(line, str):
                yield Skipped(number, line)
                continue
            if not file_column:
                file_column, text_column = _columns(table, line)
            try:
                yield _row(number, line, table.parent, file_column, text_column, splits)
            except ImportRowError as e:
                yield Skipped(number, str(e), str(line.get(file_column) or ""))

    @staticmethod
    def _inside(path: Path) -> Path | None:
        found = [path / f"metadata{suffix}" for suffix in SUFFIXES] if is_folder(path) else []
        return next((f for f in found if is_file(f)), None)


def _columns(table: Path, line: Mapping[str, Any]) -> tuple[str, str]:
    names = {str(name).strip().lower(): name for name in line}
    file_column = next((names[c] for c in FILE_COLUMNS if c in names), None)
    text_column = next((names[c] for c in TEXT_COLUMNS if c in names), None)
    if file_column is None:
        has = ", ".join(map(str, line)) or "none"
        raise UserError(
            f"{table.name} has no column file_name; its columns are {has}.",
            "Name the columns file_name and text in the first line.",
        )
    return file_column, text_column or "text"


def _with_splits(
    lines: Iterable[dict[str, Any] | str],
) -> Iterator[tuple[dict[str, Any] | str, Mapping[str, str]]]:
    """Each line with what the names of splits mean in its table, which is read once: lines from the first
    validation row on wait until a row to measure on comes, or the end.
    """
    waiting: list[dict[str, Any] | str] = []
    meaning: Mapping[str, str] | None = None
    for line in lines:
        split = "" if isinstance(line, str) else _split(line)
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


def _split(line: Mapping[str, Any]) -> str:
    """The name of a line's split as it is looked up; empty where it has none."""
    return str(line.get("split") or "").strip().lower()


def _row(
    number: int,
    line: Mapping[str, Any],
    root: Path,
    file_column: str,
    text_column: str,
    splits: Mapping[str, str],
) -> Row | Skipped:
    split = read_field(line.get("split"), "split", int).lower()
    if split and split not in splits:
        raise ImportRowError(f"The split {split!r} is neither train, validation nor held-out.")
    text = read_field(line.get(text_column), text_column)
    name = read_field(line.get(file_column), file_column, int)
    return file_row(number, root, name, text=text, split=splits.get(split, ""), **said_in(line))


def _lines(table: Path) -> Iterator[dict[str, Any] | str]:
    """Each line as a mapping, or as the sentence that says why it is none."""
    suffix = table.suffix.lower()
    if suffix == ".parquet":
        yield from _parquet(table)
    elif suffix in {".jsonl", ".ndjson"}:
        for text in read_text(table).split("\n"):  # a line separator within a text ends no line
            if not text.strip():
                continue
            try:
                line = parse_json(text)
            except ValueError:
                yield "The line is not JSON."
                continue
            yield line if isinstance(line, dict) else "The line is not a JSON object."
    else:
        yield from _csv(table)


def _csv(table: Path) -> Iterator[dict[str, Any] | str]:
    text = read_text(table)
    head = text.split("\n", 1)[0]
    if "\x00" in head:
        raise UserError(f"{table.name} is not a text: its first line holds zero bytes.", "Save it as UTF-8.")
    if not head.strip():
        raise UserError(f"{table.name} is empty.", "Its first line must name the columns file_name and text.")
    delimiter = "\t" if table.suffix.lower() == ".tsv" else max(",;\t", key=head.count)
    csv.field_size_limit(10_000_000)
    try:
        for line in csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter):
            line.pop(None, None)
            yield {name: unquote_formula(cell) if cell else cell for name, cell in line.items()}
    except csv.Error as e:
        yield f"The table cannot be read from here on: {e}."


def _parquet(table: Path) -> Iterator[dict[str, Any] | str]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(table)
    except (pyarrow.ArrowInvalid, OSError) as e:
        raise UserError(f"{table.name} is not a Parquet file.", "Export it again, or use CSV.") from e
    with file:
        _require_room(table, file.metadata)
        try:
            for batch in file.iter_batches(ROWS_AT_ONCE):
                yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError, ValueError) as e:
            yield f"The table cannot be read from here on: {reason(e)}."


def _require_room(table: Path, facts: Any) -> None:
    """Refuse a Parquet file that packs more into a column than what is held in memory of a table.

    Raises:
        UserError: which, and how much it would be.
    """
    for group in (facts.row_group(i) for i in range(facts.num_row_groups)):
        for column in (group.column(i) for i in range(group.num_columns)):
            if column.total_uncompressed_size > TABLE_MB * 1_000_000:
                raise UserError(
                    f"The column {column.path_in_schema} of {table.name} is "
                    f"{column.total_uncompressed_size // 1_000_000} MB when it is unpacked.",
                    f"Write it in row groups of at most {TABLE_MB} MB.",
                )


IMPORTERS.add(Manifest.name, Manifest())
