"""Exporting labels: a folder with the files and a table, in the format that the next tool reads."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, MEDIA, ExportedLabel, formats
from mmdemo.errors import UserError, cannot_write
from mmdemo.media.regular_file import is_there
from mmdemo.modality import modality_of
from mmdemo.store.pairs import PairView
from mmdemo.store.unfinished import put, unfinished
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
        UserError: an unknown format or one that has no place for the task's files, a folder that holds
            something else or cannot be made, or nothing to export.
        StorageError: the disk refused; nothing half-written stays.
    """
    exporter, modality = EXPORTERS.get(format), modality_of(task)
    if not exporter.takes(modality):
        raise UserError(
            f"{format} has no place for {modality.plural}.",
            f"Use one of: {', '.join(formats(modality))}.",
        )
    _require_new(out)
    pairs = ws.pairs.browse(task, state="labelled")
    if not pairs:
        raise UserError(f"There are no {task} labels to export.", "Label some pairs first.")
    try:
        if not is_there(out.parent):
            out.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(out.parent) as temporary:
            made = temporary / "export"  # the folder may be called as what holds it, with its lock
            (made / MEDIA).mkdir(parents=True)
            path = exporter.write(made, [_with_file(ws, made, pair, modality.name) for pair in pairs])
            put(made, out)
    except OSError as e:
        raise cannot_write(f"The export could not be written to {out}", e, named=True) from e
    return Exported(len(pairs), sum(p.label is not None for p in pairs), out / path.relative_to(made))


def _require_new(out: Path) -> None:
    """Refuse what is no folder, or one with something in it."""
    if is_there(out) and not out.is_dir():
        raise UserError(f"{out} is not a folder.", "Name a folder that is empty or not there yet.")
    try:
        if out.is_dir() and any(out.iterdir()):
            raise UserError(f"{out} is not empty.", "Name a folder that is empty or not there yet.")
    except OSError as e:
        raise cannot_write(f"{out} cannot be looked into", e, named=True) from e


def _with_file(ws: Workspace, out: Path, pair: PairView, modality: str) -> ExportedLabel:
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
        modality=modality,
    )
