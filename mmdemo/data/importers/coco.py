"""COCO captions: `images` and `annotations` with a `caption` each (Chen et al. 2015, arXiv:1504.00325), as
one JSON or as COCO's own folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mmdemo.data.coco_lists import coco_lists
from mmdemo.data.coco_outline import is_long, outline_of
from mmdemo.data.columns import said_in
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.packed import stem_of, suffix_of
from mmdemo.data.rows import Row, Skipped, attempt, read_field
from mmdemo.data.side_names import side_name_of
from mmdemo.data.source import ANNOTATIONS, Source
from mmdemo.errors import UserError
from mmdemo.media.regular_file import is_file, is_folder
from mmdemo.store.splits import split_names

WANTED = "It needs images with id and file_name, and annotations with image_id and caption."
OTHER_TABLES = re.compile(
    "instances|person_keypoints|panoptic|stuff", re.IGNORECASE
)  # COCO's, without captions


class CocoCaptions:
    """One row an annotation; the files lie beside the JSON or in a folder beside it."""

    name = "coco"
    about = "a COCO captions JSON, or COCO's folder with annotations/"

    def recognise(self, source: Source) -> Recognition:
        """By a JSON with images and annotations, which say captions."""
        found = _tables(source)
        if not found:
            return NOT_MINE
        return Recognition(0.9, f"{found[0].name} has images, and annotations with captions.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The annotations in their order, table after table.

        Raises:
            UserError: not JSON, or not COCO captions.
        """
        number, found = 0, _tables(source)
        names = {table: side_name_of(source, table) for table in found}
        sides = split_names(names.values())
        if not found:
            raise UserError(
                f"{source.path.name} is not COCO captions JSON.",
                WANTED,
            )
        for table in found:
            lists = coco_lists(source, table, partial(source.require_json, cure=WANTED))
            name_of = {str(image.get("id")): image for image in lists.images if isinstance(image, dict)}
            folder = folder_of(source, table)
            for annotation in lists.annotations():
                number += 1
                yield _row(source, number, annotation, name_of, folder, sides.get(names[table], ""))


def _tables(source: Source) -> list[Path]:
    """The JSON files of captions."""
    return [f for f in near_jsons(source) if not OTHER_TABLES.match(stem_of(f)) and _is_captions(source, f)]


def near_jsons(source: Source) -> list[Path]:
    """The JSON files that may be COCO's: above the pictures, beside them, and in annotations/."""
    if is_file(source.path):
        return [source.path] if suffix_of(source.path) == ".json" else []
    inside = [f for f in source.json_files if suffix_of(f) == ".json"]
    deepest = {f: 2 + (f.parent.name.lower() == ANNOTATIONS) for f in inside}
    return [f for f in inside if len(source.parts(f)) <= deepest[f]]


def begins_like_coco(source: Source, path: Path) -> bool:
    """Whether a JSON may be COCO's by how it begins, before it is read whole."""
    head = source.head(path)
    return any(f'"{key}"' in head for key in ("images", "annotations", "info", "licenses", "categories"))


def _is_captions(source: Source, path: Path) -> bool:
    if not begins_like_coco(source, path):
        return False
    if is_long(path):
        return outline_of(path).is_captions
    try:
        whole = source.read_json(path)
    except (ValueError, UserError):
        return False
    if not isinstance(whole, dict):
        return False
    images, annotations = whole.get("images"), whole.get("annotations")
    if not isinstance(images, list) or not isinstance(annotations, list):
        return False
    return any(isinstance(a, dict) and "caption" in a for a in annotations)


def folder_of(source: Source, table: Path) -> Path:
    """The folder of a table's pictures: val2017/ of captions_val2017.json, or where the table lies."""
    home = table.parent.parent if table.parent.name.lower() == ANNOTATIONS else table.parent
    home = home if home.is_relative_to(source.root) else source.root
    words = stem_of(table).split("_")
    named = [home / name for name in (words[-1], stem_of(table))]
    named += [home / parent / words[-1] for parent in ("images", "train", "val") if is_folder(home / parent)]
    return next((f for f in named if is_folder(f) and words[-1]), home)


def _row(
    source: Source, number: int, annotation: Any, images: Mapping[str, Any], folder: Path, split: str
) -> Row | Skipped:
    image = images.get(str(annotation.get("image_id"))) if isinstance(annotation, dict) else None
    if image is None or "caption" not in annotation:
        return Skipped(number, "The annotation has no caption, or no image of that id.")

    def made() -> Row:
        file = source.find(read_field(image.get("file_name"), "file_name"), folder)
        said = said_in(annotation)
        own = "text" if "source" in said else "caption"  # as mmdemo has it, the caption may be a correction
        text = read_field(annotation.get(own), own)
        return Row(number, file.name, file, **{"text": text, "split": split, **said})

    return attempt(number, str(image.get("file_name") or ""), made)


IMPORTERS.add(CocoCaptions.name, CocoCaptions())
