"""The gate: who is asking, and whether they may. Everything that asks for an operation comes through here.

With a pass phrase set, who gives it is the owner and everybody else a viewer; without one, everybody is the
owner.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from mmdemo.asker import Asker, Role, asking
from mmdemo.errors import AccessError
from mmdemo.service.app import App
from mmdemo.service.operations.table import OPERATIONS, Surface
from mmdemo.settings import Settings

HEADER = "x-mmdemo-passphrase"


@dataclass(frozen=True)
class Caller:
    """Who is asking, as far as a request says."""

    key: str | None = None  # the pass phrase that was given, quoted as headers need it
    name: str = ""  # who signed in


def asker_of(settings: Settings, caller: Caller) -> Asker:
    """Who a caller is, and what they may do."""
    trusted = not settings.passphrase or (caller.key is not None and _is_key(settings, caller.key))
    return Asker("owner" if trusted else "viewer", name=caller.name)


def require_role(settings: Settings, role: Role, caller: Caller) -> None:
    """Let through who may do what a role may.

    Raises:
        AccessError: the pass phrase is missing or wrong.
    """
    if asker_of(settings, caller).may(role):
        return
    if not caller.key:
        raise AccessError("This needs the pass phrase.", "Ask the person who shared this page.")
    raise AccessError("The pass phrase is wrong.", "Check it and try again.")


def _is_key(settings: Settings, given: str) -> bool:
    """Whether it is the pass phrase; headers are ASCII: it comes quoted."""
    return hmac.compare_digest(unquote(given).encode(), settings.passphrase.encode())


def ask(
    app: App, name: str, values: Mapping[str, Any], surface: Surface, caller: Caller, files: Any = None
) -> Any:
    """Carry an operation out for a caller; the answer as JSON.

    Args:
        app: the open workspace.
        name: of the operation.
        values: what was sent.
        surface: where it comes from.
        caller: who asks.
        files: says which path a file that was sent may be opened by; None: no file is taken.

    Raises:
        UserError: there is no such operation there, or a value cannot be used.
        AccessError: the caller may not.
    """
    operation = OPERATIONS.get(name)
    require_role(app.settings, operation.role, caller)
    app.context.wait_for_samples()  # half a second, at the first start
    if caller.name and "annotator" in operation.fields:
        values = {**values, "annotator": caller.name}
    with asking(asker_of(app.settings, caller)):
        return operation(app, operation.parse(values, surface, files))
