"""What somebody brings to look at is no part of the collection until they add it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from mmdemo.service.app import App
from tests.conftest import png

Served = tuple[App, str]
Open = Callable[..., Page]


def test_a_button_adds_an_upload_to_the_collection_and_is_gone_for_another_picture(
    served: Served, open_page: Open, tmp_path: Path
) -> None:
    app, address = served
    page = open_page(address)
    for name, colour in (("mine.png", (9, 120, 33)), ("other.png", (9, 121, 33))):
        (tmp_path / name).write_bytes(png(colour))
    image = page.locator("#mm-image")
    add = image.get_by_role("button", name="Add to the collection", exact=True)
    expect(image.locator("[data-score]").first).to_be_visible()
    expect(add).to_have_count(0)
    image.get_by_label("Picture file").set_input_files(tmp_path / "mine.png")
    expect(add).to_be_visible()
    kept = image.locator("[data-kept]")
    expect(kept).to_have_text(
        "Nobody else finds it. It is deleted a day after its last use, unless it is labelled or added."
    )
    assert not app.ws.items.listed("image", ["mine.png"])
    add.click()
    expect(page.locator(".mm-toast").last).to_contain_text("mine.png is in the collection.")
    expect(add).to_have_count(0)
    expect(kept).to_have_count(0)
    assert app.ws.items.listed("image", ["mine.png"])
    image.get_by_label("Picture file").set_input_files(tmp_path / "other.png")
    expect(add).to_be_visible()
    image.locator(".mm-samples button").first.click()
    expect(add).to_have_count(0)
