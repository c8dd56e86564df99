"""A tab and an operation that another package brings."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from mmdemo import registry
from mmdemo.data.exporters.base import EXPORTERS, Exporter
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.rows import Row, Skipped
from mmdemo.data.source import Source
from mmdemo.errors import RegistryError, UserError
from mmdemo.label_kinds import LABEL_KINDS, LabelKind
from mmdemo.modality import MODALITIES, Modality
from mmdemo.models.presets import LOADERS, PRESETS, Loader, Preset
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.settings import load_settings
from mmdemo.ui.shell import build_page, serve
from mmdemo.ui.tabs.table import TABS, Tab, tabs
from tests.conftest import BASE
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

    assert list(tabs()) == ["image", "speech", "video", "label", "shouting", "fine-tune", "map", "data"]
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


TABLES = (TABS, MODALITIES, LABEL_KINDS, EXPORTERS, IMPORTERS, PRESETS)
FAULTY: list[tuple[Callable[[], Any], str]] = [
    (lambda: like_a_picture(describe=None), "describe of a Modality is None"),
    (lambda: like_a_picture(noun=None), "noun of a Modality is None"),
    (lambda: like_a_picture(name=5), "name of a Modality is 5"),
    (lambda: like_a_picture(title="\ud800"), "title of a Modality is '\\ud800'"),
    (lambda: like_a_picture(suffixes={5}), "suffixes of a Modality is {5}"),
    (lambda: like_a_picture(player="loud"), "player of a Modality is 'loud'"),
    (lambda: made(LABEL_KINDS, LabelKind, "x", None, "about"), "title of a LabelKind is None"),
    (lambda: made(LABEL_KINDS, LabelKind, "x", "X", "about", "KeyQ"), "keys of a LabelKind is 'KeyQ'"),
    (lambda: made(LABEL_KINDS, lambda: None), "The verdict 'x' is None"),
    (lambda: made(TABS, Tab, "\ud800", 150, print), "title of a Tab is '\\ud800'"),
    (lambda: made(TABS, Tab, "X", 150, None), "build of a Tab is None"),
    (lambda: made(TABS, Tab, "X", "first", print), "order of a Tab is 'first'"),
    (lambda: made(TABS, lambda: print), "The tab 'x' is <built-in function print>"),
    (lambda: made(LOADERS, Loader, "x", "image-text", 5), "load_towers of a Loader is 5"),
    (
        lambda: made(LOADERS, Loader, "x", "image-text", None, None, None, False, None, ()),
        "The loader 'x' learns by",
    ),
    (lambda: LABEL_KINDS.add("a", LabelKind("b", "B", "about")), "The verdict 'b' is added as 'a'"),
    (lambda: MODALITIES.add("y", like_a_picture()), "The modality 'x' is added as 'y'"),
    (lambda: like_a_picture(model_setting="smell_model"), "There is no setting 'smell_model'"),
    (lambda: made(EXPORTERS, Exporter, "about", 900, None), "write of an Exporter is None"),
    (lambda: IMPORTERS.add("x", Pile("x", None)), "about of an Importer is None"),
    (lambda: like_a_model(loader="none"), "The model 'x' names the loader 'none', which there is not"),
    (lambda: like_a_model(task="speech-text"), "The model 'x' is of speech-text, and its loader"),
    (lambda: TABS.add("\ud800", Tab("X", 150, lambda: None)), "'\\ud800' is no name of a tab"),
]


def like_a_picture(**fields: Any) -> Modality:
    return replace(MODALITIES.get("image"), **{"name": "x", "task": "x-text"} | fields)


class Pile:
    """An importer that takes nothing."""

    def __init__(self, name: Any, about: Any) -> None:
        self.name, self.about = name, about

    def recognise(self, source: Source) -> Recognition:
        return NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        yield from ()


def like_a_model(**fields: Any) -> Preset:
    return PRESETS.add("x", replace(PRESETS.get(BASE), **{"id": "x"} | fields))


def made(table: registry.Registry[Any], record: Callable[..., Any], *fields: Any) -> Any:
    return table.add("x", record(*fields))


@pytest.mark.parametrize(("adds", "says"), FAULTY)
def test_a_record_that_cannot_be_used_is_refused_when_it_is_added_and_the_rest_stays(
    adds: Callable[[], Any], says: str
) -> None:
    before = [list(table) for table in TABLES]
    with pytest.raises(RegistryError) as refused:
        adds()
    assert str(refused.value).startswith(says) and refused.value.cure.startswith(
        ("Give ", "Use ", "Add ", "Leave it out", "Name ")
    )
    assert [list(table) for table in TABLES] == before


def test_a_plug_in_with_a_faulty_record_is_named_in_the_log_and_the_page_starts_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    adds = 'TABS.add("x", Tab("\\ud800", 150, print))'
    source = f"from mmdemo.ui.tabs.table import TABS, Tab\ndef register():\n    {adds}\n"
    (tmp_path / "faulty_plug_in.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    point = EntryPoint("faulty", "faulty_plug_in:register", registry.GROUP)
    monkeypatch.setattr(registry, "_loaded", None)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])
    assert "x" not in tabs() and registry._loaded == {}
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told.startswith(
        "The plug-in faulty was not loaded: title of a Tab is '\\ud800', which it cannot be."
    )


BROKEN_TAB = """
import gradio as gr
from mmdemo.ui.tabs.table import TABS, Tab


def build() -> None:
    button = gr.Button("left-over")
    button.click(lambda: None, None, None)
    raise RuntimeError("tab broke")


def register() -> None:
    TABS.add("broken", Tab("Broken", 150, build))
"""


def test_a_tab_that_cannot_be_laid_out_is_left_out_and_the_page_is_there(
    plug_in: Callable[[str, str], Path], make_app: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    plug_in("broken_tab_plug_in", BROKEN_TAB)
    page = build_page(make_app(samples=False))
    config = str(page.get_config_file())
    assert "left-over" not in config and "Broken" not in config and "Fine-tune" in config
    (told,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert told == "The tab broken was left out: RuntimeError: tab broke"
