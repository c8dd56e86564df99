"""Exporting labels: a folder with the files and a table, in the format that the next tool reads."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import EXPORTERS, Exporter, formats
from mmdemo.data.outgoing import Outgoing
from mmdemo.errors import UserError, cannot_write
from mmdemo.media.regular_file import is_there
from mmdemo.modality import modality_of
from mmdemo.store.pairs import PairView
from mmdemo.store.unfinished import put, unfinished
from mmdemo.store.workspace import Workspace

REMOVED = "removed.log"  # no table's name: an import passes it over


@dataclass(frozen=True)
class Exported:
    """What was written."""

    pairs: int
    labels: int
    path: Path

    def as_json(self) -> dict[str, Any]:
        """The JSON of `export`."""
        return {"pairs": self.pairs, "labels": self.labels, "path": str(self.path)}


@dataclass(frozen=True)
class Foreseen:
    """What is told of an export before it is made."""

    about: str  # the format, in a line
    pairs: int  # that have a label
    labels: int
    leaves_out: tuple[str, ...]  # what the format cannot carry
    removed: int = 0  # labels of pairs that were removed, which stand in a file of their own

    def as_json(self) -> dict[str, Any]:
        """The JSON of `export_preview`."""
        return vars(self) | {"leaves_out": list(self.leaves_out)}


def foresee_export(ws: Workspace, task: str, format: str, every: bool = False) -> Foreseen:
    """What would be written, and what not; arguments and errors as `export_labels`."""
    exporter = exporter_for(task, format)
    pairs, labels, removed = ws.labels.leaving(task)
    asked = (labels, exporter.leaves_out, removed) if every else (pairs, exporter.leaves_out, 0)
    return Foreseen(exporter.about, pairs, *asked)


def export_labels(
    ws: Workspace, out: Path, task: str, format: str, every: bool = False, items: Collection[str] = ()
) -> Exported:
    """Write every labelled pair of a task, with its files, below the folder `out`.

    Args:
        ws: where from.
        out: a folder that is empty or not there yet.
        task: whose pairs.
        format: the name of an exporter.
        every: with every label that nobody took back, and not only the one in force; those of pairs that were
            removed stand in `removed.log`, a JSON object a line, without a file.
        items: only the labels on these, and none of what was removed; empty: on all.

    Raises:
        UserError: an unknown format or one that has no place for the task's files, a folder that holds
            something else or cannot be made, or nothing to export.
        StorageError: the disk refused; nothing half-written stays.
    """
    exporter = exporter_for(task, format)
    _require_new(out)
    try:
        if not is_there(out.parent):
            out.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(out.parent) as temporary:
            made = temporary / "export"  # the folder may be called as what holds it, with its lock
            made.mkdir()
            labels = Outgoing(ws, task, every, exporter, made, items)
            _require_any(labels, task, format, exporter)
            path = exporter.write(made, labels)
            if every and not items:
                _write_removed(ws, task, made / REMOVED)
            put(made, out)
    except OSError as e:
        raise cannot_write(f"The export could not be written to {out}", e, named=True) from e
    return Exported(labels.pairs, labels.labels, out / path.relative_to(made))


def _write_removed(ws: Workspace, task: str, path: Path) -> None:
    """The labels of pairs that were removed, where there are some: they stay in the log, and here."""
    lines = (json.dumps(_told(view), ensure_ascii=False) for view in ws.pairs.each_label(task, True, True))
    if (first := next(lines, None)) is None:
        return
    with path.open("w", encoding="utf-8") as f:
        f.writelines(f"{line}\n" for line in chain([first], lines))


def _told(view: PairView) -> dict[str, Any]:
    names = ("pair", "item", "name", "text", "start", "end", "split", "source")
    said = ("label", "verdict", "corrected_text", "annotator", "comment")
    values = (view.id, view.item, view.name, view.text, view.start_s, view.end_s, view.split, view.source)
    label = (view.label, view.verdict, view.corrected, view.annotator, view.comment)
    return dict(zip((*names, *said), (*values, *label), strict=True))


def exporter_for(task: str, format: str) -> Exporter:
    """The exporter of a format.

    Raises:
        UserError: an unknown one, or one that has no place for the task's files.
    """
    exporter, modality = EXPORTERS.get(format), modality_of(task)
    if not exporter.takes(modality):
        raise UserError(
            f"{format} has no place for {modality.plural}.",
            f"Use one of: {', '.join(formats(modality))}.",
        )
    return exporter


def _require_any(labels: Outgoing, task: str, format: str, exporter: Exporter) -> None:
    if labels.any():
        return
    if exporter.keeps is None:
        of = " on these items" if labels.chosen else ""
        raise UserError(f"There are no {task} labels{of} to export.", "Label some pairs first.")
    raise UserError(
        f"There are no {task} labels that {format} has a place for: it leaves out {exporter.leaves_out[0]}.",
        "Label some pairs first, or choose another format.",
    )


def _require_new(out: Path) -> None:
    """Refuse what is no folder, or one with something in it."""
    if is_there(out) and not out.is_dir():
        raise UserError(f"{out} is not a folder.", "Name a folder that is empty or not there yet.")
    try:
        if out.is_dir() and any(out.iterdir()):
            raise UserError(f"{out} is not empty.", "Name a folder that is empty or not there yet.")
    except OSError as e:
        raise cannot_write(f"{out} cannot be looked into", e, named=True) from e
