"""Requests and answers: the types and limits of what operations are asked, and the sentences of refusals."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.fields import FieldInfo

from mmdemo.errors import MmdemoError, UserError
from mmdemo.modality import DEFAULT_TASK
from mmdemo.service.context import check_task, version_task

LONGEST_TEXT = 100_000  # characters of any text; what is stored has limits of its own
LONGEST_NAME = 1000
MOST_TEXTS = 5000  # of a list, before an operation says what it takes
LARGEST_ID = 2**31 - 1  # what the database counts to
SHOWN = 60  # characters of a value that a sentence repeats


class Request(BaseModel):
    """What an operation is asked."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class Answer(BaseModel):
    """What an operation answers."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


@dataclass(frozen=True)
class Medium:
    """A file that a request is about: an item that is kept already, or a path that may be opened."""

    item: str = ""
    path: Path | None = None
    name: str = ""  # what the file is called where it comes from


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a truth value")
    return value


def _plain(text: str) -> str:
    if re.search("[\x00\ud800-\udfff]", text):
        raise UserErrorInField("holds a character that cannot be stored.", "Remove it.")
    return text


class UserErrorInField(ValueError):
    """What is wrong with a field's value, after its name, and the cure."""

    def __init__(self, what: str, cure: str) -> None:
        self.what, self.cure = what, cure
        super().__init__(what)


def _lines(value: Any) -> Any:
    return value.splitlines() if isinstance(value, str) else value


def _medium(value: Any, info: ValidationInfo) -> Medium | None:
    if value is None or isinstance(value, Medium):
        return value
    if isinstance(value, Path):
        return Medium(path=value)
    files: Callable[[Any], Medium] | None = (info.context or {}).get("files")
    if files is None:
        raise UserErrorInField("is no file that can be opened from here.", "Upload it, and send its item.")
    return files(value)


def _emptied(value: Any) -> Any:
    return None if value == "" else value


def _task(value: str) -> str:
    return check_task(value or DEFAULT_TASK)


def _version_task(value: str) -> str:
    return version_task(value or DEFAULT_TASK)


Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_plain)]
Name = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_plain)]
Lines = Annotated[list[Text], BeforeValidator(_lines), Field(max_length=MOST_TEXTS)]
Names = Annotated[list[Name], Field(max_length=MOST_TEXTS)]
Id = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, le=LARGEST_ID)]
Ids = Annotated[list[Id], Field(max_length=100_000)]
Whole = Annotated[
    int, BeforeValidator(lambda value: 0 if value in ("", None) else value), BeforeValidator(_no_bool)
]
Number = Annotated[float | None, BeforeValidator(_emptied), BeforeValidator(_no_bool)]
Count = Annotated[int, BeforeValidator(_no_bool), Field(ge=0, le=LARGEST_ID)]
Seconds = Annotated[
    Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e7)] | None,
    BeforeValidator(_emptied),
    BeforeValidator(_no_bool),
]
TaskName = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_task)]
VersionTask = Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_version_task)]
File = Annotated[
    Medium | None,
    PlainValidator(_medium),
    WithJsonSchema({"anyOf": [{"type": "object", "title": "FileData"}, {"type": "null"}]}),
]
LOCAL: Any = {"local": True}  # json_schema_extra of a field that names a path of this machine

TASK_ABOUT = '"image-text", "speech-text" or "video-text".'


def is_local(field: FieldInfo) -> bool:
    """Whether only the command line may give a field."""
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("local"))


def is_file(field: FieldInfo) -> bool:
    """Whether a field is a file."""
    return field.annotation is not None and Medium in getattr(field.annotation, "__args__", ())


def is_lines(field: FieldInfo) -> bool:
    """Whether a field is a list of texts that may be written one a line."""
    return any(isinstance(m, BeforeValidator) and m.func is _lines for m in field.metadata)


def refusal(error: ValidationError, request: type[BaseModel]) -> MmdemoError:
    """The first thing that is wrong with some values, as a sentence and its cure."""
    first = error.errors(include_url=False)[0]
    loc = [part for part in first["loc"] if isinstance(part, str)]
    name = (loc[0] if loc else "the request").replace("_", " ")
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, MmdemoError):
        return cause
    if isinstance(cause, UserErrorInField):
        return UserError(f"{name} {cause.what}", cause.cure)
    field = request.model_fields.get(loc[0]) if loc else None
    about = (field.description or "") if field else ""
    return _worded(first["type"], name, first["input"], first.get("ctx", {}), about)


def _worded(kind: str, name: str, value: Any, facts: dict[str, Any], about: str) -> UserError:
    shown = _shown(value)
    bound = next((facts[k] for k in ("ge", "gt", "le", "lt") if k in facts), None)
    if kind == "string_unicode":
        return UserError(f"{name} holds a character that cannot be stored.", "Remove it.")
    if kind == "missing":
        return UserError(f"{name} is missing.", f"Send {about.rstrip('.')}." if about else f"Send {name}.")
    if bound is not None:
        side = "at least" if {"ge", "gt"} & set(facts) else "at most"
        return UserError(f"{name} is {_shown(value).strip(chr(39))}.", f"Use a number of {side} {bound:g}.")
    if kind == "string_too_long":
        return UserError(
            f"{name} has {len(value)} characters, over the limit of {facts['max_length']}.", "Shorten it."
        )
    if kind == "too_long":
        return UserError(
            f"{name} has {len(value)} entries, over the limit of {facts['max_length']}.",
            "Send fewer at once.",
        )
    if kind == "finite_number":
        return UserError(f"{name} is {shown}, which is not a finite number.", "Write a number.")
    if kind == "literal_error":
        return UserError(f"{name} is {shown}.", f"Use one of: {facts['expected']}.")
    for ending, what in (("int", "a whole number"), ("float", "a number"), ("bool", "yes or no")):
        if kind.startswith(ending):
            return UserError(f"{name} is {shown}, which is not {what}.", f"Write {what}.")
    if kind == "value_error":  # a truth value where a number is wanted
        return UserError(f"{name} is {shown}, which is not a number.", "Write a number.")
    wanted = {"string_type": "a text", "list_type": "a list", "dict_type": "an object"}.get(kind)
    if wanted:
        return UserError(f"{name} is not {wanted}.", f"Send {wanted}.")
    return UserError(
        f"{name} is {shown}, which cannot be used.", f"Send {about.rstrip('.')}." if about else ""
    )


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
