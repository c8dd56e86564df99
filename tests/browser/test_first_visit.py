"""What somebody's browser is sent and shows when it opens the page for the first time."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.browser.conftest import KNOWS_THE_STEPS
from tests.browser.labelling import Served

MOST_BYTES = 800_000
MOST_SHIFT = 0.05  # half of what web.dev/articles/cls calls good
SHIFTS = """
  window.shifted = 0;
  new PerformanceObserver((list) => { for (const e of list.getEntries()) shifted += e.value; })
    .observe({ type: "layout-shift", buffered: true });
"""


def test_a_first_visit_is_small_and_nothing_moves_while_it_is_drawn(
    served: Served, chromium: Browser
) -> None:
    context = chromium.new_context(viewport={"width": 1360, "height": 900})
    for script in (KNOWS_THE_STEPS, SHIFTS):
        context.add_init_script(script)
    page, sizes = context.new_page(), list[int]()
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.loadingFinished", lambda e: sizes.append(e["encodedDataLength"]))
    page.goto(served[1])
    expect(page.locator("[data-score] .mm-number").first).to_be_visible()
    expect(page.locator(".mm-samples img").first).to_be_visible()
    shifted = page.evaluate("shifted")
    context.close()
    assert 100_000 < sum(sizes) <= MOST_BYTES and shifted <= MOST_SHIFT


def test_where_scripts_are_switched_off_a_sentence_says_so(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served[1])
    said = page.inner_text("body")
    context.close()
    assert "mmdemo needs JavaScript" in said and "需要 JavaScript" in said
