"""The public operations as named Gradio endpoints with types, meanings and examples, for scripts and agents.

The names, parameters and answers are stable. Where a pass phrase is set, endpoints that change something
want it in the header x-mmdemo-passphrase: `Client(url, headers={"x-mmdemo-passphrase": "..."})`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from pydantic.fields import FieldInfo

from mmdemo.errors import MmdemoError, UserError
from mmdemo.service.app import App
from mmdemo.service.operations.document import described, type_name
from mmdemo.service.operations.requests import Medium, is_file, is_lines
from mmdemo.service.operations.table import OPERATIONS, Operation
from mmdemo.ui.gate import HEADER, Caller, ask


def add_endpoints(app: App) -> None:
    """Register every public operation on the Blocks that is being built."""
    for operation in OPERATIONS.values():
        if "api" in operation.surfaces:
            how: dict[str, Any] = {"queue": False} if operation.quick else {}
            if any(is_file(f) for f in operation.fields.values()):
                how = {"concurrency_id": "model", "concurrency_limit": 1}  # it asks a model
            gr.api(endpoint(app, operation), api_name=operation.name, **how)


def endpoint(app: App, operation: Operation) -> Callable[..., Any]:
    """An operation as a function of its fields, which Gradio reads the types and the docstring of."""

    def call(request: gr.Request, *given: Any, **named: Any) -> Any:
        values = dict(zip(operation.fields, given, strict=False)) | named
        headers = request.headers if request else {}
        caller = Caller(headers.get(HEADER), str(getattr(request, "username", None) or ""))
        try:
            return ask(app, operation.name, values, "api", caller, uploaded)
        except MmdemoError as e:
            raise gr.Error(str(e), print_exception=False) from e

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter("request", kind, annotation=gr.Request)]
    for name, field in operation.fields.items():
        parameters.append(
            inspect.Parameter(name, kind, default=_default(field), annotation=_annotation(field))
        )
    call.__name__ = operation.name
    call.__doc__ = described(operation)
    call.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": dict[str, Any]}
    call.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        parameters, return_annotation=dict[str, Any]
    )
    return call


def uploaded(value: Any) -> Medium:
    """The file of a request, which must be one that was uploaded here.

    Raises:
        UserError: it is none.
    """
    path = value.get("path") if isinstance(value, dict) else None
    if not isinstance(path, str) or not path:
        raise UserError("No file was given.", "Pass handle_file(path).")
    found, folder = Path(path).resolve(), Path(get_upload_folder()).resolve()
    if not found.is_relative_to(folder) or not found.is_file():
        raise UserError("That is no file that was uploaded here.", "Pass handle_file(path).")
    return Medium(path=found)


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
    found = str if is_lines(field) else plain.get(name, str)
    return found | None if null == "null" else found
