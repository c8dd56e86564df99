"""What the page's parts do by the keyboard."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.labelling import Open, Served


def test_arrow_keys_go_through_the_views_of_a_tab_and_the_tab_key_stops_at_the_chosen_one(
    served: Served, open_page: Open
) -> None:
    page = open_page(served[1])
    views = page.locator("#mm-image [role=tablist]").first
    align, caption, search = (views.get_by_role("tab", name=name) for name in ("Align", "Caption", "Search"))
    expect(align).to_have_attribute("tabindex", "0")
    expect(caption).to_have_attribute("tabindex", "-1")
    align.focus()
    page.keyboard.press("ArrowRight")
    expect(caption).to_be_focused()
    expect(caption).to_have_attribute("aria-selected", "true")
    expect(caption).to_have_attribute("tabindex", "0")
    expect(align).to_have_attribute("tabindex", "-1")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    expect(search).to_be_focused()
    expect(search).to_have_attribute("aria-selected", "true")


def test_focus_is_seen_in_the_row_of_tabs_and_nothing_lies_over_the_brand(
    served: Served, open_page: Open
) -> None:
    page = open_page(served[1])
    speech = page.get_by_role("tab", name="Speech", exact=True).first
    expect(speech).to_be_visible()
    ring = "node => getComputedStyle(node).outline"
    page.locator("[data-share]").focus()
    for _ in range(2):
        page.keyboard.press("Tab")
    expect(speech).to_be_focused()
    assert "2px" in speech.evaluate(ring) and speech.evaluate(ring) != page.locator("body").evaluate(ring)
    page.locator(".mm-brand").click(trial=True)
