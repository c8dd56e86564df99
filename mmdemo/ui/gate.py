"""What somebody may do: everything that asks for an operation comes through here. Who they are is told by
`ui/access/`, in front of all routes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdemo.asker import Asker, Role, asking
from mmdemo.errors import AccessError, MmdemoError
from mmdemo.service.app import App
from mmdemo.service.exchange import exchange_folder
from mmdemo.service.operations.table import OPERATIONS, Surface
from mmdemo.settings import Settings

CURE = "Sign in with an invitation from the owner, or with the pass phrase."
THOSE: dict[Role, str] = {
    "viewer": "everybody",
    "annotator": "annotators",
    "trainer": "trainers",
    "owner": "the owner",
}
YOU: dict[Role, str] = {
    "viewer": "a viewer",
    "annotator": "an annotator",
    "trainer": "a trainer",
    "owner": "the owner",
}


def require_role(role: Role, asker: Asker) -> None:
    """Let through who may do what a role may.

    Raises:
        AccessError: they may not.
    """
    if not asker.may(role):
        raise AccessError(f"This is for {THOSE[role]}, and you are {YOU[asker.role]}.", CURE)


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
    require_role(operation.role, asker)
    app.context.wait_for_samples()  # half a second, at the first start
    with asking(asker):
        try:
            request = operation.parse(values, surface, files)
            if "annotator" in operation.fields:
                named = app.names.of(asker, request.annotator)  # type: ignore[attr-defined]
                request = request.model_copy(update={"annotator": named})
            return operation(app, request)
        except MmdemoError as e:
            if not asker.may("owner"):
                hide_folders(e, app.settings)
            raise


def hide_folders(error: MmdemoError, settings: Settings) -> None:
    """Name the folders of this machine by what they are: where they lie is for its owner."""
    for folder, name in (
        (exchange_folder(), "a temporary folder"),
        (settings.workspace, "the workspace"),
        (Path(tempfile.gettempdir()), "a temporary folder"),
        (Path.home(), "a folder"),
    ):
        if len(folder.parts) > 1:
            error.what = error.what.replace(str(folder), name)
            error.cure = error.cure.replace(str(folder), name)
    error.args = (f"{error.what} {error.cure}".strip(),)
