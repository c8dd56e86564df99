"""Karpathy's splits of COCO, Flickr8k and Flickr30k (Karpathy and Li 2015, arXiv:1412.2306): one JSON of
images with their sentences and their split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.importers.coco import near_jsons
from mmdemo.data.rows import Row, Skipped, attempt_several, read_field
from mmdemo.data.source import Source
from mmdemo.errors import ImportRowError, UserError
from mmdemo.store.splits import SPLIT_NAMES, split_names

HEAD = ('"images"', '"sentences"', '"raw"', '"filename"')  # in the beginning of such a JSON, in any order


class Karpathy:
    """One row a sentence."""

    name = "karpathy"
    about = "Karpathy's JSON of COCO, Flickr8k or Flickr30k"

    def recognise(self, source: Source) -> Recognition:
        """By a JSON that begins with images with a filename and sentences."""
        found = _tables(source)
        if not found:
            return NOT_MINE
        return Recognition(0.92, f"{found[0].name} has images with sentences and splits.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The sentences in their order, image after image.

        Raises:
            UserError: a file is no JSON, or another one.
        """
        number = 0
        for table in _tables(source):
            images = _images(source, table)
            splits = split_names({_split(image) for image in images})
            for image in images:
                made = partial(_row, source, table.parent, splits, image)
                for row in attempt_several(number + 1, _name(image), partial(_texts, image), made):
                    number += 1
                    yield row


def _tables(source: Source) -> list[Path]:
    return [f for f in near_jsons(source) if all(key in source.head(f) for key in HEAD)]


def _images(source: Source, path: Path) -> list[Any]:
    whole = source.require_json(path, "Get the file again.")
    images = whole.get("images") if isinstance(whole, dict) else None
    if not isinstance(images, list):
        raise UserError(f"{path.name} has no list of images.", "It needs images with filename and sentences.")
    return images


def _split(image: Any) -> str:
    return str(image.get("split") or "").strip().lower() if isinstance(image, dict) else ""


def _name(image: Any) -> str:
    return str(image.get("filename") or "") if isinstance(image, dict) else ""


def _texts(image: Any) -> list[Any]:
    if not isinstance(image, dict):
        raise ImportRowError("The image is no JSON object.")
    said = [s.get("raw") if isinstance(s, dict) else s for s in image.get("sentences") or []]
    return said or [""]


def _row(
    source: Source, folder: Path, splits: Mapping[str, str], image: Mapping[str, Any], number: int, text: Any
) -> Row:
    split = _split(image)
    if split and split not in splits and split not in SPLIT_NAMES:
        raise ImportRowError(f"The split {split!r} is neither train, validation nor held-out.")
    name, home = read_field(image.get("filename"), "filename"), read_field(image.get("filepath"), "filepath")
    file = source.find(f"{home}/{name}" if home and name else name, folder)
    return Row(number, file.name, file, text=read_field(text, "raw"), split=splits.get(split, ""))


IMPORTERS.add(Karpathy.name, Karpathy())
