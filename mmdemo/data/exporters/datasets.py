"""A data set of the `datasets` library, which `import` reads."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, Exporter, Labels
from mmdemo.data.exporters.hub_columns import AT_ONCE, features_of, line_of


def write_datasets(out: Path, labels: Labels) -> Path:
    """A data set with the files inside, for datasets.load_from_disk, which shows or plays them."""
    import datasets
    from datasets.arrow_writer import ArrowWriter

    with tempfile.TemporaryDirectory(dir=out.parent) as folder:
        table = Path(folder) / "all.arrow"
        writer: Any = None
        held = 0
        for label in labels:
            writer = writer or ArrowWriter(path=str(table), features=features_of(label))
            writer.write(line_of(label))
            held += label.medium.stat().st_size
            if held > AT_ONCE:
                writer.write_examples_on_file()
                held = 0
        writer.finalize()
        datasets.Dataset.from_file(str(table)).save_to_disk(str(out))
    return out


EXPORTERS.add("datasets", Exporter("a data set for load_from_disk", 200, write_datasets, packs=True))
