"""A data set of the `datasets` library, which `import` reads."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import COLUMNS, EXPORTERS, MEDIA, ExportedLabel, Exporter

TYPES = {"image": "Image", "audio": "Audio", "video": "Video"}  # the library's


def write_datasets(out: Path, labels: Sequence[ExportedLabel]) -> Path:
    """A data set with the files inside, for datasets.load_from_disk: in a column of the library's own type,
    or as bytes and path where it has none for them.
    """
    import datasets

    columns: dict[str, list[Any]] = {
        name: [getattr(label, name) for label in labels] for name in COLUMNS if name != "file_name"
    }
    media = labels[0].key  # all are of one modality
    columns[media] = [
        {"bytes": (out / label.file_name).read_bytes(), "path": label.file_name} for label in labels
    ]
    table = datasets.Dataset.from_dict(columns)
    if media in TYPES:
        table = table.cast_column(media, getattr(datasets, TYPES[media])())
    shutil.rmtree(out / MEDIA)
    table.save_to_disk(str(out))
    return out


EXPORTERS.add("datasets", Exporter("a data set for load_from_disk", 200, write_datasets))
