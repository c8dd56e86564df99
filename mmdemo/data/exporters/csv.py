"""A manifest for spreadsheets, which `import` reads."""

from __future__ import annotations

import csv
from pathlib import Path

from mmdemo.data.exporters.base import COLUMNS, EXPORTERS, Exporter, Labels
from mmdemo.data.formulas import quote_formula


def write_csv(out: Path, labels: Labels) -> Path:
    """metadata.csv in UTF-8; cells that a spreadsheet would calculate carry an apostrophe in front."""
    path = out / "metadata.csv"
    with path.open("w", encoding="utf-8", newline="") as f:
        table = csv.DictWriter(f, COLUMNS)
        table.writeheader()
        for label in labels:
            cells = label.columns().items()
            table.writerow({k: quote_formula(v) if isinstance(v, str) else v for k, v in cells})
    return path


EXPORTERS.add("csv", Exporter("a manifest for spreadsheets", 110, write_csv))
