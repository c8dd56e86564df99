"""Folders of pictures or recordings: class trees, whose folder names are the texts, and plain ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.rows import Row, Skipped, read_text
from mmdemo.errors import UserError
from mmdemo.media.below import is_below
from mmdemo.media.listing import entries, files_below
from mmdemo.media.regular_file import is_file, is_folder
from mmdemo.modality import any_medium, is_medium
from mmdemo.store.splits import SPLIT_NAMES, split_names


def _visible(path: Path) -> list[Path]:
    return [f for f in entries(path) if not f.name.startswith(".")]


def _splits_in(path: Path) -> dict[Path, str]:
    """The folders directly below one that are named like splits, and which side each is."""
    named = {f: f.name.lower() for f in _visible(path) if is_folder(f) and f.name.lower() in SPLIT_NAMES}
    meaning = split_names(named.values())
    return {folder: meaning[name] for folder, name in named.items()}


class ClassTree:
    """ImageNet's way: one folder a class, perhaps below train and val; `tabby_cat/` reads "tabby cat"."""

    name = "classes"
    about = "a folder tree with one folder a class"
    order = 900

    def accepts(self, path: Path) -> bool:
        """A folder with pictures in its folders and none beside them."""
        if not is_folder(path) or any(is_medium(f) for f in entries(path) if is_file(f)):
            return False
        if any(is_medium(f) for folder in _splits_in(path) for f in entries(folder) if is_file(f)):
            return False  # the folder of a split is no class
        return any(is_medium(f) for folder, _ in self._classes(path) for f in entries(folder))

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """The pictures, class by class."""
        number = 0
        for folder, split in self._classes(path):
            for file in (f for f in _visible(folder) if is_file(f)):
                number += 1
                if not is_below(path, file):
                    yield Skipped(number, f"{file.name} lies outside the folder.", file.name)
                elif is_medium(file):
                    yield Row(number, file.name, file, text=folder.name.replace("_", " "), split=split)
                else:
                    yield Skipped(number, f"{file.name} is not named like {any_medium()}.", file.name)

    @staticmethod
    def _classes(path: Path) -> Iterator[tuple[Path, str]]:
        """The folders of classes, each with its split."""
        splits = _splits_in(path)
        for folder in (f for f in _visible(path) if is_folder(f)):
            below = [c for c in _visible(folder) if is_folder(c)] if folder in splits else [folder]
            yield from ((one, splits.get(folder, "")) for one in below)


class PictureFolder:
    """A folder of pictures, searched through to its last sub-folder, or one picture.

    A .txt file of the same name beside a picture is its text; folders called train, validation and test are
    splits.
    """

    name = "folder"
    about = "a folder of pictures, recordings or videos"
    order = 910

    def accepts(self, path: Path) -> bool:
        """Any folder, or a file named like a picture."""
        return is_folder(path) or (is_file(path) and is_medium(path))

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """The pictures in the order of their paths."""
        files = [path] if is_file(path) else sorted(files_below(path))
        splits = _splits_in(path) if is_folder(path) else {}
        root = path if is_folder(path) else path.parent
        number = 0
        for file in files:
            if file.suffix.lower() == ".txt" or file.name.startswith("."):
                continue
            number += 1
            if file != path and not is_below(root, file):  # what a person names may be a link
                yield Skipped(number, f"{file.name} lies outside the folder.", file.name)
                continue
            if not is_medium(file):
                yield Skipped(number, f"{file.name} is not named like {any_medium()}.", file.name)
                continue
            beside = file.with_suffix(".txt")
            try:
                text = read_text(beside).strip() if is_file(beside) and is_below(root, beside) else ""
            except UserError as e:
                yield Skipped(number, str(e), file.name)
                continue
            split = next((side for folder, side in splits.items() if file.is_relative_to(folder)), "")
            yield Row(number, file.name, file, text=text, split=split)


IMPORTERS.add(ClassTree.name, ClassTree())
IMPORTERS.add(PictureFolder.name, PictureFolder())
