"""Requests and answers: the types and limits of what operations are asked, and the sentences of refusals."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, core_schema

from mmdemo.errors import MmdemoError, UserError
from mmdemo.label_kinds import LABEL_KINDS
from mmdemo.modality import CAPTIONING, DEFAULT_TASK, TASKS
from mmdemo.store.splits import SIDES, SIDES_OR_ALL
from mmdemo.store.tables import UNSTORABLE

MOST_LINES = 10_000  # of a text that is a list; what takes one has limits of its own
LONGEST_TEXT = 100_000  # characters of any text; what is stored has limits of its own
LONGEST_NAME = 1000
LONGEST_PERSON = 120  # as the database keeps it
MOST_TEXTS = 5000  # of a list, before an operation says what it takes
FEW = 500  # of a list of what is named one by one
LARGEST_ID = 2**31 - 1  # what the database counts to
SHOWN = 60  # characters of a value that a sentence repeats


class Request(BaseModel):
    """What an operation is asked. A field that it does not have is refused, not passed over."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True, extra="forbid")


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
    if UNSTORABLE.search(text):
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


@dataclass(frozen=True)
class OneOf:
    """The names that a field takes, as they stand in a table when somebody asks: plug-ins add to tables.

    It is an annotation of a `str`: a value that is none of them is refused with the list, and `about` and
    the documentation of every surface list them too.
    """

    kind: str  # what a name is of, as in "There is no task 'x'."
    names: Callable[[], Iterable[str]]
    empty: str | None = None  # what an empty text stands for; None: it is refused as any other

    def check(self, value: str) -> str:
        """The value, if it is one of the names.

        Raises:
            UserError: it is none; the sentence lists them.
        """
        if value == "" and self.empty is not None:
            return self.empty
        known = tuple(self.names())
        if value not in known:
            raise UserError(f"There is no {self.kind} {shown(value)}.", f"Use one of: {', '.join(known)}.")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __str__(self) -> str:
        *most, last = [f'"{name}"' for name in self.names()]
        return f"{', '.join(most)} or {last}" if most else last


def _tasks_with_versions() -> list[str]:
    return [*TASKS, CAPTIONING]


def _shorter(limit: int) -> AfterValidator:
    """At most so many characters. A limit of Field's would take the place of a field's own, silently."""

    def check(text: str) -> str:
        if len(text) > limit:
            raise UserErrorInField(f"has {len(text)} characters, over the limit of {limit}.", "Shorten it.")
        return text

    return AfterValidator(check)


def _within(low: int, high: int) -> AfterValidator:
    """A number from `low` to `high`; for the same reason no limit of Field's."""

    def check(value: int) -> int:
        if not low <= value <= high:
            side, bound = ("at least", low) if value < low else ("at most", high)
            raise UserErrorInField(f"is {shown(value)}.", f"Use a number of {side} {bound}.")
        return value

    return AfterValidator(check)


Text = Annotated[str, _shorter(LONGEST_TEXT), AfterValidator(_plain)]
Name = Annotated[str, _shorter(LONGEST_NAME), AfterValidator(_plain)]
Person = Annotated[str, _shorter(LONGEST_PERSON), AfterValidator(_plain)]  # who asks, as they call themselves
Lines = Annotated[list[Text], BeforeValidator(_lines), Field(max_length=MOST_TEXTS)]
FewLines = Annotated[list[Text], BeforeValidator(_lines), Field(max_length=FEW)]
Names = list[Name]  # a field says how many
Id = Annotated[int, BeforeValidator(_no_bool), Field(ge=1, le=LARGEST_ID)]
Ids = Annotated[list[Id], Field(max_length=100_000)]
AnyWhole = Annotated[  # whose limits whoever takes it knows
    int,
    BeforeValidator(lambda value: 0 if value in ("", None) else value),
    BeforeValidator(_no_bool),
]
# 0, and so what is empty, stands for a default; a number that must be one is a Count
Whole = Annotated[AnyWhole, _within(0, LARGEST_ID)]
Number = Annotated[float | None, BeforeValidator(_emptied), BeforeValidator(_no_bool)]
Count = Annotated[int, BeforeValidator(_no_bool), _within(0, LARGEST_ID)]
Seconds = Annotated[
    Annotated[float, Field(allow_inf_nan=False, ge=0, le=1e7)] | None,
    BeforeValidator(_emptied),
    BeforeValidator(_no_bool),
]
Share = Annotated[Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)] | None, BeforeValidator(_emptied)]
TaskName = Annotated[str, OneOf("task", lambda: TASKS, empty=DEFAULT_TASK)]
AnyTask = Annotated[str, OneOf("task", lambda: TASKS, empty="")]  # empty: the operation finds out
VersionTask = Annotated[str, OneOf("task", _tasks_with_versions, empty=DEFAULT_TASK)]
AnyVersionTask = Annotated[str, OneOf("task", _tasks_with_versions, empty="")]
Side = Annotated[str, OneOf("split", lambda: SIDES, empty="")]  # empty: no matter which
SideOrAll = Annotated[str, OneOf("split", lambda: SIDES_OR_ALL)]
Verdict = Annotated[str, OneOf("verdict", lambda: LABEL_KINDS)]
File = Annotated[
    Medium | None,
    PlainValidator(_medium),
    WithJsonSchema({"anyOf": [{"type": "object", "title": "FileData"}, {"type": "null"}]}),
]
LOCAL: Any = {"local": True}  # json_schema_extra of a field that names a path of this machine
ITEM = "an item of the collection by its id, in the place of a file"
VERSION = "a version of the model by its id; empty: the active one"


class NothingRequest(Request):
    """No parameters."""


class ItemRequest(Request):
    """One item."""

    item: Name = Field(description=ITEM)


class TaskRequest(Request):
    """A task."""

    task: TaskName = Field(DEFAULT_TASK)


def about(field: FieldInfo) -> str:
    """What a field is, with the names that it takes now."""
    said = (field.description or "").rstrip(".")
    names = next((str(m) for m in field.metadata if isinstance(m, OneOf)), "")
    return ": ".join(filter(None, (names, said)))


def is_local(field: FieldInfo) -> bool:
    """Whether only the command line may give a field."""
    return isinstance(field.json_schema_extra, dict) and bool(field.json_schema_extra.get("local"))


def is_file(field: FieldInfo) -> bool:
    """Whether a field is a file."""
    return field.annotation is not None and Medium in getattr(field.annotation, "__args__", ())


def is_lines(field: FieldInfo) -> bool:
    """Whether a field is a list of texts that may be written one a line."""
    return any(isinstance(m, BeforeValidator) and m.func is _lines for m in field.metadata)


def is_list(field: FieldInfo) -> bool:
    """Whether a field is a list."""
    return any(get_origin(one) is list for one in (field.annotation, *get_args(field.annotation)))


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
    return _worded(first["type"], name, first["input"], first.get("ctx", {}), about(field) if field else "")


def is_missing(name: str, field: FieldInfo) -> UserError:
    """The refusal of a request that lacks a field."""
    return _worded("missing", name.replace("_", " "), None, {}, about(field))


def _worded(kind: str, name: str, value: Any, facts: dict[str, Any], what: str) -> UserError:
    told = shown(value)
    bound = next((facts[k] for k in ("ge", "gt", "le", "lt") if k in facts), None)
    if kind == "string_unicode":
        return UserError(f"{name} holds a character that cannot be stored.", "Remove it.")
    if kind == "missing":
        return UserError(f"{name} is missing.", f"Send {what}." if what else f"Send {name}.")
    if bound is not None:
        side = "at least" if {"ge", "gt"} & set(facts) else "at most"
        return UserError(f"{name} is {told.strip(chr(39))}.", f"Use a number of {side} {bound}.")
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
        return UserError(f"{name} is {told}, which is not a finite number.", "Write a number.")
    if kind == "literal_error":
        return UserError(f"{name} is {told}.", f"Use one of: {facts['expected']}.")
    whole = isinstance(value, float) and value.is_integer()
    if kind == "int_parsing_size" or (kind.startswith("int") and whole):
        return UserError(
            f"{name} is {told}, which is too {'small' if told.startswith('-') else 'large'}.",
            f"Use a number of at most {LARGEST_ID}, and at least 0.",
        )
    for ending, wanted in (("int", "a whole number"), ("float", "a number"), ("bool", "yes or no")):
        if kind.startswith(ending):
            return UserError(f"{name} is {told}, which is not {wanted}.", f"Write {wanted}.")
    if kind == "value_error":  # a truth value where a number is wanted
        return UserError(f"{name} is {told}, which is not a number.", "Write a number.")
    kinds = {"string_type": "a text", "list_type": "a list", "dict_type": "an object"}
    if kind in kinds:
        return UserError(f"{name} is not {kinds[kind]}.", f"Send {kinds[kind]}.")
    return UserError(f"{name} is {told}, which cannot be used.", f"Send {what}." if what else "")


def shown(value: Any) -> str:
    """A value as a sentence repeats it: cut short, and without characters that cannot be sent."""
    text = "null" if value is None else repr(value) if isinstance(value, str) else str(value)
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
