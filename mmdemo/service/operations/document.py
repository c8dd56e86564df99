"""What the table of operations says of itself: docstrings for endpoints and tools, and docs/api.md.

python -m mmdemo.service.operations.document > docs/api.md
"""

from __future__ import annotations

import typing
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mmdemo.service.operations.requests import about, is_file, is_lines, is_list
from mmdemo.service.operations.table import OPERATIONS, SUBJECTS, Operation


def described(operation: Operation) -> str:
    """What it does, its parameters and its answer, as a docstring."""
    does, _, returns = operation.about.partition("\n\nReturns:")
    parts = [" ".join(does.split())]
    fields = operation.fields
    if fields:
        rows = [f"    {name}: {about(field) or name}." for name, field in fields.items()]
        parts.append("\n".join(["Args:", *rows]))
    answer = returns.strip() or (shape(operation.answer) if operation.answer else "")
    if answer:
        parts.append(f"Returns:\n    {answer}")
    return "\n\n".join(parts)


def shape(model: type[BaseModel]) -> str:
    """The JSON of an answer, with what each value is."""
    return "{" + ", ".join(f'"{name}": {_value(f)}' for name, f in model.model_fields.items()) + "}"


def _value(field: FieldInfo) -> str:
    inner = next(
        (a for a in _parts(field.annotation) if isinstance(a, type) and issubclass(a, BaseModel)), None
    )
    if inner is not None:
        return f"[{shape(inner)}]" if typing.get_origin(field.annotation) is list else shape(inner)
    return about(field) or type_name(field)


def _parts(annotation: Any) -> tuple[Any, ...]:
    return (annotation, *(p for a in typing.get_args(annotation) for p in _parts(a)))


NAMES: dict[Any, str] = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    list: "list",
    dict: "object",
}


def type_name(field: FieldInfo) -> str:
    """A field's type in the words of JSON."""
    if is_file(field):
        return "file or null"
    if is_lines(field):
        return "text, one a line"
    parts = _parts(field.annotation)
    if is_list(field) and int in parts:
        return "list of whole numbers"
    if Literal in {typing.get_origin(p) for p in parts}:
        return " or ".join(f'"{p}"' for p in parts if isinstance(p, str))
    found = [NAMES[p] for p in parts if p in NAMES] or [
        NAMES[o] for p in parts if (o := typing.get_origin(p)) in NAMES
    ]
    return (found[0] if found else "object") + (" or null" if type(None) in parts else "")


def _shipped() -> list[Operation]:
    """The public operations that come with mmdemo, subject by subject."""
    subject = {module: i for i, module in enumerate(SUBJECTS)}
    public = [o for o in OPERATIONS.values() if "api" in o.surfaces and o.run.__module__ in subject]
    return sorted(public, key=lambda o: subject[o.run.__module__])


def markdown() -> str:
    """docs/api.md: every public operation with its parameters and answer."""
    lines = [
        "# The API",
        "",
        "Made from the table of operations by `python -m mmdemo.service.operations.document > docs/api.md`.",
        "",
        "Each operation is a named Gradio endpoint (`/NAME`), an MCP tool of the same name below",
        "`/gradio_api/mcp/`, which answers in JSON, and, where the README lists it, a verb of the command",
        "line. The role is the least that may ask: where others can reach the page, all but viewers send",
        "`Authorization: Bearer TOKEN`, or the pass phrase in the header `x-mmdemo-passphrase`",
        "(`docs/security.md`). What is refused is one sentence; its title, of gradio_client's",
        "AppError too, says what it is about: `Input` is what was sent, `Access` who asks, `Storage`",
        "the disk or the database, `Unavailable` a database that is away or busy for a while, `Damaged` one",
        "that cannot be read, `Busy` too much at once. Called directly they have the status 400, 401, 507,",
        "503 with `Retry-After`, 500, and 503 again.",
        "",
    ]
    for operation in _shipped():
        does, _, returns = operation.about.partition("\n\nReturns:")
        lines += [f"## /{operation.name}", "", " ".join(does.split()), "", f"Role: {operation.role}.", ""]
        lines += ["| parameter | type | default | what it is |", "|---|---|---|---|"]
        for name, field in operation.fields.items():
            default = "" if field.is_required() else f"`{field.get_default(call_default_factory=True)!r}`"
            told = about(field).replace("|", "\\|").replace("\n", " ")
            lines.append(f"| `{name}` | {type_name(field)} | {default} | {told} |")
        answer = returns.strip() or (shape(operation.answer) if operation.answer else "JSON")
        lines += ["", "Answer:", "", "```", " ".join(answer.split()), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
