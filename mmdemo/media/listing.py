"""What lies in a folder that somebody names. What goes while it is looked at, or may not be looked into, is
passed over: a folder of a whole disk has much of both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from mmdemo.media.regular_file import is_file


def entries(folder: Path) -> list[Path]:
    """The files and folders directly in one, by name."""
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def files_below(folder: Path) -> Iterator[Path]:
    """The files in a folder and in those below it, in no order; linked folders are not gone into."""
    for at, _, names in os.walk(folder):
        yield from (path for path in (Path(at, name) for name in names) if is_file(path))
