"""The lists of a JSON of COCO's. A long one is read as a stream, several times: of its images two fields are
kept, and of its annotations one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ijson

from mmdemo.data.coco_outline import READ_AT_ONCE, is_long
from mmdemo.data.packed import parts_of
from mmdemo.data.source import Source

KEPT = ("id", "file_name")  # of an image
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class CocoLists:
    """What a JSON of COCO's has; `annotations` begins them anew each time."""

    images: list[Any]
    categories: list[Any]
    annotations: Callable[[], Iterator[Any]]


def coco_lists(source: Source, path: Path, read_whole: Callable[[Path], Any]) -> CocoLists:
    """The lists of a JSON that is COCO's.

    Args:
        source: it lies in.
        path: the JSON.
        read_whole: reads it, where it is short or no UTF-8 or holds what only Python reads, as NaN.

    Raises:
        ValueError, UserError: as `read_whole`.
    """
    if is_long(path) and source.is_inside(path):
        try:
            images = [_slim(image) for image in _items(path, "images")]  # and it is JSON to its end
            categories = list(_items(path, "categories"))
            return CocoLists(images, categories, lambda: _items(path, "annotations"))
        except (ijson.JSONError, UnicodeDecodeError):
            pass  # it may be JSON all the same, or its fault is told as of any other
    whole = read_whole(path)
    annotations = whole["annotations"]
    return CocoLists(whole["images"], whole.get("categories", []), lambda: iter(annotations))


def _slim(image: Any) -> Any:
    return {name: image[name] for name in KEPT if name in image} if isinstance(image, dict) else image


def _items(path: Path, name: str) -> Iterator[Any]:
    return iter(ijson.items(ijson.from_iter(_bytes(path)), f"{name}.item", use_float=True))


def _bytes(path: Path) -> Iterator[bytes]:
    for at, part in enumerate(parts_of(path, READ_AT_ONCE)):
        yield part.removeprefix(BOM) if at == 0 else part
