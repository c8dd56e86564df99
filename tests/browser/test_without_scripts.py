"""What somebody reads whose browser runs no scripts."""

from __future__ import annotations

from playwright.sync_api import Browser

from tests.browser.labelling import Served


def test_where_scripts_are_switched_off_a_sentence_says_so(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(served[1])
    said = page.inner_text("body")
    context.close()
    assert "mmdemo needs JavaScript" in said and "需要 JavaScript" in said
