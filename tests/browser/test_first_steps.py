"""Who is new is led through asking, labelling, tuning and seeing; the steps go on by what they do."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.browser.labelling import Open, Served, check_texts, press, shows_a_pair, wait_for_pair, wait_sent


def test_the_first_steps_go_on_by_what_one_does_and_stay_closed(served: Served, open_page: Open) -> None:
    page = open_page(served[1], new_here=True)
    box = page.locator(".mm-steps")
    now = box.locator("[aria-current=step]")
    expect(now).to_have_text("Ask")
    check_texts(page, "a cat\na rocket")
    expect(now).to_have_text("Label 20")
    box.get_by_role("button", name="Show me").click()
    shows_a_pair(page)
    first = press(page, "m")
    expect(box).to_contain_text("19 answers to go")
    press(page, "z")
    wait_for_pair(page, first)
    expect(box).to_contain_text("Say of some pairs")
    page.reload()
    expect(now).to_have_text("Label 20")
    box.get_by_role("button", name="Close the first steps").click()
    expect(box).to_be_hidden()
    page.reload()
    shows_a_pair(page)
    wait_sent(page)
    expect(box).to_be_hidden()


@pytest.mark.parametrize("width", [1280, 390])
def test_the_first_steps_cover_nothing_that_one_labels_by(
    served: Served, open_page: Open, width: int
) -> None:
    page = open_page(f"{served[1]}?view=label", width=width, new_here=True, blank=True)
    page.set_viewport_size({"width": width, "height": 720 if width > 1000 else 844})
    page.goto(f"{served[1]}?view=label")
    shows_a_pair(page)
    expect(page.locator(".mm-steps")).to_be_visible()
    top = page.locator(".mm-steps").bounding_box()
    assert top is not None
    for button in page.locator("[data-large] button:visible").all():
        box = button.bounding_box()
        assert box is not None and box["y"] + box["height"] <= top["y"]


def test_who_comes_to_where_answers_are_already_is_not_led(served: Served, open_page: Open) -> None:
    page = open_page(served[1], new_here=True, blank=True)

    def answered(route: Route) -> None:
        told = route.fetch().json()
        route.fulfill(json=told | {"goal": told["goal"] | {"have": 20}})

    page.route("**/mmdemo/api/status", answered)
    page.add_init_script("localStorage.removeItem('mmdemo.first-steps')")
    with page.expect_response("**/mmdemo/api/status"):
        page.goto(served[1])
    expect(page.locator(".mm-status .mm-dot")).to_be_visible()
    expect(page.locator(".mm-steps")).to_be_hidden()
