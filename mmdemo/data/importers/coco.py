"""COCO captions JSON: `images` and `annotations` with a `caption` each (Chen et al. 2015,
arXiv:1504.00325).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.rows import Row, Skipped, file_inside, parse_json, read_field, read_text, read_verdict
from mmdemo.errors import ImportRowError, UserError
from mmdemo.media.listing import entries
from mmdemo.media.regular_file import is_file, is_folder


class CocoCaptions:
    """One row an annotation; the files lie beside the JSON or in a folder beside it."""

    name = "coco"
    about = "a COCO captions JSON"
    order = 300

    def accepts(self, path: Path) -> bool:
        """A .json file."""
        return path.suffix.lower() == ".json"

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """The annotations in their order.

        Raises:
            UserError: not JSON, or not COCO captions.
        """
        if not is_file(path):
            raise UserError(f"{path} does not exist.", "Check the path.")
        try:
            table: Any = parse_json(read_text(path))
            name_of = {image["id"]: read_field(image["file_name"], "file_name") for image in table["images"]}
            annotations = list(table["annotations"])
        except (ValueError, KeyError, TypeError, ImportRowError) as e:
            raise UserError(
                f"{path.name} is not COCO captions JSON.",
                "It needs images with id and file_name, and annotations with image_id and caption.",
            ) from e
        folders = [path.parent, *filter(is_folder, entries(path.parent))]
        if path.parent.name == "annotations":
            folders += [path.parent.parent, *filter(is_folder, entries(path.parent.parent))]
        for number, annotation in enumerate(annotations, 1):
            try:
                name = name_of[annotation["image_id"]]
                text = annotation["caption"]
            except (KeyError, TypeError):
                yield Skipped(number, "The annotation has no caption, or no image of that id.")
                continue
            try:
                file = next(f for f in (_find(folder, name) for folder in folders) if f is not None)
            except StopIteration:
                yield Skipped(number, f"{name} is missing.", name)
                continue
            try:
                text = read_field(text, "caption")
                verdict = read_verdict(annotation.get("verdict"))
                who = read_field(annotation.get("annotator"), "annotator", int)
            except ImportRowError as e:
                yield Skipped(number, str(e), name)
                continue
            yield Row(number, file.name, file, text=text, verdict=verdict, annotator=who)


def _find(folder: Path, name: str) -> Path | None:
    try:
        return file_inside(folder, name)
    except ImportRowError:
        return None


IMPORTERS.add(CocoCaptions.name, CocoCaptions())
