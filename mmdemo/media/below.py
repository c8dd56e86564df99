"""A name joined to a folder: what it names lies below that folder, or is refused.

Names come from tables, backups and strangers: `..`, an absolute name or a symbolic link in any of them would
lead to any file of this machine. So what serves, reads, writes or deletes by such a name asks here.
"""

from __future__ import annotations

from pathlib import Path

from mmdemo.errors import OutsideError

SHOWN = 80  # characters of a name


def below(folder: Path, *names: str) -> Path:
    """The path of a name in a folder, or of names within each other; there need be nothing of that name.

    Args:
        folder: where it must lie. It may be a link itself, as to another disk.
        names: as somebody wrote them, each perhaps with folders in it.

    Raises:
        OutsideError: it leads out of the folder, or is the folder itself, or nothing can have such a name.
    """
    path = folder.joinpath(*names)
    if not is_below(folder, path):
        raise OutsideError(
            f"{'/'.join(names)[:SHOWN]!r} leads out of the folder {folder.name}.",
            "Only what lies in it is read, served or deleted.",
        )
    return path


def is_below(folder: Path, path: Path) -> bool:
    """Whether a path, with every link in it followed, lies in a folder or in one below it."""
    try:
        whole, found = folder.resolve(), path.resolve()
    except (OSError, RuntimeError, ValueError):  # links in a circle, and names that nothing can have
        return False
    return found != whole and found.is_relative_to(whole)
