"""Files that are named by their path: which can be opened at all. Everything that takes one asks here first.

A device, a pipe or a file of the system may never end, or hold up whoever opens it; so what a path names is
looked at before anything is read.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from mmdemo.errors import MediaError, reason

TABLE_MB = 1000  # of what is read into memory whole: manifests, annotations, texts

KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def is_there(path: Path) -> bool:
    """Whether something has that name, even if nobody may look at it."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError as e:
        return e.errno not in (errno.ENAMETOOLONG, errno.ELOOP)  # nothing can have such a name
    return True


def is_folder(path: Path | str) -> bool:
    """Whether it is a folder; no name that somebody writes is an error, and an empty one is none."""
    try:
        return path != "" and Path(path).is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether it is a file, likewise."""
    try:
        return path.is_file()
    except OSError:
        return False


def at_home(path: Path) -> Path:
    """A path whose `~` is somebody's home.

    Raises:
        MediaError: there is no such home.
    """
    try:
        return path.expanduser()
    except RuntimeError as e:
        raise MediaError(f"{path} does not exist: there is no such home.", "Write the whole path.") from e


def require_file(path: Path, most_mb: int, *, may_be_empty: bool = False) -> Path:
    """The path of a regular file that can be read and is not too large.

    Args:
        path: as somebody named it.
        most_mb: how large it may be.
        may_be_empty: whether there may be nothing in it.

    Raises:
        MediaError: it is none, in one sentence.
    """
    if not is_there(path):
        raise MediaError(f"{path} does not exist.", "Check the path.")
    try:
        facts = path.stat()
        other = next((noun for is_one, noun in KINDS if is_one(facts.st_mode)), "")
        if other:
            raise MediaError(f"{path} is {other}, not a file.", "Name a file.")
        if facts.st_size > most_mb * 1_000_000:
            raise MediaError(
                f"{path} is {facts.st_size / 1e6:.0f} MB, over the limit of {most_mb} MB.",
                "Make it smaller first.",
            )
        with path.open("rb") as file:
            begins = file.read(1)
    except OSError as e:
        raise MediaError(f"{path} cannot be read: {reason(e)}.", "Check the file and its permissions.") from e
    if begins and not facts.st_size:  # as those below /proc, whose length nobody knows before their end
        raise MediaError(f"{path} is made by the system while it is read.", "Copy it to a file first.")
    if not begins and not may_be_empty:
        raise MediaError(f"{path} is empty.", "Choose another one.")
    return path


def require_file_or_folder(path: Path, most_mb: int) -> Path:
    """The path of a folder that can be listed, or of a file as `require_file` takes it, perhaps empty.

    Raises:
        MediaError: it is neither.
    """
    if not is_folder(path):
        return require_file(path, most_mb, may_be_empty=True)
    try:
        with os.scandir(path):
            return path
    except OSError as e:
        raise MediaError(f"{path} cannot be looked into: {reason(e)}.", "Check its permissions.") from e
