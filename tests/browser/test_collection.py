"""What is chosen in the Data tab is hidden, edited and removed, and what stays is said before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from mmdemo.data.importing import import_source
from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from tests.conftest import TASK, png

Open = Callable[..., Page]
ZEBRAS = ("first", "second", "third")


def browse(page: Page, what: str, words: str = "") -> Any:
    """Show pairs, pictures or imports; the cards that are there then."""
    page.get_by_role("tab", name="Browse", exact=True).click()
    page.locator("[data-browse] [name=what]").select_option(what)
    if words:
        page.get_by_label("Words in the text").fill(words)
        page.locator("[data-browse]").get_by_role("button", name="Show").click()
    return page.locator("[data-pairs] figure")


@pytest.mark.slow
def test_what_is_chosen_is_hidden_edited_and_removed(
    served: tuple[App, str], open_page: Open, tmp_path: Path
) -> None:
    app, address = served
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    for i, name in enumerate(ZEBRAS):
        (zoo / f"{name}.png").write_bytes(png((i * 20, 200, 10)))
        (zoo / f"{name}.txt").write_text(f"the {name} zebra")
    import_source(app.ws, str(zoo), TASK)
    first, second, _ = (p for p in app.ws.pairs.browse(TASK, contains="zebra"))
    app.ws.labels.add(first.id, NewLabel("match"))
    pictures = app.ws.items.count("image")
    page, elsewhere = (
        open_page(f"{address}?view=data&task={TASK}", tolerate="status of 40") for _ in range(2)
    )
    cards = browse(page, "pairs", "zebra")
    expect(cards).to_have_count(3)
    expect(browse(elsewhere, "pairs", "zebra")).to_have_count(3)

    page.get_by_label("Choose the second zebra").check()
    chosen = page.get_by_role("group", name="What is chosen")
    expect(chosen).to_contain_text("1 pair chosen")
    chosen.get_by_role("button", name="Hide").click()
    expect(page.locator("#mm-toasts")).to_contain_text("Hidden from search and captions: 1 pair.")
    expect(cards.filter(has_text="hidden")).to_have_count(1)
    page.locator("#mm-toasts").get_by_role("button", name="Undo").click()
    expect(cards.filter(has_text="hidden")).to_have_count(0)
    assert not app.ws.pairs.views([second.id])[0].hidden

    page.get_by_label("Choose the first zebra").check()
    chosen.get_by_role("button", name="Edit").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Its label is on the old words: it stays in the log with them")
    dialog.get_by_label("Text").fill("a zebra that was first")
    dialog.get_by_role("button", name="Save").click()
    expect(cards.filter(has_text="a zebra that was first")).to_contain_text("unlabelled")
    page.locator("#mm-toasts").get_by_role("button", name="Undo").click()
    expect(cards.filter(has_text="the first zebra")).to_contain_text("match")  # its label holds again

    browse(page, "imports")
    page.get_by_role("button", name="Remove zoo").click()
    expect(dialog).to_contain_text("Remove 3 pictures and 3 pairs?")
    expect(dialog).to_contain_text("1 label stays in the log")
    dialog.get_by_role("button", name="Cancel").click()
    assert app.ws.items.count("image") == pictures
    page.get_by_role("button", name="Remove zoo").click()
    dialog.get_by_role("button", name="Remove").click()
    expect(page.get_by_role("button", name="Remove zoo")).to_have_count(0)
    assert app.ws.items.count("image") == pictures - 3 and app.ws.pairs.browse(TASK, contains="zebra") == []
    page.locator("[data-changes] summary").click()
    expect(page.locator("[data-changes]")).to_contain_text("removed 3 pictures and 3 pairs of the import zoo")

    shown = elsewhere.locator("[data-pairs] img")  # which a browser asks for again where it has no room
    shown.first.evaluate("(img) => { img.src += '&again' }")
    expect(elsewhere.locator(".mm-gone")).to_have_text(
        "This item was removed from the collection. Reload the page."
    )
    elsewhere.get_by_label("Choose the second zebra").check()
    elsewhere.get_by_role("group", name="What is chosen").get_by_role("button", name="Hide").click()
    expect(elsewhere.locator("#mm-toasts")).to_contain_text(f"There is no pair {second.id}. Choose others.")
    expect(elsewhere.locator("[data-pairs]")).to_have_text("No pair fits these filters.")
