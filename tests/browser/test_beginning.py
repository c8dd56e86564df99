"""What a tab shows first leaves alone what a person who was quicker has done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from mmdemo.service.app import App

Open = Callable[..., Page]
Served = tuple[App, str]


@pytest.mark.slow
def test_what_somebody_writes_before_the_samples_are_there_stays(served: Served, open_page: Open) -> None:
    page = open_page(served[1])
    waiting: list[Route] = []
    page.route("**/mmdemo/api/samples", lambda route: waiting.append(route))
    with page.expect_request("**/mmdemo/api/samples"):
        page.goto(served[1])
    captions = page.get_by_label("Captions", exact=True)
    captions.fill("a striped cat")
    for route in waiting:
        route.continue_()
    page.unroute("**/mmdemo/api/samples")
    expect(page.locator(".mm-samples button").first).to_be_visible()
    expect(page.locator("[data-score]")).to_have_count(1)
    assert captions.input_value() == "a striped cat"
