"""Folders for what is not whole yet. They go when their work ends, whichever way: by an error, Ctrl-C or
SIGTERM at once, and of a process that was killed when the next one looks.

Who works in one holds a lock in it, which the system takes back with the process; so a folder that nobody
holds was left behind, on whatever machine it was made.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from mmdemo.store.durable import sync_folder, sync_tree

PREFIX = ".mmdemo-part-"
LOCK = "lock"


@contextmanager
def unfinished(beside: Path) -> Iterator[Path]:
    """A new folder in `beside`, on whose disk what is made in it can take its place by its name alone.

    Raises:
        OSError: it cannot be made.
    """
    remove_left(beside)
    folder, lock = _make(beside)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.release(force=True)


def _make(beside: Path) -> tuple[Path, FileLock]:
    while True:  # somebody who looks for what was left may come between the folder and its lock
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=beside))
        lock = FileLock(folder / LOCK)
        with suppress(Timeout, FileNotFoundError):
            lock.acquire(timeout=0)
            if (folder / LOCK).exists():
                return folder, lock
            lock.release(force=True)


def remove_left(beside: Path) -> None:
    """Remove the folders in `beside` that nobody works in any more."""
    with suppress(OSError):
        for folder in beside.glob(f"{PREFIX}*"):
            if not _is_ours(folder):
                continue
            lock = FileLock(folder / LOCK)
            with suppress(OSError, Timeout):
                lock.acquire(timeout=0)
                shutil.rmtree(folder, ignore_errors=True)
                lock.release(force=True)


def _is_ours(folder: Path) -> bool:
    """Whether such a folder was made by this user: where others write too, one may be a link, or hold one
    that is called like its lock, which would be emptied.
    """
    mine = os.getuid() if hasattr(os, "getuid") else folder.lstat().st_uid
    return folder.is_dir() and not folder.is_symlink() and folder.lstat().st_uid == mine


def put(made: Path, out: Path) -> None:
    """Move a folder to its place: by one rename where there is nothing, else what is in it piece by piece.

    What is in it is on disk before it has its place.

    Raises:
        OSError: it cannot be moved; what was moved already is taken away again.
    """
    sync_tree(made)
    if not out.exists():
        made.replace(out)
        sync_folder(out.parent)
        return
    moved: list[Path] = []
    try:
        for piece in sorted(made.iterdir(), key=lambda one: one.is_file()):  # the database last
            target = out / piece.name
            if target.exists():  # a move would end up in it, or in its place
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
            moved.append(target)
            shutil.move(piece, target)
        sync_folder(out)
    except BaseException:
        for piece in moved:
            shutil.rmtree(piece, ignore_errors=True) if piece.is_dir() else piece.unlink(missing_ok=True)
        raise
