"""The address by which people reach the page of a workspace, as the last page that was served noted it."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from mmdemo.errors import reason
from mmdemo.store.durable import replacing

log = logging.getLogger(__name__)
FILE = "page-address.txt"
ADDRESS = re.compile(r"https?://[^\s#]+")
LONGEST = 2000  # characters


def note_address(folder: Path, address: str) -> None:
    """Note it. Where the disk refuses, the page is served all the same, and the log says so."""
    try:
        with replacing(folder / FILE, lasting=False) as part:
            part.write_text(address, encoding="utf-8")
    except OSError as e:
        log.warning("Invitations made by `python -m mmdemo invite` lack the page's address: %s.", reason(e))


def noted_address(folder: Path) -> str:
    """The address; empty: no page was ever served, or what is noted is none."""
    try:
        with (folder / FILE).open(encoding="utf-8") as f:
            found = f.read(LONGEST)
    except (OSError, UnicodeError):
        return ""
    return found if ADDRESS.fullmatch(found) else ""
