"""One choice of a version, in the header, which every view obeys."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import serving
from tests.browser.labelling import Open
from tests.training.test_training import label_samples, run


@pytest.mark.slow
def test_the_version_chosen_in_the_header_answers_in_every_view_for_whoever_chose_it_alone(
    tmp_path: Path, open_page: Open
) -> None:
    with serving(tmp_path) as (app, address):
        label_samples(app, 20)
        tuned, base = str(run(app, "ask", epochs=2).version_id), app.settings.model
        page = open_page(address)
        menu, shown = page.locator("#mm-header [data-model]"), page.locator("#mm-image [data-model]").first
        expect(menu).to_contain_text(base)
        expect(shown).to_have_attribute("data-model", base)
        menu.focus()
        page.keyboard.press("Enter")
        versions = page.get_by_role("menu", name="Version")
        expect(versions.get_by_role("menuitemradio", name=re.compile(base))).to_be_checked()
        expect(versions.get_by_role("menuitemradio", name=re.compile(base))).to_be_focused()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(versions).to_be_hidden()
        expect(menu).to_contain_text(tuned)
        expect(menu).to_contain_text("for you alone")
        expect(shown).to_have_attribute("data-model", tuned)
        page.get_by_role("tab", name="Caption", exact=True).click()
        expect(page.locator(f"[data-captions][data-model='{tuned}']")).to_be_visible()
        page.get_by_role("tab", name="Search", exact=True).click()
        page.locator("#mm-image input[type=search]").fill("an apple")
        page.keyboard.press("Enter")
        expect(page.locator(f"#mm-image [data-results][data-model='{tuned}'] .mm-card").first).to_be_visible()
        assert app.ws.versions.active("image-text") == base

        other = open_page(address)
        expect(other.locator("#mm-header [data-model]")).to_contain_text(base)
        linked = open_page(f"{address}?view=align&version={tuned}")
        expect(linked.locator("#mm-header [data-model]")).to_contain_text(tuned)
        expect(linked.locator("#mm-image [data-scores]")).to_have_attribute("data-model", tuned)

        menu.click()
        versions.get_by_role("menuitem", name="All versions and models").click()
        expect(page.get_by_role("tab", name="Versions", exact=True)).to_have_attribute(
            "aria-selected", "true"
        )
        for opened in (page, other, linked):  # before the server goes
            opened.close()
