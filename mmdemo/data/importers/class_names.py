"""Class folders that are called by codes, as ImageNet's n01440764, with a file of their names:
synset_words.txt, LOC_synset_mapping.txt, imagenet_class_index.json, cat_to_name.json and such.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.packed import plain_name, stem_of, suffix_of
from mmdemo.data.rows import Row, Skipped
from mmdemo.data.side_names import Sides
from mmdemo.data.source import Source, same_name
from mmdemo.errors import UserError

NAMES = re.compile(r"synset|words|class|label|cat|name|mapping", re.IGNORECASE)  # what such files are called
LINE = re.compile(r"\s*[\"']?([\w.-]{1,60})[\"']?(?:\s*[:=,;]\s*|\s+)(\S.*)")  # a code, and what it is called
WNID = re.compile(r"n\d{8}(?=$|_)")  # of WordNet, which files of ImageNet begin with
SOLUTIONS = re.compile(r"LOC_\w+_solution\.csv|val_annotations\.txt", re.IGNORECASE)  # the codes of files
LONG = 20_000_000  # bytes: of WordNet's 82,000 names it is 3 million
MOST_LISTS = 20  # files that are looked at
DEEPEST = 2  # folders in which one lies
LEAST = 0.5  # of the media must have a code


class ClassNames:
    """One row a file, whose text is the first name of its folder's code; where two codes share that, all
    names of it.
    """

    name = "class-names"
    about = "class folders that are called by codes such as n01440764, with a file of their names"

    def recognise(self, source: Source) -> Recognition:
        """By a list that has a name for the folders of most files."""
        if not source.is_folder or not source.media:
            return NOT_MINE
        table, codes = _named(source)
        if table is None:
            return NOT_MINE
        return Recognition(0.86, f"{table.name} has names of {len(set(codes.values()))} folders.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The files in the order of their paths; one without a code comes without a text."""
        table, codes = _named(source)
        if table is None:
            raise UserError(f"{source.path.name} has no list of the names of its folders.", "Add one.")
        names = _plain(_read(source, table), set(codes.values()))
        sides = Sides(source)
        read = {table, *_solutions(source), *sides.lists}

        def facts(file: Path) -> dict[str, Any]:
            return {"text": names.get(codes.get(file, ""), ""), "split": sides.of(file)}

        for number, file in enumerate((f for f in source.files if f not in read), 1):
            yield source.file_row(number, file, partial(facts, file))


def _named(source: Source) -> tuple[Path | None, dict[Path, str]]:
    """The list that has names for most media, and the code of each medium that has one there."""
    solved = {name: code for path in _solutions(source) for name, code in _solution(source, path)}
    lists = [
        f for f in source.files if suffix_of(f) in (".txt", ".json", ".csv", ".tsv") and _may_be(source, f)
    ]
    for path in lists[:MOST_LISTS]:
        names = _read(source, path)
        codes = {f: code for f in source.media if (code := _code(source, f, names, solved))}
        if names and len(codes) >= LEAST * len(source.media):
            return path, codes
    return None, {}


def _may_be(source: Source, path: Path) -> bool:
    is_near = len(source.parts(path)) <= DEEPEST and NAMES.search(stem_of(path)) is not None
    return is_near and path.stat().st_size < LONG


def _code(source: Source, file: Path, names: Mapping[str, str], solved: Mapping[str, str]) -> str:
    """The code of a file: the last of its folders that is one, what its name begins with, or what a solution
    says of it.
    """
    for part in reversed(source.parts(file)):
        if part in names:
            return part
    begins = WNID.match(file.name)
    found = begins[0] if begins else solved.get(same_name(file.stem), "")
    return found if found in names else ""


def _read(source: Source, path: Path) -> dict[str, str]:
    """What a list calls its codes; nothing where it is none."""
    try:
        if suffix_of(path) == ".json":
            return dict(_of_json(source.read_json(path)))
        found = (LINE.fullmatch(line.strip().rstrip(",")) for line in source.read_text(path).split("\n"))
    except (UserError, ValueError):
        return {}
    said = {match[1]: match[2].strip().strip("\"'") for match in found if match}
    return {
        code: name for code, name in said.items() if re.search(r"[^\W\d_]", name) and not WNID.match(name)
    }


def _of_json(whole: Any) -> Iterator[tuple[str, str]]:
    for code, name in whole.items() if isinstance(whole, dict) else ():
        if isinstance(name, str):
            yield code, name
        elif isinstance(name, list) and len(name) == 2 and all(isinstance(one, str) for one in name):
            yield name[0], name[1]  # Keras' index, from numbers to code and name


def _plain(names: Mapping[str, str], used: set[str]) -> dict[str, str]:
    """The texts of the codes in use: the first of their names, unless two share it."""
    first = {code: names[code].partition(",")[0].replace("_", " ").strip() for code in used}
    shared = {name for name, count in Counter(first.values()).items() if count > 1}
    return {code: names[code].replace("_", " ") if name in shared else name for code, name in first.items()}


def _solutions(source: Source) -> list[Path]:
    return [f for f in source.files if SOLUTIONS.fullmatch(plain_name(f).name)]


def _solution(source: Source, path: Path) -> Iterator[tuple[str, str]]:
    """The codes of files by their names without suffixes, as Kaggle's tables and Tiny ImageNet have them."""
    for line in source.read_text(path).split("\n"):
        words = re.split(r"[,\t ]+", line.strip())
        if len(words) > 1 and WNID.fullmatch(words[1]):
            yield same_name(Path(words[0]).stem), words[1]


IMPORTERS.add(ClassNames.name, ClassNames())
