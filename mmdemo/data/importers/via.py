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
from mmdemo.data.data_urls import is_data_url
from mmdemo.data.delimited import Table, rows_of
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
EXPORTED, HEADER, ATTRIBUTE = (
    "# Exported using VGG Image Annotator",
    "# CSV_HEADER = ",
    "# ATTRIBUTE = ",
)  # of 3
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
    head = source.head(path) if suffix_of(path) == ".csv" else ""
    return all(column in head.partition("\n")[0] for column in CSV) or head.startswith(EXPORTED)


def _records(source: Source, table: Path) -> Iterator[tuple[str, Said]]:
    """The name of each file, and what is said of it."""
    if suffix_of(table) == ".csv":
        is_third = source.head(table).startswith(EXPORTED)
        yield from _of_segments(source, table) if is_third else _of_csv(source, table)
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
        yield _of_image(source, key, image)


def _of_image(source: Source, key: str, image: Any) -> tuple[str, Said]:
    if not isinstance(image, dict):
        return key, "The picture is no JSON object."
    regions = image.get("regions") or []
    inside = regions.values() if isinstance(regions, dict) else regions
    own = (
        [r.get(OF_REGIONS) for r in inside if isinstance(r, dict)]
        if isinstance(inside, (list, type({}.values())))
        else []
    )
    return str(image.get("filename") or key), _texts(source, [image.get(OF_PICTURES), *own])


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
        yield name, _texts(source, attributes)


def _of_segments(source: Source, table: Path) -> Iterator[tuple[str, Said]]:
    """The lines of a CSV of version 3, one a segment or region, those of one file together."""
    remarks: list[str] = []
    lines: list[str] = []
    for line in source.read_text(table).split("\n"):
        (remarks if line.startswith("#") and not lines else lines).append(line)
    header = next((one.removeprefix(HEADER) for one in remarks if one.startswith(HEADER)), "")
    options: Any = next(
        (_json(one.removeprefix(ATTRIBUTE)) for one in remarks if one.startswith(ATTRIBUTE)), {}
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for one in rows_of(Table("\n".join([header.strip(), *lines]), ","), lambda name: False):
        files, values = (
            ([], {}) if isinstance(one, str) else (_json(one.get("file_list")), _json(one.get("metadata")))
        )
        if isinstance(one, str) or not isinstance(files, list) or not isinstance(values, dict):
            yield "", one if isinstance(one, str) else "The line names no files, or says nothing of them."
            continue
        ends = [one.get("temporal_segment_start"), one.get("temporal_segment_end")]
        times = _json(one.get("temporal_coordinates") or "[]") or [end for end in ends if end]
        text = _chosen(values, options)
        for name in map(str, files[:MOST_IN_VIEW]):
            found.setdefault(name, []).extend([{"text": text, "times": times}] if text else [])
    yield from found.items()


def _json(cell: Any) -> Any:
    try:
        return json.loads(str(cell or "{}"))
    except (ValueError, RecursionError):
        return {}


def _texts(source: Source, attributes: list[Any]) -> Said:
    """The texts of a picture and its regions, each once."""
    found = [text for one in attributes if isinstance(one, dict) and (text := _text(source, one))]
    return [{"text": text} for text in dict.fromkeys(found)]


def _text(source: Source, attributes: Mapping[str, Any]) -> str:
    """Of the attributes that a person has named, the one that is called like a text, or the only one, or of
    several the first that holds words, which is noted; where none is a text, the options that are on.
    """
    named = {str(k).strip().lower(): " ".join(v.split()) for k, v in attributes.items() if isinstance(v, str)}
    named = named if any(named.values()) else {str(k).lower(): _ticked(v) for k, v in attributes.items()}
    known = next((named[c] for c in (*TEXT_COLUMNS, *NAMES) if named.get(c)), "")
    others = {name: text for name, text in named.items() if text and "://" not in text}
    if known or len(others) < 2:
        return known or next(iter(others.values()), "")
    name = next((name for name, text in others.items() if any(map(str.isalpha, text))), next(iter(others)))
    source.note(f"Texts are those of the attribute {name}, as none is called like a text.")
    return others[name]


def _ticked(value: Any) -> str:
    """The options of a checkbox that are on."""
    options = value.items() if isinstance(value, dict) else ()
    return ", ".join(str(option) for option, is_on in options if is_on is True)


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
        place, name = str(file.get("src") or ""), str(file.get("fname") or "")
        yield name if is_data_url(place) else place or name, found[str(number)]


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
