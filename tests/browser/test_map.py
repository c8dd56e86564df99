"""The map in the real page: points are selected by pointer and keyboard, answered, lit up and linked to."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from sqlalchemy import func, select

from mmdemo.store.tables import Label
from tests.browser.labelling import Open, Served
from tests.conftest import TASK

FIRST_S = 60_000  # ms; the first map waits for the collection to be read


def mapped(open_page: Open, address: str) -> Page:
    """The page with the map's points on it."""
    page = open_page(address)
    expect(page.locator("#mm-map .mm-map-group, #mm-map .mm-map-thumb").first).to_be_visible(timeout=FIRST_S)
    return page


def drawn_around(page: Page) -> None:
    """Draw around all points."""
    box = page.locator("#mm-map [data-over]").bounding_box()
    assert box is not None
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99)]
    for i, (x, y) in enumerate(corners):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=3 if i else 1)
        if not i:
            page.mouse.down()
    page.mouse.up()


def test_a_lasso_selects_and_a_link_reopens_the_selection_and_what_is_lit(
    served: Served, open_page: Open
) -> None:
    app, address = served
    page = mapped(open_page, f"{address}?view=map&task={TASK}")
    drawn_around(page)
    heading = page.locator("#mm-map [data-side] h1")
    count = app.ws.items.count("image")
    expect(heading).to_have_text(f"{count} selected")
    expect(page).to_have_url(re.compile("in=l"))
    page.get_by_role("button", name="Clear selection").click()
    expect(heading).to_have_text(f"{count} pictures")
    page.get_by_label("Light up what fits a text").fill("a tiger")
    page.keyboard.press("Enter")
    expect(heading).to_contain_text(f"of {count} pictures fit “a tiger”", timeout=FIRST_S)
    expect(page.locator("#mm-map [data-legend]")).to_contain_text("fits")
    page.get_by_role("button", name="Select these").click()
    expect(heading).to_contain_text("selected")
    expect(page).to_have_url(re.compile("in=i"))  # which is written when what is seen has been drawn
    again = mapped(open_page, page.url)
    expect(again.locator("#mm-map [data-side] h1")).to_have_text(heading.inner_text())
    expect(again.locator("#mm-map .mm-map-thumb")).to_have_count(
        page.locator("#mm-map .mm-map-thumb").count()
    )


def test_by_keyboard_points_are_found_selected_answered_and_taken_back(
    served: Served, open_page: Open
) -> None:
    app, address = served
    page = mapped(open_page, f"{address}?view=map&task={TASK}")
    page.locator("#mm-map [data-over]").focus()
    page.keyboard.press("ArrowRight")
    heading = page.locator("#mm-map [data-side] h1")
    expect(page.locator("#mm-map [data-list] h2")).to_have_text("Most alike to this one")
    expect(page.locator("#mm-map .mm-map-lines li").first).to_be_visible()
    for key in ("ArrowRight", "ArrowDown", "ArrowRight"):
        page.keyboard.press(f"Shift+{key}")
    expect(heading).to_have_text(re.compile(r"^\d+ selected$"))
    page.keyboard.press("Escape")
    expect(heading).to_have_text(re.compile(r"^\d+ pictures$"))
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Space")
    expect(heading).to_have_text("1 selected")
    with app.ws.database.read() as session:
        before = session.scalar(select(func.max(Label.id))) or 0
    page.locator("#mm-map [data-does=mismatch]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#mm-toasts")).to_contain_text(re.compile("Saved: 1 answer|answered so already"))
    page.locator("#mm-toasts").get_by_role("button", name="Undo").click()
    expect(page.locator("#mm-map [data-legend]")).to_be_visible()
    with app.ws.database.read() as session:
        made = session.scalars(select(Label).where(Label.id > before).order_by(Label.id)).all()
    assert made[0].verdict == "mismatch"
