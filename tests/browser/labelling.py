"""What tests of labelling do in the page, and what they ask the store afterwards."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from mmdemo.service.app import App
from mmdemo.store.answers import label_in_force
from mmdemo.store.tables import Pair
from tests.conftest import labels_of

Open = Callable[..., Page]
Served = tuple[App, str]
AWAY = "Failed to load resource"  # what the console says of a server that does not answer
LABELS = "**/mmdemo/api/label"
PRESS = "(key) => document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }))"


def check_texts(page: Page, lines: str) -> None:
    """Write the Image tab's texts as lines, and have them checked."""
    page.locator("#mm-image [data-lines]").click()
    page.get_by_label("Captions", exact=True).fill(lines)
    page.get_by_role("button", name="Check", exact=True).click()


def check_said(speech: Locator, lines: str) -> None:
    """Write the texts that may have been said as lines, and have them checked."""
    speech.locator("[data-lines]").click()
    speech.get_by_label("Texts", exact=True).fill(lines)
    speech.get_by_role("button", name="Check", exact=True).click()


def shows_a_pair(page: Page) -> Page:
    expect(page.locator(".mm-picture img")).to_be_visible()
    return page


def another_tab(page: Page) -> Page:
    other = page.context.new_page()
    other.goto(page.url)
    return shows_a_pair(other)


def pair_on(page: Page) -> int:
    return int(page.locator("[data-pair]").first.get_attribute("data-pair") or 0)


def press(page: Page, key: str) -> int:
    """Press a key; returns the pair that was on the screen."""
    page.locator("[data-pair]").first.wait_for(state="attached")
    pair = page.evaluate(
        """(key) => {
          const { pair } = document.querySelector("[data-pair]").dataset;  // another tab may change it
          document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
          return pair;
        }""",
        key,
    )
    return int(pair or 0)


def wait_for_pair(page: Page, pair: int) -> None:
    page.wait_for_function("(p) => document.querySelector('[data-pair]').dataset.pair === p", arg=str(pair))


def wait_sent(page: Page) -> None:
    page.wait_for_function("() => window.mm?.outbox && !mm.outbox.waiting().length")


def verdicts(app: App, pair: int) -> list[str]:
    """The log of a pair without the labels that were taken back, checked against what is in force."""
    rows = labels_of(app.ws, pair)
    gone = {row.undoes for row in rows}
    with app.ws.database.read() as session:  # of one moment: labels arrive meanwhile
        held = session.get_one(Pair, pair)
        assert label_in_force(session, pair) == held.label_id
    return [row.verdict for row in rows if row.id not in gone and row.undoes is None]
