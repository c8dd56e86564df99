"""The real page in the real browser. One app and one Chromium a session, a context a test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mmdemo.service.app import App
from mmdemo.settings import load_settings
from tests.waiting import free_port

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync "
    "--use-fake-ui-for-media-stream --use-fake-device-for-media-stream"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


expect.set_options(timeout=15_000)  # two busy cores; how quick the page is, the benchmarks say


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or the one that MMDEMO_CHROMIUM names."""
    path = os.environ.get("MMDEMO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("MMDEMO_REQUIRE_BROWSER"):
            pytest.fail("MMDEMO_REQUIRE_BROWSER is set and there is no Chromium")
        pytest.skip("there is no Chromium; install it or set MMDEMO_CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, str]]:
    """The page over a new workspace with samples, its model loaded."""
    from mmdemo.ui.shell import serve

    settings = load_settings(
        {}, workspace=tmp_path_factory.mktemp("page"), device="cpu", server_port=free_port()
    )
    app, address, page = serve(settings, block=False)
    app.context.keeper.update()
    yield app, address
    page.close(verbose=False)
    app.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page in a context of its own; console errors and requests to other hosts fail the test."""
    contexts, wrong = [], []

    def open_it(address: str, width: int = 1360, dark: bool = False, tolerate: str = "") -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            accept_downloads=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)

        def console(message) -> None:  # type: ignore[no-untyped-def]
            if message.type == "error" and not (tolerate and tolerate in message.text):
                wrong.append(message.text)

        page.on("console", console)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        own = (address.split("?")[0], "data:", "blob:")
        page.on("request", lambda r: None if r.url.startswith(own) else wrong.append(r.url))
        page.goto(address)
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert not wrong


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder for pictures to upload."""
    return tmp_path
