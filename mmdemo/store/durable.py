"""Files that are there whole, on disk, or as they were: each is written beside its place and then renamed. A
kill, a full disk or a power cut in between leaves what was there before.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mmdemo.errors import cannot_write

PART = ".part-"  # how a file that is not whole yet is called
ABANDONED_S = 3600.0  # no file takes that long to be written
COPIED_AT_ONCE = 1 << 20  # bytes
SYNCED_AT_ONCE = 8  # files that a disk is waited for together: four times as quick as one after the other


@contextmanager
def replacing(path: Path, *, lasting: bool = True) -> Iterator[Path]:
    """A name beside `path` under which a file is written within this block, to be renamed at its end.

    Args:
        path: where the file belongs; its folder is made.
        lasting: whether it must survive a power cut. What is only shown, or can be made anew, need not.

    Raises:
        OSError: the disk refused; what was there is still there.
    """
    make_folder(path.parent)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=PART)
    os.close(handle)
    part = Path(name)
    try:
        yield part
        if lasting:
            sync_file(part)
        part.replace(path)
        if lasting:
            sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def write_durably(path: Path, data: bytes | Path, called: str = "") -> None:
    """Write a file, of bytes or as the copy of another, so that it is there whole, on disk, or as it was.

    Args:
        path: where.
        data: what.
        called: how a person knows it, where its own name says nothing, such as a hash.

    Raises:
        StorageError: the disk refused; the cure is by its reason.
    """
    try:
        with replacing(path) as part, part.open("wb") as f:
            _fill(f, data)
    except OSError as e:
        raise cannot_write(f"{called or path.name} could not be saved", e) from e


def write_all(files: Sequence[tuple[Path, bytes | Path, str]]) -> None:
    """As `write_durably` for several files of one disk, each with where, what and how a person knows it; the
    disk is waited for once and not for each.

    Raises:
        StorageError: the disk refused; some of the files may be there.
    """
    parts: list[tuple[Path, Path]] = []
    called = ""
    try:
        for path, data, name in files:
            called = name
            make_folder(path.parent)
            # In one folder: to make each in its own takes over twice as long as to move it there.
            handle, part = tempfile.mkstemp(dir=files[0][0].parent, prefix=PART)
            parts.append((Path(part), path))
            with os.fdopen(handle, "wb") as f:
                _fill(f, data)
        with ThreadPoolExecutor(SYNCED_AT_ONCE) as pool:
            list(pool.map(sync_file, [written for written, _ in parts]))
            for written, path in parts:
                written.replace(path)
            list(pool.map(sync_folder, {path.parent for _, path in parts}))
    except OSError as e:
        raise cannot_write(f"{called} could not be saved", e) from e
    finally:
        for written, _ in parts:
            written.unlink(missing_ok=True)


def _fill(f: BinaryIO, data: bytes | Path) -> None:
    if isinstance(data, Path):
        with data.open("rb") as source:
            shutil.copyfileobj(source, f, COPIED_AT_ONCE)
    else:
        f.write(data)


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, so that it is still there after a power cut."""
    new = [folder, *folder.parents]
    new = new[: next((i for i, one in enumerate(new) if one.is_dir()), len(new))]
    if new:
        folder.mkdir(parents=True, exist_ok=True)
        for one in new:
            sync_folder(one.parent)


def sync_file(path: Path) -> None:
    """Wait until what was written to a file is on disk."""
    with path.open("r+b" if os.name == "nt" else "rb") as f:
        os.fsync(f.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names in a folder are on disk."""
    if os.name == "nt":  # where folders cannot be opened, and names are written with their files
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_tree(folder: Path) -> None:
    """Wait until a folder with all that is in it is on disk, such as what a library has written there."""
    for path in folder.rglob("*"):
        if path.is_dir():
            sync_folder(path)
        elif path.is_file():
            sync_file(path)
    sync_folder(folder)
    sync_folder(folder.parent)


def remove_abandoned(folder: Path) -> None:
    """Remove the files below a folder that a process which was killed has not written to their ends."""
    for part in folder.rglob(f"{PART}*"):
        with suppress(OSError):  # it was another process's, and is whole by now
            if time.time() - part.stat().st_mtime > ABANDONED_S:
                part.unlink()
