from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from mmdemo.models.shipped import shipped_fit
from mmdemo.service.app import App
from tests.browser.labelling import check_texts

Open = Callable[..., Page]
Served = tuple[App, str]


def test_a_percent_tells_what_it_was_measured_on_by_click_and_by_key(served: Served, open_page: Open) -> None:
    app, address = served
    page = open_page(address)
    percent = page.locator("[data-score] .mm-ask").first
    expect(percent).to_be_visible()
    for width, dark in ((1440, False), (820, False), (390, True)):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if dark else "light")
        tells_what_it_was_measured_on(page, percent, app, width)


def tells_what_it_was_measured_on(page: Page, percent: Locator, app: App, width: int) -> None:
    """By click and by key, in a dialog that lies within the window."""
    percent.focus()
    page.keyboard.press("Enter")
    told = page.get_by_role("dialog", name="Can you trust its percent?")
    fit = shipped_fit(app.settings.model)
    assert fit is not None and fit.reliability is not None
    expect(told).to_contain_text(fit.reliability.on)
    expect(told).to_contain_text(f"{100 * fit.reliability.ece:.1f} points")
    expect(told).to_contain_text(f"from {100 * fit.zones.fits:.0f} % on")
    expect(told).to_contain_text("one in 5 is right")
    expect(told).to_contain_text(app.settings.model)
    expect(told.locator(".dot")).to_have_count(len(fit.reliability.bins))
    expect(told.locator(".dot.mine")).to_have_count(1)
    box = told.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    page.keyboard.press("Escape")
    expect(told).to_have_count(0)
    expect(percent).to_be_focused()
    percent.click()
    expect(told).to_be_visible()
    told.get_by_role("button", name="Close").click()
    expect(told).to_have_count(0)


def test_a_click_beside_the_percent_of_a_text_still_shows_where_it_is(
    served: Served, open_page: Open
) -> None:
    page = open_page(served[1])
    row = page.locator("[data-score='1']")
    beside = row.locator(".mm-number").bounding_box()
    assert beside is not None
    page.mouse.click(beside["x"] - 12, beside["y"] + beside["height"] / 2)
    expect(row.locator(".mm-pick")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("dialog")).to_have_count(0)


def test_the_card_of_a_version_shows_how_far_its_percent_can_be_trusted(
    served: Served, open_page: Open
) -> None:
    app, address = served
    page = open_page(f"{address}?view=fine-tune&part=versions")
    page.locator("[data-tree]").get_by_role("button", name=app.settings.model, exact=True).click()
    card = page.locator("[data-card]")
    expect(card.get_by_role("heading", name="Can you trust its percent?")).to_be_visible()
    diagram = card.get_by_role("img", name="Of what said")
    expect(diagram).to_be_visible()
    assert (diagram.bounding_box() or {"width": 0})["width"] > 200


def test_a_text_in_another_language_has_a_sentence_and_no_percent(served: Served, open_page: Open) -> None:
    page = open_page(served[1], width=1440)
    check_texts(page, "eine getigerte Katze\na tabby cat")
    rows = page.locator("[data-score]")
    expect(rows.nth(0)).to_contain_text("This looks German, and the text model knows English only.")
    expect(rows.nth(0)).to_contain_text("can't tell")
    expect(rows.nth(0)).not_to_contain_text("%")
    expect(rows.nth(1)).to_contain_text("%")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        expect(rows.nth(0)).to_be_visible()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
