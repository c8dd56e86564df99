"""What somebody may do: everything that asks for an operation comes through here. Who they are is told by
`ui/access/`, in front of all routes.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse

from mmdemo.asker import IN_WORDS, Asker, Role, asking, current
from mmdemo.errors import AccessError, MmdemoError, NameTakenError
from mmdemo.service.app import App
from mmdemo.service.exchange import exchange_folder
from mmdemo.service.operations.table import OPERATIONS, Operation, Surface
from mmdemo.service.shared_json import SharedJson
from mmdemo.settings import Settings
from mmdemo.ui.refusals import refusal

CURE = "Sign in with an invitation: ask whoever runs this page for one."
OF_SCRIPTS = "Send a token, as Authorization: Bearer TOKEN: ask whoever runs this page for one."
TOLD = (
    "error",
    "message",
    "note",
    "reason",
    "device",
)  # fields of answers in which mmdemo says what was wrong

# A path of another folder of this machine, such as one whose files are where they were, up to its last name;
# the page's own addresses are none.
ELSEWHERE = re.compile(
    r"(?<![\w/:.\\])(?!/(?:gradio_api|mmdemo)/)(?:[A-Za-z]:)?(?:[/\\][^\s/\\'\"]+)+[/\\]([^\s/\\'\"]+)"
)


def require_role(role: Role, asker: Asker, script: bool = False) -> None:
    """Let through who may do what a role may.

    Args:
        role: the least one.
        asker: who asks.
        script: whether by the API, where nobody signs in.

    Raises:
        AccessError: they may not.
    """
    if not asker.may(role):
        what = f"This is for {IN_WORDS[role].all}, and you are {IN_WORDS[asker.role].one}."
        raise AccessError(what, OF_SCRIPTS if script else CURE)


def ask(
    app: App, name: str, values: Mapping[str, Any], surface: Surface, asker: Asker, files: Any = None
) -> Any:
    """Carry an operation out for somebody; the answer as JSON.

    Args:
        app: the open workspace.
        name: of the operation.
        values: what was sent.
        surface: where it comes from.
        asker: who asks.
        files: says which path a file that was sent may be opened by; None: no file is taken.

    Raises:
        UserError: there is no such operation there, or a value cannot be used.
        AccessError: the asker may not.
    """
    operation = OPERATIONS.get(name)
    require_role(operation.role, asker, surface == "api")
    app.context.wait_for_samples()  # half a second, at the first start
    with asking(asker):
        try:
            request = operation.parse(values, surface, files)
            if "annotator" in operation.fields:
                answer = _in_their_name(app, operation, request, asker)
            else:
                answer = operation(app, request)
        except MmdemoError as e:
            if not asker.may("owner"):
                hide_folders(e, app.settings)
            raise
    return answer if asker.may("owner") else _hidden_in(answer, app.settings)


def _in_their_name(app: App, operation: Operation, request: Any, asker: Asker) -> Any:
    """Carry out what bears a name: somebody's own. One that another got meanwhile is given up."""
    said = request.annotator
    while True:
        named = request.model_copy(update={"annotator": app.names.of(asker, said)})
        try:
            return operation(app, named)
        except NameTakenError:
            app.names.forget(asker, said)


def hide_folders(error: MmdemoError, settings: Settings) -> None:
    """Name the folders of this machine by what they are: where they lie is for its owner."""
    error.what, error.cure = _hidden(error.what, settings), _hidden(error.cure, settings)
    error.args = (f"{error.what} {error.cure}".strip(),)


def refusal_of(error: MmdemoError, settings: Settings, status: int | None = None) -> JSONResponse:
    """A refusal as a response to whoever asks: with the folders of this machine for its owner alone."""
    if not current().may("owner"):
        hide_folders(error, settings)
    return refusal(error, status)


def _hidden_in(answer: Any, settings: Settings) -> Any:
    """An answer in which that is done where it tells of what failed, such as work behind the page."""
    if isinstance(answer, list):
        return [_hidden_in(value, settings) for value in answer]
    if not isinstance(answer, dict) or isinstance(answer, SharedJson):  # what all share tells of no failure
        return answer
    return {
        name: _hidden(value, settings)
        if name in TOLD and isinstance(value, str)
        else _hidden_in(value, settings)
        for name, value in answer.items()
    }


def _hidden(text: str, settings: Settings) -> str:
    if "/" not in text and "\\" not in text:
        return text
    for folder, name in (
        (exchange_folder(), "a temporary folder"),
        (settings.workspace, "the workspace"),
        (Path(tempfile.gettempdir()), "a temporary folder"),
        (Path.home(), "a folder"),
    ):
        if len(folder.parts) > 1:
            text = text.replace(str(folder), name)
    return ELSEWHERE.sub(r"\1", text)
