"""Back and Forward in the real page, and links that reopen exactly what was shared."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.labelling import Open, Served


def test_back_and_forward_go_through_what_was_opened_and_lose_nothing_that_was_written(
    served: Served, open_page: Open
) -> None:
    page = open_page(served[1])
    box, stage = page.locator("#mm-image"), page.locator("#mm-image .mm-stage img")
    expect(box.locator("[data-score]").first).to_be_visible(timeout=60_000)
    entries, first = page.evaluate("history.length"), page.url
    picture = stage.get_attribute("src")
    box.locator("[data-another] input").press_sequentially("not asked")
    assert page.evaluate("history.length") == entries
    box.locator(".mm-samples button").nth(2).click()
    expect(box.locator("[data-score]").first).to_be_visible()
    second, other = page.url, stage.get_attribute("src")
    box.get_by_role("tab", name="Search", exact=True).click()
    box.get_by_label("Search words").fill("a cup")
    box.get_by_role("button", name="Search", exact=True).click()
    expect(box.locator(".mm-card").first).to_be_visible()
    found = [card.get_attribute("data-item") for card in box.locator(".mm-card").all()]
    box.get_by_label("Search words").fill("a cup of")
    page.get_by_role("tab", name="Data", exact=True).click()
    expect(page.locator(".mm-pairs figure").first).to_be_visible()
    assert page.evaluate("history.length") == entries + 4
    page.go_back()
    expect(box.locator(".mm-card").first).to_be_visible()
    expect(box.get_by_label("Search words")).to_have_value("a cup of")
    expect(box.locator("[data-results]")).not_to_have_attribute("aria-busy", "true")
    assert [card.get_attribute("data-item") for card in box.locator(".mm-card").all()] == found
    page.go_back()
    page.go_back()
    expect(box.get_by_role("tab", name="Align", exact=True)).to_have_attribute("aria-selected", "true")
    assert page.url == second and stage.get_attribute("src") == other
    page.go_back()
    expect(stage).to_have_attribute("src", str(picture))
    assert page.url == first and page.evaluate("history.length") == entries + 4
    expect(box.locator("[data-another] input")).to_have_value("not asked")
    page.go_forward()
    expect(stage).to_have_attribute("src", str(other))
    page.go_back()
    page.go_back()
    expect(page).to_have_url(re.compile("about:blank"))
