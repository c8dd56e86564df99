from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mmdemo.settings import load_settings
from tests.browser.test_page import tab, wait_saved
from tests.conftest import TASK
from tests.test_label_kinds import PARTLY
from tests.waiting import free_port


@pytest.mark.slow
def test_a_kind_that_another_package_brings_has_a_button_a_key_a_count_and_a_filter(
    plug_in: Callable[[str, str], Path], open_page: Callable[..., Page], tmp_path: Path
) -> None:
    from mmdemo.ui.shell import serve

    plug_in("partly_kind", PARTLY)
    settings = load_settings({}, workspace=tmp_path / "w", device="cpu", server_port=free_port())
    app, address, served = serve(settings, block=False)
    try:
        page = open_page(f"{address}?view=label")
        box = page.locator("#mm-label")
        expect(page.locator(".mm-picture img")).to_be_visible()
        expect(box.get_by_role("button", name="Partly P", exact=True)).to_be_visible()
        expect(box.get_by_role("button", name="Fits M", exact=True)).to_be_visible()
        first = page.locator("[data-pair]").get_attribute("data-pair")
        page.keyboard.press("p")
        expect(page.locator(".mm-receipt")).to_contain_text("saved on disk")
        expect(page.locator(".mm-label-counts")).to_contain_text("Partly 1")
        assert page.locator("[data-pair]").get_attribute("data-pair") != first
        wait_saved(page)
        page.keyboard.press("?")
        expect(page.locator("[data-keys]")).to_contain_text("M→the text fitsX←it does not")
        expect(page.locator("[data-keys]")).to_contain_text("Pa part fits")
        page.keyboard.press("Escape")
        assert [str(p.id) for p in app.ws.pairs.browse(TASK, state="partly")] == [first]
        tab(page, "Data")
        page.get_by_role("tab", name="Browse", exact=True).click()
        page.locator("[data-browse] [name=state]").select_option("partly")
        page.get_by_role("button", name="Show", exact=True).click()
        expect(page.locator(".mm-pairs figure")).to_have_count(1)
        expect(page.locator("#mm-data [data-verdict] option")).to_contain_text(["to be labelled", "partly"])
        page.close()
    finally:
        served.close(verbose=False)
        app.close()
