"""The Data tab: import, browse, export, back up and restore."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from mmdemo.data.exporters.base import formats
from mmdemo.data.importers.base import importers
from mmdemo.data.importing import count_rows, preview, source_in
from mmdemo.data.rows import Skipped
from mmdemo.demo import Demo
from mmdemo.errors import UserError
from mmdemo.models.protocols import TASKS
from mmdemo.store.backup import back_up, replace
from mmdemo.store.tables import now
from mmdemo.ui.routes import action
from mmdemo.ui.tabs.common import number_of, task_in, text_of
from mmdemo.ui.uploads import batch_folder, exchange_folder, offer
from mmdemo.ui.widgets import widget

PREVIEWED = 8


def build() -> None:
    """Lay the tab out."""
    widget("data")


def paths_allowed(demo: Demo) -> bool:
    """Whether a visitor may name paths of this machine: only where the visitor is its user."""
    local = demo.settings.server_name in {"127.0.0.1", "localhost", "::1"}
    return local and not demo.settings.share and not demo.settings.on_space


def _source(demo: Demo, body: dict[str, Any]) -> str:
    named = text_of(body, "source").strip()
    if named:
        if not paths_allowed(demo):
            raise UserError("Paths of the server cannot be named from outside.", "Upload the files instead.")
        return named
    folder = batch_folder(text_of(body, "batch"))
    if not folder.is_dir():
        raise UserError("Nothing has been uploaded.", "Choose files or a folder first.")
    return str(source_in(folder))


@action("data")
def data(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """What the tab says of the workspace, and what can be imported and exported."""
    task = task_in(demo, body)
    counts = demo.label_counts(task)
    local = paths_allowed(demo)
    return {
        "folder": str(demo.settings.workspace) if local else "This workspace",
        "items": demo.ws.items.count(TASKS[task]),
        "pairs": counts["pairs"],
        "labels": demo.ws.labels.total(),
        "media_bytes": demo.ws.media.size_bytes(),
        "free_bytes": demo.ws.media.free_bytes(),
        "kinds": [importer.about for importer in importers()],
        "formats": list(formats()),
        "sources": sorted({*demo.ws.pairs.sources(task), *demo.ws.items.sources(TASKS[task])}),
        "paths": local,
    }


@action("pairs")
def pairs(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """A page of pairs that fit the filters."""
    found = demo.ws.pairs.browse(task_in(demo, body), **_filters(body))
    names = ("id", "item", "name", "text", "corrected", "verdict", "split", "source", "annotator")
    spans = [{"start": p.start_s, "end": p.end_s} for p in found]
    rows = [{name: getattr(p, name) for name in names} for p in found]
    return {"pairs": [row | span for row, span in zip(rows, spans, strict=True)]}


@action("items")
def items(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """A page of items that fit the filters, those without a pair too."""
    task = task_in(demo, body)
    found = demo.ws.items.browse(TASKS[task], task, **_filters(body))
    rows = [
        {
            "item": item.id,
            "name": item.name,
            "width": item.width,
            "height": item.height,
            "duration": item.duration_s,
            "bytes": item.bytes,
            "split": item.split,
            "source": item.source,
            "pairs": pairs,
            "labelled": labelled,
        }
        for item, pairs, labelled in found
    ]
    return {"items": rows}


def _filters(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "state": text_of(body, "state", "all"),
        "split": text_of(body, "split") or None,
        "source": text_of(body, "source") or None,
        "contains": text_of(body, "contains").strip(),
        "limit": max(1, min(200, int(number_of(body, "limit", 30)))),
        "offset": max(0, int(number_of(body, "offset", 0))),
    }


@action("import_preview", writes=True)
def import_preview(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """The first rows of what would be imported."""
    name, rows = preview(_source(demo, body), PREVIEWED)
    shown = [
        {"row": r.row, "file": r.file, "reason": r.reason}
        if isinstance(r, Skipped)
        else {"row": r.number, "file": r.name, "text": r.text[:200], "verdict": r.verdict, "split": r.split}
        for r in rows
    ]
    if not shown:
        raise UserError("There are no rows in it.", "Choose a folder with pictures or a manifest with rows.")
    return {"importer": name, "rows": shown}


@action("import_start", writes=True)
def import_start(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Begin the import behind the page."""
    source, verdict = _source(demo, body), text_of(body, "verdict", "none")
    total = count_rows(source)
    batch, task = text_of(body, "batch"), task_in(demo, body)

    def ended() -> None:
        if batch and not text_of(body, "source").strip():
            shutil.rmtree(batch_folder(batch), ignore_errors=True)
        demo.data_changed(task)

    demo.imports.start(
        Path(source).name or source,
        total,
        lambda progress, stopped: demo.import_data(source, task, verdict, progress, stopped),
        ended,
    )
    return demo.imports.state()


@action("import_state")
def import_state(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Where the import stands."""
    return demo.imports.state()


@action("import_stop", writes=True)
def import_stop(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the import to stop."""
    demo.imports.stop()
    return {}


@action("export")
def export(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Pack the labels in a format into one zip."""
    format, task = text_of(body, "format", "jsonl"), task_in(demo, body)
    folder = Path(tempfile.mkdtemp(dir=exchange_folder()))
    done = demo.export(task, format, folder / "labels")
    packed = shutil.make_archive(str(folder / f"mmdemo-{task}-{format}"), "zip", folder / "labels")
    shutil.rmtree(folder / "labels")
    return done.as_json() | {"path": Path(packed).name, "address": offer(Path(packed))}


@action("backup", writes=True)
def backup(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Pack the whole workspace into one zip."""
    folder = Path(tempfile.mkdtemp(dir=exchange_folder()))
    path = back_up(demo.ws, folder / f"mmdemo-backup-{now():%Y%m%d-%H%M%S}.zip")
    return {"bytes": path.stat().st_size, "address": offer(path)}


@action("restore", writes=True)
def restore(demo: Demo, body: dict[str, Any]) -> dict[str, Any]:
    """Put a backup in the place of the workspace, which is packed into a backup of its own first."""
    archives = list(batch_folder(text_of(body, "batch")).glob("*"))
    if len(archives) != 1:
        raise UserError("No backup was uploaded.", "Choose a zip that Back up made.")
    kept = replace(demo.ws, archives[0])
    demo.restored()
    return {"kept": str(kept) if paths_allowed(demo) else kept.name}
