"""Records of Argilla in JSON, as it and mmdemo write them: fields, suggestions, responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from mmdemo.data.columns import FILE_COLUMNS, OF_MODALITY, TEXT_COLUMNS, said_in
from mmdemo.data.data_urls import data_of, is_data_url
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.rows import Row, Skipped, attempt_several, read_field
from mmdemo.data.source import Source
from mmdemo.errors import ImportRowError, UserError, reason
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.media.regular_file import is_file
from mmdemo.store.splits import SPLIT_NAMES, split_names

USERS = "users.json"  # beside the records: the names of those whose ids stand in them
NOBODY = "annotator"  # as mmdemo calls who has no name


class ArgillaRecords:
    """One row for each annotator who has answered; of a record that nobody has answered, one."""

    name = "argilla"
    about = "records of Argilla in JSON"

    def recognise(self, source: Source) -> Recognition:
        """By a JSON list of records with fields and responses."""
        table = _table(source)
        if table is None:
            return NOT_MINE
        return Recognition(0.9, f"{table.name} is a list of records with fields and responses.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The answers to each record, in its order; those of one annotator are one row."""
        table = _table(source)
        records = source.read_json(table) if table is not None else []
        names = _names(source, table)
        splits = split_names({str(_metadata(record).get("split") or "").lower() for record in records})
        number = 0
        for record in records:
            if not isinstance(record, dict) or not isinstance(record.get("fields"), dict):
                number += 1
                yield Skipped(number, "The record has no fields.")
                continue
            name = str(_metadata(record).get("file_name") or "")
            said, made = partial(_said, record, names), partial(_row, source, record, splits)
            for row in attempt_several(number + 1, name, said, made):
                number += 1
                yield row


def _table(source: Source) -> Path | None:
    return next((f for f in source.top_json if _is_records(source, f)), None)


def _is_records(source: Source, path: Path) -> bool:
    """Whether a JSON is a list of records; where a file fills its beginning, all of it is looked at."""
    head = source.head(path)
    if head.lstrip("\ufeff \n\r\t")[:1] != "[" or ('"fields"' not in head and '"responses"' not in head):
        return False
    if '"responses"' in head and '"suggestions"' in head:
        return True
    first = next(iter(source.read_json(path)), None)
    return isinstance(first, dict) and {"fields", "responses", "suggestions"} <= set(first)


def _names(source: Source, table: Path | None) -> dict[str, str]:
    """The annotators' names by their ids."""
    path = table.with_name(USERS) if table is not None else None
    try:
        users = source.read_json(path) if path is not None and is_file(path) else []
    except (ValueError, UserError) as e:
        source.note(f"{USERS} cannot be read, so that nobody has a name: {reason(e)}.")
        users = []
    known = [user for user in users if isinstance(user, dict)] if isinstance(users, list) else []
    named = {str(user.get("id")): str(user.get("username") or "") for user in known}
    return {number: "" if name == NOBODY else name for number, name in named.items()}


def _metadata(record: Any) -> Mapping[str, Any]:
    found = record.get("metadata") if isinstance(record, dict) else None
    return found if isinstance(found, dict) else {}


def _said(record: Mapping[str, Any], names: Mapping[str, str]) -> list[dict[str, Any]]:
    """What each annotator says, by the names of columns, in the order of their first answers."""
    of_user: dict[str, dict[str, Any]] = {}
    for question, answers in (record.get("responses") or {}).items():
        for answer in answers if isinstance(answers, list) else []:
            if isinstance(answer, dict) and answer.get("status") != "discarded":
                user = str(answer.get("user_id"))
                said = of_user.setdefault(user, {"annotator": names.get(user, "")})
                said |= _answer(question, answer.get("value"))
    return list(of_user.values()) or [{}]


def _answer(question: str, value: Any) -> dict[str, Any]:
    if question in ("comment", "corrected_text"):  # whatever they say: a remark may be "match"
        return {question: value}
    if isinstance(value, str) and value.lower() in LABEL_KINDS:
        return {"verdict": value}
    return {"corrected_text": value} if question in TEXT_COLUMNS else {}


def _row(
    source: Source, record: Mapping[str, Any], splits: Mapping[str, str], number: int, said: dict[str, Any]
) -> Row:
    fields, metadata = record["fields"], _metadata(record)
    wanted = [*OF_MODALITY.get(source.modality, ()), *FILE_COLUMNS]
    column = next((c for c in wanted if fields.get(c)), "")
    if not column:
        raise ImportRowError("The record has no field with a file.")
    value = fields[column]
    file = read_field(value.get("file") if isinstance(value, dict) else value, column)
    text = next((fields[c] for c in TEXT_COLUMNS if isinstance(fields.get(c), str)), "")
    split = str(metadata.get("split") or "").lower()
    facts = {
        "text": read_field(text, "text"),
        "split": splits.get(split, SPLIT_NAMES.get(split, "")),
        **said_in({**metadata, "annotator": "", "comment": "", **said}),
    }
    if is_data_url(file):
        name = read_field(metadata.get("file_name"), "file_name") or f"{column}-{number}"
        return Row(number, name, data=data_of(file), **facts)
    path = source.find(file)
    return Row(number, path.name, path, **facts)


IMPORTERS.add(ArgillaRecords.name, ArgillaRecords())
