"""The side that the name of a file or folder says, as train/, captions_val2017.json, test-00000.parquet, or
a list of the files of a side, as testing_list.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

from mmdemo.data.packed import stem_of, suffix_of
from mmdemo.data.source import Source
from mmdemo.errors import ImportRowError, UserError
from mmdemo.media.listing import entries
from mmdemo.media.regular_file import is_folder
from mmdemo.modality import is_medium
from mmdemo.store.splits import HELD_OUT_NAMES, SPLIT_NAMES, TRAIN, split_names

# Words beside a side in a folder's name.
OF_SIDES = frozenset(
    ("set", "seg", "split", "data", "images", "image", "img", "imgs", "pictures", "coco", "ilsvrc")
)
YEAR = re.compile(r"(?<=[a-z])(19|20)\d\d$")  # of COCO's and ImageNet's folders: val2014
MOST_LISTS = 12  # of the files of a side
MOST_LISTED = 200_000  # bytes by which a list is known


def side_word(name: str) -> str:
    """The name of a split among the words of a name; empty where there is none, or there are several."""
    whole = name.lower()
    if whole in SPLIT_NAMES:
        return whole
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)  # trainImages
    words = {word for word in re.split(r"[^a-z]+", parted.lower()) if word in SPLIT_NAMES}
    return words.pop() if len(words) == 1 else ""


def side_name_of(source: Source, file: Path) -> str:
    """The name of a split that a table's folders or its own name say; empty where they say none."""
    return _of_folders(source.parts(file)) or side_word(stem_of(file))


def folder_side(name: str) -> str:
    """The name of a split that a folder is called by, as test/, training_set/ or val2014/; else empty."""
    parted = [YEAR.sub("", word) for word in re.split(r"[\s_-]+", name.lower())]
    words = [word for word in parted if word not in OF_SIDES]
    whole = name.lower()
    return whole if whole in SPLIT_NAMES else words[0] if len(words) == 1 and words[0] in SPLIT_NAMES else ""


def _of_folders(parts: Iterable[str]) -> str:
    return next(filter(None, map(folder_side, parts)), "")


class Sides:
    """Which split each file of a source is of, by the folders that it lies in or the lists that name it."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of the splits that there are."""
        if self._source.is_folder:
            return frozenset(map(self.name, self._source.media))
        inside = (p.name.lower() for p in entries(self._source.root) if is_folder(p))
        return frozenset(name for name in inside if name in SPLIT_NAMES)

    def name(self, file: Path) -> str:
        """The name of the split; empty where nothing says one."""
        return _of_folders(self._source.parts(file)) or self._listed.get(file, self._rest)

    def of(self, file: Path) -> str:
        """The side."""
        return self._meaning.get(self.name(file), "")

    @cached_property
    def _meaning(self) -> Mapping[str, str]:
        return split_names(self.names)

    @cached_property
    def _rest(self) -> str:
        """The split of what no list names: train, where lists hold files out and none is of that."""
        names = set(self._listed.values())
        return (
            TRAIN if names & set(HELD_OUT_NAMES) and not any(SPLIT_NAMES[n] == TRAIN for n in names) else ""
        )

    @cached_property
    def lists(self) -> list[Path]:
        """The lists of files of a side, which have no texts."""
        return sorted({path for path, _ in self._lists.values()})

    @cached_property
    def _listed(self) -> dict[Path, str]:
        return {file: name for file, (_, name) in self._lists.items()}

    @cached_property
    def _lists(self) -> dict[Path, tuple[Path, str]]:
        source = self._source
        named = [f for f in source.top_files if suffix_of(f) == ".txt" and side_word(stem_of(f))]
        found: dict[Path, tuple[Path, str]] = {}
        for path in named[:MOST_LISTS] if source.is_folder else []:
            try:
                if path.stat().st_size > MOST_LISTED * 100:
                    continue
                lines = [line.strip() for line in source.read_text(path).split("\n") if line.strip()]
            except (UserError, OSError):
                continue
            if not lines or any(len(line.split()) > 1 for line in lines[:20]):
                continue
            for line in lines:
                try:
                    file = source.find(line, lasting=False)
                except ImportRowError:
                    continue
                if is_medium(file):
                    found[file] = path, side_word(stem_of(path))
        return found
