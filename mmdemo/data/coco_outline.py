"""What a JSON of COCO's holds, by the lists in it and how its annotations begin: hundreds of megabytes of it
become gigabytes of objects, only to know whose they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from mmdemo.data.packed import PACKED, parts_of
from mmdemo.errors import UserError

SHORT = 100_000_000  # bytes of a JSON that is read whole to know it
USUAL_RATIO = 10  # to which annotations are packed
READ_AT_ONCE = 8_000_000  # bytes
KEY_LENGTH = 1000  # bytes that a key and what stands between it and its list have at most
BEGINNING = (
    1_000_000  # bytes of the annotations: the outline of a thing may be long, and stands before the rest
)
LISTS = {
    name: re.compile(rb'(?<!\\)"%b"\s*:\s*\[' % name.encode())
    for name in ("images", "annotations", "categories")
}
CAPTION, CATEGORY = re.compile(rb'(?<!\\)"caption"\s*:'), re.compile(rb'(?<!\\)"category_id"\s*:')


@dataclass(frozen=True)
class Outline:
    """Which lists a JSON has, and what its first annotations say."""

    lists: frozenset[str] = frozenset()
    beginning: bytes = b""

    @property
    def is_captions(self) -> bool:
        """Whether it has captions of images."""
        return {"images", "annotations"} <= self.lists and CAPTION.search(self.beginning) is not None

    @property
    def is_instances(self) -> bool:
        """Whether it has things of categories in images."""
        return self.lists == set(LISTS) and not self.is_captions and bool(CATEGORY.search(self.beginning))


def is_long(path: Path) -> bool:
    """Whether a JSON is known by its outline."""
    size = path.stat().st_size * (USUAL_RATIO if path.suffix.lower() in PACKED else 1)
    return size > SHORT


def outline_of(path: Path) -> Outline:
    """The outline of a JSON, of which some megabytes are in memory at a time; of what cannot be read none."""
    lists: set[str] = set()
    beginning = tail = b""
    try:
        for part in parts_of(path, READ_AT_ONCE):
            if "annotations" in lists:
                beginning += part[: BEGINNING - len(beginning)]
            whole = tail + part
            for name in LISTS.keys() - lists:
                if found := LISTS[name].search(whole):
                    lists.add(name)
                    if name == "annotations":
                        beginning = whole[found.end() : found.end() + BEGINNING]
            if len(lists) == len(LISTS) and len(beginning) >= BEGINNING:
                break
            tail = whole[-KEY_LENGTH:]
    except (UserError, OSError):
        return Outline()
    return Outline(frozenset(lists), beginning)
