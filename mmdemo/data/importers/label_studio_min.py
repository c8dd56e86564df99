"""Label Studio's short exports, JSON-MIN, CSV and TSV: of each annotation an object with the data of its
task, and what each control says under its own name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from mmdemo.data.columns import (
    FILE_COLUMNS,
    NO_TEXTS,
    SPLIT_COLUMNS,
    TEXT_COLUMNS,
    plain,
    said_in,
    split_said,
)
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.importers.label_studio import REGIONS, file_column, file_of, span_of
from mmdemo.data.packed import suffix_of
from mmdemo.data.rows import Row, Skipped, attempt_several, read_field
from mmdemo.data.source import Source
from mmdemo.data.tables import lines_of
from mmdemo.errors import ImportRowError
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.store.splits import SPLIT_NAMES, split_names

OWN = ("annotation_id", "lead_time")  # what each object has
MORE = frozenset(("id", "annotator", "created_at", "updated_at", "agreement", "comment", "fps", *OWN))
SAID = ("comment", "corrected_text")  # controls of mmdemo's that are no texts
CHOICES = ("choice", "choices")  # what the control of a class is called


class LabelStudioMin:
    """One row for each text and each region of an annotation."""

    name = "label-studio-min"
    about = "annotations of Label Studio in JSON-MIN, CSV or TSV"

    def recognise(self, source: Source) -> Recognition:
        """By a table with the columns that Label Studio adds."""
        found = _tables(source)
        return Recognition(0.9, f"{found[0].name} has annotations of Label Studio.") if found else NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The annotations in their order."""
        tables = _tables(source)
        splits = split_names({_split(line) for table in tables for line in lines_of(source, table)})
        number = 0
        for table in tables:
            for line in lines_of(source, table):
                if isinstance(line, str):
                    number += 1
                    yield Skipped(number, line)
                    continue
                made = partial(_row, source, line, splits)
                for row in attempt_several(number + 1, "", partial(_said, source, line), made):
                    number += 1
                    yield row


def _tables(source: Source) -> list[Path]:
    asked = source.top_files if source.is_folder else [source.path]
    named = [f for f in asked if suffix_of(f) in (".json", ".csv", ".tsv")]
    return [f for f in named if _is_short(suffix_of(f), source.head(f))]


def _is_short(suffix: str, head: str) -> bool:
    if suffix == ".json":
        return (
            head.lstrip("\ufeff \n\r\t")[:1] == "["
            and all(f'"{name}"' in head for name in OWN)
            and ('"result"' not in head)
        )
    return all(name in head.partition("\n")[0] for name in OWN)


def _split(line: Mapping[str, Any] | str) -> str:
    with suppress(ImportRowError):
        return "" if isinstance(line, str) else split_said(line)
    return ""


def _said(source: Source, line: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What an annotation says, by the names of columns: of each of its regions with a span, of each text."""
    own = file_column(line, source.modality)
    controls = {
        k: _value(v) for k, v in line.items() if k != own and k not in MORE and k not in SPLIT_COLUMNS
    }
    common = {"annotator": str(line.get("annotator") or "")} | {c: line[c] for c in SAID if line.get(c)}
    texts: dict[str, list[str]] = {}
    spans: list[dict[str, Any]] = []
    for name, value in controls.items():
        for one in value if isinstance(value, list) else [value]:
            words, span = _read(one, line)
            if len(words) == 1 and words[0].lower() in LABEL_KINDS:
                common["verdict"] = words[0]
            elif span:
                spans.append({**span, "text": ", ".join(words)})
            elif words:
                texts.setdefault(name, []).extend(words)
    found = _chosen(source, texts)
    if spans and len(found) == len(spans):
        return [common | span | {"text": text} for span, text in zip(spans, found, strict=True)]
    if spans:
        return [common | span for span in spans]
    return [common | {"text": text} for text in dict.fromkeys(found or [""])]


def _value(value: Any) -> Any:
    """What a control says; in a CSV it stands there as JSON where it is more than a word."""
    if isinstance(value, str) and value[:1] in "[{":
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def _read(one: Any, line: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """The words of a control or a region, and its span in seconds; of a taxonomy its last."""
    if isinstance(one, list):
        return _read(one[-1], line) if one and all(isinstance(word, str) for word in one) else ([], {})
    if not isinstance(one, dict):
        return ([one.strip()] if isinstance(one, str) and one.strip() else []), {}
    lists = [
        v for k, v in one.items() if isinstance(v, list) and (k.endswith("labels") or k in ("text", *CHOICES))
    ]
    words = [str(word).strip() for found in lists for word in found if str(word).strip()]
    kind = next((kind for kind in REGIONS if kind in one), "")
    span = span_of(one, kind, line) if kind and ("start" in one or "ranges" in one) else {}
    return words, span


def _chosen(source: Source, texts: Mapping[str, list[str]]) -> list[str]:
    """The texts of the control that is called like one, or else of the first that holds words; those of
    others are noted.
    """
    control = _control(texts)
    for name in texts:
        if control and name != control and _may_be_texts(name, texts[name]):
            source.note(f"Texts are those of the control {control}: what {name} says is left out.")
    return texts[control] if control else []


def _control(texts: Mapping[str, list[str]]) -> str:
    """The name of the control whose texts are read; empty: there is none."""
    named = {plain(name): name for name in texts}
    known = next((c for c in (*TEXT_COLUMNS, *CHOICES) if c in named), "")
    if known:
        return named[known]
    return next((name for name, words in texts.items() if _may_be_texts(name, words)), "")


def _may_be_texts(name: str, words: list[str]) -> bool:
    of_another_kind = plain(name) in NO_TEXTS or plain(name) in FILE_COLUMNS
    return not of_another_kind and not any("/" in word for word in words)


def _row(
    source: Source, line: Mapping[str, Any], splits: Mapping[str, str], number: int, said: dict[str, Any]
) -> Row:
    column = file_column(line, source.modality)
    file = file_of(source, read_field(line.get(column), column))
    split = _split(line)
    side = splits.get(split, SPLIT_NAMES.get(split, ""))
    return Row(number, file.name, file, **{"text": said["text"], "split": side, **said_in(said)})


IMPORTERS.add(LabelStudioMin.name, LabelStudioMin())
