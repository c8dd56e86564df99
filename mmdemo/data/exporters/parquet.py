"""A data set of the Hub in Parquet with the files inside, which `import` reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, OF_SIDES, Exporter, Labels
from mmdemo.data.exporters.hub_columns import AT_ONCE, features_of, line_of

SHARD = 500_000_000  # bytes of media, as the Hub has them
ROWS = 1000  # of a group at most


def write_parquet(out: Path, labels: Labels) -> Path:
    """data/train-00000-of-00001.parquet and so on, for datasets.load_dataset or a push to the Hub."""
    folder = out / "data"
    folder.mkdir()
    sides: dict[str, _Side] = {}
    try:
        for label in labels:
            if label.split not in sides:
                schema = features_of(label).arrow_schema
                sides[label.split] = _Side(folder, OF_SIDES[label.split], schema)
            sides[label.split].add(line_of(label), label.medium.stat().st_size)
    finally:
        for side in sides.values():
            side.close()
    for side in sides.values():
        side.number()
    return folder


class _Side:
    """The files of one split.

    Args:
        folder: where they are.
        name: how their names begin.
        schema: of Arrow, with the library's types.
    """

    def __init__(self, folder: Path, name: str, schema: Any) -> None:
        self._folder, self._name, self._schema = folder, name, schema
        self._shards: list[Path] = []
        self._writer: Any = None
        self._lines: list[dict[str, Any]] = []
        self._held = self._written = 0  # bytes of media, in memory and in this file

    def add(self, line: dict[str, Any], size: int) -> None:
        """Write a row, whose file has so many bytes, in its turn."""
        if self._held + size > AT_ONCE or len(self._lines) >= ROWS:
            self._flush()
        if self._written and self._written + size > SHARD:
            self.close()
        self._lines.append(line)
        self._held += size
        self._written += size

    def close(self) -> None:
        """End this file; what is added goes into the next."""
        self._flush()
        if self._writer is not None:
            self._writer.close()
        self._writer, self._written = None, 0

    def number(self) -> None:
        """Name the files by how many they are."""
        for i, shard in enumerate(self._shards):
            shard.rename(self._folder / f"{self._name}-{i:05}-of-{len(self._shards):05}.parquet")

    def _flush(self) -> None:
        import pyarrow
        import pyarrow.parquet

        if not self._lines:
            return
        if self._writer is None:
            self._shards.append(self._folder / f"{self._name}-{len(self._shards)}.part")
            self._writer = pyarrow.parquet.ParquetWriter(self._shards[-1], self._schema)
        self._writer.write_table(pyarrow.Table.from_pylist(self._lines, schema=self._schema))
        self._lines, self._held = [], 0


EXPORTERS.add(
    "parquet", Exporter("a data set in Parquet for load_dataset and the Hub", 120, write_parquet, packs=True)
)
