"""The columns of a data set of the Hub: what manifests say, and the file in a type of the library's."""

from __future__ import annotations

from typing import Any

from mmdemo.data.exporters.base import COLUMNS, ExportedLabel
from mmdemo.errors import UserError

TYPES = {"image": "Image", "audio": "Audio", "video": "Video"}  # the library's
VALUES = {  # the others are texts
    **{"start": "float64", "end": "float64", "label": "int64", "pair": "int64"},
    "in_force": "bool",
}
SAID = tuple(name for name in COLUMNS if name != "file_name")
AT_ONCE = 64_000_000  # bytes of files that are held in memory
LARGEST = 2**31 - 2**20  # bytes: what a column of Arrow counts to


def features_of(label: ExportedLabel) -> Any:
    """The `datasets.Features` of a table of labels like this one.

    A file of a modality that the library has no type for is its bytes and its name.
    """
    import datasets

    said = {name: datasets.Value(VALUES.get(name, "string")) for name in SAID}
    kind = TYPES.get(label.key)
    plain = {"bytes": datasets.Value("binary"), "path": datasets.Value("string")}
    return datasets.Features({label.key: getattr(datasets, kind)() if kind else plain} | said)


def line_of(label: ExportedLabel) -> dict[str, Any]:
    """A label as a row of such a table.

    Raises:
        UserError: its file is larger than a row can be.
    """
    if label.medium.stat().st_size > LARGEST:
        raise UserError(
            f"{label.name} has more than 2 GB, which a row of Parquet or Arrow cannot hold.",
            "Export as jsonl, which has the files beside it.",
        )
    stored = {"bytes": label.medium.read_bytes(), "path": label.name}
    return {label.key: stored} | {name: getattr(label, name) for name in SAID}
