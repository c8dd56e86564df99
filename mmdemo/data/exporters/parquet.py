"""A manifest in columns, which `import` reads."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mmdemo.data.exporters.base import EXPORTERS, ExportedLabel, Exporter


def write_parquet(out: Path, labels: Sequence[ExportedLabel]) -> Path:
    """metadata.parquet."""
    import pyarrow
    import pyarrow.parquet

    path = out / "metadata.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([vars(label) for label in labels]), path)
    return path


EXPORTERS.add("parquet", Exporter("a manifest in Parquet", 120, write_parquet))
