"""A data set of the `datasets` library, which `import` reads."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import COLUMNS, EXPORTERS, MEDIA, ExportedLabel, Exporter


def write_datasets(out: Path, labels: Sequence[ExportedLabel]) -> Path:
    """A data set with the pictures inside, for datasets.load_from_disk."""
    import datasets

    columns: dict[str, list[Any]] = {
        name: [getattr(label, name) for label in labels] for name in COLUMNS if name != "file_name"
    }
    columns["image"] = [
        {"bytes": (out / label.file_name).read_bytes(), "path": label.file_name} for label in labels
    ]
    table = datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())
    shutil.rmtree(out / MEDIA)
    table.save_to_disk(str(out))
    return out


EXPORTERS.add("datasets", Exporter("a data set for load_from_disk", 200, write_datasets))
