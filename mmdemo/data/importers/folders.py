"""Folders of media without a table: class trees, whose folder names are the texts, media with a text file
beside each, and plain ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdemo.data.columns import TEXT_COLUMNS
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.rows import Row, Skipped, read_field
from mmdemo.data.source import Source, exact_name, same_name
from mmdemo.errors import ImportRowError
from mmdemo.media.regular_file import is_file
from mmdemo.modality import is_medium
from mmdemo.store.splits import SPLIT_NAMES, split_names

TEXTS = (
    ".txt",
    ".caption",
    ".lab",
    ".cls",
    ".json",
)  # beside a medium; of several the first that says a text
# Folders that say what lies in them and not what it shows.
PLAIN_FOLDERS = frozenset(
    (
        *("image", "images", "img", "imgs", "picture", "pictures", "photo", "photos", "jpg", "jpeg", "png"),
        *("audio", "wav", "wavs", "sound", "sounds", "clip", "clips", "recording", "recordings"),
        *("video", "videos", "mp4", "frames", "data", "dataset", "files", "media", "raw", "all", "samples"),
    )
)


def class_of(source: Source, file: Path) -> str:
    """The class of a file: the last of its folders that is called like one, as "tabby cat" for tabby_cat/."""
    for part in reversed(source.parts(file)):
        name = part.lower()
        if name in SPLIT_NAMES or name in PLAIN_FOLDERS or not re.search(r"[^\W\d_]", part):
            continue
        return part.replace("_", " ")
    return ""


class Sides:
    """Which split each file of a folder is of, by the folders that it lies in."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._meaning = split_names({self.name(file) for file in source.media})

    def name(self, file: Path) -> str:
        """The name of the split; empty where none of its folders is called like one."""
        return next((p.lower() for p in self._source.parts(file) if p.lower() in SPLIT_NAMES), "")

    def of(self, file: Path) -> str:
        """The side."""
        return self._meaning.get(self.name(file), "")


def beside(file: Path, suffixes: tuple[str, ...], among: dict[str, Path]) -> list[Path]:
    """The files of one of those suffixes with a medium's name, in the order of the suffixes: a.txt and
    a.jpg.txt beside a.jpg.

    Args:
        file: the medium.
        suffixes: of the others.
        among: the files of its folder, as `by_folder` has them.
    """
    found = []
    for suffix in suffixes:
        for name in (f"{file.stem}{suffix}", f"{file.name}{suffix}"):
            path = among.get(exact_name(name)) or among.get(same_name(name))
            if path is not None:
                found.append(path)
    return found


def by_folder(source: Source) -> dict[Path, dict[str, Path]]:
    """The files of each folder of a source by their names, and by those as they are compared."""
    files = source.files if source.is_folder else [f for f in source.path.parent.iterdir() if is_file(f)]
    folders: dict[Path, dict[str, Path]] = {}
    for file in filter(source.is_inside, files):
        named = folders.setdefault(file.parent, {})
        named[exact_name(file.name)] = file
        named.setdefault(same_name(file.name), file)
    return folders


def text_in(source: Source, path: Path) -> str:
    """What a text file beside a medium says; of a JSON its first field that holds a text."""
    if path.suffix.lower() != ".json":
        return source.read_text(path).strip()
    try:
        said: Any = json.loads(source.read_text(path))
    except (ValueError, RecursionError) as e:
        raise ImportRowError(f"{path.name} is no JSON that can be read.") from e
    fields = {str(k).lower(): v for k, v in said.items()} if isinstance(said, dict) else {}
    return next((read_field(fields[c], c) for c in TEXT_COLUMNS if isinstance(fields.get(c), str)), "")


class CaptionFiles:
    """Media with a text file of the same name beside each, at any depth, as kohya's tools and img2dataset
    write them and as WebDataset's shards unpack.
    """

    name = "captions"
    about = "a folder of files with a .txt file of the same name beside each"

    def recognise(self, source: Source) -> Recognition:
        """By how many of the media have one."""
        folders = by_folder(source) if source.media else {}
        texts = [bool(beside(f, TEXTS[:-1], folders[f.parent])) for f in source.media]
        if not any(texts):
            texts = [
                any(text_in(source, t) for t in beside(f, TEXTS[-1:], folders[f.parent]))
                for f in source.media[:5]
            ]
        if not any(texts):
            return NOT_MINE
        share = sum(texts) / len(texts)
        what = "All files" if share == 1 else f"{sum(texts)} of {len(texts)} files"
        return Recognition(0.5 + 0.2 * share, f"{what} have a text file of the same name beside them.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The media in the order of their paths; one without such a file comes without a text."""
        yield from _media(source)


class ClassTree:
    """ImageNet's way: one folder a class, at any depth, perhaps in train and val."""

    name = "classes"
    about = "a folder tree with one folder a class"

    def recognise(self, source: Source) -> Recognition:
        """Folders with media in them that are called neither like splits nor like what lies in them."""
        if not source.is_folder or not source.media:
            return NOT_MINE
        classes = {class_of(source, file) for file in source.media}
        beside = any(not source.parts(file) for file in source.media)
        if classes == {""}:
            return NOT_MINE
        named = sorted(classes - {""})
        why = f"Files lie in folders such as {', '.join(named[:3])}."
        return Recognition(0.1 if beside or "" in classes else 0.4, why)

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The media in the order of their paths."""
        sides = Sides(source)
        for number, file in enumerate(source.files, 1):
            yield source.file_row(
                number,
                file,
                lambda file=file: {"text": class_of(source, file), "split": sides.of(file)},  # type: ignore[misc]
            )


class PictureFolder:
    """A folder of media, searched through to its last sub-folder, or one medium.

    Folders called train, validation and test are splits; a .txt file of the same name beside one is its text.
    """

    name = "folder"
    about = "a folder of pictures, recordings or videos"

    def recognise(self, source: Source) -> Recognition:
        """Any folder, or a file named like a medium."""
        if source.is_folder:
            return Recognition(0.2, f"It is a folder with {len(source.media)} files.")
        return (
            Recognition(0.2, "It is one file.")
            if is_file(source.path) and is_medium(source.path)
            else NOT_MINE
        )

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The media in the order of their paths, and what else lies there with the reason why it stays."""
        yield from _media(source)


def _media(source: Source) -> Iterator[Row | Skipped]:
    sides, folders = Sides(source), by_folder(source)
    texts = {f: beside(f, TEXTS, folders.get(f.parent, {})) for f in source.media}
    read = {path for paths in texts.values() for path in paths}
    number = 0
    for file in source.files:
        if file in read:
            continue
        number += 1

        def facts(file: Path = file) -> dict[str, Any]:
            found = (text_in(source, path) for path in texts[file])
            return {"text": next((text for text in found if text), ""), "split": sides.of(file)}

        yield source.file_row(number, file, facts)


IMPORTERS.add(CaptionFiles.name, CaptionFiles())
IMPORTERS.add(ClassTree.name, ClassTree())
IMPORTERS.add(PictureFolder.name, PictureFolder())
