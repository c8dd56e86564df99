"""The outbox: whatever goes away meanwhile, the store has exactly what was done in the page, once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from mmdemo.store.labels import NewLabel
from tests.browser.conftest import serving
from tests.browser.labelling import (
    AWAY,
    LABELS,
    PRESS,
    Open,
    Served,
    another_tab,
    pair_on,
    press,
    shows_a_pair,
    verdicts,
    wait_for_pair,
    wait_sent,
)
from tests.conftest import labels_of
from tests.doorway import Doorway


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page of these tests' own: what they label is in nobody else's way."""
    with serving(tmp_path_factory.mktemp("outbox")) as own:
        yield own


def test_labels_of_two_tabs_that_the_server_does_not_hear_are_all_stored_when_it_is_back(
    served: Served, doorway: Doorway, page: Page
) -> None:
    app, _ = served
    other, log = another_tab(page), app.ws.labels.total()
    doorway.close()
    said = [press(tab, "m") for _ in range(4) for tab in (page, other)]
    assert len(set(said)) == 8
    for tab in (page, other):
        expect(tab.locator("#mm-header")).to_contain_text("8 labels wait for the server")
        expect(tab.locator("#mm-header")).to_contain_text("No connection")
        expect(tab.locator(".mm-dot.good")).to_have_count(0)
        expect(tab.locator(".mm-receipt")).to_have_text(
            "No connection. 8 labels kept in this browser until the server answers."
        )
    page.evaluate(f"for (let i = 0; i < 80; i += 1) ({PRESS})('s')")  # all pairs that were fetched
    expect(page.locator(".mm-pair-text")).to_have_text("No connection.")
    expect(page.locator(".mm-why")).to_have_text("More pairs come when the server answers.")
    expect(page.get_by_role("button", name="Fits M", exact=True)).to_be_disabled()
    doorway.open()
    shows_a_pair(page)
    for tab in (page, other):
        wait_sent(tab)
        expect(tab.locator(".mm-dot.good")).to_be_visible()
        expect(tab.locator("#mm-header")).not_to_contain_text("wait")
        expect(tab.locator(".mm-receipt")).to_contain_text("saved on disk")  # whichever tab has sent it
    assert app.ws.labels.total() == log + 8
    assert [verdicts(app, pair) for pair in said] == [["match"]] * 8


def test_what_a_closed_tab_has_made_is_sent_by_another(served: Served, doorway: Doorway, page: Page) -> None:
    app, _ = served
    other = another_tab(page)
    doorway.close()
    said = [press(other, "m") for _ in range(3)]
    other.close()
    doorway.open()
    wait_sent(page)
    assert [verdicts(app, pair) for pair in said] == [["match"]] * 3


def test_a_label_and_its_undo_while_the_server_is_away_leave_the_pair_as_it_was(
    served: Served, doorway: Doorway, page: Page
) -> None:
    app, _ = served
    doorway.close()
    kept, taken = press(page, "m"), press(page, "x")
    press(page, "z")
    page.wait_for_function(
        "(pair) => document.querySelector('[data-pair]').dataset.pair === pair", arg=str(taken)
    )
    expect(page.locator("#mm-header")).to_contain_text("2 labels and 1 undo wait for the server")
    doorway.open()
    wait_sent(page)
    assert verdicts(app, kept) == ["match"] and verdicts(app, taken) == []
    assert [row.verdict for row in labels_of(app.ws, taken)][-2:] == ["mismatch", "undo"]


def test_an_undo_of_a_label_whose_answer_was_lost_takes_it_back(
    served: Served, doorway: Doorway, page: Page
) -> None:
    app, _ = served
    doorway.loses_answers = True
    pair = press(page, "m")
    page.wait_for_function("() => mm.outbox.state === 'away'")
    press(page, "z")
    doorway.loses_answers = False
    wait_sent(page)
    assert [row.verdict for row in labels_of(app.ws, pair)][-2:] == ["match", "undo"]


def test_undo_goes_on_after_a_reload_and_on_another_device_of_the_same_person(
    served: Served, doorway: Doorway, page: Page, open_page: Open
) -> None:
    app, _ = served
    page.get_by_label("Your name").fill("Ann of two devices")
    page.get_by_label("Your name").blur()
    said = [press(page, "m") for _ in range(3)]
    wait_sent(page)
    page.reload()
    press(shows_a_pair(page), "z")
    expect(page.locator(".mm-receipt")).to_contain_text("taken back by label")
    assert pair_on(page) == said[2] and verdicts(app, said[2]) == []
    phone = shows_a_pair(open_page(f"{doorway.address}?view=label", width=390, tolerate=AWAY))
    phone.get_by_label("Your name").fill("Ben of one device")
    phone.get_by_label("Your name").blur()
    press(phone, "z")
    expect(phone.locator(".mm-receipt")).to_have_text("There is nothing to take back.")
    phone.get_by_label("Your name").fill("Ann of two devices")
    phone.get_by_label("Your name").blur()
    for pair in (said[1], said[0]):
        press(phone, "z")
        expect(phone.locator(".mm-receipt")).to_contain_text("taken back by label")
        phone.wait_for_function(
            "(p) => document.querySelector('[data-pair]').dataset.pair === p", arg=str(pair)
        )
        assert verdicts(app, pair) == []
        phone.evaluate("document.querySelector('.mm-receipt').textContent = ''")
    press(phone, "z")
    expect(phone.locator(".mm-receipt")).to_have_text("There is nothing to take back.")


def test_a_label_that_waits_is_taken_back_after_a_reload_and_not_asked_again(
    served: Served, page: Page
) -> None:
    app, _ = served
    page.route(LABELS, lambda route: route.abort())
    first, second = press(page, "m"), press(page, "m")
    page.reload()
    press(shows_a_pair(page), "s")
    press(page, "z")
    wait_for_pair(page, second)
    assert page.evaluate("mm.outbox.waiting().map((e) => e.action)") == ["label", "label", "take_back"]
    for _ in range(20):
        assert press(page, "s") != first
    page.unroute(LABELS)
    wait_sent(page)
    assert verdicts(app, first) == ["match"] and verdicts(app, second) == []


def test_an_answer_of_something_between_is_no_receipt(served: Served, page: Page) -> None:
    app, _ = served
    ways = [
        {"status": 200, "content_type": "text/html", "body": "<h1>Pay for the hotel's network</h1>"},
        {"status": 404, "content_type": "text/html", "body": "<h1>No such host</h1>"},
        {"status": 503, "headers": {"retry-after": "1"}, "json": {"error": "Busy.", "cure": "Wait."}},
        {"status": 429, "json": {"error": "Too many.", "cure": "Wait."}},
    ]
    page.route(LABELS, lambda route: route.fulfill(**ways.pop(0)) if ways else route.continue_())
    pair = press(page, "m")
    wait_sent(page)
    assert not ways and verdicts(app, pair) == ["match"]
    expect(page.get_by_text("could not be stored")).to_have_count(0)


def test_labels_that_an_earlier_version_of_the_page_has_kept_are_sent(served: Served, page: Page) -> None:
    app, _ = served
    pairs = [pair.id for pair in app.ws.pairs.browse("image-text", state="unlabelled", limit=3)]
    taken = app.ws.labels.add(pairs[2], NewLabel("match"))
    before = [
        *(
            {"action": "label", "body": {"pair": p, "verdict": "match", "key": f"before-{p}"}}
            for p in pairs[:2]
        ),
        {"action": "undo", "body": {"label": taken, "key": "before-undo"}},
    ]
    page.evaluate("(entries) => localStorage.setItem('mmdemo.pending', JSON.stringify(entries))", before)
    page.reload()
    wait_sent(page)
    assert page.evaluate("localStorage.getItem('mmdemo.pending')") is None
    assert [verdicts(app, pair) for pair in pairs] == [["match"], ["match"], []]


def test_where_a_browser_has_no_locks_labels_of_two_tabs_are_stored_once(
    served: Served, doorway: Doorway, open_page: Open
) -> None:
    app, _ = served
    page = open_page(f"{doorway.address}?view=label", tolerate=AWAY, blank=True)
    hide = "Object.defineProperty(navigator, 'locks', { value: undefined })"
    page.add_init_script(hide)
    page.goto(f"{doorway.address}?view=label")
    other = page.context.new_page()
    other.add_init_script(hide)
    other.goto(page.url)
    log = app.ws.labels.total()
    shows_a_pair(page), shows_a_pair(other)
    doorway.close()
    said = [press(tab, "m") for _ in range(3) for tab in (page, other)]
    assert len(set(said)) == 6
    for tab in (page, other):
        expect(tab.locator("#mm-header")).to_contain_text("6 labels wait for the server")
    doorway.open()
    for tab in (page, other):
        wait_sent(tab)
    assert app.ws.labels.total() == log + 6
    assert [verdicts(app, pair) for pair in said] == [["match"]] * 6


def test_a_caption_of_ones_own_is_stored(served: Served, open_page: Open) -> None:
    app, address = served
    page, own = open_page(address), "a caption that nobody has thought of"
    page.get_by_role("tab", name="Caption", exact=True).click()
    page.get_by_role("button", name="Write a better one").click()
    page.get_by_label("A better caption").fill(own)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("[data-captions] .mm-text", has_text=own)).to_be_visible()  # once it is on disk
    assert own in [pair.text for pair in app.ws.pairs.browse("image-text", state="match")]


def test_a_caption_that_is_being_written_stays_when_the_view_is_answered_anew(
    served: Served, open_page: Open
) -> None:
    _, address = served
    page, held = open_page(address, blank=True), []
    page.route(
        "**/align", lambda route: held.append(route)
    )  # the answer that the page asks for at first comes late
    page.goto(address)
    page.wait_for_function("document.querySelector('[data-scores]')?.turn")
    page.get_by_role("tab", name="Caption", exact=True).click()
    page.get_by_role("button", name="Write a better one").click()
    page.get_by_label("A better caption").fill("half a sen")
    page.unroute("**/align")
    for route in held:
        route.continue_()
    expect(page.locator("[data-scores]")).not_to_have_attribute("aria-busy", "true")
    expect(page.get_by_label("A better caption")).to_have_value("half a sen")
    with page.expect_response("**/caption"):
        page.get_by_role("tab", name="Caption", exact=True).click()
    expect(page.locator("[data-captions]")).not_to_have_attribute("aria-busy", "true")
    expect(page.get_by_label("A better caption")).to_have_value("half a sen")
