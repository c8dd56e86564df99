"""What can be asked of the collection: import, browse, export."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from mmdemo.asker import current
from mmdemo.data.exporters.base import formats
from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.importing import NO_LABEL, Order, foreseen, picture_of
from mmdemo.data.reading import open_source, source_in
from mmdemo.data.rows import Row, Skipped, name_below
from mmdemo.errors import UserError, reason
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.media.regular_file import is_there
from mmdemo.modality import DEFAULT_TASK, modality_of
from mmdemo.service.app import App
from mmdemo.service.context import check_source
from mmdemo.service.exchange import batch_folder, new_folder, offer, pack
from mmdemo.service.operations.requests import (
    FEW,
    LOCAL,
    Answer,
    Count,
    FewLines,
    Name,
    NothingRequest,
    OneOf,
    Request,
    Side,
    TaskName,
    TaskRequest,
)
from mmdemo.service.operations.table import operation
from mmdemo.store.items import ITEM_STATES
from mmdemo.store.pairs import STATES

PREVIEWED = 8
LISTED = 4  # imports beside what can be imported, the newest
BY_REFERENCE = "the files stay where they are, on this machine, and are read from there"
OF_AN_IMPORT = ("status", "task", "phase", "done", "total", "eta_s")  # what everybody may know of one
NO_IMPORT: dict[str, Any] = {"status": "over"}  # or there was none
EVERY = "every label that nobody took back, and not only the one in force"
Verdict = Annotated[str, OneOf("verdict", lambda: [*LABEL_KINDS, NO_LABEL], empty=NO_LABEL)]
Layout = Annotated[str, OneOf("layout", lambda: list(IMPORTERS), empty="")]
Format = Annotated[str, OneOf("export format", formats)]
PairState = Annotated[str, OneOf("label state", lambda: [*STATES, *LABEL_KINDS], empty="all")]
ItemState = Annotated[str, OneOf("state of items", lambda: ITEM_STATES, empty="all")]


class ImportRequest(Request):
    """A source and what to say of its pairs."""

    path: Name = Field(description="a folder, a manifest, or datasets:NAME", json_schema_extra=LOCAL)
    task: TaskName = Field(DEFAULT_TASK)
    verdict: Verdict = Field("none", description="recorded as a label on each pair")
    layout: Layout = Field("", description="how it is read; empty: as what it is most surely")
    by_reference: bool = Field(False, description=BY_REFERENCE)


@operation("import", role="trainer", surfaces=("command",))
def import_data(app: App, request: ImportRequest) -> dict[str, Any]:
    """Import a folder, a manifest, a class tree, COCO captions or datasets:NAME."""
    order = Order(request.path, request.task, request.verdict, request.layout, "", request.by_reference)
    return app.data.run_import(order).as_json()


@operation("import_go_on", role="trainer", surfaces=("command",))
def import_go_on(app: App, request: NothingRequest) -> dict[str, Any]:
    """Go on with the import that was paused or broken off, where it was."""
    return app.data.go_on_importing().as_json()


class SourceRequest(Request):
    """What to import: uploaded files, or a path of this machine."""

    source: Name = Field("", description="a path of this machine, or datasets:NAME; empty: what was uploaded")
    batch: Name = Field("", description="the upload")
    task: TaskName = Field(DEFAULT_TASK)
    verdict: Verdict = Field("none", description="recorded as a label on each pair")
    layout: Layout = Field("", description="how it is read; empty: as what it is most surely")
    by_reference: bool = Field(False, description=BY_REFERENCE)


def _source(app: App, request: SourceRequest) -> str:
    named = request.source.strip()
    if named:
        if not app.asked_here:
            raise UserError("Paths of the server cannot be named from outside.", "Upload the files instead.")
        return named
    folder = batch_folder(request.batch)
    if not folder.is_dir():
        raise UserError("Nothing has been uploaded.", "Choose files or a folder first.")
    return str(source_in(folder))


def _uploaded(request: SourceRequest) -> Path | None:
    """The folder of what was uploaded, where that is what is meant."""
    return batch_folder(request.batch) if request.batch and not request.source.strip() else None


def _previewed(app: App, row: Row | Skipped, request: SourceRequest, root: Path) -> dict[str, Any]:
    """A row as the page shows it: what it says, or the reason why not all of it can be used; its file with
    its folders, as one name may stand in several.
    """
    if isinstance(row, Skipped):
        return {"row": row.row, "file": row.file, "reason": row.reason}
    name = name_below(row, root)
    reason = foreseen(app.ws, row, request.task, request.verdict)
    if reason:
        return {"row": row.number, "file": name, "reason": reason}
    said = {
        "text": _shown(row.text),
        "span": _span(row),
        "verdict": row.verdict,
        "corrected": _shown(row.corrected),
    }
    said |= {"split": row.split, "annotator": row.annotator, "comment": _shown(row.comment)}
    return {"row": row.number, "file": name, **said, "picture": picture_of(app.ws, row, request.task)}


def _shown(text: str) -> str:
    """The beginning of a text in one line: what ends a line in other systems joins words on a page."""
    return " ".join(text.split())[:200]


def _span(row: Row) -> str:
    """The part of its file that a row is about, in words; empty: all of it."""
    if row.start_s is None and row.end_s is None:
        return ""
    return f"{row.start_s or 0:.4g} to {'its end' if row.end_s is None else f'{row.end_s:.4g} s'}"


@operation("import_preview", role="trainer", lane="models")
def import_preview(app: App, request: SourceRequest) -> dict[str, Any]:
    """The first rows of what would be imported."""
    source, uploaded = _source(app, request), _uploaded(request)
    with open_source(source, uploaded, request.task, request.layout) as opened:
        found = opened.preview(PREVIEWED)
        shown = [_previewed(app, row, request, opened.source.root) for row in found.rows]
    if not shown:
        raise UserError("There are no rows in it.", "Choose a folder with pictures or a manifest with rows.")
    told = found.as_json() | {"rows": shown}
    unusable = [row for row in shown if "reason" in row and row not in told["told"]]
    counted = {"ready": found.ready - len(unusable), "skipped": found.skipped + len(unusable)}
    return told | counted | {"told": sorted([*unusable, *told["told"]], key=lambda row: row["row"])}


class ListRequest(Request):
    """Where to."""

    out: Name = Field("", description="a new CSV; empty: one to fetch", json_schema_extra=LOCAL)


@operation("import_list", role="trainer", surfaces=("page", "command"), quick=True)
def import_list(app: App, request: ListRequest) -> dict[str, Any]:
    """All rows that the last import skipped, and what became of each file that was here before, as a CSV."""
    found = app.context.imports.file_list()
    out = Path(request.out) if request.out else new_folder() / "import.csv"
    if request.out and is_there(out):
        raise UserError(f"{out} is there already.", "Name a new file.")
    try:
        shutil.copyfile(found, out)
    except OSError as e:
        raise UserError(f"{out} cannot be written: {reason(e)}.", "Choose another place.") from e
    return {"path": str(out) if request.out else offer(out)}


class ImportState(Answer):
    """Where the import stands that is on, that waits, or that was the last."""

    status: str = Field(description="none, running, paused, broken-off, done, or to who may not import: over")
    id: str = ""
    name: str = Field("", description="of its source")
    task: str = ""
    phase: str = Field("", description="what it does just now")
    done: int = Field(0, description="rows")
    total: int | None = Field(None, description="of how many; null: nobody knows yet")
    eta_s: float | None = Field(None, description="seconds that are left")
    why: str = Field("", description="why it waits")
    error: str = Field("", description="why it has ended before its end")
    stopped: bool = Field(False, description="by somebody")
    report: dict[str, Any] | None = Field(None, description="what it has brought, as the verb `import` tells")


@operation("import_start", role="trainer", quick=True)
def import_start(app: App, request: SourceRequest) -> dict[str, Any]:
    """Begin the import behind the page."""
    uploaded = str(_uploaded(request) or "")
    source, verdict, layout = _source(app, request), request.verdict, request.layout
    app.data.start_import(Order(source, request.task, verdict, layout, uploaded, request.by_reference))
    return app.context.imports.state()


@operation("import_state", role="viewer", public=True, quick=True)
def import_state(app: App, request: NothingRequest) -> ImportState:
    """Where the import stands; what came of it is for who may import."""
    state = app.context.imports.state()
    if current().may("trainer"):
        return ImportState(**state)
    known = {name: state[name] for name in OF_AN_IMPORT if name in state}
    return ImportState(**(NO_IMPORT if state["status"] in ("none", "done") else known))


@operation("import_pause", role="trainer", public=True, quick=True)
def import_pause(app: App, request: NothingRequest) -> ImportState:
    """Ask the import that is on to pause; it can be gone on with, also after a start."""
    app.context.imports.pause()
    return ImportState(**app.context.imports.state())


@operation("import_resume", role="trainer", surfaces=("page", "api"), quick=True)
def import_resume(app: App, request: NothingRequest) -> ImportState:
    """Go on with the import that was paused or broken off, where it was."""
    app.data.resume_import()
    return ImportState(**app.context.imports.state())


@operation("import_stop", role="trainer", public=True, quick=True)
def import_stop(app: App, request: NothingRequest) -> ImportState:
    """Ask the import to stop, and give up one that waits; what it has brought stays."""
    app.context.imports.stop()
    return ImportState(**app.context.imports.state())


@operation("data", role="viewer", quick=True)
def data(app: App, request: TaskRequest) -> dict[str, Any]:
    """What the tab says of the workspace, and what can be imported and exported."""
    task, here = request.task, app.asked_here
    return {
        "folder": str(app.settings.workspace) if here else "This workspace",
        "items": app.ws.items.count(modality_of(task).name),
        "pairs": app.labels.counts(task)["pairs"],
        "labels": app.ws.labels.total(task),
        "media_bytes": app.ws.items.bytes(),
        "free_bytes": app.ws.media.free_bytes(),
        "kinds": [importer.about for importer in IMPORTERS.values()],
        "formats": list(formats(modality_of(task))),
        "sources": sorted({*app.ws.pairs.sources(task), *app.ws.items.sources(modality_of(task).name)}),
        "paths": here,
        "imports": app.curation.imports(task, LISTED, 0) if current().may("trainer") else [],
        "outside": here and app.ws.source_files.has_outside(),
    }


class BrowseRequest(Request):
    """Filters, and which page of what fits them."""

    task: TaskName = Field(DEFAULT_TASK)
    split: Side = Field("", description="only of this side; empty: all")
    source: Name = Field("", description="where it comes from")
    contains: Name = Field("", description="characters of its name or text")
    limit: Count = Field(30, ge=1, le=200, description="how many")
    offset: Count = Field(0, description="how many to pass over")

    def filters(self, app: App) -> dict[str, Any]:
        """As the store takes them.

        Raises:
            UserError: nothing comes from the source.
        """
        check_source(app.ws, self.task, self.source)
        return {
            "split": self.split or None,
            "source": self.source or None,
            "contains": self.contains.strip(),
            "limit": self.limit,
            "offset": self.offset,
        }


class PairsRequest(BrowseRequest):
    """Filters of pairs."""

    state: PairState = Field("all", description="of their labels")


class ItemsRequest(BrowseRequest):
    """Filters of items."""

    state: ItemState = Field("all", description="of their pairs")


@operation("pairs", role="viewer", quick=True)
def pairs(app: App, request: PairsRequest) -> dict[str, Any]:
    """A page of pairs that fit the filters; who labelled them is told whoever may label."""
    told = {} if current().may("annotator") else {"annotator": ""}
    found = app.ws.pairs.browse(request.task, state=request.state, **request.filters(app))
    names = ("id", "item", "name", "text", "corrected", "verdict", "split", "source", "annotator", "hidden")
    return {
        "pairs": [
            {name: getattr(p, name) for name in names} | {"start": p.start_s, "end": p.end_s} | told
            for p in found
        ]
    }


@operation("items", role="viewer", quick=True)
def items(app: App, request: ItemsRequest) -> dict[str, Any]:
    """A page of items that fit the filters, those without a pair too."""
    filters = {"state": request.state, **request.filters(app)}
    found = app.ws.items.browse(modality_of(request.task).name, request.task, **filters)
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
            "hidden": item.hidden,
            "pairs": pairs,
            "labelled": labelled,
        }
        for item, pairs, labelled in found
    ]
    return {"items": rows}


class FormatRequest(Request):
    """Of which task, in which format."""

    task: TaskName = Field(DEFAULT_TASK)
    format: Format = Field("jsonl")
    every_label: bool = Field(False, description=EVERY)


@operation("export_preview", role="viewer", quick=True)
def export_preview(app: App, request: FormatRequest) -> dict[str, Any]:
    """What a format is, how many labels there are for it, and what it leaves out."""
    return app.data.foresee_export(request.task, request.format, request.every_label).as_json()


class ExportRequest(Request):
    """Of which task, in which format."""

    task: TaskName = Field(DEFAULT_TASK)
    format: Format = Field("jsonl")
    out: Name = Field("", description="a new folder; empty: a zip to fetch", json_schema_extra=LOCAL)
    every_label: bool = Field(False, description=EVERY)
    items: FewLines = Field([], description=f"only the labels on these items, at most {FEW}; empty: on all")


class ExportAnswer(Answer):
    """What was exported, and where it is."""

    pairs: int
    labels: int
    path: str = Field(description="a zip below the page's address; gradio_client fetches it by itself")


@operation("export", role="trainer", public=True)
def export(app: App, request: ExportRequest) -> ExportAnswer:
    """Export the labels with their files."""
    of = request.every_label, request.items
    if request.out:
        made = app.data.export(request.task, request.format, Path(request.out), *of)
        return ExportAnswer(**made.as_json())
    folder = new_folder()
    done = app.data.export(request.task, request.format, folder / "labels", *of).as_json()
    packed = pack(folder / "labels", f"mmdemo-{request.task}-{request.format}")
    return ExportAnswer(**done | {"path": offer(packed)})
