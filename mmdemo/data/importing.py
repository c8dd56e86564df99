"""Importing: rows become items, pairs and labels; what cannot is listed with its reason, and the rest
goes on.

Rows are taken some at a time: their files are looked at and kept, and then they are written in one
transaction, with how far the import has come. So one that was broken off goes on where it was, and memory
does not grow.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from mmdemo.data.file_list import LEFT, left_out_note, write_list
from mmdemo.data.import_files import Files, Prepared, data_of
from mmdemo.data.import_ledger import Ledger, digest, ledger_path
from mmdemo.data.import_report import ImportReport
from mmdemo.data.import_rows import VERDICT_ONLY, Writer
from mmdemo.data.reading import Opened, Survey, open_source
from mmdemo.data.rows import Row, Skipped, require_storable
from mmdemo.data.said_sides import file_key
from mmdemo.errors import UserError
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.modality import modality_of
from mmdemo.store.tables import Import
from mmdemo.store.texts import storable
from mmdemo.store.workspace import Workspace

PREVIEW_PX = 64
NO_LABEL = "none"  # in the place of a verdict
FIRST, MOST = 8, 400  # rows that are taken together: in the beginning, and where they are quick
LOOK_S, WRITE_S = 0.5, 0.04  # for which their files are looked at, and for which the database is theirs
LEAST_WRITTEN = 32  # rows
LOOKING = 2  # files that are looked at together
Progress = Callable[[int, int | None], None]  # rows done, of how many if that is known


@dataclass(frozen=True)
class Order:
    """What is to be imported, and how."""

    source: str  # a path or datasets:NAME
    task: str  # whose pairs they become
    verdict: str = NO_LABEL  # the label of rows that carry none: the name of a kind, or none for no label
    layout: str = ""  # the importer that reads it; empty: the surest
    uploaded: str = ""  # the folder where all of its files must lie; empty: it is of this machine
    outside: bool = False  # whether its files stay where they are
    person: str = ""  # who imports it, where they have a name

    @property
    def name(self) -> str:
        """What the source is called."""
        return storable(Path(self.source).name or self.source)

    @property
    def within(self) -> Path | None:
        """Where all of its files must lie; None: anywhere."""
        return Path(self.uploaded) if self.uploaded else None


@dataclass(frozen=True)
class Watch:
    """Who looks on while an import is made, and can end it."""

    progress: Progress = lambda done, total: None
    stopped: Callable[[], bool] = lambda: False  # asked before each row; what was imported until then stays
    begun: Callable[[str, int | None], None] = lambda import_id, total: None  # before its first row
    ledgers: Path | None = None  # where what it has read is kept, so that it can be gone on with


@dataclass(frozen=True)
class Before:
    """An import that was broken off or paused."""

    id: str
    total: int | None = None  # its rows, if that is known


NOBODY = Watch()


def foreseen(ws: Workspace, row: Row, task: str, verdict: str) -> str:
    """What an import will say of a row, in a sentence, where not all of it can be used; else empty.

    Args:
        ws: where to.
        row: one of the source.
        task: whose pairs are wanted.
        verdict: the label of rows that carry none; none: no label.
    """
    try:
        require_storable(row)
        ws.describe(modality_of(task).name, data_of(row), row.name)
    except UserError as e:
        return str(e)
    said = row.verdict or verdict != NO_LABEL
    return VERDICT_ONLY if said and not row.text.strip() else ""


def picture_of(ws: Workspace, row: Row, task: str) -> str:
    """A row's medium as a small picture, as an address that holds it; empty where none is drawn of a file
    that is not kept.
    """
    from mmdemo.media.image import thumbnail

    place = SimpleNamespace(settings=ws.settings, media_path=lambda item: data_of(row))
    try:
        drawn = modality_of(task).draw(place, SimpleNamespace(duration_s=0.0), PREVIEW_PX)
    except MemoryError:
        raise
    except Exception:  # a modality may draw of what is kept only, and a file need not decode
        return ""
    return f"data:image/webp;base64,{base64.b64encode(thumbnail(drawn, PREVIEW_PX)).decode()}"


def require_verdict(name: str) -> str:
    """The name of a label kind, or none, for rows that carry no verdict.

    Raises:
        UserError: it is neither; the sentence lists what there is.
    """
    if name != NO_LABEL and name not in LABEL_KINDS:
        known = ", ".join([*LABEL_KINDS, NO_LABEL])
        raise UserError(f"There is no verdict {name!r}.", f"Use one of: {known}.")
    return name


def import_source(
    ws: Workspace,
    source: str,
    task: str,
    verdict: str = NO_LABEL,
    progress: Progress | None = None,
    stopped: Callable[[], bool] = lambda: False,
    within: Path | None = None,
    layout: str = "",
    outside: bool = False,
) -> ImportReport:
    """Import a path or datasets:NAME, which nobody can go on with where it is broken off.

    Args:
        ws: where to.
        source: as in `Order`, as are the others.
        task: likewise.
        verdict: likewise.
        progress: told the rows done, and of how many.
        stopped: asked before each row; what was imported until then stays.
        within: where all of its files must lie; see `open_source`.
        layout: likewise.
        outside: likewise.

    Raises:
        UserError: nothing there can be imported.
    """
    order = Order(source, task, verdict, layout, str(within or ""), outside)
    return carry_out(ws, order, Watch(progress or NOBODY.progress, stopped))


def carry_out(
    ws: Workspace, order: Order, watch: Watch = NOBODY, before: Before | None = None
) -> ImportReport:
    """Import what an order says.

    Args:
        ws: where to.
        order: what, and how.
        watch: who looks on.
        before: the import of the same that is to be gone on with.

    Raises:
        UserError: nothing there can be imported.
    """
    require_verdict(order.verdict)
    if order.outside and order.uploaded:
        raise UserError(
            "What was uploaded goes after its import.", "Import a folder of this machine, or copies."
        )
    with open_source(order.source, order.within, order.task, order.layout) as opened:
        if order.outside and opened.source.within is not None:
            raise UserError(
                f"{order.name} is packed: its files lie nowhere.", "Unpack it first, or import copies."
            )
        found = ws.imports.get(before.id) if before is not None else None
        if found is not None and found.ended_at is not None:
            found = None  # nothing is left to be done
        known = found is not None and found.done
        survey = Survey(before.total if before else None) if known else _surveyed(ws, opened, watch)
        import_id = found.id if found else ws.imports.begin(order.name, order.task, order.person)
        watch.begun(import_id, survey.rows)
        ledger = Ledger(ledger_path(watch.ledgers, import_id) if watch.ledgers else None)
        report = ImportReport()
        try:
            report = _import(ws, order, opened, survey, watch, found or _new(import_id), ledger)
        finally:
            ledger.close(remove=not report.stopped and bool(report.layout))
    if not report.rows and not report.stopped:
        raise UserError(f"{order.name} has no rows.", "Choose a folder with files or a manifest with rows.")
    watch.progress(report.rows, report.rows if not report.stopped else survey.rows)
    return report


def _surveyed(ws: Workspace, opened: Opened, watch: Watch) -> Survey:
    """What is known of a source beforehand; which of its texts are classes is noted."""
    survey = opened.survey(watch.stopped)
    ws.pairs.sides.declare_classes(survey.classes)
    return survey


def _new(import_id: str) -> Import:
    return Import(id=import_id, done=0, mark="", counts={})


def _import(
    ws: Workspace, order: Order, opened: Opened, survey: Survey, watch: Watch, found: Import, ledger: Ledger
) -> ImportReport:
    root = opened.source.root if opened.source.within is None and opened.source.root.is_dir() else None
    files = Files(ws, modality_of(order.task).name, order.name, root, order.outside)
    verdict = "" if order.verdict == NO_LABEL else order.verdict
    is_new = not found.done
    rows, anew = _rows_after(opened, found, ledger)
    if anew:
        survey = _surveyed(ws, opened, watch)
        watch.begun(found.id, survey.rows)
    if anew or is_new:
        ledger.say_sides(survey.sides)
    report = ImportReport.of_counts(found.counts)
    writer = Writer(ws, found.id, order.task, verdict, order.name, ledger, report, opened.source.root)
    stopped = False
    pace = Pace()
    with ThreadPoolExecutor(LOOKING, "mmdemo-looking") as pool:
        while not stopped:
            taken: list[Prepared] = []
            while len(taken) < pace.rows and not (stopped := watch.stopped()):
                one = next(rows, None)
                if one is None:
                    break
                if isinstance(one.row, Row) and not one.row.split:
                    one.side = ledger.side(file_key(one.row, opened.source.root))
                taken.append(one)
                if _is_fleeting(one.row, opened):
                    files.look_at([one], pool)
                    files.keep([one])
                    one.data = None  # it is kept
            if not taken:
                break
            begun = time.monotonic()
            files.look_at(taken, pool)
            files.keep(taken)
            looked = time.monotonic()
            writer.write(taken)
            files.settle(taken)
            pace.took(len(taken), looked - begun, time.monotonic() - looked)
            watch.progress(writer.report.rows, survey.rows)
    report = writer.report
    report.layout, report.stopped = opened.chosen.importer.name, stopped
    report.skipped = ledger.skipped()
    report.notes += [*opened.source.notes, *filter(None, [anew])]
    if not stopped:
        for file in opened.source.left:
            ledger.file(LEFT, file.relative_to(opened.source.root).as_posix(), report.rows)
        if opened.source.left:
            report.file_notes[LEFT] = left_out_note(len(opened.source.left))
        report.stopped = not files.tell_gone(ledger, report.rows, watch.stopped)
        ledger.commit(report.rows)
    if not report.stopped:
        ws.imports.end(found.id, report.counts())
    report.tell_sides(ws.pairs.sides.shared_by(found.id))
    report.tell_files(ledger)
    if watch.ledgers is not None:
        with suppress(OSError):  # a full disk; the answer has the first of each
            write_list(watch.ledgers, ledger)
    return report


def _rows_after(opened: Opened, found: Import, ledger: Ledger) -> tuple[Iterator[Prepared], str]:
    """The rows after those that are done. Where these cannot be known again all are read from the beginning,
    in which what is here already comes only once, and a sentence says why.
    """
    anew = ""
    if found.done and ledger.reaches(found.done):
        rows = _numbered(opened)
        last = next((one for one in rows if one.at == found.done), None)
        if last is not None and last.mark == found.mark:
            ledger.go_back(found.done)
            return rows, ""
        anew = "The source has changed since it was broken off: it was read from its beginning."
    elif found.done:
        anew = "What was noted of its rows was damaged or gone: the source was read from its beginning."
    found.done, found.counts = 0, {}
    ledger.go_back(0)
    return _numbered(opened), anew


def _is_fleeting(row: Row | Skipped, opened: Opened) -> bool:
    """Whether a row's file may be gone as soon as the next row is asked for."""
    file = row.file if isinstance(row, Row) else None
    return isinstance(row, Row) and (
        row.fleeting or (file is not None and not file.is_relative_to(opened.source.root))
    )


def _numbered(opened: Opened) -> Iterator[Prepared]:
    """The rows, each with its number and a digest of all until it."""
    mark = ""
    for at, row in enumerate(opened.rows(), 1):
        if isinstance(row, Skipped):
            mark = digest(mark, row.row, row.file).hex()
        else:
            said = (row.text, row.verdict, row.corrected, row.annotator, row.comment, row.split)
            mark = digest(mark, row.number, row.name, row.start_s, row.end_s, *said).hex()
        yield Prepared(row, at, mark)


class Pace:
    """How many rows are taken together: as many as are looked at and written within their time. A transaction
    takes some time however little is in it, so a few are written together whatever that takes.
    """

    def __init__(self) -> None:
        self.rows = FIRST

    def took(self, rows: int, look_s: float, write_s: float) -> None:
        """So many took so long."""
        look, write = rows * LOOK_S / max(look_s, 1e-6), rows * WRITE_S / max(write_s, 1e-6)
        self.rows = int(min(max(1, look), max(LEAST_WRITTEN, write), 2 * self.rows, MOST))
