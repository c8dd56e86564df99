"""COCO's instances, as Roboflow writes them too: the categories of a picture are its texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from sys import intern
from typing import Any

from mmdemo.data.coco_lists import CocoLists, coco_lists
from mmdemo.data.coco_outline import is_long, outline_of
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.importers.coco import begins_like_coco, folder_of, near_jsons
from mmdemo.data.packed import stem_of
from mmdemo.data.rows import Row, Skipped, attempt_several, read_field
from mmdemo.data.side_names import side_name_of
from mmdemo.data.source import Source
from mmdemo.errors import ImportRowError, UserError
from mmdemo.media.regular_file import is_file
from mmdemo.store.splits import split_names

INSTANCES = "instances"  # what COCO calls them


class CocoCategories:
    """One row for each category of a picture, however many things of it there are; one without things comes
    without a text.
    """

    name = "coco-categories"
    about = "a COCO instances JSON, whose texts are the categories of each picture"

    def recognise(self, source: Source) -> Recognition:
        """By a JSON with images, annotations and categories."""
        found = _tables(source)
        if not found:
            return NOT_MINE
        told = f"{found[0].name} has images with things, and their categories."
        return Recognition(0.86 if is_file(source.path) else 0.8, told)

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The pictures in their order, table after table.

        Raises:
            UserError: a table is no JSON, or not COCO's.
        """
        tables = _tables(source)
        names = {table: side_name_of(source, table) for table in tables}
        sides = split_names(names.values())
        number = 0
        for table in tables:
            lists = coco_lists(source, table, partial(_whole, source))
            categories = _categories(lists)
            seen = _seen(lists)
            made = partial(_row, source, folder_of(source, table), sides.get(names[table], ""))
            for image in lists.images:
                said = partial(_texts, image, seen, categories)
                for row in attempt_several(number + 1, _name(image), said, partial(made, image)):
                    number += 1
                    yield row


def _tables(source: Source) -> list[Path]:
    return [f for f in near_jsons(source) if _is_instances(source, f)]


def _is_instances(source: Source, path: Path) -> bool:
    if not begins_like_coco(source, path):
        return False
    if stem_of(path).lower().startswith(INSTANCES):
        return True
    if is_long(path):
        return outline_of(path).is_instances
    try:
        _whole(source, path)
    except UserError:
        return False
    return True


def _whole(source: Source, path: Path) -> Mapping[str, Any]:
    wanted = (
        "It needs images with id and file_name, annotations with image_id and category_id, and categories."
    )
    whole = source.require_json(path, wanted)
    keys = ("images", "annotations", "categories")
    if not isinstance(whole, dict) or not all(isinstance(whole.get(key), list) for key in keys):
        raise UserError(f"{path.name} is not COCO's JSON of instances.", wanted)
    if not whole["categories"] or any(
        "caption" in a for a in whole["annotations"][:20] if isinstance(a, dict)
    ):
        raise UserError(f"{path.name} is not COCO's JSON of instances.", wanted)
    return whole


def _categories(lists: CocoLists) -> dict[str, str]:
    """The names of categories by their ids."""
    known = (one for one in lists.categories if isinstance(one, dict))
    return {str(one.get("id")): str(one.get("name") or "").replace("_", " ").strip() for one in known}


def _seen(lists: CocoLists) -> dict[str, dict[str, None]]:
    """The ids of the categories of each picture, in the order of their annotations."""
    seen: dict[str, dict[str, None]] = {}
    for one in lists.annotations():
        if isinstance(one, dict) and "category_id" in one:  # a few categories stand in millions of things
            seen.setdefault(str(one.get("image_id")), {})[intern(str(one["category_id"]))] = None
    return seen


def _name(image: Any) -> str:
    return str(image.get("file_name") or "") if isinstance(image, dict) else ""


def _texts(image: Any, seen: Mapping[str, Mapping[str, None]], categories: Mapping[str, str]) -> list[str]:
    if not isinstance(image, dict):
        raise ImportRowError("The image is no JSON object.")
    own = seen.get(str(image.get("id")), {})
    if unknown := next((one for one in own if not categories.get(one)), ""):
        raise ImportRowError(f"The category {unknown} of {_name(image)} has no name.")
    return [categories[one] for one in own] or [""]


def _row(source: Source, folder: Path, split: str, image: Mapping[str, Any], number: int, text: str) -> Row:
    file = source.find(read_field(image.get("file_name"), "file_name"), folder)
    return Row(number, file.name, file, text=text, split=split)


IMPORTERS.add(CocoCategories.name, CocoCategories())
