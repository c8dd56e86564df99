"""CVAT's XML for images, version 1.1: the labels of a picture's tags and shapes are its texts, or the
captions that stand in their attributes (https://docs.cvat.ai/docs/manual/advanced/xml_format/).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from mmdemo.data.columns import TEXT_COLUMNS, plain
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.packed import suffix_of
from mmdemo.data.rows import Row, Skipped, attempt
from mmdemo.data.side_names import folder_side
from mmdemo.data.source import Source
from mmdemo.data.xml_text import read_xml
from mmdemo.errors import UserError
from mmdemo.media.regular_file import is_folder
from mmdemo.store.splits import split_names

BEGINS = "<annotations"
DEEPEST = 2  # folders


class Cvat:
    """One row for each text of a picture; one without any comes without a text."""

    name = "cvat"
    about = "annotations of CVAT for images, in XML"

    def recognise(self, source: Source) -> Recognition:
        """By an XML of annotations with images."""
        found = _tables(source)
        return Recognition(0.9, f"{found[0].name} has annotations of CVAT.") if found else NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The texts, image after image.

        Raises:
            UserError: an XML cannot be read, or is that of a video.
        """
        number = 0
        for table in _tables(source):
            images = _images(source, table)
            splits = split_names({folder_side(image.get("subset", "")) for image in images})
            for image in images:
                for text in _texts(image) or [""]:
                    number += 1
                    made = partial(_row, source, table.parent, splits, number, image, text)
                    yield attempt(number, image.get("name", ""), made)


def _tables(source: Source) -> list[Path]:
    asked = source.files if source.is_folder else [source.path]
    near = [f for f in asked if suffix_of(f) == ".xml" and len(source.parts(f)) <= DEEPEST]
    return [f for f in near if BEGINS in (head := source.head(f)) and ("<image " in head or "<meta>" in head)]


def _images(source: Source, table: Path) -> list[Element]:
    try:
        root = read_xml(source.read_text(table))
    except UserError as e:
        raise UserError(f"{table.name} cannot be read. {e.what}", e.cure) from e
    images = root.findall("image")
    if not images and root.find("track") is not None:
        raise UserError(
            f"{table.name} has the tracks of things in a video, and no images.",
            "Export the task as CVAT for images.",
        )
    return images


def _texts(image: Element) -> list[str]:
    """The texts of the tags and shapes of an image, each once: a caption where one has it, else its label."""
    found = []
    for one in image:
        attributes = {
            plain(a.get("name", "")): " ".join((a.text or "").split()) for a in one.findall("attribute")
        }
        caption = next((attributes[c] for c in TEXT_COLUMNS if attributes.get(c)), "")
        found.append(caption or one.get("label", "").replace("_", " ").strip())
    return [text for text in dict.fromkeys(found) if text]


def _row(
    source: Source, folder: Path, splits: Mapping[str, str], number: int, image: Element, text: str
) -> Row:
    name, subset = image.get("name", ""), image.get("subset", "")
    home = folder / "images" if is_folder(folder / "images") else folder
    home = home / subset if subset and is_folder(home / subset) else home
    file = source.find(name, home)
    return Row(number, file.name, file, text=text, split=splits.get(folder_side(subset), ""))


IMPORTERS.add(Cvat.name, Cvat())
