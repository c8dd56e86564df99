"""Labels that cannot be stored, or not yet: told, kept, and in the way of nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import serving
from tests.browser.labelling import (
    AWAY,
    LABELS,
    Open,
    Served,
    pair_on,
    press,
    shows_a_pair,
    verdicts,
    wait_sent,
)
from tests.conftest import labels_of

STATUS = "**/mmdemo/api/status"
FILL = """() => {
  for (let size = 1 << 22, n = 0; size; size >>= 1) {
    try { for (;;) localStorage.setItem(`filler${n++}`, 'x'.repeat(size)); } catch { /* halve it */ }
  }
}"""
EMPTY = """() => Object.keys(localStorage).filter((name) => name.startsWith('filler'))
  .forEach((name) => localStorage.removeItem(name))"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page of these tests' own: what they label is in nobody else's way."""
    with serving(tmp_path_factory.mktemp("outbox")) as own:
        yield own


def refuse(page: Page, status: int, **answer: str) -> None:
    """Let every label of the page meet this answer."""
    page.route(LABELS, lambda route: route.fulfill(status=status, json=answer))


@pytest.mark.slow
def test_a_label_that_can_never_be_stored_is_put_aside_and_later_ones_are_stored(
    served: Served, page: Page, tmp_path: Path
) -> None:
    app, _ = served
    refused: list[int] = []

    def first_two(route: Route) -> None:
        body = route.request.post_data_json
        if len(refused) < 2 and body["pair"] not in refused:
            refused.append(body["pair"])
        if body["pair"] in refused:
            route.fulfill(status=400, json={"error": "It is full.", "cure": "Leave it."})
        else:
            route.continue_()

    page.route(LABELS, first_two)
    said = [press(page, "m") for _ in range(4)]
    expect(page.get_by_text("2 labels could not be stored")).to_be_visible()
    wait_sent(page)
    assert [verdicts(app, pair) for pair in said] == [[], [], ["match"], ["match"]]
    page.reload()
    shows_a_pair(page).get_by_text("2 labels could not be stored").click()
    dialog = page.locator("dialog.mm-aside")
    expect(dialog.locator("li")).to_have_count(2)
    expect(dialog.locator("li").first).to_contain_text("It is full. Leave it.")
    with page.expect_download() as download:
        dialog.get_by_role("button", name="Save as a file").click()
    download.value.save_as(tmp_path / "labels.json")
    told = json.loads((tmp_path / "labels.json").read_text())
    assert [(row["pair"], row["verdict"], row["why"]) for row in told] == [
        (pair, "match", "It is full. Leave it.") for pair in said[:2]
    ]
    page.unroute(LABELS)
    dialog.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("could not be stored")).to_have_count(0)
    wait_sent(page)
    assert [verdicts(app, pair) for pair in said] == [["match"]] * 4


@pytest.mark.parametrize("status", [404, 405, 421])
def test_what_the_door_refuses_waits_until_the_door_lets_it_in(
    served: Served, page: Page, status: int
) -> None:
    app, _ = served
    refuse(page, status, error="This page is not served under that name.", cure="Open it by its own.")
    said = [press(page, "m") for _ in range(2)]
    expect(page.locator("#mm-header")).to_contain_text("2 labels wait for the server")
    expect(page.locator("[data-waiting]")).to_have_attribute(
        "title", re.compile("not served under that name")
    )
    expect(page.locator("[data-aside]")).to_have_count(0)
    page.unroute(LABELS)
    wait_sent(page)
    assert [verdicts(app, pair) for pair in said] == [["match"]] * 2


@pytest.mark.slow
@pytest.mark.parametrize("status", [429, 503, 507])
def test_a_server_that_refuses_its_status_is_quoted_and_no_connection_is_called_lost(
    served: Served, page: Page, status: int
) -> None:
    line = page.locator("#mm-header")
    full = {"error": "Nothing was saved: the disk is full.", "cure": "Free some disk space."}
    page.route(STATUS, lambda route: route.fulfill(status=status, json=full))
    page.evaluate("mm.poke()")
    expect(line).to_contain_text("Nothing was saved: the disk is full. Free some disk space.")
    expect(line).not_to_contain_text("No connection")
    page.unroute(STATUS)
    page.route(STATUS, lambda route: route.fulfill(status=status, body="<h1>Bad gateway</h1>"))
    expect(line).to_contain_text("No connection")
    expect(line).not_to_contain_text("the disk is full")
    page.unroute(STATUS)
    expect(line.locator(".mm-dot.good")).to_be_visible()


@pytest.mark.slow
def test_an_undo_of_what_could_not_be_stored_leaves_nothing(served: Served, page: Page) -> None:
    app, _ = served
    refuse(page, 400, error="No.", cure="Stop.")
    pair = press(page, "m")
    expect(page.get_by_text("1 label could not be stored")).to_be_visible()
    expect(page.locator(".mm-receipt")).to_have_text("No. Stop.")
    page.get_by_text("1 label could not be stored").click()
    page.get_by_role("button", name="Delete").click()
    page.locator("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("could not be stored")).to_have_count(0)
    press(page, "x")
    expect(page.get_by_text("1 label could not be stored")).to_be_visible()
    page.reload()
    shows_a_pair(page).evaluate("mm.outbox.takeBack(mm.outbox.aside()[0].body)")
    expect(page.get_by_text("could not be stored")).to_have_count(0)
    assert labels_of(app.ws, pair) == []


@pytest.mark.slow
def test_a_fault_that_only_one_label_meets_holds_up_its_own_pair_alone_until_it_is_put_aside(
    served: Served, page: Page
) -> None:
    app, _ = served
    bad = pair_on(page)

    def one(route: Route) -> None:
        if route.request.post_data_json["pair"] == bad:
            route.fulfill(status=500, json={"error": "Something went wrong.", "cure": ""})
        else:
            route.continue_()

    page.route(LABELS, one)
    press(page, "m")
    said = [press(page, "m") for _ in range(3)]
    page.wait_for_function("() => mm.outbox.waiting().length === 1")
    assert [verdicts(app, pair) for pair in said] == [["match"]] * 3
    expect(page.locator("#mm-header")).to_contain_text("1 label waits for the server")
    expect(page.locator(".mm-dot.good")).to_be_visible()
    expect(page.get_by_text("1 label could not be stored")).to_be_visible(timeout=30_000)


def test_a_label_that_the_browser_has_no_room_for_is_told_at_once_and_not_shown_as_made(
    served: Served, page: Page
) -> None:
    app, _ = served
    log = app.ws.labels.total()
    page.evaluate(FILL)
    pair = press(page, "m")
    expect(page.locator(".mm-receipt")).to_contain_text("no room left to keep the label, so it was not made")
    assert pair_on(page) == pair
    tick = page.evaluate(
        """() => {
        const box = mm.answers.marks('x', 'a text', { origin: 'align' });
        document.body.append(box);
        box.firstChild.click();
        return [...box.children].map((b) => b.getAttribute('aria-pressed'));
      }"""
    )
    assert tick == ["false", "false"]
    expect(page.locator("#mm-toasts")).to_contain_text("no room left")
    assert app.ws.labels.total() == log
    page.evaluate(EMPTY)
    press(page, "m")
    wait_sent(page)
    assert verdicts(app, pair) == ["match"]


def test_who_does_not_sign_in_is_asked_once_and_the_labels_wait_until_they_do(
    served: Served, page: Page
) -> None:
    app, _ = served
    refuse(page, 401, error="This needs the pass phrase.", cure="Ask the person who shared this page.")
    said = [press(page, "m") for _ in range(2)]
    dialog = page.locator("dialog")
    expect(dialog).to_contain_text("This needs the pass phrase.")
    dialog.get_by_role("button", name="Cancel").click()
    expect(page.locator("#mm-header")).to_contain_text("2 labels wait until you sign in")
    said.append(press(page, "m"))
    expect(page.locator("#mm-header")).to_contain_text("3 labels wait until you sign in")
    page.reload()
    shows_a_pair(page)
    expect(page.locator("#mm-header")).to_contain_text("3 labels wait until you sign in")
    expect(dialog).to_have_count(0)
    page.get_by_role("button", name="Sign in").click()
    page.unroute(LABELS)
    dialog.get_by_label("Pass phrase or invitation").fill(app.access.owner_key())
    dialog.get_by_role("button", name="Sign in").click()
    wait_sent(page)
    assert [verdicts(app, pair) for pair in said] == [["match"]] * 3


@pytest.mark.slow
def test_a_tick_that_cannot_be_stored_is_not_shown_as_made(served: Served, open_page: Open) -> None:
    page = open_page(served[1], tolerate=AWAY)
    refusal = {"error": "No.", "cure": "Stop."}
    page.route("**/mmdemo/api/label_result", lambda route: route.fulfill(status=400, json=refusal))
    tick = page.locator("[data-scores] .mm-mark").first
    tick.click()
    expect(page.locator("#mm-toasts")).to_contain_text("No. Stop.")
    expect(tick).to_have_attribute("aria-pressed", "false")
    expect(page.get_by_text("1 label could not be stored")).to_be_visible()
