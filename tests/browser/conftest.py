"""The real page in the real browser. One app and one Chromium a session; no page sees what another stored."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from assets.sounds import wav_bytes
from mmdemo.data.samples import SPEECH
from mmdemo.media.audio import RATE_HZ, decode_audio
from mmdemo.service.app import App
from mmdemo.settings import load_settings
from tests.browser.labelling import AWAY, Open, Served, shows_a_pair
from tests.doorway import Doorway
from tests.waiting import free_port

FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync "
    "--use-fake-ui-for-media-stream --use-fake-device-for-media-stream"
)
KNOWS_THE_STEPS = """if (location.protocol.startsWith("http"))  // a blank page has no storage
  localStorage.setItem("mmdemo.first-steps", JSON.stringify({ left: true }))"""
# Whoever comes to where others have answered is shown none; on the page that tests share, some have.
BEGINS_THE_STEPS = "localStorage['mmdemo.first-steps'] ??= '{}'"
STORED = "cookies,local_storage,indexeddb,service_workers,cache_storage"  # by a page; the HTTP cache stays


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


expect.set_options(timeout=15_000)  # two busy cores; how quick the page is, the benchmarks say


@pytest.fixture(scope="session")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spoken sentence and a second of silence: what Chromium's microphone hears over and over."""
    said = decode_audio(next((SPEECH / "samples").glob("sentence-01-*.ogg")))
    path = tmp_path_factory.mktemp("microphone") / "says.wav"
    path.write_bytes(wav_bytes(np.concatenate([said, np.zeros(RATE_HZ, np.float32)])))
    return path


@pytest.fixture(scope="session")
def chromium(microphone: Path) -> Iterator[Browser]:
    """Debian's Chromium, or the one that MMDEMO_CHROMIUM names."""
    path = os.environ.get("MMDEMO_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("MMDEMO_REQUIRE_BROWSER"):
            pytest.fail("MMDEMO_REQUIRE_BROWSER is set and there is no Chromium")
        pytest.skip("there is no Chromium; install it or set MMDEMO_CHROMIUM")
    flags = [*FLAGS.split(), f"--use-file-for-fake-audio-capture={microphone}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def contexts() -> list[BrowserContext]:
    """Contexts that no test uses now. In one that has loaded the page before, it loads in half the time."""
    return []


@contextmanager
def serving(folder: Path) -> Iterator[tuple[App, str]]:
    """The page over a new workspace with samples, its model loaded."""
    from mmdemo.ui.shell import serve

    settings = load_settings({}, workspace=folder, device="cpu", server_port=free_port())
    app, address, page = serve(settings, block=False)
    app.context.keeper.update()
    yield app, address
    page.close(verbose=False)
    app.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, str]]:
    """The page that most tests share."""
    with serving(tmp_path_factory.mktemp("page")) as page:
        yield page


@pytest.fixture
def open_page(chromium: Browser, contexts: list[BrowserContext]) -> Iterator[Callable[..., Page]]:
    """Open a page in a context of its own; console errors and requests to other hosts fail the test."""
    used: list[BrowserContext] = []
    changed: list[BrowserContext] = []
    wrong: list[str] = []

    def open_it(
        address: str,
        width: int = 1360,
        dark: bool = False,
        tolerate: str = "",  # words of console errors that are no fault
        blank: bool = False,  # the test goes to the address when it has prepared the page
        own_clock: bool = False,  # it sets the clock, which is the context's: nobody has that one after it
        new_here: bool = False,  # and is shown the first steps
    ) -> Page:
        context = contexts.pop() if contexts and not own_clock else chromium.new_context()
        (used if not own_clock else changed).append(context)
        page = context.new_page()
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.set_default_timeout(30_000)

        def console(message) -> None:  # type: ignore[no-untyped-def]
            if message.type == "error" and not (tolerate and tolerate in message.text):
                wrong.append(f"{message.text} {message.location.get('url', '')}")

        page.on("console", console)
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.add_init_script(BEGINS_THE_STEPS if new_here else KNOWS_THE_STEPS)
        home = address.split("#")[0].split("?")[0]
        page.on(
            "request", lambda r: None if r.url.startswith((home, "data:", "blob:")) else wrong.append(r.url)
        )
        kept = {"origin": home.rstrip("/"), "storageTypes": STORED}
        context.new_cdp_session(page).send("Storage.clearDataForOrigin", kept)
        if not blank:
            page.goto(address)
        return page

    yield open_it
    for context in used:
        for page in context.pages:
            page.close()
    contexts.extend(used)
    for context in changed:
        context.close()
    assert not wrong


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder for pictures to upload."""
    return tmp_path


@pytest.fixture
def doorway(served: Served) -> Iterator[Doorway]:
    """Between the page and the server."""
    made = Doorway(int(served[1].rstrip("/").rsplit(":", 1)[1]))
    yield made
    made.close()


@pytest.fixture
def page(doorway: Doorway, open_page: Open) -> Page:
    """The Label tab with a pair on it."""
    return shows_a_pair(open_page(f"{doorway.address}?view=label", tolerate=AWAY))
