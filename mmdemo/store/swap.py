"""The parts of a workspace change places with those of a backup, whole or not at all.

The database is the last to change, in one transaction of its own, and its generation says which side of it
one is on. Before the first folder is moved a note is made, so that whoever opens the workspace after a kill
can tell: with the old generation the folders go back, with the new one all is done.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mmdemo.errors import OutsideError, UnavailableError
from mmdemo.media.below import below
from mmdemo.media.listing import entries
from mmdemo.settings import DATABASE
from mmdemo.store.durable import sync_folder, write_durably
from mmdemo.store.kept_access import keep_access
from mmdemo.store.named_models import FILE as NAMED_MODELS
from mmdemo.store.scratch import WITHOUT_SCRATCH
from mmdemo.store.unfinished import unfinished

PARTS = ("media", "vectors", "versions", "runs")
NOTE, LOCK = "restore.json", "restore.lock"
GENERATION = "generation"  # the file that says the database's, to be looked at often
BACKUPS = "backups"  # the folder of the workspaces that were here before
AT_ONCE = 8  # pages of a database between two looks; every one of ours has more
WAITED_S = 60.0  # for a restore that another process has on


def lock(folder: Path) -> FileLock:
    """What a process holds while it puts a backup into a workspace."""
    return FileLock(folder / LOCK, thread_local=False)


def generation_of(folder: Path) -> int:
    """The generation of a workspace's database; -1: there is none."""
    file = folder / DATABASE
    if not file.is_file():
        return -1
    with closing(sqlite3.connect(file, timeout=WAITED_S)) as database:
        return int(database.execute("PRAGMA user_version").fetchone()[0])


def read_generation(folder: Path) -> str:
    """The generation of a workspace as its file says; empty: nothing was ever restored into it."""
    try:
        return (folder / GENERATION).read_text(encoding="utf-8")
    except OSError:
        return ""


def swap(folder: Path, fresh: Path, kept: Path) -> None:
    """Put what is in one folder in the place of a workspace, whose parts go to another.

    Nobody can write to the database meanwhile, and whoever has it open goes on with the new rows. The lock is
    the caller's.

    Args:
        folder: the workspace.
        fresh: a whole one, checked, on the same disk; its database is one file, with pages of the same size.
        kept: a folder that is not there yet, below the workspace's backups.

    Raises:
        OSError, sqlite3.Error: nothing has changed.
    """
    for one in (folder, fresh):
        for part in PARTS:
            (one / part).mkdir(exist_ok=True)
    generation = generation_of(folder) + 1
    with closing(sqlite3.connect(fresh / DATABASE)) as database:
        database.execute(f"PRAGMA user_version={generation}")
    begun = False

    def change_places(status: int, left: int, pages: int) -> None:
        nonlocal begun
        if begun or status != sqlite3.SQLITE_OK:  # busy: it is asked for again
            return
        begun = True  # from here on the database is locked for everybody else
        with (
            closing(sqlite3.connect(fresh / DATABASE)) as database,
            closing(sqlite3.connect(folder / DATABASE, timeout=WAITED_S)) as present,
        ):
            keep_access(present, database)  # which begins the copy anew
        note = {"kept": kept.name, "generation": generation}
        write_durably(folder / NOTE, json.dumps(note).encode())
        kept.mkdir(parents=True)
        copy_database(folder / DATABASE, kept / DATABASE)
        with suppress(FileNotFoundError):  # which is there where `replace` of backup.py calls
            shutil.copyfile(folder / NAMED_MODELS, kept / NAMED_MODELS)
        _move(folder, fresh, kept)

    try:
        _replace_rows(fresh / DATABASE, folder / DATABASE, change_places)
    except BaseException:
        if begun:
            finish(folder)
        raise
    finish(folder)
    for brought in entries(folder / "scratch"):  # of no session any more
        shutil.rmtree(brought, ignore_errors=True)


def copy_database(source: Path, target: Path) -> None:
    """Write a database, with all that its processes have committed, to one file; but not what somebody only
    brought to look at.

    Raises:
        sqlite3.Error: it cannot be read, or the disk refused.
    """
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other, other:
        one.backup(other)
        other.executescript(WITHOUT_SCRATCH)


def _replace_rows(source: Path, target: Path, at_first: Callable[[int, int, int], None]) -> None:
    with (
        closing(sqlite3.connect(source)) as one,
        closing(sqlite3.connect(target, timeout=WAITED_S, isolation_level=None)) as other,
    ):
        other.execute("PRAGMA synchronous=FULL")
        one.backup(other, pages=AT_ONCE, progress=at_first, sleep=0.05)


def _move(folder: Path, fresh: Path, kept: Path) -> None:
    for part in PARTS:  # by their names alone: what is copied may be cut off in its middle
        (folder / part).replace(kept / part)
        with suppress(FileNotFoundError):  # that a process of before has made in this moment
            (folder / part).replace(kept / f"{part}-late")
        (fresh / part).replace(folder / part)
    for one in (kept, kept.parent, folder):
        sync_folder(one)


def finish(folder: Path) -> None:
    """Bring to its end, or take back, what the note of a workspace tells of. The lock is the caller's."""
    note = folder / NOTE
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        kept, generation = below(folder / BACKUPS, str(found["kept"])), int(found["generation"])
    except FileNotFoundError:
        return
    except (ValueError, KeyError, TypeError, RecursionError, OutsideError):  # none of ours
        note.unlink(missing_ok=True)
        return
    if generation_of(folder) < generation:
        _take_back(folder, kept)
    else:
        write_durably(folder / GENERATION, f"{generation}\n".encode())
    note.unlink()
    sync_folder(folder)


def _take_back(folder: Path, kept: Path) -> None:
    with unfinished(folder) as aside:
        for part in PARTS:
            if (kept / part).is_dir():
                with suppress(FileNotFoundError):
                    (folder / part).replace(aside / part)
                (kept / part).replace(folder / part)
        sync_folder(folder)
        shutil.rmtree(kept, ignore_errors=True)


def recover(folder: Path, wait: bool = False) -> None:
    """Finish a restore whose process was killed.

    Args:
        folder: the workspace.
        wait: for one that is on; else it is left alone.

    Raises:
        UnavailableError: it takes too long.
    """
    if not (folder / NOTE).exists():
        return
    try:
        with lock(folder).acquire(timeout=WAITED_S if wait else 0):
            finish(folder)
    except Timeout as e:
        if wait:
            raise UnavailableError(
                f"A backup is being restored into {folder}.", "Try again in a moment."
            ) from e
