"""Somebody new opens the page of a program that has just been started, and sees it learn: how long that
takes, and how often they press something.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.labelling import pair_on, shows_a_pair
from tests.waiting import free_port, wait_for_page

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., Page]
LABELS = 20
MOST_S = 180.0
MOST_PRESSES = LABELS + 10  # an answer is one; the ways between are the rest
# What a person presses, not what the page's own code does: a click or a key that the browser trusts.
COUNTS = """
  addEventListener("click", (e) => { if (e.isTrusted && e.detail) count(); }, true);  // Enter's is the key's
  addEventListener("keydown", (e) => {
    if (e.isTrusted && !e.repeat && !e.target.matches("input, textarea")) count();
  }, true);
  const count = () => sessionStorage.setItem("presses", 1 + Number(sessionStorage.getItem("presses")));
"""
OTHER = """(pair) => {
  const now = document.querySelector("[data-pair]").dataset.pair;
  return now && now !== pair;
}"""


@pytest.fixture
def just_started(tmp_path: Path) -> Iterator[tuple[str, float]]:
    """Where the page is that `python app.py` starts over an empty folder, and when it was started."""
    port, began = free_port(), time.monotonic()
    own = {"MMDEMO_WORKSPACE": str(tmp_path / "w"), "MMDEMO_DEVICE": "cpu", "GRADIO_SERVER_PORT": str(port)}
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, str(ROOT / "app.py")], env=os.environ | own, stdout=log, stderr=log
        )
        address = f"http://127.0.0.1:{port}/"
        try:
            wait_for_page(address, server, tmp_path / "log")
            yield address, began
        finally:
            server.terminate()
            server.wait(20)


@pytest.mark.slow
def test_somebody_new_asks_answers_twenty_and_sees_old_and_new_within_three_minutes(
    just_started: tuple[str, float], open_page: Open
) -> None:
    address, began = just_started
    page = open_page(address, new_here=True, blank=True)
    page.add_init_script(COUNTS)
    page.goto(address)
    steps = page.locator(".mm-steps")
    now = steps.locator("[aria-current=step]")

    expect(now).to_have_text("Ask")
    asked = page.locator("#mm-image [data-another] input")
    asked.click()
    asked.fill("a cat that sits")
    page.keyboard.press("Enter")
    expect(page.locator("[data-score] .mm-number").last).to_be_visible(timeout=60_000)

    expect(now).to_have_text("Label 20")
    steps.get_by_role("button", name="Show me").click()
    shows_a_pair(page)
    for at in range(LABELS):
        pair = pair_on(page)
        page.keyboard.press("m" if at % 5 else "x")
        page.wait_for_function(OTHER, arg=str(pair))

    expect(now).to_have_text("Tune")
    steps.get_by_role("button", name="Show me").click()
    page.get_by_role("button", name="Fine-tune", exact=True).click()
    expect(page.locator(".mm-verdict")).to_be_visible(timeout=120_000)
    expect(page.locator(".mm-five")).to_have_count(2)  # one question, asked of the old and of the new
    presses, seconds = page.evaluate("Number(sessionStorage.getItem('presses'))"), time.monotonic() - began
    print(f"{seconds:.0f} s from the start of the program, {presses} clicks and keys")
    assert seconds <= MOST_S and presses <= MOST_PRESSES
