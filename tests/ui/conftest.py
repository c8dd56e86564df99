"""A served page, and how scripts and agents ask it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mmdemo.models.aligner import Towers
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.ui import shell
from mmdemo.ui.access.gate import Gate
from mmdemo.ui.access.hosts import Hosts
from mmdemo.ui.routes import page_routes
from tests.waiting import free_port

T = TypeVar("T")


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


def gated(app: App, **settings: Any) -> TestClient:
    """The page's own routes behind the gate, asked from this machine."""
    gate = Gate(Starlette(routes=page_routes(app)), app, Hosts(app.settings))
    return TestClient(gate, base_url="http://127.0.0.1:7860", **settings)


def awaited(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns; this thread may have the browser tests' event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def agent(address: str, name: str, arguments: dict[str, Any], token: str = "") -> tuple[list[Any], Any]:
    """What an agent sees, perhaps with a token: the tools, and the result of one."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def talk() -> tuple[list[Any], Any]:
        async with (
            httpx.AsyncClient(headers=headers, follow_redirects=True, timeout=60) as http,
            streamable_http_client(f"{address}gradio_api/mcp/", http_client=http) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return (await session.list_tools()).tools, await session.call_tool(name, arguments)

    return awaited(talk())
