"""A disk that is small, and can be filled: a file system in memory where one may be mounted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILLER = "filler"


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount one of so many megabytes in a folder.

    Raises:
        PermissionError: nothing can be mounted here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    how = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(how, capture_output=True, check=False).returncode:
        raise PermissionError("nothing can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path, left: int = 0) -> None:
    """Take what is free of a disk, but for so many bytes."""
    with (disk / FILLER).open("ab", buffering=0) as file:
        while (free := shutil.disk_usage(disk).free - left) > 0:
            try:
                file.write(bytes(min(free, 1 << 20)))
            except OSError:
                return


def make_room(disk: Path) -> None:
    """Give it back."""
    (disk / FILLER).unlink(missing_ok=True)
