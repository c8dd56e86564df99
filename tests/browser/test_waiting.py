"""What is opened while the server is away says so in its place, and comes by itself when that is back."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.labelling import AWAY, Open, Served
from tests.doorway import Doorway

OPENED = {  # by tab: its part, if it has one, and what stands there then
    "Data": ("#mm-data [data-part=browse]", "#mm-data [data-pairs] figure"),
    "Fine-tune": ("#mm-finetune [data-part=versions]", "#mm-finetune [data-tree] tbody tr"),
    "Speech": ("", "#mm-speech [data-samples] option + option"),
}


def show(page: Page, tab: str, part: str) -> None:
    page.get_by_role("tab", name=tab, exact=True).first.click()
    if part:
        page.locator(part).click()


def test_views_that_are_opened_while_the_server_is_away_say_so_and_are_whole_when_it_is_back(
    doorway: Doorway, open_page: Open
) -> None:
    page = open_page(doorway.address, tolerate=AWAY)
    expect(page.locator("[data-score]").first).to_be_visible(timeout=60_000)
    doorway.close()
    for tab, (part, there) in OPENED.items():
        show(page, tab, part)
        if part:
            expect(page.locator(".mm-working:visible")).to_contain_text("The server does not answer.")
        else:
            expect(page.locator("#mm-speech .mm-grey:visible")).to_have_count(1)
        expect(page.locator(there)).to_have_count(0)
    doorway.open()
    for tab, (_, there) in OPENED.items():
        show(page, tab, "")
        expect(page.locator(there).first).to_be_attached()
        expect(page.locator(".mm-working:visible, .mm-grey:visible")).to_have_count(0, timeout=60_000)


def test_what_is_waited_for_is_grey_lines_and_after_a_second_a_sentence(
    served: Served, open_page: Open
) -> None:
    page = open_page(served[1])
    expect(page.locator("#mm-header .mm-dot.good")).to_be_visible(timeout=60_000)
    page.clock.install()
    page.evaluate(
        "() => { mm.into(window.box = document.createElement('div'), () => new Promise(() => {})); }"
    )
    page.clock.run_for(900)
    assert page.evaluate("[box.querySelectorAll('.mm-grey i').length > 1, box.textContent]") == [True, ""]
    page.clock.run_for(100)
    assert page.evaluate("box.textContent") == "Working… it takes a few seconds."
    page.clock.run_for(5000)
    assert page.evaluate("box.textContent") == "Working… it takes longer than usual."
