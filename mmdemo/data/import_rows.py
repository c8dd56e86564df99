"""The rows of an import as they are written: several in one transaction, short enough that no label waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from mmdemo.data.file_list import CHANGED, SAME
from mmdemo.data.import_files import Prepared, unexpected
from mmdemo.data.import_ledger import Ledger, digest
from mmdemo.data.import_report import ImportReport
from mmdemo.data.rows import Row, Skipped, name_below
from mmdemo.errors import MmdemoError, UserError, is_disk_full
from mmdemo.store.database import in_parts
from mmdemo.store.import_log import come_in
from mmdemo.store.items import add_all_in
from mmdemo.store.labels import NewLabel
from mmdemo.store.pairs import NewPair, Place, check_span
from mmdemo.store.source_files import note_in
from mmdemo.store.tables import Item, Pair
from mmdemo.store.texts import clean_text, text_key
from mmdemo.store.workspace import Workspace

VERDICT_ONLY = "The row has a verdict but no text."
KnownPairs = dict[Place, tuple[str | None, int | None]]  # the side and the label in force of each


@dataclass
class Task:
    """What is to be written of a row."""

    one: Prepared
    row: Row
    paired: bool = False  # whether the item gets the text
    several: bool = False  # whether other rows have said something of the pair
    reason: str = ""  # why not all of it can be used


class Writer:
    """Writes the rows of one import.

    Args:
        ws: where to.
        import_id: of it.
        task: whose pairs they become.
        verdict: the label of rows that carry none; empty: no label.
        source: what the import is called.
        ledger: what rows have said.
        report: what they brought; it goes on with each.
        root: the folder of its files.
    """

    def __init__(
        self,
        ws: Workspace,
        import_id: str,
        task: str,
        verdict: str,
        source: str,
        ledger: Ledger,
        report: ImportReport,
        root: Path,
    ) -> None:
        self._root = root
        self._ws, self._id, self._task, self._verdict, self._source = ws, import_id, task, verdict, source
        self._ledger = ledger
        self.report = report

    def write(self, rows: Sequence[Prepared]) -> None:
        """Write rows, all or none; where one of them cannot be written, each by itself, and that is passed
        over.

        Raises:
            StorageError: the disk refused, and none of them is written.
        """
        draft = self.report.draft()
        try:
            pairs = self._known_pairs(rows)
            tasks = [task for one in rows if (task := self._weigh(one, pairs, draft)) is not None]
            if tasks:
                self._write(tasks, rows[-1], draft)
            self._ledger.commit(rows[-1].at)
        except Exception as e:
            self._ledger.rollback()
            known = isinstance(e, UserError)
            if not known and (isinstance(e, (MmdemoError, MemoryError)) or is_disk_full(e)):
                raise
            if len(rows) > 1:
                for one in rows:
                    self.write([one])
                return
            draft = self.report.draft()
            draft.rows += 1
            row = rows[0].row
            told = str(e) if known or isinstance(row, Skipped) else unexpected(row, e).reason
            self._skip(rows[0], told, draft)
            self._ledger.commit(rows[0].at)
        self.report = draft

    def _skip(self, one: Prepared, why: str, draft: ImportReport) -> None:
        row = one.row
        known = row if isinstance(row, Skipped) else Skipped(row.number, why, row.name)
        self._ledger.skip(known, one.at)
        draft.passed_over += 1

    def _known_pairs(self, rows: Sequence[Prepared]) -> KnownPairs:
        """The pairs of the items that were in the collection before these rows."""
        ids = sorted({one.item.id for one in rows if one.is_known and one.item is not None})
        found: KnownPairs = {}
        if not ids:
            return found
        query = select(Pair.item_id, Pair.text_key, Pair.start_s, Pair.end_s, Pair.split, Pair.label_id)
        query = query.where(Pair.removed_id.is_(None))
        with self._ws.database.read() as session:
            for part in in_parts(ids):
                of_items = query.where(Pair.task == self._task, Pair.item_id.in_(part))
                for *place, split, label in session.execute(of_items):
                    found[tuple(place)] = split, label  # type: ignore[index]
        return found

    def _weigh(self, one: Prepared, pairs: KnownPairs, draft: ImportReport) -> Task | None:
        """What is to be written of a row; None: nothing, and it is counted."""
        draft.rows += 1
        if one.problem is not None or isinstance(one.row, Skipped) or one.item is None:
            self._skip(one, one.problem.reason if one.problem else "", draft)
            return None
        row, item = one.row, one.item
        task = Task(one, row)
        if one.changed or (one.is_known and item.import_id != self._id):
            name = name_below(row, self._root)
            key = name if row.file is not None and row.file.is_relative_to(self._root) else f"{one.at} {name}"
            self._ledger.file(CHANGED if one.changed else SAME, name, one.at, key=key)
        verdict = row.verdict or self._verdict
        known = None
        if row.text.strip():
            key = text_key(row.text)
            task.reason = self._reason(one, row, digest(item.id, key, row.start_s, row.end_s), task)
            task.paired = not task.reason
            known = pairs.get((item.id, key, row.start_s, row.end_s))
        elif verdict:
            task.reason = f"{VERDICT_ONLY} The file was imported."
        nothing_new = one.is_known and one.file is None
        if task.paired:
            nothing_new = (
                nothing_new and known is not None and not row.verdict and bool(known[1] or not verdict)
            )
        if not nothing_new:
            return task
        if task.paired and known is not None:
            _count_side(row, known[0], draft)
        self._settle(task, draft, brought=False)
        return None

    def _reason(self, one: Prepared, row: Row, place: bytes, task: Task) -> str:
        """Why a row's text cannot be used, in a sentence; empty where it can, and what it says is noted."""
        said = digest(row.verdict, row.corrected, row.annotator, row.comment)
        earlier = self._ledger.said(place)
        if said in earlier or (earlier and not row.verdict):
            return f"The row says no more than row {earlier.get(said, min(earlier.values(), default=0))}."
        self._ledger.say(place, said, row.number, one.at)
        task.several = bool(earlier)
        try:
            clean_text(row.text)
            check_span(row.start_s, row.end_s)
            if row.corrected.strip():
                clean_text(row.corrected)
        except UserError as e:
            return str(e)
        return ""

    def _settle(self, task: Task, draft: ImportReport, brought: bool) -> None:
        """Count a row as imported, as known, or as passed over."""
        if task.reason:
            self._skip(task.one, task.reason, draft)
        else:
            draft.imported += brought
            draft.known += not brought

    def _write(self, tasks: Sequence[Task], last: Prepared, draft: ImportReport) -> None:
        with self._ws.database.write() as session:
            brought = self._write_items(session, tasks, draft)
            brought |= self._write_pairs(session, [task for task in tasks if task.paired], draft)
            for task in tasks:
                self._settle(task, draft, task.one.at in brought)
            files = [task.one.file for task in tasks if task.one.file is not None]
            if files:
                note_in(session, files)
            come_in(session, self._id, last.at, last.mark, draft.counts())
            self._ledger.commit(last.at)  # what it has too much after a kill is known by its number

    def _write_items(self, session: Session, tasks: Sequence[Task], draft: ImportReport) -> set[int]:
        """Write the items; returns the numbers of the rows that brought one."""
        new: dict[int, tuple[Prepared, Item]] = {}  # rows with one file have one item between them
        for one in (task.one for task in tasks):
            if not one.is_known and one.item is not None:
                one.item.import_id = self._id
                new.setdefault(id(one.item), (one, one.item))
        brought = set()
        added = add_all_in(session, [item for _, item in new.values()])
        for (one, _), (_, is_new) in zip(new.values(), added, strict=True):
            if is_new:
                brought.add(one.at)
                draft.items += 1
                draft.outside += one.file is not None and one.file.outside
                draft.copied += one.copied
        return brought

    def _write_pairs(self, session: Session, tasks: Sequence[Task], draft: ImportReport) -> set[int]:
        """Write the pairs and their labels; returns the numbers of the rows that brought some."""
        brought = set()
        rows = [(task, task.row, self._pair_of(task)) for task in tasks]
        made = self._ws.pairs.add_all(session, self._task, [pair for _, _, pair in rows])
        for (task, row, _), (pair, is_new) in zip(rows, made, strict=True):
            draft.pairs += is_new
            _count_side(row, pair.split, draft)
            label = NewLabel(
                row.verdict or self._verdict,
                text=row.corrected,
                annotator=row.annotator,
                comment=row.comment,
                origin="import",
            )
            # A row's own word is kept beside the labels that there are; that of the whole import is for none.
            # Of several on a pair each counts, by whoever it is.
            known = bool(row.verdict) and self._ws.labels.has_in(session, pair, label, exactly=task.several)
            said = bool(label.verdict) and (pair.label_id is None or (bool(row.verdict) and not known))
            if said:
                self._ws.labels.add_in(session, pair, label)
                draft.labels += 1
            if is_new or said:
                brought.add(task.one.at)
        return brought

    def _pair_of(self, task: Task) -> NewPair:
        assert task.one.item is not None  # `_weigh` makes no task of others
        row = task.row
        source = row.source or self._source
        side = row.split or task.one.side or None
        place = task.one.item.id, row.text, source, side, row.start_s, row.end_s
        return NewPair(*place, self._id)


def _count_side(row: Row, side: str | None, draft: ImportReport) -> None:
    draft.sides[row.split] += 1
    draft.moved += bool(row.split) and side != row.split
