"""Importing: rows become items, pairs and labels; what cannot is listed with its reason, and the rest
goes on.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from mmdemo.data.importers.base import Importer, importer_for, takes
from mmdemo.data.rows import Row, Skipped, require_storable
from mmdemo.errors import MmdemoError, UserError, one_line, reason
from mmdemo.label_kinds import LABEL_KINDS, training_of
from mmdemo.media.below import is_below
from mmdemo.media.listing import entries
from mmdemo.media.regular_file import at_home, is_file, is_there
from mmdemo.modality import is_medium, modality_of
from mmdemo.store.labels import NewLabel
from mmdemo.store.splits import CLASS_ITEMS
from mmdemo.store.texts import storable, text_key
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
NO_LABEL = "none"  # in the place of a verdict
VERDICT_ONLY = "The row has a verdict but no text."
Place = tuple[str, str, float | None, float | None]  # item, key of the text, span
Seen = dict[Place, dict[tuple[str, ...], int]]  # what rows have said of each pair, and the first that did
Progress = Callable[[int, int | None], None]  # rows done, of how many if that is known


@dataclass
class ImportReport:
    """What an import brought."""

    items: int = 0
    pairs: int = 0
    labels: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    stopped: bool = False

    def as_json(self) -> dict[str, Any]:
        """The JSON of `import`."""
        return {
            "items": self.items,
            "pairs": self.pairs,
            "labels": self.labels,
            "skipped": [{"row": s.row, "file": storable(s.file), "reason": s.reason} for s in self.skipped],
        }


def source_rows(source: str, within: Path | None = None) -> tuple[str, Iterator[Row | Skipped]]:
    """The importer's name and the rows of a path or datasets:NAME.

    Args:
        source: what somebody named.
        within: where all of its files must lie, as those that were uploaded must; None: wherever a person
            who works at this machine has them.

    Raises:
        UserError: nothing there can be imported.
    """
    with _told_without(within):
        path = at_home(Path(source))
        importer = importer_for(path)
    return importer.name, _readable(path, importer, within)


def _readable(path: Path, importer: Importer, within: Path | None) -> Iterator[Row | Skipped]:
    """The rows of an importer; what it does not count on in a file is told in a sentence."""
    with _told_without(within):
        try:
            for row in importer.rows(path):
                yield row if within is None else _inside(row, within)
        except OSError as e:
            raise UserError(
                f"{path} cannot be read: {reason(e)}.", "Check the files and their permissions."
            ) from e
        except (MmdemoError, MemoryError):
            raise
        except Exception as e:  # what reads tables of other people's making fails in every way
            log.warning("%s cannot be read as %s", path, importer.name, exc_info=e)
            raise UserError(
                f"{path.name} cannot be read as {importer.about}: {type(e).__name__}: {one_line(str(e))}.",
                "Check how it is laid out.",
            ) from e


def _inside(row: Row | Skipped, within: Path) -> Row | Skipped:
    """A row, unless its file lies elsewhere: what is named in an upload may be any file of this machine."""
    if isinstance(row, Skipped):
        return replace(row, reason=_without(row.reason, within), file=_without(row.file, within))
    if row.file is not None and not is_below(within, row.file):
        return Skipped(row.number, f"{row.name} is none of the files that were uploaded.", row.name)
    return row


@contextmanager
def _told_without(folder: Path | None) -> Iterator[None]:
    """Errors within this block do not tell where on this machine uploads lie."""
    try:
        yield
    except UserError as e:
        if folder is None or str(folder) not in str(e):
            raise
        raise UserError(_without(e.what, folder), _without(e.cure, folder)) from e


def _without(text: str, folder: Path) -> str:
    return text.replace(f"{folder}{os.sep}", "").replace(str(folder), "the upload")


def source_in(folder: Path) -> Path:
    """What of the files that came into a folder together is the source: the one among them, the one table, or
    else the folder.
    """
    inside = [p for p in entries(folder) if not p.name.startswith(".")]
    if len(inside) == 1:
        return inside[0]
    tables = [p for p in inside if is_file(p) and not is_medium(p) and takes(p)]
    return tables[0] if len(tables) == 1 else folder


def count_rows(source: str, within: Path | None = None) -> int | None:
    """How many rows a source has; None where it is not on this disk, so that only its end will tell."""
    return sum(1 for _ in source_rows(source, within)[1]) if is_there(at_home(Path(source))) else None


def classes_of(source: str, within: Path | None = None) -> set[str]:
    """The keys of those texts of a source on this disk that have items enough to be classes; it is read once
    before its import, so that the first of their items can stand on any side.
    """
    files: dict[str, set[str]] = {}
    for row in source_rows(source, within)[1] if is_there(at_home(Path(source))) else ():
        if isinstance(row, Row) and row.text.strip() and training_of(row.verdict) != "negative":
            files.setdefault(text_key(row.text), set()).add(str(row.file or row.number))
    return {key for key, own in files.items() if len(own) >= CLASS_ITEMS}


def preview(source: str, count: int = 8, within: Path | None = None) -> tuple[str, list[Row | Skipped]]:
    """The importer that would be used and its first rows; `within` as in `source_rows`."""
    name, rows = source_rows(source, within)
    return name, list(islice(rows, count))


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
) -> ImportReport:
    """Import a path or datasets:NAME.

    Args:
        ws: where to.
        source: what from.
        task: whose pairs they become.
        verdict: the label of rows that carry none: the name of a kind, or none for no label.
        progress: told the rows done.
        stopped: asked before each row; what was imported until then stays.
        within: as in `source_rows`.

    Raises:
        UserError: nothing there can be imported.
    """
    verdict = "" if require_verdict(verdict) == NO_LABEL else verdict
    ws.pairs.sides.declare_classes(classes_of(source, within))
    _, rows = source_rows(source, within)
    report = ImportReport()
    seen: Seen = {}
    label = storable(Path(source).name or source)
    done = 0
    for done, row in enumerate(rows, 1):
        if stopped():
            report.stopped = True
            break
        if isinstance(row, Skipped):
            report.skipped.append(row)
        else:
            try:
                _import_row(ws, row, task, verdict, label, seen, report)
            except UserError as e:
                report.skipped.append(Skipped(row.number, str(e), row.name))
        if progress is not None and done % 20 == 0:
            progress(done, None)
    if done == 0:
        raise UserError(f"{label} has no rows.", "Choose a folder with files or a manifest with rows.")
    if progress is not None:
        progress(done, done)
    return report


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
    item, new_item = ws.add_listed(modality_of(task).name, _data(row), row.name, source)
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
            source=source,
            split=row.split or None,
            start_s=row.start_s,
            end_s=row.end_s,
        )
        report.pairs += new
        label = NewLabel(
            row.verdict or verdict,
            text=row.corrected,
            annotator=row.annotator,
            comment=row.comment,
            origin="import",
        )
        # A row's own word is kept beside the labels that there are; that of the whole import is for none.
        own = bool(row.verdict) and not ws.labels.has_in(session, pair, label)
        if label.verdict and (pair.label_id is None or own):
            ws.labels.add_in(session, pair, label)
            report.labels += 1
