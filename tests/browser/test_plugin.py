"""A modality from another package in the real page: its tab, and Label, Fine-tune and Data on it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.finetuning import promote, settings
from tests.series_data import write_series
from tests.waiting import free_port, wait_for, wait_for_page

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def page_of_series(series_text: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The page as `mmdemo serve` starts it where the package is installed, with some series."""
    folder, port = tmp_path_factory.mktemp("series"), free_port()
    write_series(folder / "known", each=4)
    own = {
        "MMDEMO_WORKSPACE": str(folder / "w"),
        "MMDEMO_DEVICE": "cpu",
        "GRADIO_SERVER_PORT": str(port),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(series_text)]),
    }
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-m", "mmdemo", "serve"], env=os.environ | own, stdout=log, stderr=log
    )
    address = f"http://127.0.0.1:{port}/"
    try:
        wait_for_page(address, server, folder / "log")
        ask(address, "import_start", source=str(folder / "known"), task="series-text")
        wait_for(lambda: ask(address, "import_state")["status"] == "done")
        assert not ask(address, "import_state")["error"]
        assert f"mmdemo is at {address}" in (folder / "log").read_text()
        yield address, folder
    finally:
        server.terminate()
        server.wait(20)
        log.close()


def ask(address: str, name: str, **body: str) -> dict[str, Any]:
    """What the page's server answers."""
    sent = json.dumps(body).encode()
    request = urllib.request.Request(
        f"{address}mmdemo/api/{name}", sent, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return dict(json.load(answer))


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).first.click()


def titles(own: Locator) -> list[str]:
    return own.locator(".mm-card .mm-text").all_inner_texts()


@pytest.mark.slow
def test_a_series_is_shown_aligned_searched_and_ticked(
    page_of_series: tuple[str, Path], open_page: Open
) -> None:
    address, folder = page_of_series
    page = open_page(address)
    tab(page, "Series")
    own = page.locator("#mm-series-text")
    expect(own.locator(".mm-samples button")).to_have_count(12)
    expect(own.locator(".mm-stage img")).to_have_attribute("src", re.compile("mmdemo/thumb/[0-9a-f]{64}"))
    expect(own.locator(".mm-score").first).to_be_visible(timeout=60_000)
    own.get_by_label("Texts").fill("it goes up\nrandom noise")
    own.get_by_role("button", name="Align", exact=True).click()
    expect(own.locator(".mm-score")).to_have_count(2)
    expect(own.locator(".mm-legend").first).to_contain_text("how likely it fits was not measured")
    expect(own.locator("[data-scores]")).not_to_contain_text("%")
    expect(own.locator("[data-scores] .mm-score").first).not_to_contain_text("fits")
    own.get_by_label("match: it goes up", exact=True).click()
    expect(own.locator(".mm-marks[title*='saved on disk']")).to_have_count(1)
    own.locator("input[type=file]").set_input_files(folder / "known" / "s10.csv")
    expect(own.locator("[data-name]")).to_have_text("s10.csv")
    own.get_by_role("tab", name="Search").click()
    own.get_by_label("Search words").fill("a fast vibration")
    own.get_by_role("button", name="Search", exact=True).click()
    expect(own.locator(".mm-card").first).to_be_visible(timeout=60_000)
    expect(own.locator(".mm-card .mm-text").first).to_have_text("a fast vibration")
    own.locator(".mm-card").first.get_by_label("match: a fast vibration", exact=True).click()
    expect(own.locator(".mm-card .mm-marks[title*='saved on disk']")).to_have_count(1)
    own.get_by_role("button", name="By this series").click()
    expect(own.locator(".mm-legend").last).to_contain_text("“a fast vibration” and the series")
    assert "view=series-text" in page.url and "mode=search" in page.url
    link = page.url
    again = open_page(link).locator("#mm-series-text")
    expect(again.locator(".mm-legend").last).to_contain_text(
        "“a fast vibration” and the series", timeout=60_000
    )
    assert titles(again) == titles(own)


@pytest.mark.slow
def test_series_are_labelled_trained_on_and_browsed_like_pictures(
    page_of_series: tuple[str, Path], open_page: Open
) -> None:
    page = open_page(page_of_series[0])
    tab(page, "Series")
    expect(page.locator("#mm-series-text .mm-score").first).to_be_visible(timeout=60_000)
    tab(page, "Label")
    label = page.locator("#mm-label")
    expect(label.get_by_role("tab", name="Series", exact=True)).to_have_attribute("aria-selected", "true")
    for _ in range(20):
        expect(label.get_by_alt_text("The series to label")).to_be_visible()
        asked = page.locator("#mm-label[data-why], #mm-label [data-why]").first
        proposal = asked.get_attribute("data-why") == "hard-negative"
        page.keyboard.press("x" if proposal else "m")
    expect(label.locator(".mm-receipt")).to_contain_text("saved on disk")
    tab(page, "Data")
    data = page.locator("#mm-data")
    data.get_by_role("tab", name="Browse").click()
    expect(data.locator(".mm-pairs img").first).to_be_visible()
    data.get_by_role("tab", name="Import").click()
    expect(data.locator("[data-size]")).to_contain_text("24 series")
    more = write_series(page_of_series[1] / "more", each=6)[24:]  # those that are not known yet
    files = [page_of_series[1] / "more" / "metadata.csv", *(path for path, _ in more)]
    data.get_by_label("Files to import").set_input_files(files)
    data.locator("[data-import]").click()
    expect(data.locator("[data-import-state]")).to_contain_text("Imported 12 new series, 12 new pairs")
    expect(data.locator("[data-size]")).to_contain_text("36 series")
    tab(page, "Fine-tune")
    tune = page.locator("#mm-finetune")
    expect(tune.get_by_role("tab", name="Series", exact=True)).to_have_attribute("aria-selected", "true")
    settings(page)
    tune.locator("[name=epochs]").fill("2")
    tune.locator("[data-start]").click()
    expect(tune.locator(".mm-verdict")).to_be_visible(timeout=120_000)
    expect(tune.locator("[data-result]")).to_contain_text("text → series")
    promote(page)
