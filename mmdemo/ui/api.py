"""The public operations as named Gradio endpoints with types, meanings and examples, for scripts and agents.

The names, parameters and answers are stable. Where others can reach the page, endpoints that change something
want a token: `Client(url, headers={"Authorization": "Bearer mmd_..."})`, or the owner's pass phrase in the
header x-mmdemo-passphrase.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import gradio as gr
from pydantic.fields import FieldInfo

from mmdemo.errors import MmdemoError, UserError
from mmdemo.service.app import App
from mmdemo.service.operations.document import described, type_name
from mmdemo.service.operations.requests import is_file, is_lines, is_list
from mmdemo.service.operations.table import CALLER, OPERATIONS, Operation
from mmdemo.ui.access.gate import asker_of
from mmdemo.ui.calls import carried_out
from mmdemo.ui.files import FROM_CLIENT
from mmdemo.ui.refusals import kind_of

MISSING = inspect.Parameter.empty  # in the place of a value that was not sent and has no default


def add_endpoints(app: App) -> None:
    """Register every public operation on the Blocks that is being built."""
    for operation in OPERATIONS.values():
        if "api" in operation.surfaces:
            # What waits for what is decided in service/lanes.py, for every surface alike.
            how: dict[str, Any] = {"queue": False} if operation.quick else {"concurrency_limit": None}
            gr.api(endpoint(app, operation), api_name=operation.name, **how)


def endpoint(app: App, operation: Operation) -> Callable[..., Any]:
    """An operation as a function of its fields, which Gradio reads the types and the docstring of."""

    async def call(request: gr.Request, *given: Any, **named: Any) -> Any:
        sent = dict(zip(operation.fields, given, strict=False)) | named
        values = {name: value for name, value in sent.items() if value is not MISSING}
        asker = asker_of(getattr(getattr(request, "request", None), "scope", None))
        try:
            return await carried_out(app, operation, values, asker, FROM_CLIENT)
        except MmdemoError as e:
            raise refused(e) from e

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(CALLER, kind, annotation=gr.Request)]
    for name, field in operation.fields.items():
        parameters.append(
            inspect.Parameter(name, kind, default=_default(field), annotation=_annotation(field))
        )
    call.__name__ = operation.name
    call.operation = operation  # type: ignore[attr-defined]
    call.__doc__ = described(operation)
    call.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": dict[str, Any]}
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        parameters, return_annotation=dict[str, Any]
    )
    return call


def refused(error: MmdemoError) -> gr.Error:
    """A refusal as Gradio hands it on: its title says what it is about, as the status of a route does."""
    return gr.Error(str(error), title=kind_of(error).title, print_exception=False)


def take_as_sent(page: gr.Blocks) -> None:
    """Hand the values of a call to its operation as they were sent: those that are left out at the end have
    their defaults, those too many are refused, and files are the operation's own to check. Gradio's texts on
    either are for who writes a page.
    """
    of_components = page.preprocess_data

    async def values_of(function: Any, inputs: list[Any], *more: Any, **named: Any) -> Any:
        operation: Operation | None = getattr(function.fn, "operation", None)
        if operation is None:
            return await of_components(function, inputs, *more, **named)
        fields = operation.fields
        if len(inputs) > len(fields):
            raise refused(
                UserError(
                    f"{operation.name} takes {len(fields)} values, and {len(inputs)} were sent.",
                    f"In their order they are {', '.join(fields)}." if fields else "Send none.",
                )
            )
        left_out = list(fields.values())[len(inputs) :]
        return [*inputs, *(MISSING if field.is_required() else _default(field) for field in left_out)]

    page.preprocess_data = values_of


def _default(field: FieldInfo) -> Any:
    if field.is_required():
        return inspect.Parameter.empty
    return "" if is_lines(field) else field.get_default(call_default_factory=True)


def _annotation(field: FieldInfo) -> Any:
    """A field's type as Gradio's endpoints know them."""
    if is_file(field):
        return gr.FileData | None
    plain = {"text": str, "whole number": int, "number": float, "true": bool, "list": list}
    name, _, null = type_name(field).partition(" or ")
    found = str if is_lines(field) else list if is_list(field) else plain.get(name, str)
    return found | None if null == "null" else found
