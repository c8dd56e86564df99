"""What became of each file of an import, as names: which were here already, which have changed, were renamed,
are gone or are in no row. An answer holds some of them; the list of an import has them all, and the rows that
were passed over.
"""

from __future__ import annotations

import csv
from pathlib import Path

from mmdemo.data.formulas import quote_formula
from mmdemo.data.import_ledger import Ledger
from mmdemo.store.durable import replacing

SAME, CHANGED, RENAMED, GONE, LEFT = "same", "changed", "renamed", "gone", "left_out"
TOLD = {  # as the list has them
    CHANGED: "changed since it was imported",
    RENAMED: "has another name now",
    GONE: "gone from the folder",
    LEFT: "in no row, and left out",
    SAME: "here already, and the same",
}
COLUMNS = ("what", "file", "now", "row", "reason")
LIST = "files.csv"  # beside the ledgers


def write_list(folder: Path, ledger: Ledger) -> None:
    """Write all that became of the files and rows of an import into a table, for spreadsheets too.

    Args:
        folder: where ledgers are kept.
        ledger: of the import.

    Raises:
        OSError: the disk refuses.
    """
    with (
        replacing(folder / LIST, lasting=False) as part,
        part.open("w", encoding="utf-8-sig", newline="") as f,
    ):
        table = csv.writer(f)
        table.writerow(COLUMNS)
        for row in ledger.skipped():
            table.writerow(
                [
                    "skipped",
                    quote_formula(row.file),
                    "",
                    row.row,
                    quote_formula(row.reason.replace("\n", " ")),
                ]
            )
        for kind, told in TOLD.items():
            for name, now in ledger.files(kind):
                table.writerow([told, quote_formula(name), quote_formula(now), "", ""])


def left_out_note(count: int) -> str:
    """That so many files of a folder are in no row, in a sentence."""
    files = f"{count} files of the folder are" if count > 1 else "1 file of the folder is"
    return f"{files} in no row that can be read, and left out."
