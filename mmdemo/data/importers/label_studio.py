"""Tasks of Label Studio, as it exports them in JSON and as mmdemo writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from mmdemo.data.columns import FILE_COLUMNS, OF_MODALITY, OWN, TEXT_COLUMNS, said_in
from mmdemo.data.data_urls import data_of, is_data_url
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.rows import Row, Skipped, attempt_several, read_field
from mmdemo.data.source import Source, is_address
from mmdemo.errors import ImportRowError
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.store.splits import SPLIT_NAMES, split_names

SERVED = "?d="  # in the address of a file that Label Studio serves of its own disk
UPLOADED = re.compile(r"[0-9a-f]{8}-")  # before the name of a file that was uploaded to it
REGIONS = ("labels", "timelinelabels")  # types of results that are spans
FPS = 25.0  # of a video of which nobody says it


class LabelStudio:
    """One row an annotation, and of one with labels of its own, one a region."""

    name = "label-studio"
    about = "tasks of Label Studio in JSON, of pictures, sound and videos"

    def recognise(self, source: Source) -> Recognition:
        """By a JSON list of tasks with data and annotations."""
        found = _tables(source)
        if not found:
            return NOT_MINE
        return Recognition(0.9, f"{found[0].name} is a list of tasks with data and annotations.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The annotations of all tasks; a task without one is a row of its file and text."""
        tables = _tables(source)
        splits = split_names(_splits(source, tables))
        number = 0
        for table in tables:
            for task in source.read_json(table):
                if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
                    number += 1
                    yield Skipped(number, "The task has no data.")
                    continue
                name = str(task["data"].get("file_name") or "")
                for annotation in _annotations(task):
                    said = partial(_said, task["data"], annotation)
                    for row in attempt_several(number + 1, name, said, partial(_row, source, task, splits)):
                        number += 1
                        yield row


def _tables(source: Source) -> list[Path]:
    return [f for f in source.top_json if _is_tasks(source.head(f))]


def _is_tasks(head: str) -> bool:
    start = head.lstrip("\ufeff \n\r\t")[:1]
    return start == "[" and '"annotations"' in head and ('"result"' in head or '"data"' in head)


def _splits(source: Source, tables: list[Path]) -> set[str]:
    tasks = (task for table in tables for task in source.read_json(table) if isinstance(task, dict))
    data = (task["data"] for task in tasks if isinstance(task.get("data"), dict))
    return {str(one.get("split") or "").lower() for one in data}


def _annotations(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The annotations of a task; of one without any, an empty one."""
    given = task.get("annotations")
    own = [a for a in given if isinstance(a, dict)] if isinstance(given, list) else []
    return [a for a in own if not a.get("was_cancelled")] or [{}]


def _said(data: Mapping[str, Any], annotation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an annotation says, by the names of columns: once, or of each of its regions."""
    if not annotation:
        return [{}]
    results = [r for r in annotation.get("result") or [] if isinstance(r, dict)]
    common: dict[str, Any] = {"annotator": _annotator(annotation, results)}
    meta: dict[str, Any] = next((r["meta"] for r in results if isinstance(r.get("meta"), dict)), {})
    ends = {name: meta.get(name) for name in ("start", "end")}
    spans: dict[str, dict[str, Any]] = {}
    regions = {str(r["id"]) for r in results if r.get("type") in REGIONS and r.get("id")}
    own: dict[str, dict[str, Any]] = {}  # what is said of one region, by its id
    for number, result in enumerate(results):
        value, kind, of = result.get("value") or {}, result.get("type"), str(result.get("id") or "")
        said = own.setdefault(of, {}) if of in regions else common
        if kind == "choices":
            said |= _of_choices(value.get("choices") or [])
        elif kind == "textarea":
            text = " ".join(map(str, value.get("text") or []))
            said[_column(str(result.get("from_name")), data)] = text
        elif kind in REGIONS:
            at = span_of(value, kind, data)
            at = _as_was(at, ends, data) if data.keys() >= OWN else at
            spans[of or f"#{number}"] = at | _of_choices(value.get(kind) or [])
    told = [span | common | own.get(of, {}) for of, span in spans.items()]
    return told or [common | (ends if any(ends.values()) else {})]


def _annotator(annotation: Mapping[str, Any], results: list[dict[str, Any]]) -> str:
    for result in results:
        meta = result.get("meta")
        if isinstance(meta, dict) and meta.get("annotator"):
            return str(meta["annotator"])
    who = annotation.get("completed_by")
    if isinstance(who, int) and not isinstance(who, bool):  # as it exports them without their accounts
        return str(who)
    return str(who.get("email") or "") if isinstance(who, dict) else ""


def _of_choices(choices: list[Any]) -> dict[str, str]:
    """A verdict, or a class, which is the text where the task has none."""
    word = " ".join(map(str, choices))
    return {"verdict": word} if word.lower() in LABEL_KINDS else {"text": word}


def _column(control: str, data: Mapping[str, Any]) -> str:
    """What a text that somebody typed is: a remark, a correction, or the text where there was none."""
    if control == "comment":
        return "comment"
    return "corrected_text" if any(c in data for c in TEXT_COLUMNS) else "text"


def span_of(value: Mapping[str, Any], kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Where a region is, in seconds."""
    if kind == "labels":
        return {name: value[name] for name in ("start", "end") if name in value}
    ranges = value.get("ranges") or [{}]
    fps = float(data.get("fps") or FPS)
    first, last = ranges[0].get("start"), ranges[-1].get("end")
    return {"start": (first - 1) / fps if first else None, "end": last / fps if last else None}


def _as_was(at: dict[str, Any], ends: dict[str, float | None], data: Mapping[str, Any]) -> dict[str, Any]:
    """A region as mmdemo had it, with its open ends and to more than a frame, unless it was moved."""
    frame_s = 1 / float(data["fps"]) if data.get("fps") else 0.001

    def end(name: str) -> float | None:
        had = ends[name]
        return had if had is None or abs(at.get(name, had) - had) <= frame_s else at[name]

    return {name: end(name) for name in ends}


def _row(
    source: Source, task: Mapping[str, Any], splits: Mapping[str, str], number: int, said: dict[str, Any]
) -> Row:
    data = task["data"]
    column = file_column(data, source.modality)
    text = next((data[c] for c in TEXT_COLUMNS if isinstance(data.get(c), str)), None)
    line = {name: data[name] for name in (*OWN, "start", "end") if name in data} | {"text": text} | said
    if text is not None:
        line["text"] = text
    split = read_field(data.get("split"), "split").lower()
    facts = {
        "text": read_field(line.get("text"), "text"),
        "split": splits.get(split, SPLIT_NAMES.get(split, "")),
        **said_in(line),
    }
    file = read_field(data.get(column), column)
    if is_data_url(file):
        name = read_field(data.get("file_name"), "file_name") or f"{column}-{number}"
        return Row(number, name, data=data_of(file), **facts)
    path = file_of(source, file)
    return Row(number, path.name, path, **facts)


def file_column(data: Mapping[str, Any], modality: str) -> str:
    """The name of what leads to the file of a task.

    Raises:
        ImportRowError: nothing does.
    """
    wanted = [*OF_MODALITY.get(modality, ()), *FILE_COLUMNS]
    found = next((c for c in wanted if isinstance(data.get(c), str) and c != "file_name"), "")
    if not found:
        raise ImportRowError("The task names no file.")
    return found


def file_of(source: Source, address: str) -> Path:
    """The file that an address of Label Studio's means, beside the tasks."""
    if is_address(address) and not address.startswith("file://") and SERVED not in address:
        return source.find(address)  # the file of its name: nothing is fetched
    name = unquote(address.partition(SERVED)[2] or address).lstrip("/")
    try:
        return source.find(name)
    except ImportRowError:
        last = name.rpartition("/")[2]
        if not UPLOADED.match(last):
            raise
        return source.find(UPLOADED.sub("", last, count=1))


IMPORTERS.add(LabelStudio.name, LabelStudio())
