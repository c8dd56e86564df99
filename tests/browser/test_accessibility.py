"""Nothing in the page shuts people out: axe finds no fault in any view, wide and light or narrow and dark."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.labelling import Open, Served

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# A view's address, and what is seen when it has drawn what it shows first.
VIEWS = {
    "align": ("", "[data-score]"),
    "label": ("view=label", ".mm-picture img"),
    "caption": ("view=caption", "#mm-image [data-captions] *"),
    "search": ("view=search&text=an+apple", "#mm-image [data-panel=search] img"),
    "speech": ("view=speech", "#mm-speech [data-wave] *"),
    "video": ("view=video", "#mm-video [data-panel]"),
    "fine-tune": ("view=fine-tune", "#mm-finetune [data-step]"),
    "runs": ("view=fine-tune&part=runs", "#mm-finetune [data-panel=runs] *"),
    "versions": ("view=fine-tune&part=versions", "#mm-finetune [data-tree] *"),
    "models": ("view=fine-tune&part=models", "#mm-finetune [data-models] table"),
    "map": ("view=map", "#mm-map .mm-map-group"),
    "data": ("view=data&part=browse", "#mm-data img"),
    "import": ("view=data", "#mm-data [data-foreseen]:not(:empty)"),
}


def faults(page: Page) -> list[str]:
    """Each rule that is broken, with where."""
    options = {"runOnly": RULES}
    if page.evaluate("'axe' in window"):  # it was looked at in another width
        found = page.evaluate("options => axe.run(options)", options)["violations"]
    else:
        found = Axe().run(page, options=options).response["violations"]
    told = [f"{one['id']}: {node['html'][:200]}" for one in found for node in one["nodes"]]
    # On a time line a word is as wide as it lasts: where it begins and ends is what it is for.
    return [one for one in told if not (one.startswith("target-size") and "data-word=" in one)]


def look(
    page: Page, address: str, views: list[str], wrong: Callable[[Page], list[str]] = faults, more: str = ""
) -> dict[str, list[str]]:
    """What is wrong in views, by those where something is; `more` stands in the address beside the view."""
    found = {}
    for view in views:
        query, there = VIEWS[view]
        page.goto(f"{address}?{query}{more}")
        expect(page.locator(there).first).to_be_visible()
        found[view] = wrong(page)
    return {view: of for view, of in found.items() if of}


def test_axe_finds_no_fault_where_one_asks_and_labels(served: Served, open_page: Open) -> None:
    page = open_page(served[1], width=1440, dark=True, blank=True)
    assert look(page, served[1], ["align", "label"]) == {}


@pytest.mark.slow
@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_axe_finds_no_fault_in_any_view(served: Served, open_page: Open, width: int, dark: bool) -> None:
    page = open_page(served[1], width=width, dark=dark, blank=True)
    assert look(page, served[1], list(VIEWS)) == {}
