"""What a tab shows first leaves alone what a person who was quicker has done."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from mmdemo.service.app import App
from tests.conftest import png

Open = Callable[..., Page]
Served = tuple[App, str]


@pytest.mark.slow
def test_what_somebody_writes_before_the_samples_are_there_stays(served: Served, open_page: Open) -> None:
    page = open_page(served[1])
    waiting: list[Route] = []
    page.route("**/mmdemo/api/samples", lambda route: waiting.append(route))
    with page.expect_request("**/mmdemo/api/samples"):
        page.goto(served[1])
    page.get_by_role("button", name="Edit all as lines").click()
    captions = page.get_by_label("Captions", exact=True)
    captions.fill("a striped cat")
    for route in waiting:
        route.continue_()
    page.unroute("**/mmdemo/api/samples")
    expect(page.locator(".mm-samples button").first).to_be_visible()
    expect(page.locator("[data-score]")).to_have_count(1)
    assert captions.input_value() == "a striped cat"


def test_what_somebody_uploads_before_the_samples_are_there_is_shown(served: Served, open_page: Open) -> None:
    page = open_page(served[1])
    samples: list[Route] = []
    uploads: list[Route] = []
    page.route("**/mmdemo/api/samples", lambda route: samples.append(route))
    page.route("**/mmdemo/upload*", lambda route: uploads.append(route))
    with page.expect_request("**/mmdemo/api/samples"):
        page.goto(served[1])
    data = png((3, 140, 90))
    with page.expect_request("**/mmdemo/upload*"):
        page.locator("#mm-image input[type=file]").set_input_files(
            {"name": "mine.png", "mimeType": "image/png", "buffer": data}
        )
    for route in samples:
        route.continue_()
    page.unroute("**/mmdemo/api/samples")
    expect(page.locator(".mm-samples button").first).to_be_visible()
    for route in uploads:
        route.continue_()
    stage = page.locator("#mm-image .mm-stage img")
    expect(stage).to_have_attribute("src", re.compile(hashlib.sha256(data).hexdigest()))
