"""Importing: rows become items, pairs and labels; what cannot is listed with its reason, and the rest
goes on.
"""

from __future__ import annotations

import base64
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row, Skipped, require_storable
from mmdemo.errors import MmdemoError, UserError, is_disk_full, one_line, reason
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.modality import modality_of
from mmdemo.store.labels import NewLabel
from mmdemo.store.splits import HELD_OUT, TRAIN, VALIDATION
from mmdemo.store.texts import storable, text_key
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
PREVIEW_PX = 64
NO_LABEL = "none"  # in the place of a verdict
VERDICT_ONLY = "The row has a verdict but no text."
Place = tuple[str, str, float | None, float | None]  # item, key of the text, span
Seen = dict[Place, dict[tuple[str, ...], int]]  # what rows have said of each pair, and the first that did
Progress = Callable[[int, int | None], None]  # rows done, of how many if that is known


@dataclass
class ImportReport:
    """What an import brought. Each row is imported, known or skipped: the three add up to the rows."""

    layout: str = ""  # as which the source was read
    rows: int = 0
    imported: int = 0  # rows that brought an item, a pair or a label
    known: int = 0  # rows of which all was here already
    items: int = 0
    pairs: int = 0
    labels: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    sides: Counter[str] = field(default_factory=Counter)  # rows by the side that the source says
    moved: int = 0  # rows whose file has another side already than the source says
    notes: list[str] = field(default_factory=list)  # how it was read, and what was not as the source says
    stopped: bool = False

    def as_json(self) -> dict[str, Any]:
        """The JSON of `import`."""
        return {
            "layout": self.layout,
            "rows": self.rows,
            "imported": self.imported,
            "known": self.known,
            "notes": [storable(note) for note in self.notes],
            "items": self.items,
            "pairs": self.pairs,
            "labels": self.labels,
            "skipped": [{"row": s.row, "file": storable(s.file), "reason": s.reason} for s in self.skipped],
        }


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
        ws.describe(modality_of(task).name, _data(row), row.name)
    except UserError as e:
        return str(e)
    said = row.verdict or verdict != NO_LABEL
    return VERDICT_ONLY if said and not row.text.strip() else ""


def picture_of(ws: Workspace, row: Row, task: str) -> str:
    """A row's medium as a small picture, as an address that holds it; empty where none is drawn of a file
    that is not kept.
    """
    from mmdemo.media.image import thumbnail

    place = SimpleNamespace(settings=ws.settings, media_path=lambda item: _data(row))
    try:
        drawn = modality_of(task).draw(place, SimpleNamespace(duration_s=0.0), PREVIEW_PX)
    except MemoryError:
        raise
    except Exception:  # a modality may draw of what is kept only, and a file need not decode
        return ""
    return f"data:image/webp;base64,{base64.b64encode(thumbnail(drawn, PREVIEW_PX)).decode()}"


def _data(row: Row) -> bytes | Path:
    return row.data if row.data is not None else row.file or b""


def import_source(
    ws: Workspace,
    source: str,
    task: str,
    verdict: str = "none",
    progress: Progress | None = None,
    stopped: Callable[[], bool] = lambda: False,
    within: Path | None = None,
    layout: str = "",
) -> ImportReport:
    """Import a path or datasets:NAME.

    Args:
        ws: where to.
        source: what from.
        task: whose pairs they become.
        verdict: the label of rows that carry none: the name of a kind, or none for no label.
        progress: told the rows done, and of how many.
        stopped: asked before each row; what was imported until then stays.
        within: where all of its files must lie; see `open_source`.
        layout: the importer that reads it; empty: the surest.

    Raises:
        UserError: nothing there can be imported.
    """
    verdict = "" if require_verdict(verdict) == NO_LABEL else verdict
    with open_source(source, within, task, layout) as opened:
        known = opened.survey()
        ws.pairs.sides.declare_classes(known.classes)
        report = ImportReport(layout=opened.chosen.importer.name)
        seen: Seen = {}
        label = storable(Path(source).name or source)
        for row in opened.rows():
            if stopped():
                report.stopped = True
                break
            report.rows += 1
            if isinstance(row, Skipped):
                report.skipped.append(row)
            else:
                _count_row(ws, row, task, verdict, label, seen, report)
            if progress is not None and report.rows % 20 == 0:
                progress(report.rows, known.rows)
        report.notes += [*opened.source.notes, *_of_sides(report)]
    if not report.rows and not report.stopped:
        raise UserError(f"{label} has no rows.", "Choose a folder with files or a manifest with rows.")
    if progress is not None:
        progress(report.rows, report.rows)
    return report


def _of_sides(report: ImportReport) -> list[str]:
    """What is to be told of the splits of a source, in sentences."""
    told = []
    if report.moved:
        told.append(
            f"{report.moved} rows say another split than their file has: it keeps that, as it is given once."
        )
    if report.sides[TRAIN] and not report.sides[HELD_OUT] and set(report.sides) <= {TRAIN, VALIDATION}:
        told.append("The source holds nothing out: there is nothing of it to measure on.")
    return told


def _count_row(
    ws: Workspace, row: Row, task: str, verdict: str, source: str, seen: Seen, report: ImportReport
) -> None:
    """Import a row; it counts as imported, as known, or as skipped with its reason."""
    before = report.items, report.pairs, report.labels
    try:
        _import_row(ws, row, task, verdict, source, seen, report)
    except UserError as e:
        report.skipped.append(Skipped(row.number, str(e), row.name))
        return
    except OSError as e:  # of the source's file: of ours the store says what is wrong
        if is_disk_full(e):
            raise
        report.skipped.append(Skipped(row.number, f"{row.name} cannot be read: {reason(e)}.", row.name))
        return
    except (MmdemoError, MemoryError):
        raise
    except Exception as e:  # a mistake of mmdemo's own, which is no matter of the other rows
        log.warning("row %s cannot be imported", row.number, exc_info=e)
        report.skipped.append(
            Skipped(row.number, f"{row.name} cannot be read: {one_line(str(e))}.", row.name)
        )
        return
    if (report.items, report.pairs, report.labels) == before:
        report.known += 1
    else:
        report.imported += 1


def require_verdict(name: str) -> str:
    """The name of a label kind, or none, for rows that carry no verdict.

    Raises:
        UserError: it is neither; the sentence lists what there is.
    """
    if name != NO_LABEL and name not in LABEL_KINDS:
        known = ", ".join([*LABEL_KINDS, NO_LABEL])
        raise UserError(f"There is no verdict {name!r}.", f"Use one of: {known}.")
    return name


def _import_row(
    ws: Workspace,
    row: Row,
    task: str,
    verdict: str,
    source: str,
    seen: Seen,
    report: ImportReport,
) -> None:
    require_storable(row)
    item, new_item = ws.add_listed(modality_of(task).name, _data(row), row.name, row.source or source)
    report.items += new_item
    if not row.text.strip():
        if row.verdict or verdict:
            raise UserError(VERDICT_ONLY, "The file was imported.")
        return
    place = (item.id, text_key(row.text), row.start_s, row.end_s)
    said = (row.verdict, row.corrected, row.annotator, row.comment)
    earlier = seen.setdefault(place, {})
    if said in earlier or (earlier and not row.verdict):
        raise UserError(f"The row says no more than row {earlier.get(said, min(earlier.values()))}.")
    earlier[said] = row.number
    with ws.database.write() as session:
        pair, new = ws.pairs.add(
            session,
            task,
            item.id,
            row.text,
            source=row.source or source,
            split=row.split or None,
            start_s=row.start_s,
            end_s=row.end_s,
        )
        report.pairs += new
        report.sides[row.split] += 1
        report.moved += bool(row.split) and pair.split != row.split
        label = NewLabel(
            row.verdict or verdict,
            text=row.corrected,
            annotator=row.annotator,
            comment=row.comment,
            origin="import",
        )
        # A row's own word is kept beside the labels that there are; that of the whole import is for none.
        # Of several on a pair each counts, by whoever it is.
        own = bool(row.verdict) and not ws.labels.has_in(session, pair, label, exactly=len(earlier) > 1)
        if label.verdict and (pair.label_id is None or own):
            ws.labels.add_in(session, pair, label)
            report.labels += 1
