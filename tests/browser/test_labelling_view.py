"""The Label tab: its keys, its history, what was skipped, its place on the screen, and swipes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.labelling import (
    AWAY,
    Open,
    Served,
    pair_on,
    press,
    shows_a_pair,
    verdicts,
    wait_for_pair,
    wait_sent,
)
from tests.conftest import TASK
from tests.waiting import wait_for

PRESS = """([key, code, more]) => document.body.dispatchEvent(
  new KeyboardEvent('keydown', { key, code, bubbles: true, ...more }))"""
SWIPE = """([selector, dx]) => {
  const area = document.querySelector(selector), box = area.getBoundingClientRect();
  const at = { pointerId: 7, pointerType: 'touch', bubbles: true, clientY: box.top + box.height / 2 };
  const x = box.left + box.width / 2;
  for (const [type, clientX] of [['pointerdown', x], ['pointermove', x + dx], ['pointerup', x + dx]]) {
    area.dispatchEvent(new PointerEvent(type, { ...at, clientX }));
  }
}"""


def few_pairs(number: int) -> Callable[[Route], None]:
    """Let a page see only so many pairs of the queue."""
    seen: list[int] = []

    def answer(route: Route) -> None:
        told = route.fetch().json()
        seen.extend(pair["pair"] for pair in told["pairs"][: max(0, number - len(seen))])
        route.fulfill(json=told | {"pairs": [pair for pair in told["pairs"] if pair["pair"] in seen]})

    return answer


def press_on(page: Page, key: str, code: str, **more: bool) -> int:
    """Press a key of any keyboard; returns the pair that was on the screen."""
    pair = pair_on(page)
    page.evaluate(PRESS, [key, code, more])
    return pair


def test_keys_do_the_same_on_other_keyboards_and_nothing_with_ctrl_or_in_a_field(
    served: Served, page: Page
) -> None:
    app, _ = served
    log = app.ws.labels.total()
    russian, greek = press_on(page, "ь", "KeyM"), press_on(page, "χ", "KeyX")
    french = press_on(page, "m", "Semicolon")  # where AZERTY has its M
    shown = pair_on(page)
    for how in ("ctrlKey", "altKey", "metaKey"):
        press_on(page, "m", "KeyM", **{how: True})
    page.get_by_label("Your name").press("m")
    page.get_by_label("Your name").fill("")
    assert pair_on(page) == shown
    page.evaluate(PRESS, ["?", "Digit7", {}])
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("the text fits")
    dialog.get_by_role("button").press("m")
    dialog.get_by_role("button").click()
    assert pair_on(page) == shown
    wait_sent(page)
    assert [verdicts(app, pair) for pair in (russian, greek, french)] == [["match"], ["mismatch"], ["match"]]
    assert app.ws.labels.total() == log + 3


def test_an_answer_of_before_is_opened_from_the_history_and_changed_and_its_change_is_undone(
    served: Served, page: Page
) -> None:
    app, _ = served
    pair = press(page, "m")
    wait_sent(page)
    page.reload()
    shown = pair_on(shows_a_pair(page))
    answer = page.locator(".mm-past button").first
    expect(answer).to_have_attribute("aria-label", re.compile("Fits"))
    answer.click()
    wait_for_pair(page, pair)
    fits = page.locator("[data-verdict=match]")
    expect(fits).to_have_attribute("aria-pressed", "true")
    fits.click()  # it is what was said: nothing is stored
    wait_for_pair(page, shown)
    answer.click()
    press(page, "x")
    wait_for_pair(page, shown)
    wait_sent(page)
    expect(answer).to_have_attribute("aria-label", re.compile("Doesn.t fit"))
    assert verdicts(app, pair) == ["match", "mismatch"]
    press(page, "z")
    wait_for_pair(page, pair)
    wait_sent(page)
    assert verdicts(app, pair) == ["match"]
    expect(fits).to_have_attribute("aria-pressed", "true")
    press(page, "s")  # it keeps its answer
    wait_for_pair(page, shown)
    expect(answer).to_have_attribute("aria-label", re.compile("Fits"))
    page.get_by_role("button", name=re.compile("^All ")).click()
    expect(page.get_by_role("dialog", name="Your answers").locator("li").first).to_contain_text("Fits")


@pytest.mark.slow
def test_what_was_skipped_is_offered_again_when_nothing_else_is_left(served: Served, open_page: Open) -> None:
    page = open_page(f"{served[1]}?view=label", blank=True)
    page.route("**/mmdemo/api/queue", few_pairs(3))
    page.goto(f"{served[1]}?view=label")
    skipped = {press(shows_a_pair(page), "s") for _ in range(3)}
    expect(page.locator(".mm-pair-text")).to_have_text("You skipped all that is left.")
    expect(page.locator("[data-verdict=match]")).to_be_hidden()
    page.get_by_role("button", name="Show them again").click()
    shows_a_pair(page)
    for _ in skipped:
        assert press(page, "m") in skipped
    expect(page.locator(".mm-pair-text")).to_have_text("Every pair has its answer.")
    wait_sent(page)
    page.get_by_role("button", name="Import more").click()
    expect(page.get_by_role("tab", name="Data", exact=True)).to_have_attribute("aria-selected", "true")
    page.unroute_all(behavior="wait")


def test_a_screen_has_few_pairs_ahead_that_nobody_else_has_and_gives_them_back_when_it_is_left(
    served: Served, open_page: Open
) -> None:
    app, address = served
    one, two = (shows_a_pair(open_page(f"{address}?view=label")) for _ in range(2))
    mine = pair_on(one)
    assert pair_on(two) != mine and mine in app.ws.leases.held(TASK)
    everybody = app.ws.leases.held(TASK)
    assert all(len(people) == 1 for people in everybody.values()) and len(everybody) >= 12
    with two.expect_response("**/mmdemo/api/queue") as told:
        press(two, "s")
        press(two, "s")
        press(two, "s")
    asked = {pair["pair"] for pair in told.value.json()["pairs"]}
    assert asked and not asked & set(everybody)
    one.goto("about:blank")
    wait_for(lambda: mine not in app.ws.leases.held(TASK))


def test_what_is_asked_its_answers_and_the_history_need_no_scrolling_on_a_small_screen(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    press(page, "m")
    expect(page.locator(".mm-past button").first).to_be_visible()
    for part in (".mm-plate", ".mm-pair-text", "[data-large]", "[data-small]", ".mm-past", ".mm-label-foot"):
        box = page.locator(part).bounding_box()
        assert box is not None and box["y"] >= 0 and box["y"] + box["height"] <= 720, part
    picture, asked = (page.locator(one).bounding_box() for one in (".mm-plate", ".mm-label-asked"))
    assert picture and asked and picture["x"] + picture["width"] < asked["x"]
    assert page.locator(".mm-label-asked").evaluate("(box) => box.scrollHeight <= box.clientHeight + 1")


@pytest.mark.slow
def test_the_guidelines_are_open_until_the_first_label(page: Page) -> None:
    guide = page.locator(".mm-guide")
    expect(guide).to_have_attribute("open", "")
    press(page, "m")
    wait_sent(page)
    page.reload()
    expect(shows_a_pair(page).locator(".mm-guide:not([open])")).to_have_count(1)


@pytest.mark.slow
def test_the_goal_counts_down_and_ends_in_the_way_to_the_fine_tune(page: Page) -> None:
    goal = {"have": 28, "need": 30}

    def told(route: Route) -> None:
        route.fulfill(json=route.fetch().json() | {"goal": goal})

    for asked in ("status", "queue"):
        page.route(f"**/mmdemo/api/{asked}", told)
    page.reload()
    shows_a_pair(page)
    expect(page.locator(".mm-goal")).to_contain_text("2 more until the first fine-tune")
    expect(page.get_by_role("progressbar", name="28 of 30 answers to learn from")).to_be_visible()
    goal["have"] = 30
    page.evaluate("mm.poke()")
    page.get_by_role("button", name="Enough to fine-tune").click()
    expect(page.get_by_role("button", name="Fine-tune", exact=True)).to_be_visible()
    page.unroute_all(behavior="wait")


@pytest.mark.slow
def test_a_swipe_answers_on_a_phone_and_is_taken_back_from_its_toast(served: Served, open_page: Open) -> None:
    app, address = served
    phone = shows_a_pair(open_page(f"{address}?view=label", width=390, tolerate=AWAY))
    left = pair_on(phone)
    phone.evaluate(SWIPE, [".mm-plate", 30])  # too short: nothing
    assert pair_on(phone) == left
    phone.evaluate(SWIPE, [".mm-plate", -120])
    right = pair_on(phone)
    assert right != left
    phone.evaluate(SWIPE, [".mm-pair-text", 120])
    phone.locator(".mm-swiped").get_by_role("button", name="Undo").click()
    wait_for_pair(phone, right)
    wait_sent(phone)
    assert verdicts(app, left) == ["mismatch"] and verdicts(app, right) == []
    fits, not_so, dock = (
        phone.locator(one).bounding_box()
        for one in ("[data-verdict=match]", "[data-verdict=mismatch]", ".mm-dock")
    )
    assert fits and not_so and dock and not_so["x"] < fits["x"] and not_so["height"] >= 44
    assert fits["y"] + fits["height"] <= dock["y"]
