"""What tests do in the Fine-tune tab."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

ANYWAY = "Use it for everyone"


def part(page: Page, name: str) -> Locator:
    """Open a part of the tab."""
    page.locator(f"[data-part={name}]").click()
    return page.locator(f"[data-panel={name}]")


def settings(page: Page) -> None:
    """Open the settings of a new run, whatever became of the last one."""
    again, summary = page.locator("[data-again]"), page.locator("[data-settings] summary")
    expect(again.or_(summary).filter(visible=True).first).to_be_visible()
    if again.is_visible():
        again.click()
        expect(summary).to_be_visible()
    if not page.locator("[data-settings] details").evaluate("(more) => more.open"):
        summary.click()


START = """() => {
  const all = [...document.querySelectorAll("[data-start]:enabled, [data-queue]")];
  const found = all.find((one) => one.offsetParent);
  found?.click();
  return Boolean(found);
}"""


def start(page: Page) -> None:
    """Start a run, or queue it behind the one that is under way."""
    page.wait_for_function(START)  # at once: a run that begins meanwhile changes which of them is there


def train(page: Page, method: str, **values: str) -> None:
    """Start a run by a method."""
    part(page, "train")
    settings(page)
    expect(page.locator(f"[name=method] option[value={method}]")).to_have_count(1)
    page.locator("[name=method]").select_option(method)
    for name, value in values.items():
        page.locator(f"[name={name}]").fill(value)
    start(page)


def promote(page: Page) -> None:
    """Promote what a run made, also where the test does not show that it is better."""
    expect(page.locator("[data-promote]")).to_have_text(re.compile("Promote for everyone|Use it anyway"))
    page.locator("[data-promote]").click()
    if "anyway" in (page.locator("[data-promote]").text_content() or ""):
        page.get_by_role("button", name=ANYWAY, exact=True).click()
    expect(page.locator("[data-decided]")).to_have_text("In use: everyone is answered by it now.")
