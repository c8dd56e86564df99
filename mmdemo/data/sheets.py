"""Excel's tables: the sheet that names files, with its cells as texts, as Excel writes them into a CSV.

A formula is what Excel has calculated of it; nothing is calculated here.
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from mmdemo.data.columns import columns_of
from mmdemo.data.delimited import by_column_names
from mmdemo.data.source import Source
from mmdemo.errors import MediaError, UserError
from mmdemo.media.regular_file import TABLE_MB, require_file
from mmdemo.store.archive import Wanted, opened

EXCEL = (".xlsx", ".xlsm")
XML = (".xml", ".rels", ".vml")  # what of it is read
MOST_ROWS, MOST_COLUMNS = 1_048_576, 1000  # Excel's own rows; of its 16,384 columns those that tables have
OLD = b"\xd0\xcf\x11\xe0"  # of .xls, and of what is behind a password
# Of its parts, unpacked, in bytes: openpyxl makes a tree of those that are no sheet, 30 times as large, and
# keeps the texts that all sheets share.
MOST_BESIDE, MOST_SHARED = 5_000_000, 100_000_000
LOOKED_AT = 20  # rows by which a sheet is known
WORKBOOK = Wanted("no table of Excel", "Save it as .csv.")
Line = dict[str, str] | str


def sheet_lines(source: Source, table: Path, names_medium: Callable[[Any], bool]) -> Iterator[Line]:
    """The rows of a sheet below its first, by the columns that it names; of several sheets, of the one most
    of whose rows name files, those that are hidden last.

    Args:
        source: whose files they are; it is told which of several sheets is read.
        table: the file.
        names_medium: whether a cell is called like a medium.

    Raises:
        UserError: it is no table of Excel, or no sheet of it has a column of files.
    """

    def is_there(cell: Any) -> bool:
        return source.names_medium(cell, table.parent)

    with _workbook(table) as book:
        sheets = sorted(book.worksheets, key=lambda sheet: sheet.sheet_state != "visible")
        best, most = None, -1
        for sheet in sheets:
            first = [
                line
                for line in islice(by_column_names(_records(sheet), names_medium), LOOKED_AT)
                if isinstance(line, dict)
            ]
            columns = columns_of(first, source.modality, is_there)
            if columns is not None:
                there = sum(is_there(line.get(columns.file)) for line in first)
                best, most = (sheet, there) if there > most else (best, most)
        if best is None:
            names = ", ".join(str(sheet.title) for sheet in sheets[:4]) or "there is none"
            raise UserError(
                f"No sheet of {table.name} has a column of files: {names}.",
                "Name the columns file_name and text in the first row of one.",
            )
        if len(sheets) > 1:
            source.note(f"Of {table.name} the sheet {best.title} is read.")
        yield from by_column_names(_records(best), names_medium)


@contextmanager
def _workbook(table: Path) -> Iterator[Any]:
    """The workbook of a file, open within this block."""
    require_file(table, TABLE_MB)
    with table.open("rb") as file:
        if file.read(len(OLD)) == OLD:
            raise MediaError(
                f"{table.name} is of an old Excel, or behind a password.", "Save it as .xlsx or .csv without."
            )
    with opened(table, WORKBOOK) as parts:
        for part in parts.infolist():
            shared = part.filename.endswith("sharedStrings.xml")
            most = MOST_SHARED if shared else MOST_BESIDE
            if part.file_size > most and "/worksheets/" not in part.filename and part.filename.endswith(XML):
                name, has_mb = Path(part.filename).name, part.file_size / 1e6
                raise MediaError(
                    f"{table.name} holds {has_mb:.0f} MB of {name}; at most {most / 1e6:.0f} are read.",
                    "Save it as .csv.",
                )
    from openpyxl import load_workbook

    # It warns of what of Excel's it leaves out, which is no cell.
    warnings.filterwarnings("ignore", category=UserWarning, module="openpyxl")
    try:
        with table.open("rb") as file:
            yield load_workbook(file, read_only=True, data_only=True, keep_links=False)
    except (UserError, MemoryError, GeneratorExit):
        raise
    except Exception as e:  # it reads XML of every tool's making, and fails in every way
        raise UserError(f"{table.name} is no table of Excel that can be read.", "Save it as .csv.") from e


def _records(sheet: Any) -> Iterator[list[str]]:
    """The cells of each row that is not empty, as many as the first such row has."""
    sheet.reset_dimensions()  # which some tools write wrongly
    width = 0
    for cells in islice(sheet.iter_rows(max_col=MOST_COLUMNS, values_only=True), MOST_ROWS):
        fields = [_as_text(cell) for cell in cells[: width or None]]
        if not any(fields):
            continue
        if not width:
            while not fields[-1]:
                fields.pop()
            width = len(fields)
            fields = [name or f"column {i}" for i, name in enumerate(fields, 1)]
        yield fields


def _as_text(cell: Any) -> str:
    """A cell as a CSV has it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(" ")
    return str(cell).strip()
