"""VGG Image Annotator: its JSON and CSV of pictures (versions 1 and 2), and its projects of recordings and
videos (version 3), whose segments are spans.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mmdemo.data.columns import TEXT_COLUMNS
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.packed import suffix_of
from mmdemo.data.rows import Row, Skipped, attempt_several, read_field
from mmdemo.data.side_names import Sides, side_name_of
from mmdemo.data.source import Source
from mmdemo.data.tables import lines_of
from mmdemo.errors import ImportRowError, UserError
from mmdemo.store.splits import SPLIT_NAMES, split_names

NAMES = ("name", "type", "species", "object")  # of attributes, behind those that texts are called by
OF_PICTURES, OF_REGIONS = "file_attributes", "region_attributes"
KEYS = (  # of its JSON, in the beginning
    ('"_via_img_metadata"',),
    ('"regions"', f'"{OF_PICTURES}"'),
    ('"project"', '"vid_list"'),
)
CSV = (OF_PICTURES, OF_REGIONS)  # columns
DEEPEST = 2  # folders
MOST_IN_VIEW = 100  # files that lie side by side, of each of which a segment of their view is
MOST_CHARACTERS = (
    100_000  # of what a segment says: each option is written once, and chosen any number of times
)


class Via:
    """One row for each text of a picture and its regions, and for each segment of a recording or video."""

    name = "via"
    about = "annotations of the VGG Image Annotator, in JSON or CSV"

    def recognise(self, source: Source) -> Recognition:
        """By the keys of its JSON, or the columns of its CSV."""
        found = _tables(source)
        return Recognition(0.9, f"{found[0].name} has annotations of VIA.") if found else NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The texts, file after file; a file without any comes without a text.

        Raises:
            UserError: a table is no JSON or CSV of VIA.
        """
        tables = _tables(source)
        names = {table: side_name_of(source, table) for table in tables}
        of_files = Sides(source)
        splits = split_names({*names.values(), *of_files.names})
        number = 0
        for table in tables:
            for name, said in _records(source, table):
                made = partial(_row, source, table.parent, of_files, splits, names[table], name)
                for row in attempt_several(number + 1, name, partial(_checked, said), made):
                    number += 1
                    yield row


Said = list[dict[str, Any]] | str  # the texts of a file with their spans, or why there are none


def _tables(source: Source) -> list[Path]:
    asked = source.files if source.is_folder else [source.path]
    near = [f for f in asked if len(source.parts(f)) <= DEEPEST]
    return [f for f in near if _is_json(source, f) or _is_csv(source, f)]


def _is_json(source: Source, path: Path) -> bool:
    if suffix_of(path) != ".json":
        return False
    head = source.head(path)
    return any(all(key in head for key in keys) for keys in KEYS)


def _is_csv(source: Source, path: Path) -> bool:
    first = source.head(path).partition("\n")[0] if suffix_of(path) == ".csv" else ""
    return all(column in first for column in CSV)


def _records(source: Source, table: Path) -> Iterator[tuple[str, Said]]:
    """The name of each file, and what is said of it."""
    if suffix_of(table) == ".csv":
        yield from _of_csv(source, table)
        return
    whole = source.require_json(table, "Export it from VIA again.")
    if (
        isinstance(whole, dict)
        and isinstance(whole.get("metadata"), dict)
        and isinstance(whole.get("file"), dict)
    ):
        yield from _of_project(whole)
        return
    images = whole.get("_via_img_metadata", whole) if isinstance(whole, dict) else None
    if not isinstance(images, dict):
        raise UserError(f"{table.name} has no pictures of VIA.", "Export it from VIA again.")
    for key, image in images.items():
        yield _of_image(key, image)


def _of_image(key: str, image: Any) -> tuple[str, Said]:
    if not isinstance(image, dict):
        return key, "The picture is no JSON object."
    regions = image.get("regions") or []
    inside = regions.values() if isinstance(regions, dict) else regions
    own = (
        [r.get(OF_REGIONS) for r in inside if isinstance(r, dict)]
        if isinstance(inside, (list, type({}.values())))
        else []
    )
    return str(image.get("filename") or key), _texts([image.get(OF_PICTURES), *own])


def _of_csv(source: Source, table: Path) -> Iterator[tuple[str, Said]]:
    """The lines of a CSV, one a region, those of one picture together."""
    found: dict[str, list[Any]] = {}
    for line in lines_of(source, table):
        if isinstance(line, str):
            yield "", line
            continue
        name = str(line.get("filename") or line.get("#filename") or line.get("file_name") or "")
        found.setdefault(name, []).extend(_json(line.get(column)) for column in CSV)
    for name, attributes in found.items():
        yield name, _texts(attributes)


def _json(cell: Any) -> Any:
    try:
        return json.loads(str(cell or "{}"))
    except (ValueError, RecursionError):
        return {}


def _texts(attributes: list[Any]) -> Said:
    """The texts of a picture and its regions, each once."""
    found = [text for one in attributes if isinstance(one, dict) and (text := _text(one))]
    return [{"text": text} for text in dict.fromkeys(found)]


def _text(attributes: Mapping[str, Any]) -> str:
    """Of the attributes that a person has named, the one that is called like a text, or the only one."""
    named = {str(k).strip().lower(): " ".join(v.split()) for k, v in attributes.items() if isinstance(v, str)}
    known = next((named[c] for c in (*TEXT_COLUMNS, *NAMES) if named.get(c)), "")
    others = [text for text in named.values() if text and "://" not in text]
    return known or (others[0] if len(others) == 1 else "")


def _of_project(whole: Mapping[str, Any]) -> Iterator[tuple[str, Said]]:
    """The segments of a project of version 3; those of one file together."""
    files, views, options = whole["file"], whole.get("view") or {}, whole.get("attribute") or {}
    found: dict[str, list[dict[str, Any]]] = {str(number): [] for number in files}
    for segment in whole["metadata"].values():
        view = views.get(str(segment.get("vid"))) or {}
        text = _chosen(segment.get("av") or {}, options)
        times = segment.get("z") or []
        said: dict[str, Any] = {"text": text, "times": times if isinstance(times, list) else []}
        for number in map(str, (view.get("fid_list") or [])[:MOST_IN_VIEW]):
            if text and number in found:
                found[number].append(said)
    for number, file in files.items():
        yield str(file.get("src") or file.get("fname") or ""), found[str(number)]


def _chosen(values: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """What the attributes of a segment say: a text, or the names of the options that were chosen."""
    said, room = [], MOST_CHARACTERS
    for number, value in values.items():
        names = (options.get(number) or {}).get("options") or {}
        for one in map(str, (names.get(one, one) for one in str(value).split(",")) if names else [value]):
            room -= len(one) + 1
            if room < 0:
                break
            said.append(one)
    return ", ".join(" ".join(one.split()) for one in said if one.strip())


def _checked(said: Said) -> list[dict[str, Any]]:
    if isinstance(said, str):
        raise ImportRowError(said)
    return said or [{"text": ""}]


def _span(times: list[Any]) -> tuple[float | None, float | None]:
    """Start and end of a segment in seconds; None of all of the file.

    Raises:
        ImportRowError: it is one moment, or its times are no numbers.
    """
    if len(times) == 1:
        raise ImportRowError("It says something of one moment, which is no span.")
    try:
        start, end = map(float, times) if times else (None, None)
    except (TypeError, ValueError) as e:
        raise ImportRowError("The times of the segment are no numbers.") from e
    return start, end


def _row(
    source: Source,
    folder: Path,
    of_files: Sides,
    splits: Mapping[str, str],
    side: str,
    name: str,
    number: int,
    said: dict[str, Any],
) -> Row:
    file = source.find(read_field(name, "filename"), folder)
    split = of_files.name(file) or side
    side = splits.get(split, SPLIT_NAMES.get(split, ""))
    start, end = _span(said.get("times", []))
    return Row(number, file.name, file, text=said["text"], split=side, start_s=start, end_s=end)


IMPORTERS.add(Via.name, Via())
