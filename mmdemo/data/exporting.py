"""Exporting labels: a folder with the files and a table, in the format that the next tool reads.

jsonl, csv and parquet are manifests and come back by `import`; datasets, coco, label-studio and argilla
are for those tools, and the first two come back as well.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdemo.data.formulas import quote_formula
from mmdemo.errors import StorageError, UserError
from mmdemo.store.pairs import PairView
from mmdemo.store.workspace import Workspace

MEDIA = "media"
COLUMNS = (
    "file_name",
    "text",
    "verdict",
    "corrected_text",
    "start",
    "end",
    "split",
    "annotator",
    "comment",
    "item",
    "label",
    "source",
)


@dataclass(frozen=True)
class Exported:
    """What was written."""

    pairs: int
    labels: int
    path: Path

    def as_json(self) -> dict[str, Any]:
        """The JSON of `export`."""
        return {"pairs": self.pairs, "labels": self.labels, "path": str(self.path)}


Writer = Callable[[Path, Sequence[dict[str, Any]]], Path]
WRITERS: dict[str, Writer] = {}


def writer(name: str) -> Callable[[Writer], Writer]:
    """Put an export format into the table."""

    def add(function: Writer) -> Writer:
        WRITERS[name] = function
        return function

    return add


def export_labels(ws: Workspace, out: Path, task: str, format: str) -> Exported:
    """Write every labelled pair of a task, with its files, below the folder `out`.

    Raises:
        UserError: an unknown format, a folder that holds something else, or nothing to export.
        StorageError: the disk refused.
    """
    if format not in WRITERS:
        raise UserError(f"The format {format!r} is unknown.", f"Use one of: {', '.join(WRITERS)}.")
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UserError(f"{out} is not empty.", "Name a folder that is empty or not there yet.")
    pairs = ws.pairs.browse(task, state="labelled")
    if not pairs:
        raise UserError(f"There are no {task} labels to export.", "Label some pairs first.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / MEDIA).mkdir()
        path = WRITERS[format](out, [_row(ws, out, pair) for pair in pairs])
    except OSError as e:
        raise StorageError(f"The export could not be written: {e.strerror}.", "Free some disk space.") from e
    return Exported(len(pairs), sum(p.label is not None for p in pairs), path)


def _row(ws: Workspace, out: Path, pair: PairView) -> dict[str, Any]:
    source = ws.media.path(pair.item, pair.suffix)
    name = f"{MEDIA}/{pair.item[:16]}{pair.suffix}"
    if not (out / name).exists():
        shutil.copyfile(source, out / name)
    values = (
        name,
        pair.text,
        pair.verdict,
        pair.corrected,
        pair.start_s,
        pair.end_s,
        pair.split or "",
        pair.annotator,
        pair.comment,
        pair.item,
        pair.label,
        pair.source,
    )
    return dict(zip(COLUMNS, values, strict=True))


def _write_json(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


@writer("jsonl")
def write_jsonl(out: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """metadata.jsonl, one object a line."""
    path = out / "metadata.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@writer("csv")
def write_csv(out: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """metadata.csv in UTF-8; cells that a spreadsheet would calculate carry an apostrophe in front."""
    path = out / "metadata.csv"
    with path.open("w", encoding="utf-8", newline="") as f:
        table = csv.DictWriter(f, COLUMNS)
        table.writeheader()
        for row in rows:
            table.writerow({k: quote_formula(v) if isinstance(v, str) else v for k, v in row.items()})
    return path


@writer("parquet")
def write_parquet(out: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """metadata.parquet."""
    import pyarrow
    import pyarrow.parquet

    path = out / "metadata.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    return path


@writer("datasets")
def write_datasets(out: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """A data set with the pictures inside, for datasets.load_from_disk."""
    import datasets

    columns: dict[str, list[Any]] = {
        name: [row[name] for row in rows] for name in COLUMNS if name != "file_name"
    }
    columns["image"] = [
        {"bytes": (out / row["file_name"]).read_bytes(), "path": row["file_name"]} for row in rows
    ]
    table = datasets.Dataset.from_dict(columns).cast_column("image", datasets.Image())
    shutil.rmtree(out / MEDIA)
    table.save_to_disk(str(out))
    return out


@writer("coco")
def write_coco(out: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """captions.json; verdict and annotator stand beside each caption."""
    number = {name: i for i, name in enumerate(dict.fromkeys(row["file_name"] for row in rows), 1)}
    annotations = [
        {
            "id": i,
            "image_id": number[row["file_name"]],
            "caption": row["corrected_text"] or row["text"],
            "verdict": row["verdict"],
            "annotator": row["annotator"],
        }
        for i, row in enumerate(rows, 1)
    ]
    images = [{"id": i, "file_name": name} for name, i in number.items()]
    return _write_json(out / "captions.json", {"images": images, "annotations": annotations})


@writer("label-studio")
def write_label_studio(out: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """tasks.json for Label Studio's import, each with a finished annotation."""
    tasks = []
    for row in rows:
        result: list[dict[str, Any]] = [
            {
                "from_name": "verdict",
                "to_name": "image",
                "type": "choices",
                "value": {"choices": [row["verdict"]]},
            }
        ]
        if row["corrected_text"]:
            corrected = {"text": [row["corrected_text"]]}
            result.append({"from_name": "text", "to_name": "image", "type": "textarea", "value": corrected})
        tasks.append(
            {
                "data": {"image": row["file_name"], "text": row["text"], "split": row["split"]},
                "annotations": [{"result": result, "completed_by": {"email": row["annotator"]}}],
            }
        )
    return _write_json(out / "tasks.json", tasks)


@writer("argilla")
def write_argilla(out: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """records.json: fields, and the verdict and corrected text as responses."""
    records = []
    for row in rows:
        who = row["annotator"] or "annotator"
        responses = {"verdict": [{"value": row["verdict"], "user_id": who}]}
        if row["corrected_text"]:
            responses["text"] = [{"value": row["corrected_text"], "user_id": who}]
        records.append(
            {
                "id": str(row["label"]),
                "fields": {"image": row["file_name"], "text": row["text"]},
                "metadata": {"split": row["split"], "source": row["source"], "item": row["item"]},
                "responses": responses,
            }
        )
    return _write_json(out / "records.json", records)
