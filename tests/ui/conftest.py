"""A served page, and how scripts and agents ask it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mmdemo.models.aligner import Towers
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.ui import shell
from tests.waiting import free_port


@pytest.fixture(scope="module")
def served(
    tmp_path_factory: pytest.TempPathFactory, loaded: dict[str, Towers]
) -> Iterator[tuple[App, Any, str]]:
    """A workspace, its served page and the page's address."""
    port = free_port()
    settings = load_settings({}, workspace=tmp_path_factory.mktemp("api"), device="cpu", server_port=port)
    app, address, page = shell.serve(settings, block=False)
    yield app, page, address
    page.close(verbose=False)
    app.close()


@pytest.fixture(scope="module")
def api(served: tuple[App, Any, str]) -> tuple[App, Any, str]:
    """A served workspace, a client of its page and the page's address."""
    from gradio_client import Client

    app, _, address = served
    return app, Client(address, verbose=False), address


def agent(address: str, name: str, arguments: dict[str, Any]) -> tuple[list[Any], Any]:
    """What an agent sees: the tools, and the result of one."""
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def talk() -> tuple[list[Any], Any]:
        async with (
            streamable_http_client(f"{address}gradio_api/mcp/") as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return (await session.list_tools()).tools, await session.call_tool(name, arguments)

    with ThreadPoolExecutor(1) as thread:  # this one may have the browser tests' event loop
        return thread.submit(lambda: asyncio.run(talk())).result()
