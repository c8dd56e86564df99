"""Nothing in the page shuts people out: axe finds no fault in any view, in either theme, at any width."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.labelling import Open, Served

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A view's address, and what is there when it has drawn what it shows first.
VIEWS = {
    "align": ("", "[data-score]"),
    "caption": ("view=caption", ".mm-caption"),
    "search": ("view=search&text=an+apple", "[data-result]"),
    "speech": ("view=speech", "#mm-speech canvas, #mm-speech svg"),
    "video": ("view=video", "#mm-video video"),
    "label": ("view=label", ".mm-picture img"),
    "fine-tune": ("view=fine-tune", "#mm-finetune [data-start]"),
    "runs": ("view=fine-tune&part=runs", "#mm-finetune [data-panel=runs]"),
    "versions": ("view=fine-tune&part=versions", "#mm-finetune [data-panel=versions]"),
    "models": ("view=fine-tune&part=models", "#mm-finetune [data-panel=models]"),
    "data": ("view=data", "#mm-data .mm-cards img, #mm-data .mm-card img"),
}
WIDTHS, THEMES = (1440, 820, 390), (False, True)


def faults(page: Page) -> list[str]:
    """Each rule that is broken, with where."""
    found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def look(served: Served, open_page: Open, view: str, width: int, dark: bool) -> None:
    query, there = VIEWS[view]
    page = open_page(f"{served[1]}?{query}{'&__theme=dark' if dark else ''}", width=width, dark=dark)
    expect(page.locator(there).first).to_be_visible()
    assert faults(page) == []


@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_no_fault(served: Served, open_page: Open, view: str) -> None:
    look(served, open_page, view, 1440, dark=False)


@pytest.mark.slow
@pytest.mark.parametrize("dark", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_no_fault_at_any_width_in_either_theme(
    served: Served, open_page: Open, width: int, dark: bool
) -> None:
    for view in VIEWS:
        look(served, open_page, view, width, dark)
