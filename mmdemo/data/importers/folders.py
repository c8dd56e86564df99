"""Folders of media without a table: class trees, whose folder names are the texts, media with a text file
beside each, and plain ones.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from mmdemo.data.columns import TEXT_COLUMNS
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.packed import suffix_of
from mmdemo.data.rows import Row, Skipped, read_field
from mmdemo.data.side_names import Sides, folder_side
from mmdemo.data.source import Source, exact_name, same_name
from mmdemo.data.tables import PACKS_ITSELF, is_table, lines_of
from mmdemo.data.timed_texts import is_labels
from mmdemo.errors import ImportRowError, UserError
from mmdemo.media.regular_file import is_file
from mmdemo.modality import is_medium

# Beside a medium; of several the first that says a text. The first two are LibriTTS's.
TEXTS = (".normalized.txt", ".original.txt", ".txt", ".caption", ".lab", ".cls", ".json")
BOXES = re.compile(r"\d+(\s+-?[\d.]+(e-?\d+)?){4,}\s*")  # a line of where things are, as YOLO has them
MICROPHONE = re.compile(r"_mic\d$")  # of VCTK's recordings, of which one text is the text of both
LOOKED_AT = 20  # text files by which captions are known
NUMBER = re.compile(r"\d{1,4}[._ -]+(?=\D)")  # before the name of a class: 001.Black_footed_Albatross, 30_cat
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
    return _class_folder(source, file).replace("_", " ").strip()


def _class_folder(source: Source, file: Path) -> str:
    for part in reversed(source.parts(file)):
        name = part.lower()
        if not folder_side(part) and name not in PLAIN_FOLDERS and re.search(r"[^\W\d_]", part):
            return part
    return ""


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


class Companions:
    """The files of some suffixes that belong to media: beside them, or in a folder of their own that lies
    beside that of the media, as wav48/p225/p225_001.wav and txt/p225/p225_001.txt of VCTK.
    """

    def __init__(self, source: Source, suffixes: tuple[str, ...]) -> None:
        self._source, self._suffixes = source, suffixes
        self._folders = by_folder(source)
        # Of a hundred thousand pictures none may have one: that is known without looking beside each.
        self._are_some = any(f.name.lower().endswith(suffixes) for f in source.files)

    def of(self, file: Path) -> list[Path]:
        """Those of a medium, in the order of the suffixes."""
        if not self._are_some:
            return []
        return beside(file, self._suffixes, self._folders.get(file.parent, {})) or self._apart(file)

    def _apart(self, file: Path) -> list[Path]:
        if not self._by_stem:
            return []
        keys = {same_name(file.stem), same_name(MICROPHONE.sub("", file.stem))}
        parts = self._source.parts(file)
        found = [p for k in keys for p in self._by_stem.get(k, ()) if _is_near(self._source.parts(p), parts)]
        return found if len(found) == 1 else []

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        """The files of those suffixes in folders without media."""
        source = self._source
        if not source.is_folder:
            return {}
        taken = {f.parent for f in source.media}
        named: dict[str, list[Path]] = {}
        for path in source.files:
            if path.parent not in taken and path.suffix.lower() in self._suffixes and source.is_inside(path):
                named.setdefault(same_name(path.stem), []).append(path)
        return named


def _is_near(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two folders are the same but for one part of their paths."""
    if len(one) == len(other):
        return sum(a != b for a, b in zip(one, other, strict=True)) <= 1
    short, long = sorted((one, other), key=len)
    return len(long) == len(short) + 1 and any(long[:i] + long[i + 1 :] == short for i in range(len(long)))


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
        text = source.read_text(path).strip()
        if text and all(BOXES.fullmatch(line.strip()) for line in text.split("\n") if line.strip()):
            source.note("Text files that hold places of things in numbers are no texts of their pictures.")
            return ""
        if text and is_labels(text):
            source.note("Text files that hold labels with times, as Audacity's, are read as subtitles only.")
            return ""
        return text
    try:
        said: Any = json.loads(source.read_text(path))
    except (ValueError, RecursionError) as e:
        raise ImportRowError(f"{path.name} is no JSON that can be read.") from e
    fields = {str(k).lower(): v for k, v in said.items()} if isinstance(said, dict) else {}
    said = (read_field(fields[c], c) for c in TEXT_COLUMNS if isinstance(fields.get(c), str))
    return next((text for text in said if text and not is_medium(Path(text[-300:]))), "")


class CaptionFiles:
    """Media with a text file of the same name beside each, at any depth, as kohya's tools and img2dataset
    write them and as WebDataset's shards unpack.
    """

    name = "captions"
    about = "a folder of files with a .txt file of the same name beside each"

    def recognise(self, source: Source) -> Recognition:
        """By how many of the media have one."""
        if not source.media:
            return NOT_MINE
        plain = Companions(source, TEXTS[:-1])
        found = [plain.of(f) for f in source.media]
        texts = [bool(paths) for paths in found]
        if not any(texts):
            told = Companions(source, TEXTS[-1:])
            found = [told.of(f) for f in source.media[:LOOKED_AT]]
            texts = [any(text_in(source, path) for path in paths) for paths in found]
        looked_at = [path for paths in found for path in paths][:LOOKED_AT]
        if not any(text_in(source, path) for path in looked_at):
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
        if len(named) == 1 and any(not is_medium(f) and not class_of(source, f) for f in source.files):
            return Recognition(0.18, why)  # one folder beside other files only holds what they are about
        return Recognition(0.1 if beside or "" in classes else 0.4, why)

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The media in the order of their paths."""
        sides = Sides(source)
        own = {_class_folder(source, f) for f in source.media} - {""}
        numbered = bool(own) and all(NUMBER.match(name) for name in own)
        lists = set(sides.lists)
        files = [f for f in source.files if f not in lists]

        def facts(file: Path) -> dict[str, Any]:
            name = class_of(source, file)
            return {"text": NUMBER.sub("", name, count=1) if numbered else name, "split": sides.of(file)}

        for number, file in enumerate(files, 1):
            yield _file_row(source, number, file, partial(facts, file))


class PictureFolder:
    """A folder of media, searched through to its last sub-folder, or one medium.

    Folders called train, validation and test are splits; a .txt file of the same name beside one is its text.
    """

    name = "folder"
    about = "a folder of pictures, recordings or videos"

    def recognise(self, source: Source) -> Recognition:
        """Any folder, or a file named like a medium."""
        if source.is_folder:
            return Recognition(
                0.2, f"It is a folder with {len(source.media)} file{'s' * (len(source.media) != 1)}."
            )
        return (
            Recognition(0.2, "It is one file.")
            if is_file(source.path) and is_medium(source.path)
            else NOT_MINE
        )

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The media in the order of their paths, and what else lies there with the reason why it stays."""
        yield from _media(source)


def _media(source: Source) -> Iterator[Row | Skipped]:
    sides, companions = Sides(source), Companions(source, TEXTS)
    texts = {f: companions.of(f) for f in source.media}
    read = {*sides.lists, *(path for paths in texts.values() for path in paths)}
    number = 0
    for file in source.files:
        if file in read:
            continue
        number += 1

        def facts(file: Path = file) -> dict[str, Any]:
            found = (text_in(source, path) for path in texts[file])
            return {"text": next((text for text in found if text), ""), "split": sides.of(file)}

        yield _file_row(source, number, file, facts)


def _file_row(source: Source, number: int, file: Path, facts: Callable[[], dict[str, Any]]) -> Row | Skipped:
    """The row of a file, or why there is none; of a table that cannot be read, what is wrong with it."""
    row = source.file_row(number, file, facts)
    if (
        isinstance(row, Skipped)
        and is_table(file)
        and suffix_of(file) in PACKS_ITSELF
        and source.is_inside(file)
    ):
        try:
            next(lines_of(source, file), None)
        except UserError as e:
            return Skipped(number, str(e), file.name)
    return row


IMPORTERS.add(CaptionFiles.name, CaptionFiles())
IMPORTERS.add(ClassTree.name, ClassTree())
IMPORTERS.add(PictureFolder.name, PictureFolder())
