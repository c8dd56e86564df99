"""A workspace in one zip, and back."""

from __future__ import annotations

import lzma
import shutil
import sqlite3
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path

from mmdemo.errors import StorageError, UserError, cannot_write, reason
from mmdemo.media.regular_file import is_there, require_file
from mmdemo.settings import DATABASE
from mmdemo.store.durable import PART, sync_file, sync_folder
from mmdemo.store.scratch import WITHOUT_SCRATCH
from mmdemo.store.tables import now
from mmdemo.store.unfinished import put, unfinished
from mmdemo.store.workspace import Workspace

BACKUP_MB = 10_000_000  # of a zip; what it holds must fit on the disk
# What zipfile raises of a zip that is damaged, encrypted, or packed in a way that it does not know.
UNREADABLE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError)
PARTS = ("media", "vectors", "versions", "runs")


def back_up(ws: Workspace, out: Path) -> Path:
    """Write everything but the cache to a zip; people may go on labelling meanwhile.

    The database goes first, by SQLite's own backup, so every file that it names is there when it is copied.

    Raises:
        UserError: the database is not in the workspace, the zip cannot be made there, or something else than
            an earlier backup has its name.
        StorageError: the disk refused; no half-written zip stays.
    """
    if ws.database.engine.dialect.name != "sqlite":
        raise UserError(
            "The database is not in the workspace.", "Back it up with its own tools, such as pg_dump."
        )
    _require_free(out)
    try:
        # the folder beside the zip comes before any work: whether the place can be written to
        with unfinished(out.parent) as beside, unfinished(ws.folder) as temporary:
            part, copy = beside / "backup.zip", temporary / DATABASE
            source, target = sqlite3.connect(ws.folder / DATABASE), sqlite3.connect(copy)
            with target:
                source.backup(target)
                target.executescript(WITHOUT_SCRATCH)
            source.close()
            target.close()
            with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
                archive.write(copy, DATABASE)
                for name in PARTS:
                    for file in sorted((ws.folder / name).rglob("*")):
                        if file.is_file() and not file.name.startswith(PART) and file.suffix != ".lock":
                            archive.write(file, file.relative_to(ws.folder))
            sync_file(part)
            part.replace(out)
            sync_folder(out.parent)
    except sqlite3.Error as e:
        raise StorageError(f"The database could not be copied: {reason(e)}.", "Free some disk space.") from e
    except OSError as e:
        raise cannot_write(f"The backup could not be written to {out}", e, named=True) from e
    return out


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


def restore(archive: Path, folder: Path) -> None:
    """Unpack a backup into a folder that has no workspace yet.

    Raises:
        UserError: not a backup, a damaged one, or the folder is in use.
        StorageError: the disk refused; the folder is as it was.
    """
    if (folder / DATABASE).exists():
        raise UserError(f"{folder} already holds a workspace.", "Restore into a new folder.")
    if holds := next((name for name in PARTS if any(folder.glob(f"{name}/*"))), None):
        raise UserError(f"{folder} already holds something in {holds}.", "Restore into a new folder.")
    require_file(archive, BACKUP_MB)
    try:
        with zipfile.ZipFile(archive) as zipped:
            names = zipped.namelist()
            if DATABASE not in names:
                raise UserError(
                    f"{archive.name} is not a backup of mmdemo.", "Choose a zip that Back up made."
                )
            bad = [n for n in names if Path(n).is_absolute() or ".." in Path(n).parts]
            if bad or zipped.testzip() is not None:
                raise UserError(f"{archive.name} is damaged.", "Choose another backup.")
            folder.parent.mkdir(parents=True, exist_ok=True)
            needed, free = sum(i.file_size for i in zipped.infolist()), shutil.disk_usage(folder.parent).free
            if needed > free:
                raise StorageError(
                    f"{archive.name} holds {needed / 1e6:.0f} MB, "
                    f"and {free / 1e6:.0f} MB of the disk are free.",
                    "Free some disk space.",
                )
            with unfinished(folder if folder.is_dir() else folder.parent) as temporary:
                fresh = temporary / "workspace"
                fresh.mkdir()
                zipped.extractall(fresh, [n for n in names if n == DATABASE or Path(n).parts[0] in PARTS])
                for name in PARTS:  # whose place may have an empty folder of that name
                    with suppress(FileNotFoundError):
                        (folder / name).rmdir()
                put(fresh, folder)
    except UNREADABLE as e:
        raise UserError(
            f"{archive.name} is not a zip that can be read.", "Choose a zip that Back up made."
        ) from e
    except OSError as e:
        raise cannot_write(f"The backup could not be restored into {folder}", e, named=True) from e


def replace(ws: Workspace, archive: Path) -> Path:
    """Put a backup in the place of an open workspace; returns the backup of what was there before.

    Raises:
        UserError: not a backup, or a damaged one; nothing has changed then.
        StorageError: the disk refused.
    """
    kept = ws.folder / "backups" / f"before-restore-{now():%Y%m%d-%H%M%S}.zip"
    kept.parent.mkdir(exist_ok=True)
    back_up(ws, kept)
    with unfinished(ws.folder) as temporary:
        fresh, before = temporary / "workspace", temporary / "before"
        before.mkdir()
        restore(archive, fresh)
        with ws.replaced():
            try:
                for name in PARTS:  # by their names alone: what is copied may be cut off in its middle
                    (ws.folder / name).replace(before / name)
                    if (fresh / name).exists():
                        (fresh / name).replace(ws.folder / name)
                for leftover in ("-wal", "-shm"):
                    (ws.folder / f"{DATABASE}{leftover}").unlink(missing_ok=True)
                (fresh / DATABASE).replace(ws.folder / DATABASE)
            except BaseException:
                _put_back(before, ws.folder)
                raise
    return kept


def _put_back(before: Path, folder: Path) -> None:
    """Give the parts of a workspace their places again, in which half of another's may stand."""
    for part in list(before.iterdir()):
        shutil.rmtree(folder / part.name, ignore_errors=True)
        part.replace(folder / part.name)
