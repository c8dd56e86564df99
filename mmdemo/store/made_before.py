"""What was made of media when they were read otherwise: it goes when a workspace is opened, and is made anew.

Vectors of other pixels beside those of the right ones would not be comparable, and nobody would see it.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path

from filelock import FileLock

from mmdemo.media.listing import files_below
from mmdemo.media.reading import READING
from mmdemo.store.durable import write_durably

FOLDERS = ("vectors", "cache")
NOTE, LOCK = "vectors/reading.json", "reading.lock"  # the note goes with the vectors into a backup
NOTE_CHARACTERS = 1000
FIRST = 1  # where there is no note

log = logging.getLogger(__name__)


def discard_made_before(workspace: Path) -> None:
    """Remove what an earlier reading has left in a workspace, and note the reading of now.

    Raises:
        OSError: the disk refused.
        StorageError: the note could not be written.
    """
    if _noted(workspace).get("reading") == READING:
        return
    with FileLock(workspace / LOCK):
        before = _noted(workspace).get("reading", FIRST)
        if before == READING:  # by another process
            return
        every = (path for name in FOLDERS for path in files_below(workspace / name))
        made = [path for path in every if path != workspace / NOTE and path.suffix != ".lock"]
        for path in made:
            path.unlink(missing_ok=True)
        if made:
            log.warning("%s vectors and cached files were of reading %s and went", len(made), before)
        noted = {"reading": READING, "before": before if made else READING}
        write_durably(workspace / NOTE, json.dumps(noted).encode())


def made_before(workspace: Path) -> int | None:
    """The reading that the vectors of a workspace were of before they went; None: they are the first."""
    before = _noted(workspace).get("before", READING)
    return None if before == READING else before


def _noted(workspace: Path) -> dict[str, int]:
    """What the note says, which may come with somebody else's backup; empty where it is none of ours."""
    try:
        with (workspace / NOTE).open(encoding="utf-8") as file:
            noted = json.loads(file.read(NOTE_CHARACTERS))
        return {str(name): int(value) for name, value in noted.items()}
    except (OSError, ValueError, AttributeError, TypeError, OverflowError, RecursionError):
        return {}
