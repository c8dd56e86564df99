"""A source that is open: which layout it is read as, what else it may be, and its rows."""

from __future__ import annotations

import logging
import os
import time
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mmdemo.data.archives import inside, is_archive, unpacked
from mmdemo.data.importers.base import Candidate, candidates, choose
from mmdemo.data.rows import Row, Skipped
from mmdemo.data.said_sides import SaidSides, file_key
from mmdemo.data.source import Source, is_shown
from mmdemo.data.tables import is_table
from mmdemo.errors import MmdemoError, UserError, is_disk_full, one_line, reason
from mmdemo.label_kinds import training_of
from mmdemo.media.below import is_below
from mmdemo.media.listing import entries
from mmdemo.media.regular_file import at_home, is_file, is_there
from mmdemo.modality import MODALITIES
from mmdemo.store.splits import CLASS_ITEMS
from mmdemo.store.texts import text_key

log = logging.getLogger(__name__)
ASKED_EVERY = 1000  # rows of a source that is surveyed
COUNTED_S = 1.0  # for which the rows behind those of a preview are counted
TOLD = 200  # rows of these that cannot be read are told, each with its reason


@dataclass(frozen=True)
class Survey:
    """What is known of a source before its import, where it is read beforehand."""

    rows: int | None = None  # None: only its end will tell
    classes: frozenset[str] = frozenset()  # keys of texts that have items enough to be classes
    sides: Mapping[int, str] = field(default_factory=dict)  # of files of which some rows say one; `file_key`


@dataclass(frozen=True)
class Preview:
    """How a source would be read, and its first rows."""

    layout: str  # the importer's name
    about: str
    why: str  # it is that one
    others: tuple[Candidate, ...]  # that it may be for, the surest first, the one that is used too
    rows: tuple[Row | Skipped, ...]
    ready: int  # rows that can be read, of those that were counted
    skipped: int  # those that cannot
    told: tuple[Skipped, ...]  # the first of these
    is_whole: bool  # whether all rows were counted
    notes: tuple[str, ...]  # what a person should know of how it is read

    def as_json(self) -> dict[str, Any]:
        """The JSON of `import_preview`, less its rows."""
        others = [
            {"name": c.importer.name, "about": c.importer.about, "sure": round(c.sure, 2), "why": c.why}
            for c in self.others
        ]
        told = {"importer": self.layout, "about": self.about, "why": self.why}
        counted: dict[str, Any] = {"ready": self.ready, "skipped": self.skipped, "is_whole": self.is_whole}
        counted |= {"told": [{"row": s.row, "file": s.file, "reason": s.reason} for s in self.told]}
        return told | counted | {"candidates": others, "notes": list(self.notes)}


@dataclass(frozen=True)
class Opened:
    """A source with the importer that reads it."""

    source: Source
    chosen: Candidate
    others: tuple[Candidate, ...]

    def rows(self) -> Iterator[Row | Skipped]:
        """The rows; media of a folder that were in none of them are noted behind the last.

        What cannot be read any further, after rows that could, is a row that is passed over.

        Raises:
            UserError: nothing of it can be read.
        """
        number, named = 0, array("q")
        try:
            for row in _readable(self.source, self.chosen):
                number = row.number if isinstance(row, Row) else row.row
                if isinstance(row, Row) and row.file is not None:
                    named.append(hash(row.file))
                yield row
        except UserError as e:
            if not number:
                raise
            yield Skipped(number + 1, f"It cannot be read from here on. {e}")
        self.source.leave_out(named)

    def survey(self, stopped: Callable[[], bool] = lambda: False) -> Survey:
        """How many rows there are, which texts are classes, those of so many items that the first of them can
        stand on any side, and what some rows say of the side of a file of which others say none. The source
        is read once for that.

        Args:
            stopped: asked now and then; then nothing is known of the source.
        """
        if self.chosen.read_once:
            return Survey()
        files: dict[bytes, int | set[int]] = {}  # by a text's key; most are of one file, and a set takes much
        count, sides = 0, SaidSides()
        for row in self.rows():
            count += 1
            if count % ASKED_EVERY == 0 and stopped():
                return Survey()
            if isinstance(row, Row):
                sides.hear(file_key(row, self.source.root), row.split)
            if isinstance(row, Row) and row.text.strip() and training_of(row.verdict) != "negative":
                file, key = hash(str(row.file or row.number)), bytes.fromhex(text_key(row.text))
                own = files.setdefault(key, file)
                if isinstance(own, int) and own != file:
                    files[key] = own = {own}
                if isinstance(own, set) and len(own) < CLASS_ITEMS:
                    own.add(file)
        classes = (key for key, own in files.items() if isinstance(own, set) and len(own) >= CLASS_ITEMS)
        return Survey(count, frozenset(key.hex() for key in classes), sides.of_both())

    def preview(self, count: int, counted_s: float = COUNTED_S) -> Preview:
        """The first rows, and how many there are.

        Args:
            count: of rows.
            counted_s: how long those behind them are counted. Where a reading costs much none of them are.
        """
        rows: list[Row | Skipped] = []
        told: list[Skipped] = []
        ready = skipped = 0
        is_whole, until = True, time.monotonic() + counted_s
        for row in self.rows():
            if len(rows) < count:
                rows.append(row)
            if isinstance(row, Row):
                ready += 1
            else:
                skipped += 1
                told += [row] if len(told) < TOLD else []
            if ready + skipped >= count and (self.chosen.read_once or time.monotonic() > until):
                is_whole = False
                break
        importer = self.chosen.importer
        counted = ready, skipped, tuple(told), is_whole
        notes = tuple(self.source.notes)
        return Preview(
            importer.name, importer.about, self.chosen.why, self.others, tuple(rows), *counted, notes
        )


@contextmanager
def open_source(named: str, within: Path | None = None, task: str = "", layout: str = "") -> Iterator[Opened]:
    """A source that is open within this block.

    Args:
        named: what somebody named: a path or datasets:NAME.
        within: where all of its files must lie, as those that were uploaded must; None: wherever a person
            who works at this machine has them.
        task: whose items are wanted; empty: of any.
        layout: the name of an importer; empty: the surest.

    Raises:
        UserError: nothing there can be imported.
    """
    modality = next((m.name for m in MODALITIES.values() if m.task == task), "")
    with _told_without(within), _settled(at_home(Path(named)), within) as (path, place):
        source = Source(path, place, modality)
        chosen, others = choose(source, layout)
        yield Opened(source, chosen, tuple(others))


def lasting_name(named: str) -> str:
    """The name of a source by which any process finds it, wherever that was started: of what is there its
    whole path; another name, as datasets:NAME, stays.

    Raises:
        UserError: there is no such home.
    """
    path = at_home(Path(named))
    return str(path.absolute()) if is_there(path) else named


@contextmanager
def _settled(path: Path, within: Path | None) -> Iterator[tuple[Path, Path | None]]:
    """Where the files of a source are, unpacked if it is an archive, and in which folder they must lie."""
    if not is_archive(path):
        yield path, within
        return
    with unpacked(path, within) as folder, _told_without(folder):
        yield inside(folder), within or folder


def source_in(folder: Path) -> Path:
    """What of the files that came into a folder together is the source: the one among them, the one table, or
    else the folder.
    """
    inside = [p for p in entries(folder) if is_shown(p.name)]
    if len(inside) == 1:
        return inside[0]
    tables = [p for p in inside if is_file(p) and is_table(p) and candidates(Source(p, folder))]
    return tables[0] if len(tables) == 1 else folder


def _readable(source: Source, chosen: Candidate) -> Iterator[Row | Skipped]:
    """The rows of an importer; what it does not count on in a file is told in a sentence."""
    path, about = source.path, chosen.importer.about
    with _told_without(source.within):
        try:
            for row in chosen.importer.rows(source):
                yield row if source.within is None else _inside(row, source.within)
        except (MmdemoError, MemoryError):
            raise
        except OSError as e:
            if is_disk_full(e):
                raise
            raise UserError(
                f"{path} cannot be read: {reason(e)}.", "Check the files and their permissions."
            ) from e
        except Exception as e:  # what reads tables of other people's making fails in every way
            log.warning("%s cannot be read as %s", path, chosen.importer.name, exc_info=e)
            raise UserError(
                f"{path.name} cannot be read as {about}: {type(e).__name__}: {one_line(str(e))}.",
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
