"""Tables of every kind, line by line: CSV, TSV, JSON, JSON lines, Parquet, Excel.

A line is a mapping from columns to values, or the sentence that says why it is none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmdemo.data.delimited import named_delimiter, rows_of, split_head
from mmdemo.data.json_lines import is_json_lines, json_lines
from mmdemo.data.packed import plain_name, suffix_of
from mmdemo.data.sheets import EXCEL, sheet_lines
from mmdemo.data.source import SAVE_AS, UNREAD_TABLES, Source
from mmdemo.errors import ImportRowError, UserError, reason
from mmdemo.media.regular_file import TABLE_MB
from mmdemo.modality import is_medium
from mmdemo.store.splits import SPLIT_NAMES

DELIMITED = (".csv", ".tsv", ".txt", ".token")
LINES = (".jsonl", ".ndjson")
PARQUET = ".parquet"
PACKS_ITSELF = (PARQUET, *EXCEL)
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", *PACKS_ITSELF)
SPACED = (".txt", "")
TIMED = re.compile(r"([\d.]+) ([\d.]+)\s*##(.*)")  # of Charades-STA
LOOKED_AT = 20  # lines by which a list is known
ROWS_AT_ONCE = 64  # of a Parquet file, where one long text may stand in every row and be packed once
Line = dict[str, Any] | str
NO_JSON, NO_OBJECT = "The line is not JSON.", "The line is not a JSON object."


def is_table(path: Path) -> bool:
    """Whether a file is called like a table, and not like a medium, as x.series.csv may be."""
    suffix = suffix_of(path)
    if suffix in PACKS_ITSELF and suffix != path.suffix.lower():
        return False
    return suffix in SUFFIXES and not is_medium(plain_name(path))


def lines_of(source: Source, table: Path) -> Iterator[Line]:
    """The lines of a table.

    Raises:
        UserError: it cannot be read.
    """
    suffix = suffix_of(table)
    if suffix == PARQUET:
        yield from _parquet(table)
    elif suffix in EXCEL:
        yield from sheet_lines(source, table, names_medium)
    elif suffix in UNREAD_TABLES:
        raise UserError(f"{table.name} cannot be read as a table.", SAVE_AS)
    elif suffix in LINES:
        yield from _json_lines(source.read_text(table))
    elif suffix == ".json":
        yield from _json(source, table)
    else:
        yield from _delimited(source, table)


def _json_lines(text: str) -> Iterator[Line]:
    for line in json_lines(text):
        yield NO_JSON if isinstance(line, ValueError) else line if isinstance(line, dict) else NO_OBJECT


def _json(source: Source, table: Path) -> Iterator[Line]:
    """JSON lines under another name, a list of objects, or an object of such a list or of columns."""
    try:
        whole = source.read_json(table)
    except ValueError as e:
        if is_json_lines(source.head(table)):
            yield from _json_lines(source.read_text(table))
            return
        raise UserError(f"{table.name} is no JSON that can be read: {e}.", "Export it again.") from e
    rows = records_in(whole)
    if rows is None:
        raise UserError(
            f"{table.name} is JSON of another kind than is known.",
            "Use a list of objects with file_name and text, or JSON lines.",
        )
    for row in rows:
        yield row if isinstance(row, dict) else NO_OBJECT


def records_in(whole: Any) -> Sequence[Any] | None:
    """The rows of a JSON: a list of objects, perhaps the only list in an object or one for each split, an
    object of columns as pandas writes it, or one from the names of files to their texts; None: it is another
    thing.
    """
    if isinstance(whole, list):
        return whole if any(isinstance(row, dict) for row in whole) else None
    if not isinstance(whole, dict) or not whole:
        return None
    if all(key.lower() in SPLIT_NAMES and isinstance(rows, list) for key, rows in whole.items()):
        return [
            {"split": k, **row} if isinstance(row, dict) else row for k, rows in whole.items() for row in rows
        ]
    if all(names_medium(key) for key in whole):
        return [_of_file(name, said) for name, said in whole.items()]
    if all(isinstance(v, dict) and any(names_medium(cell) for cell in v.values()) for v in whole.values()):
        return list(whole.values())  # by ids of their own
    if all(isinstance(v, list) and len(v) == len(next(iter(whole.values()))) for v in whole.values()):
        columns = list(whole.values())
        if not any(isinstance(cell, dict) for column in columns for cell in column[:1]):
            return [dict(zip(whole, cells, strict=True)) for cells in zip(*columns, strict=True)]
    if len(whole) > 1 and all(isinstance(v, dict) for v in whole.values()):
        keys = list(next(iter(whole.values())))
        if all(list(v) == keys for v in whole.values()) and all(k.isdigit() for k in keys):
            return [{name: column[key] for name, column in whole.items()} for key in keys]
    lists = [v for v in whole.values() if isinstance(v, list) and v and isinstance(v[0], dict)]
    if len(lists) == 1:
        return lists[0]
    return [whole] if all(not isinstance(v, (dict, list)) for v in whole.values()) else None


def _of_file(name: str, said: Any) -> dict[str, Any]:
    """The row of a file, by what a JSON says of it: a text, several, or an object of columns."""
    if isinstance(said, dict):
        return {"file_name": name, **said}
    return {"file_name": name, "captions" if isinstance(said, list) else "text": said}


def _delimited(source: Source, table: Path) -> Iterator[Line]:
    text = source.read_text(table)
    if "\n" not in text:  # lines as they were ended before Unix
        text = text.replace("\r", "\n")
    if not text.strip():
        raise UserError(f"{table.name} is empty.", "Its first line must name the columns file_name and text.")
    if "\x00" in text.split("\n", 1)[0]:
        raise UserError(f"{table.name} is not a text: its first line holds zero bytes.", "Save it as UTF-8.")
    if named := named_delimiter(text):
        source.note(f"{table.name} says itself that {named!r} stands between its fields.")
    if suffix_of(table) in SPACED and (lines := _spaced(source, text, table.parent)) is not None:
        yield from lines
        return
    yield from rows_of(split_head(text, suffix_of(table)), names_medium)


def _spaced(source: Source, text: str, folder: Path) -> Iterator[Line] | None:
    """The lines of a list of files, each with its text behind a blank, as Kaldi, AISHELL and MSVD have them;
    None: it is none.
    """
    lines = [line.strip() for line in text.split("\n") if line.strip()]

    def is_one(line: str) -> bool:
        name, _, said = line.partition(" ")
        if "\t" in name or "|" in line or not re.search(r"[^\W\d_]", said) or names_medium(said):
            return False
        try:
            return is_medium(source.find(name, folder, lasting=False))
        except ImportRowError:
            return False

    first = lines[:LOOKED_AT]
    if sum(map(is_one, first)) * 2 < len(first) or not is_one(next(filter(is_one, first), "")):
        return None
    return (_spaced_row(line) for line in lines)


def _spaced_row(line: str) -> dict[str, Any]:
    name, _, said = line.partition(" ")
    row = {"file_name": name, "text": said.strip()}
    if timed := TIMED.fullmatch(said):
        row |= {"start": timed[1], "end": timed[2], "text": timed[3].strip()}
    return row


def names_medium(cell: Any) -> bool:
    """Whether a cell is called like a medium."""
    return isinstance(cell, str) and 0 < len(cell) < 1000 and is_medium(Path(cell.replace("\\", "/")))


def _parquet(table: Path) -> Iterator[Line]:
    import pyarrow
    import pyarrow.parquet

    try:
        file = pyarrow.parquet.ParquetFile(table)
    except (pyarrow.ArrowException, OSError, ValueError) as e:
        raise UserError(f"{table.name} is not a Parquet file.", "Export it again, or use CSV.") from e
    with file:
        _require_room(table, file.metadata)
        named = _class_names(file.schema_arrow.metadata or {})
        for group in range(file.num_row_groups):
            try:
                for batch in file.iter_batches(ROWS_AT_ONCE, row_groups=[group]):
                    for line in batch.to_pylist():
                        yield {name: _named(value, named.get(name)) for name, value in line.items()}
            except (pyarrow.ArrowException, OSError, ValueError) as e:
                rows = file.metadata.row_group(group).num_rows
                yield f"Some of the {rows} rows of group {group + 1} cannot be read: {reason(e)}."


def _class_names(metadata: Mapping[bytes, bytes]) -> dict[str, Sequence[str]]:
    """The names of classes by column, as the datasets library writes them into a Parquet file."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return {
            str(column): [str(name).replace("_", " ") for name in feature["names"]]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _named(value: Any, names: Sequence[str] | None) -> Any:
    if names is None or not isinstance(value, int) or not 0 <= value < len(names):
        return value
    return names[value]


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
