"""Calls of scripts and agents, whose files may lie at addresses elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

from anyio import CancelScope
from anyio.to_thread import run_sync

from mmdemo.asker import Asker, asking
from mmdemo.service.app import App
from mmdemo.service.operations.requests import is_file
from mmdemo.service.operations.table import Operation
from mmdemo.ui.fetched_bytes import FETCHED
from mmdemo.ui.files import SentFiles, names_address, sent_files
from mmdemo.ui.gate import ask, require_role


async def carried_out(
    app: App, operation: Operation, values: Mapping[str, Any], asker: Asker, cure: str
) -> Any:
    """The answer to a call, as JSON. What lies elsewhere is fetched first, in threads of its own: whoever
    answers there has them as long as a fetch may take, and models are for those who ask them.

    Args:
        app: the open workspace.
        operation: what is asked for.
        values: what was sent.
        asker: who asks.
        cure: what they can do about a file that cannot be opened.

    Raises:
        MmdemoError: it cannot be carried out.
    """
    operation.require_short(values)
    with asking(asker):  # Gradio's queue carries out what others asked
        return await _in_its_lane(app, operation, values, asker, cure)


async def _in_its_lane(
    app: App, operation: Operation, values: Mapping[str, Any], asker: Asker, cure: str
) -> Any:
    sent = [values.get(name) for name, field in operation.fields.items() if is_file(field)]
    lane = app.lanes.called(operation.lane)
    if not any(names_address(value) for value in sent):
        return await lane.run(_with_files, app, operation, values, asker, cure)
    require_role(operation.role, asker, script=True)
    held = ExitStack()
    try:
        with FETCHED.on(asker):
            files = await app.lanes.fetches.run(_fetched, held, app, sent, asker, cure)
        return await lane.run(ask, app, operation.name, values, "api", asker, files)
    finally:
        with CancelScope(shield=True):
            await run_sync(held.close)


def _with_files(app: App, operation: Operation, values: Mapping[str, Any], asker: Asker, cure: str) -> Any:
    with sent_files(app.settings, cure) as files:
        return ask(app, operation.name, values, "api", asker, files)


def _fetched(held: ExitStack, app: App, sent: list[Any], asker: Asker, cure: str) -> SentFiles:
    with asking(asker):
        files = held.enter_context(sent_files(app.settings, cure))
        files.fetch(sent)
    return files
