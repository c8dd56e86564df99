"""A workspace in one zip, and back."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from dataclasses import replace as replaced
from functools import partial
from itertools import count
from pathlib import Path

from filelock import Timeout
from sqlalchemy import create_engine

from mmdemo.errors import StorageError, UnavailableError, UserError, cannot_write, reason
from mmdemo.media.regular_file import is_there, require_file
from mmdemo.settings import DATABASE
from mmdemo.store.archive import UNREADABLE, opened, unpack
from mmdemo.store.changes import REMOVE
from mmdemo.store.database import Database
from mmdemo.store.durable import PART, sync_file, sync_folder, sync_tree, write_durably
from mmdemo.store.kept_access import close_access, not_brought
from mmdemo.store.named_models import FILE as NAMED_MODELS
from mmdemo.store.row_values import odd_values
from mmdemo.store.runs import UNFINISHED
from mmdemo.store.schema import CURE
from mmdemo.store.soundness import media_faults, read_only, require_sound_database
from mmdemo.store.swap import BACKUPS, PARTS, copy_database, finish, lock, swap
from mmdemo.store.tables import Item, now
from mmdemo.store.unfinished import put, unfinished
from mmdemo.store.workspace import Workspace

log = logging.getLogger(__name__)
BACKUP_MB = 10_000_000  # of a zip; what it holds must fit on the disk
TRIES = 3  # where things are removed while it is written
BROUGHT = "It was under way when the backup was made. Resume goes on with it."  # of a run
BEFORE, KEPT = "before-restore-", 3  # how what was here before a restore is called, and how many stay


@dataclass(frozen=True)
class Lacking:
    """What of a backup is not there after it was restored."""

    files: int = 0  # items whose files it should hold
    # which were read from outside: as soon as this machine knows their folders, they are again
    outside: int = 0
    grants: int = 0  # invitations and tokens that let somebody in when it was made, and let in nobody here


def back_up(ws: Workspace, out: Path, outside: bool = False) -> Path:
    """Write everything but the cache to a zip; people may go on labelling meanwhile.

    The database goes first, by SQLite's own backup, so every file that it names is there when it is copied;
    where something was removed meanwhile, all is written anew.

    Args:
        ws: what.
        out: the zip.
        outside: whether the media that are read from outside of the workspace go with it.

    Raises:
        UserError: the database is not in the workspace, the zip cannot be made there, or something else than
            an earlier backup has its name.
        StorageError: the disk refused; no half-written zip stays.
    """
    _require_own_database(ws)
    _require_free(out)
    try:
        # the folder beside the zip comes before any work: whether the place can be written to
        with unfinished(out.parent) as beside, unfinished(ws.folder) as temporary:
            part, copy = beside / "backup.zip", temporary / DATABASE
            for _ in range(TRIES):
                removed = ws.changes.latest(REMOVE)
                copy.unlink(missing_ok=True)
                copy_database(ws.folder / DATABASE, copy)
                _pack(ws, copy, part, outside)
                if ws.changes.latest(REMOVE) == removed:
                    break
            else:
                raise UnavailableError("Things are removed while the backup is written.", "Try again later.")
            sync_file(part)
            part.replace(out)
            sync_folder(out.parent)
    except sqlite3.Error as e:
        raise StorageError(f"The database could not be copied: {reason(e)}.", "Free some disk space.") from e
    except OSError as e:
        raise cannot_write(f"The backup could not be written to {out}", e, named=True) from e
    return out


def lies_outside(ws: Workspace) -> list[Item]:
    """The items that are read from outside of the workspace."""
    found = ws.items.of(sorted(ws.source_files.outside())).values()
    return [item for item in found if item.listed and not ws.media.path(item.id, item.suffix).is_file()]


def _from_outside(ws: Workspace) -> Iterator[tuple[Path, Path]]:
    """The files outside, and their names in a backup: those of copies.

    Raises:
        GoneError: one is not there any more.
    """
    for item in lies_outside(ws):
        yield ws.media_path(item), ws.media.path(item.id, item.suffix).relative_to(ws.folder)


def _pack(ws: Workspace, database: Path, into: Path, outside: bool) -> None:
    """Write a copy of the database and the files of a workspace to a new zip; what goes meanwhile is left
    out.

    Raises:
        GoneError: a file outside that is to go with it is not there any more.
    """
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as archive:
        archive.write(database, DATABASE)
        for name in PARTS:
            for file in sorted((ws.folder / name).rglob("*")):
                if file.is_file() and not file.name.startswith(PART) and file.suffix != ".lock":
                    with suppress(FileNotFoundError):
                        archive.write(file, file.relative_to(ws.folder))
        for path, within in _from_outside(ws) if outside else []:
            archive.write(path, within)


def _require_own_database(ws: Workspace) -> None:
    if ws.database.engine.dialect.name != "sqlite":
        raise UserError(
            "The database is not in the workspace.",
            "Back it up and restore it with its own tools, as pg_dump and pg_restore, and copy the folders.",
        )


def _require_free(out: Path) -> None:
    """Refuse a name that something else has than an earlier backup, in whose place a new one may come."""
    try:
        if out.is_dir():
            raise UserError(
                f"{out} is a folder.", "Name a zip that is not there yet, such as backup.zip in it."
            )
        if (out.is_symlink() or is_there(out)) and not _is_backup(out):
            raise UserError(
                f"{out} is there already and is no backup of mmdemo.", "Name a zip that is not there yet."
            )
    except OSError as e:
        raise cannot_write(f"The backup could not be written to {out}", e, named=True) from e


def _is_backup(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return DATABASE in archive.namelist()
    except UNREADABLE:
        return False


def restore(archive: Path, folder: Path) -> Lacking:
    """Unpack a backup into a folder that has no workspace yet; returns what it does not hold.

    Raises:
        UserError: not a backup, a damaged one, or the folder is in use.
        StorageError: the disk refused; the folder is as it was.
    """
    if (folder / DATABASE).exists():
        raise UserError(f"{folder} already holds a workspace.", "Restore into a new folder.")
    if holds := next((name for name in PARTS if any(folder.glob(f"{name}/*"))), None):
        raise UserError(f"{folder} already holds something in {holds}.", "Restore into a new folder.")
    require_file(archive, BACKUP_MB)
    with _told(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(folder if folder.is_dir() else folder.parent) as temporary:
            fresh = temporary / "workspace"
            fresh.mkdir()
            lacking = replaced(_prepare(archive, fresh), grants=close_access(fresh / DATABASE))
            if not (folder / NAMED_MODELS).exists():
                write_durably(fresh / NAMED_MODELS, b"[]")  # of what it names, nothing was named here
            for name in PARTS:  # whose place may have an empty folder of that name
                with suppress(FileNotFoundError):
                    (folder / name).rmdir()
            put(fresh, folder)
    return lacking


@dataclass(frozen=True)
class Restored:
    """What came of a restore into an open workspace."""

    kept: Path  # what was here before: a workspace of its own
    lacking: Lacking


def replace(ws: Workspace, archive: Path) -> Restored:
    """Put a backup in the place of an open workspace, whatever processes have it open.

    Raises:
        UserError: the database is not in the workspace; not a backup, or a damaged one. Nothing has changed.
        StorageError: the disk refused; nothing has changed.
    """
    _require_own_database(ws)
    require_file(archive, BACKUP_MB)
    with _told(ws.folder), lock(ws.folder).acquire(timeout=0), unfinished(ws.folder) as temporary:
        finish(ws.folder)
        fresh = temporary / "workspace"
        fresh.mkdir()
        lacking = _prepare(archive, fresh, _page_size(ws.folder / DATABASE))
        lacking = replaced(lacking, grants=not_brought(fresh / DATABASE, ws.folder / DATABASE))
        ws.named_models.begin(ws.versions.bases())
        kept = new_name(ws.folder / BACKUPS, f"{BEFORE}{now():%Y%m%d-%H%M%S}")
        sync_tree(fresh)
        swap(ws.folder, fresh, kept)
        _remove_oldest(ws.folder / BACKUPS)
    return Restored(kept, lacking)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    try:
        yield
    except Timeout as e:  # of the lock
        raise UnavailableError("A backup is being restored already.", "Wait until it is.") from e
    except OSError as e:
        raise cannot_write(f"The backup could not be restored into {folder}", e, named=True) from e
    except sqlite3.Error as e:
        raise StorageError(
            f"The backup could not be restored into {folder}: {reason(e)}.", "Free some disk space."
        ) from e


def _prepare(archive: Path, fresh: Path, page_size: int = 0) -> Lacking:
    """Unpack a backup into a new folder, check everything in it, and bring its database to today's form.

    Args:
        archive: the zip.
        fresh: an empty folder.
        page_size: bytes of a page that its database must have; 0: any.

    Raises:
        UserError: what is wrong with it, in one sentence.
    """
    with opened(archive) as zipped:
        if DATABASE not in zipped.namelist():
            raise UserError(f"{archive.name} is not a backup of mmdemo.", "Choose a zip that Back up made.")
        unpack(archive, zipped, fresh, lambda name: name == DATABASE)
        database, called = fresh / DATABASE, f"The database of {archive.name}"
        require_sound_database(database, called)
        unpack(archive, zipped, fresh, lambda name: "/" in name and name.partition("/")[0] in PARTS)
    _migrate(database, called)
    _require_own_values(database, called)
    _stop_runs(database)
    _make_one_file(database, page_size)
    missing = set()
    with closing(read_only(database, private=True)) as rows:
        items = rows.execute("SELECT id, suffix, bytes, name FROM items WHERE removed_id IS NULL")
        for item, what, is_missing in media_faults(items, fresh / "media"):
            if not is_missing:
                raise UserError(f"{archive.name} is damaged: {what}.", CURE)
            missing.add(item)
        found = rows.execute("SELECT DISTINCT item_id FROM source_files WHERE outside")
        outside = missing & {item for (item,) in found}
    return Lacking(len(missing - outside), len(outside))


def _migrate(database: Path, called: str) -> None:
    """Bring the database of a backup to today's form.

    Raises:
        UserError: its rows do not let that happen.
    """
    try:
        Database(f"sqlite:///{database}").close()
    except (OSError, MemoryError):
        raise
    except Exception as e:  # a migration reads rows that somebody else has written
        log.warning("%s cannot be migrated", called, exc_info=e)
        raise UserError(f"{called} cannot be brought to today's form: {reason(e)}.", CURE) from e


def _require_own_values(database: Path, called: str) -> None:
    """Refuse rows that hold what would fail whoever reads them.

    Raises:
        UserError: what is wrong with the first, in one sentence.
    """
    engine = create_engine("sqlite://", creator=partial(read_only, database))
    try:
        odd = next(odd_values(engine), "")
    finally:
        engine.dispose()
    if odd:
        raise UserError(f"{called} is damaged: {odd}.", CURE)


def _stop_runs(database: Path) -> None:
    """Stop the runs of a backup that were under way: what somebody else has begun does not go on by itself
    here. Whoever may train can go on with it.
    """
    with closing(sqlite3.connect(database)) as open_one, open_one:
        open_one.execute(
            "UPDATE runs SET status = 'stopped', message = ?, finished_at = ?, holder = NULL,"
            " lease_until = NULL WHERE status IN (?, ?)",
            (BROUGHT, now().isoformat(" ", "microseconds"), *UNFINISHED),
        )


def _make_one_file(database: Path, page_size: int) -> None:
    """Bring all of a closed database into its file, with pages of a size."""
    with closing(sqlite3.connect(database, isolation_level=None)) as open_one:
        open_one.execute("PRAGMA journal_mode=DELETE")
        if page_size and open_one.execute("PRAGMA page_size").fetchone()[0] != page_size:
            open_one.execute(f"PRAGMA page_size={page_size}")
            open_one.execute("VACUUM")


def _page_size(database: Path) -> int:
    with closing(sqlite3.connect(database)) as open_one:
        return int(open_one.execute("PRAGMA page_size").fetchone()[0])


def new_name(folder: Path, name: str) -> Path:
    """A name in a folder that nothing has."""
    tried = (folder / (f"{name}-{i}" if i else name) for i in count())
    return next(path for path in tried if not os.path.lexists(path))


def _remove_oldest(folder: Path) -> None:
    """Keep the newest of what was here before; what cannot be removed stays."""
    earlier = sorted(folder.glob(f"{BEFORE}*"), key=lambda path: path.name)
    for path in earlier[:-KEPT]:
        with suppress(OSError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
