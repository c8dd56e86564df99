"""The table of operations: what mmdemo can do, each registered once.

An operation is a function of the open workspace and a request. The page's JSON route, the Gradio endpoints,
the MCP tools, the command line and docs/api.md are views of this table, so that types, limits, the words of
an error and who may ask stand in one place:

    class AlignRequest(Request):
        texts: Lines = Field(description="the captions, one a line")

    @operation("align", role="viewer", public=True)
    def align(app: App, request: AlignRequest) -> AlignAnswer:
        "Score how well each text fits a file."
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_type_hints

from pydantic import BaseModel, ValidationError

from mmdemo.asker import Role
from mmdemo.errors import RegistryError, UserError
from mmdemo.finite import require_finite_answer
from mmdemo.records import SHOWN
from mmdemo.registry import Registry, modules_in
from mmdemo.service.app import App
from mmdemo.service.lanes import LaneName
from mmdemo.service.operations.requests import (
    LONGEST_TEXT,
    MOST_LINES,
    Answer,
    Request,
    is_list,
    is_local,
    is_missing,
    refusal,
    shown,
)

Surface = Literal["page", "api", "command"]
Run = TypeVar("Run", bound=Callable[..., Any])


@dataclass(frozen=True)
class Operation:
    """One thing that mmdemo can do."""

    name: str
    role: Role  # the least that may ask for it
    run: Callable[[App, Any], Any]
    request: type[Request]
    answer: type[BaseModel] | None  # None: JSON that only the page reads
    quick: bool  # needs no model: answered without waiting in the queue
    surfaces: frozenset[Surface]  # where it can be asked for
    lane: LaneName  # whose threads carry it out

    @property
    def about(self) -> str:
        """What it does: its docstring."""
        return inspect.cleandoc(self.run.__doc__ or "")

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of its request that can be sent from elsewhere, in their order."""
        return {name: f for name, f in self.request.model_fields.items() if not is_local(f)}

    def parse(self, values: Mapping[str, Any], surface: Surface, files: Any = None) -> Request:
        """The request that some values make.

        Args:
            values: by the names of its fields.
            surface: where they come from; paths of this machine are taken from the command line only.
            files: says of what is sent as a file which path it may be opened by; None: no file is taken.

        Raises:
            UserError: the first name that is of no field, or the first value that cannot be used, and what
                can.
        """
        self._require_known(values, self.request.model_fields if surface == "command" else self.fields)
        try:
            return self.request.model_validate(dict(values), context={"files": files})
        except ValidationError as e:
            raise refusal(e, self.request) from e

    def require_names(self, names: Collection[str]) -> None:
        """Check the names alone of values that are sent from elsewhere.

        Raises:
            UserError: one is of no field, or one that is needed is not among them.
        """
        self._require_known(names, self.fields)
        for name, field in self.fields.items():
            if field.is_required() and name not in names:
                raise is_missing(name, field)

    def require_short(self, values: Mapping[str, Any]) -> None:
        """Check the lengths alone of values that are sent from elsewhere, before they wait to be carried out.

        Raises:
            UserError: a text is longer than any may be, or has more lines.
        """
        for name, field in self.fields.items():
            value = values.get(name)
            if not isinstance(value, str):
                continue
            if is_list(field):
                size, most, what = value.count("\n"), MOST_LINES, "lines"
            else:
                size, most, what = len(value), LONGEST_TEXT, "characters"
            if size > most:
                raise UserError(f"{name} has {size} {what}, over the limit of {most}.", "Shorten it.")

    def _require_known(self, names: Collection[str], known: Collection[str]) -> None:
        unknown = next((name for name in names if name not in known), None)
        if unknown is not None:
            raise UserError(
                f"{self.name} takes no {shown(unknown)}.",
                f"It takes {', '.join(known)}." if known else "Send it nothing.",
            )

    def __call__(self, app: App, request: Request) -> Any:
        """Carry it out; the answer as JSON.

        Raises:
            NumberError: a number of the answer is infinite or not a number.
        """
        app.context.follow()
        answer = self.run(app, request)
        told = answer.model_dump() if isinstance(answer, Answer) else answer
        require_finite_answer(told, self.name)
        return told


SUBJECTS = modules_in(
    "mmdemo.service.operations",
    *("media", "pictures", "speech", "video", "modality", "labels", "data", "versions", "training"),
    without=("table", "requests", "document"),
)
OWN_VERBS = ("models", "restore", "settings", "serve")  # of the command line
OWN_OPTIONS = ("workspace", "json", "help")  # of each of its verbs
OWN_FIELDS = ("verb", "carry_out")  # what its parser notes beside what is written
CALLER = "request"  # the parameter of an endpoint that is no field: who asks


class Operations(Registry[Operation]):
    """The table."""

    def _check(self, entry: Operation) -> None:
        """Refuse what the command line could not tell from its own words, and what no page can be sent."""
        for name, field in entry.request.model_fields.items():
            if not field.is_required():
                _require_json(entry.name, name, field.get_default(call_default_factory=True))
        if "api" in entry.surfaces and CALLER in entry.request.model_fields:
            raise RegistryError(
                f"A field of the operation {entry.name!r} is named {CALLER!r}, as who asks is to Gradio.",
                "Choose another name.",
            )
        if "command" not in entry.surfaces:
            return
        if entry.name.replace("_", "-") in OWN_VERBS:
            raise RegistryError(
                f"The operation {entry.name!r} has the name of one of the command line's own verbs.",
                f"Choose another name than: {', '.join(OWN_VERBS)}.",
            )
        if taken := next(
            (name for name in entry.request.model_fields if name in OWN_OPTIONS + OWN_FIELDS), None
        ):
            raise RegistryError(
                f"A field of the operation {entry.name!r} is named {taken!r}, as one of every verb is.",
                f"Choose another name than: {', '.join(OWN_OPTIONS + OWN_FIELDS)}.",
            )


def _require_json(operation: str, name: str, default: Any) -> None:
    """Refuse a default that could not be told to who asks what a field takes.

    Raises:
        RegistryError: it is no JSON.
    """
    try:
        json.dumps(default, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as e:
        raise RegistryError(
            f"{name} of the operation {operation!r} has a default that is no JSON: {ascii(default)[:SHOWN]}.",
            "Give a text, a number, true, false, null, or a list or an object of those.",
        ) from e


OPERATIONS = Operations("operation", Operation, built_in=SUBJECTS)


def operation(
    name: str,
    *,
    role: Role,
    public: bool = False,
    quick: bool = False,
    lane: LaneName | None = None,
    surfaces: tuple[Surface, ...] = ("page",),
) -> Callable[[Run], Run]:
    """Put a function of (app, request) into the table.

    Args:
        name: of the route, the endpoint, the tool.
        role: the least that may ask for it.
        public: whether it is a named endpoint and a tool for agents, and keeps its name and parameters.
        quick: whether it asks no model and takes no minutes: then it is answered without the queue.
        lane: where it is carried out; None: a quick one with the labels, if it is an annotator's, or with the
            quick ones; else a viewer's with what asks a model, and others' with what takes minutes.
        surfaces: where it can be asked for, where it is not public.
    """

    def add(function: Run) -> Run:
        hints = get_type_hints(function)
        asked, answered = hints["request"], hints.get("return")
        OPERATIONS.add(
            name,
            Operation(
                name=name,
                role=role,
                run=function,
                request=asked,
                answer=answered if isinstance(answered, type) and issubclass(answered, BaseModel) else None,
                quick=quick,
                surfaces=frozenset({"page", "api", "command"} if public else surfaces),
                lane=lane or _lane_of(role, quick),
            ),
        )
        return function

    return add


def _lane_of(role: Role, quick: bool) -> LaneName:
    if quick:
        return "labels" if role == "annotator" else "quick"
    return "models" if role == "viewer" else "long"


def ask(app: App, name: str, /, **values: Any) -> Any:
    """Carry an operation out for the process's own user; the answer as JSON."""
    known = OPERATIONS.get(name)
    return known(app, known.parse(values, "command"))
