"""The lists of CUB-200-2011 and NABirds: images.txt, image_class_labels.txt, classes.txt and
train_test_split.txt say file, class, name and side by the number of an image (Wah et al. 2011).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.importers.folders import NUMBER
from mmdemo.data.packed import packed_or_not, plain_name
from mmdemo.data.rows import Row, Skipped, attempt
from mmdemo.data.source import Source
from mmdemo.errors import ImportRowError
from mmdemo.media.regular_file import is_file, is_folder
from mmdemo.store.splits import HELD_OUT, TRAIN

IMAGES, LABELS, CLASSES, SPLIT = "images.txt", "image_class_labels.txt", "classes.txt", "train_test_split.txt"
SIDES = {"1": TRAIN, "0": HELD_OUT}


class Cub:
    """One row a line of images.txt."""

    name = "cub"
    about = "a folder with images.txt, image_class_labels.txt and classes.txt, as CUB-200-2011 has them"

    def recognise(self, source: Source) -> Recognition:
        """By the three lists beside each other."""
        if not self._folders(source):
            return NOT_MINE
        return Recognition(0.9, f"It has {IMAGES} beside {LABELS} and {CLASSES}.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The images in their order; one without a class comes without a text."""
        number = 0
        for folder in self._folders(source):
            lists = _Lists(source, folder)
            for image, name in lists.images.items():
                number += 1
                yield attempt(number, name, partial(lists.row, number, image, name))

    @staticmethod
    def _folders(source: Source) -> list[Path]:
        if not source.is_folder:
            return []
        named = [f.parent for f in source.files if plain_name(f).name == IMAGES]
        lists = (LABELS, CLASSES)
        return [folder for folder in named if all(is_file(packed_or_not(folder / one)) for one in lists)]


class _Lists:
    """The lists of a folder, by the numbers of images and classes."""

    def __init__(self, source: Source, folder: Path) -> None:
        self._source = source
        self._folder = folder / "images" if is_folder(folder / "images") else folder
        self.images = _read(source, folder / IMAGES)
        self._labels = _read(source, folder / LABELS)
        self._classes = _read(source, folder / CLASSES)
        self._sides = _read(source, folder / SPLIT) if is_file(packed_or_not(folder / SPLIT)) else {}
        self._is_numbered = all(NUMBER.match(name) for name in self._classes.values())

    def row(self, number: int, image: str, name: str) -> Row:
        """The row of an image.

        Raises:
            ImportRowError: its file is missing, or its class has no name.
        """
        label = self._labels.get(image, "")
        text = self._classes.get(label, "")
        if label and not text:
            raise ImportRowError(f"The class {label} of {name} is not in {CLASSES}.")
        text = NUMBER.sub("", text, count=1) if self._is_numbered else text
        file = self._source.find(name, self._folder)
        side = SIDES.get(self._sides.get(image, ""), "")
        return Row(number, file.name, file, text=text.replace("_", " ").strip(), split=side)


def _read(source: Source, path: Path) -> dict[str, str]:
    """What stands behind the first word of each line, by that word."""
    lines = (line.split(maxsplit=1) for line in source.read_text(packed_or_not(path)).split("\n"))
    return {words[0]: words[1].strip() for words in lines if len(words) == 2}


IMPORTERS.add(Cub.name, Cub())
