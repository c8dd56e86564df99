"""The file of each row of an import: known again by its name, size and time, or read, hashed and kept.

A file that is known so is neither read nor hashed. One that is not may still be known by its hash, as where
it was renamed; only what is new is decoded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from os import stat_result
from pathlib import Path

from mmdemo.data.file_list import GONE, RENAMED
from mmdemo.data.import_ledger import Ledger
from mmdemo.data.rows import UNSTORABLE, Row, Skipped, require_storable
from mmdemo.errors import MmdemoError, UserError, is_disk_full, one_line, reason
from mmdemo.media.below import is_below
from mmdemo.media.regular_file import is_there
from mmdemo.modality import MODALITIES
from mmdemo.store.media_store import id_of
from mmdemo.store.outside import is_as_noted
from mmdemo.store.source_files import key_of
from mmdemo.store.tables import Item, SourceFile
from mmdemo.store.workspace import Workspace

LOOKED_FOR = 8  # files together: a disk of a network takes a while for each
log = logging.getLogger(__name__)


@dataclass
class Prepared:
    """A row whose file is looked at; nothing of it is written yet."""

    row: Row | Skipped
    at: int  # which row of the source, from 1
    mark: str  # a digest of it and of all before it
    side: str = ""  # that other rows of the source say of its file, where it says none
    problem: Skipped | None = None  # why it cannot be imported
    facts: stat_result | None = None  # of its file, where that is looked for again
    item_id: str = ""  # empty: it was not hashed
    item: Item | None = None  # its file's; it may be known
    is_known: bool = False  # whether the item is in the collection, and has its file
    data: bytes | Path | None = None  # what is to be kept in the workspace
    file: SourceFile | None = None  # to be noted
    unlisted: Item | None = None  # the item, where somebody brought it before to look at it
    changed: bool = False  # whether the file was another one when it was imported before
    copied: bool = False  # although it was to stay where it is

    def found_as(self, first: Prepared, number: int) -> None:
        """Have what was found of the first row with the same file, whose data are kept.

        Args:
            first: that row.
            number: of this row, as a person counts them.
        """
        self.problem = replace(first.problem, row=number) if first.problem is not None else None
        self.facts, self.item_id, self.item = first.facts, first.item_id, first.item
        self.is_known, self.file, self.unlisted = first.is_known, first.file, first.unlisted
        self.changed, self.copied = first.changed, first.copied


def data_of(row: Row) -> bytes | Path:
    """The bytes of a row's medium, or where they are."""
    return row.data if row.data is not None else row.file or b""


class Files:
    """The files of one import.

    Args:
        ws: where they go.
        modality: the name of that as which they are read.
        source: what the import is called.
        root: the folder of this machine that they lie in; None: it is of an upload or an archive, and goes.
        outside: whether they stay where they are.
    """

    def __init__(self, ws: Workspace, modality: str, source: str, root: Path | None, outside: bool) -> None:
        self._ws, self._modality, self._source = ws, modality, source
        self._outside = outside
        self._root = root if root is not None and not UNSTORABLE.search(str(root)) else None
        self._folder = ws.folders.id_of(self._root, outside) if self._root is not None else ""
        self._known: dict[str, list[SourceFile]] = {}
        self._known_items: dict[str, Item] = {}
        self._items: dict[str, Item] = {}

    def _look_up(self, rows: Sequence[Row | Skipped]) -> None:
        """Ask what is known of the files of some rows, together."""
        names = {name for row in rows if isinstance(row, Row) and (name := self._name(row))}
        self._known = self._ws.source_files.known(self._folder, sorted(names)) if names else {}
        ids = {file.item_id for files in self._known.values() for file in files}
        self._known_items = self._ws.items.of(sorted(ids)) if ids else {}

    def look_at(self, prepared: Sequence[Prepared], pool: Executor) -> None:
        """Find out which item the file of each row is; what is wrong with one is noted as its row's problem.

        Raises:
            OSError: the disk is full.
        """
        prepared = [one for one in prepared if one.item is None and one.problem is None]  # else it was
        list(map(self._told(lambda _, row: require_storable(row)), prepared))
        together = _by_file([one for one in prepared if one.problem is None])
        firsts = [rows[0] for rows in together]
        self._look_up([one.row for one in firsts])
        list(pool.map(self._told(self._hash), firsts))
        ids = {one.item_id for one in firsts if one.item_id}
        self._items = self._ws.items.of(sorted(ids)) if ids else {}
        list(pool.map(self._told(self._read), firsts))
        for first, *others in together:
            for one in others:
                assert isinstance(one.row, Row)  # those that are none stand alone
                one.found_as(first, one.row.number)

    def _told(self, look: Callable[[Prepared, Row], None]) -> Callable[[Prepared], None]:
        def told(prepared: Prepared) -> None:
            row = prepared.row
            if isinstance(row, Skipped):
                prepared.problem = row
                return
            try:
                if prepared.problem is None and prepared.item is None:
                    look(prepared, row)
            except UserError as e:
                prepared.problem = Skipped(row.number, str(e), row.name)
            except OSError as e:  # of the source's file: of ours the store says what is wrong
                if is_disk_full(e):
                    raise
                prepared.problem = Skipped(row.number, f"{row.name} cannot be read: {reason(e)}.", row.name)
            except (MmdemoError, MemoryError):
                raise
            except Exception as e:  # a mistake of mmdemo's own, which is no matter of the other rows
                prepared.problem = unexpected(row, e)

        return told

    def _hash(self, prepared: Prepared, row: Row) -> None:
        """Know a file again by its name, size and time, or hash it."""
        data, name = data_of(row), self._name(row)
        if isinstance(data, Path):
            self._ws.require_file(data, row.name)
            prepared.facts = data.stat() if name else None
        for file in self._known.get(name, []):
            item = self._known_items.get(file.item_id)
            same = prepared.facts is not None and is_as_noted(file, prepared.facts)
            if same and item is not None and self._is_here(item, file):
                prepared.item, prepared.is_known = item, True
                return
        prepared.item_id = id_of(data)

    def _read(self, prepared: Prepared, row: Row) -> None:
        """Know a file by its hash, or read it as its modality does."""
        data, name, item_id = data_of(row), self._name(row), prepared.item_id
        known = self._items.get(item_id)
        if known is not None and self._is_here(known):
            prepared.item, prepared.is_known = known, True
        else:
            brought = known is not None and not known.listed and known.removed_id is None
            prepared.unlisted = known if brought else None
            source = row.source or self._source
            prepared.item = self._ws.item_of(self._modality, data, row.name, source, known, item_id)
            prepared.data = data
        if prepared.facts is None or not name:
            prepared.copied = self._outside
            return
        before = self._known.get(name, [])
        if before and item_id not in {file.item_id for file in before}:
            prepared.changed = True
        stays = self._outside and prepared.unlisted is None and self._can_stay(row)
        prepared.copied = self._outside and not stays and prepared.data is not None
        prepared.data = None if stays else prepared.data
        prepared.file = self._noted(name, item_id, prepared.facts, stays)
        if stays and row.file is not None:
            self._ws.outside.believe(item_id, row.file.resolve(), prepared.facts)

    def _is_here(self, item: Item, file: SourceFile | None = None) -> bool:
        """Whether an item needs nothing done: it is in the collection, of this modality, and has its file."""
        if not item.listed or item.modality != self._modality:
            return (
                item.listed and self._modality in MODALITIES.get(item.modality).holds and self._has_file(item)
            )
        if file is not None and file.outside and self._outside:
            return True
        return self._has_file(item)

    def _has_file(self, item: Item) -> bool:
        return self._is_kept(item) or (self._outside and self._ws.has_media(item))

    def _is_kept(self, item: Item) -> bool:
        return self._ws.media.path(item.id, item.suffix).is_file()

    def _can_stay(self, row: Row) -> bool:
        """Whether a file can be read where it is: no link leads out of the folder."""
        return self._root is not None and row.file is not None and is_below(self._root, row.file)

    def _noted(self, name: str, item_id: str, facts: stat_result, stays: bool) -> SourceFile:
        return SourceFile(
            folder=self._folder,
            key=key_of(name),
            item_id=item_id,
            name=name,
            bytes=facts.st_size,
            mtime_ns=facts.st_mtime_ns,
            outside=stays,
        )

    def _name(self, row: Row) -> str:
        """The name of a row's file below the folder; empty: it is not looked for there again."""
        if self._root is None or row.file is None or not row.file.is_relative_to(self._root):
            return ""
        name = row.file.relative_to(self._root).as_posix()
        return "" if UNSTORABLE.search(name) else name

    def keep(self, prepared: Sequence[Prepared]) -> None:
        """Bring the files of some rows to the workspace's disk, before anything tells of them.

        Raises:
            StorageError: the disk refused.
        """
        self._ws.media.add_all([(item.id, data, item.suffix, item.name) for item, data in _new(prepared)])

    def settle(self, prepared: Sequence[Prepared]) -> None:
        """What is to be done when rows are written: files are kept again, where a backup has taken the place
        of the folder meanwhile, and what somebody brought to look at is of no session any more.
        """
        self.keep([p for p in prepared if p.item is not None and not self._is_kept(p.item)])
        for known in (p.unlisted for p in prepared if p.unlisted is not None and p.problem is None):
            self._ws.scratch.forget(known)

    def tell_gone(self, ledger: Ledger, at: int, stopped: Callable[[], bool]) -> bool:
        """Note the files of the folder that are gone, and those that have another name.

        Args:
            ledger: where.
            at: how many rows there were.
            stopped: asked now and then whether to end before all were looked for.

        Returns: whether all were looked for. One that nobody may look at is not gone.
        """
        if self._root is None:
            return True
        with ThreadPoolExecutor(LOOKED_FOR, "mmdemo-looking") as pool:
            for rows in self._ws.source_files.each(self._folder):
                if stopped():
                    return False
                found = pool.map(is_there, [self._root / row.name for row in rows])
                gone = [row for row, is_here in zip(rows, found, strict=True) if not is_here]
                self._tell_gone(gone, ledger, at)
        return True

    def _tell_gone(self, gone: Sequence[SourceFile], ledger: Ledger, at: int) -> None:
        assert self._root is not None
        names = self._ws.source_files.names_of(self._folder, sorted({row.item_id for row in gone}))
        renamed = []
        for row in gone:
            others = (one for one in names.get(row.item_id, []) if is_there(self._root / one))
            now = next(others, "")
            if now:
                renamed.append(row)
                ledger.file(RENAMED, row.name, at, now)
            else:
                ledger.file(GONE, row.name, at)
        if renamed:
            self._ws.source_files.forget(renamed)


def _by_file(prepared: Sequence[Prepared]) -> list[list[Prepared]]:
    """Rows, those together that say the same of one file: it is read and decoded once for all its texts."""
    found: dict[object, list[Prepared]] = {}
    for one in prepared:
        row = one.row
        key: object = one.at
        if isinstance(row, Row) and row.data is None and row.file is not None:
            key = row.file, row.name, row.source
        found.setdefault(key, []).append(one)
    return list(found.values())


def unexpected(row: Row, e: Exception) -> Skipped:
    """What is said of a row at which mmdemo itself made a mistake."""
    log.warning("row %s cannot be imported", row.number, exc_info=e)
    return Skipped(row.number, f"{row.name} cannot be read: {one_line(str(e))}.", row.name)


def _new(prepared: Sequence[Prepared]) -> Iterator[tuple[Item, bytes | Path]]:
    """The items whose files are to be kept, with these."""
    for one in prepared:
        if one.problem is None and one.item is not None and one.data is not None:
            yield one.item, one.data
