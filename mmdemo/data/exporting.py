"""Exporting labels: a folder with the files and a table, in the format that the next tool reads."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, MEDIA, ExportedLabel
from mmdemo.errors import StorageError, UserError
from mmdemo.store.pairs import PairView
from mmdemo.store.workspace import Workspace


@dataclass(frozen=True)
class Exported:
    """What was written."""

    pairs: int
    labels: int
    path: Path

    def as_json(self) -> dict[str, Any]:
        """The JSON of `export`."""
        return {"pairs": self.pairs, "labels": self.labels, "path": str(self.path)}


def export_labels(ws: Workspace, out: Path, task: str, format: str) -> Exported:
    """Write every labelled pair of a task, with its files, below the folder `out`.

    Raises:
        UserError: an unknown format, a folder that holds something else, or nothing to export.
        StorageError: the disk refused.
    """
    exporter = EXPORTERS.get(format)
    if out.is_file() or (out.is_dir() and any(out.iterdir())):
        raise UserError(f"{out} is not empty.", "Name a folder that is empty or not there yet.")
    pairs = ws.pairs.browse(task, state="labelled")
    if not pairs:
        raise UserError(f"There are no {task} labels to export.", "Label some pairs first.")
    try:
        (out / MEDIA).mkdir(parents=True)
        path = exporter.write(out, [_with_file(ws, out, pair) for pair in pairs])
    except OSError as e:
        raise StorageError(f"The export could not be written: {e.strerror}.", "Free some disk space.") from e
    return Exported(len(pairs), sum(p.label is not None for p in pairs), path)


def _with_file(ws: Workspace, out: Path, pair: PairView) -> ExportedLabel:
    name = f"{MEDIA}/{pair.item[:16]}{pair.suffix}"
    if not (out / name).exists():
        shutil.copyfile(ws.media.path(pair.item, pair.suffix), out / name)
    return ExportedLabel(
        file_name=name,
        text=pair.text,
        verdict=pair.verdict or "",
        corrected_text=pair.corrected,
        start=pair.start_s,
        end=pair.end_s,
        split=pair.split or "",
        annotator=pair.annotator,
        comment=pair.comment,
        item=pair.item,
        label=pair.label or 0,
        source=pair.source,
    )
