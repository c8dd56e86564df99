"""A tab and an operation that another package brings."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdemo.errors import RegistryError, UserError
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.settings import load_settings
from mmdemo.ui.shell import serve
from mmdemo.ui.tabs.table import TABS, Tab, tabs
from tests.waiting import free_port

PLUG_IN = '''
from pathlib import Path
from pydantic import Field
from mmdemo.service.app import App
from mmdemo.service.operations.requests import Answer, Request, Text
from mmdemo.service.operations.table import operation
from mmdemo.ui.tabs.table import TABS, Tab
from mmdemo.ui.widgets import widget


class ShoutRequest(Request):
    """A text."""

    text: Text = Field(description="what to shout")


class ShoutAnswer(Answer):
    """It, loudly."""

    text: str


def shout(app: App, request: ShoutRequest) -> ShoutAnswer:
    """Say it loudly."""
    return ShoutAnswer(text=request.text.upper())


def build() -> None:
    widget("shouting", folder=Path(__file__).parent)


def register() -> None:
    operation("shout", role="viewer", public=True, quick=True)(shout)
    TABS.add("shouting", Tab("Shouting", 150, build))
'''
HTML = "<div><button data-go>Shout</button> <p data-heard></p></div>"
SCRIPT = """
element.querySelector("[data-go]").onclick = async () => {
  element.querySelector("[data-heard]").textContent = (await mm.api("shout", { text: "hey" })).text;
};
"""


@pytest.fixture
def shouting(plug_in: Callable[[str, str], Path]) -> Path:
    folder = plug_in("shouting_plug_in", PLUG_IN)
    (folder / "shouting.html").write_text(HTML)
    (folder / "shouting.js").write_text(SCRIPT)
    return folder


def test_an_operation_of_another_package_is_in_the_page_the_api_and_its_tab_in_the_page(
    shouting: Path, tmp_path: Path
) -> None:
    from gradio_client import Client

    assert list(tabs()) == ["image", "speech", "video", "label", "shouting", "fine-tune", "data"]
    settings = load_settings(
        {}, workspace=tmp_path / "w", samples=False, device="cpu", server_port=free_port()
    )
    app, address, page = serve(settings, block=False)
    try:
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{address}mmdemo/api/shout", b'{"text": "hey"}', kind)
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer) == {"text": "HEY"}
        assert Client(address, verbose=False).predict("hey", api_name="/shout") == {"text": "HEY"}
        with urllib.request.urlopen(f"{address}config") as answer:
            assert "data-heard" in answer.read().decode()
    finally:
        page.close(verbose=False)
        app.close()


def test_a_name_that_is_taken_or_unknown_is_refused_with_the_list() -> None:
    with pytest.raises(RegistryError, match="tab named 'data' already"):
        TABS.add("data", Tab("Data", 1, lambda: None))
    with pytest.raises(UserError, match=r"Use one of: .*label_counts"):
        OPERATIONS.get("smell")
