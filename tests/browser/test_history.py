"""Back and Forward in the real page, and links that reopen exactly what was shared."""

from __future__ import annotations

import re
from difflib import ndiff
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from tests.browser.labelling import Open, Served
from tests.waiting import wait_for


def test_back_and_forward_go_through_what_was_opened_and_lose_nothing_that_was_written(
    served: Served, open_page: Open
) -> None:
    page = open_page(served[1])
    box, stage = page.locator("#mm-image"), page.locator("#mm-image .mm-stage img")
    expect(box.locator("[data-score]").first).to_be_visible(timeout=60_000)
    entries, first = page.evaluate("history.length"), page.url
    picture = stage.get_attribute("src")
    box.locator("[data-another] input").press_sequentially("not asked")
    assert page.evaluate("history.length") == entries
    box.locator(".mm-samples button").nth(2).click()
    expect(box.locator("[data-score]").first).to_be_visible()
    second, other = page.url, stage.get_attribute("src")
    box.get_by_role("tab", name="Search", exact=True).click()
    box.get_by_label("Search words").fill("a cup")
    box.get_by_role("button", name="Search", exact=True).click()
    expect(box.locator(".mm-card").first).to_be_visible()
    found = [card.get_attribute("data-item") for card in box.locator(".mm-card").all()]
    box.get_by_label("Search words").fill("a cup of")
    page.get_by_role("tab", name="Data", exact=True).click()
    expect(page.locator(".mm-dropzone")).to_be_visible()
    assert page.evaluate("history.length") == entries + 4
    page.go_back()
    expect(box.locator(".mm-card").first).to_be_visible()
    expect(box.get_by_label("Search words")).to_have_value("a cup of")
    expect(box.locator("[data-results]")).not_to_have_attribute("aria-busy", "true")
    assert [card.get_attribute("data-item") for card in box.locator(".mm-card").all()] == found
    page.go_back()
    page.go_back()
    expect(box.get_by_role("tab", name="Align", exact=True)).to_have_attribute("aria-selected", "true")
    assert page.url == second and stage.get_attribute("src") == other
    page.go_back()
    expect(stage).to_have_attribute("src", str(picture))
    assert page.url == first and page.evaluate("history.length") == entries + 4
    expect(box.locator("[data-another] input")).to_have_value("not asked")
    page.go_forward()
    expect(stage).to_have_attribute("src", str(other))
    page.go_back()
    page.go_back()
    expect(page).to_have_url(re.compile("about:blank"))


SHOWN = """(tab) => {
  const box = document.querySelector(`#mm-${tab}`);
  const all = (what) => [...(box?.querySelectorAll(what) || [])].filter((one) => one.offsetParent);
  return JSON.stringify([box?.innerText, all("img").map((one) => one.getAttribute("src")),
    all("select, input, textarea").map((one) => one.type === "checkbox" ? one.checked : one.value),
    all("[aria-pressed=true], [aria-selected=true]").map((one) => one.textContent)], null, 1);
}"""


@pytest.mark.parametrize(
    ("tab", "address", "act", "until"),
    [
        ("image", "view=align&text=a+cat%0Aa+rocket", "[data-mode=colours]", "[data-score='1']"),
        ("image", "view=search&find=text&only=unlabelled", "[data-similar]", "[data-results] h1"),
        ("speech", "view=speech&mode=search", "[data-similar]", "[data-results] .mm-line"),
        pytest.param(
            *("video", "view=video&mode=describe", "[data-describe]", "[data-captions] .mm-line"),
            marks=pytest.mark.slow,  # each of its shots is described twice
        ),
        ("data", "view=data&what=items&only=labelled", "[data-after]", "[data-before]:enabled"),
        ("finetune", "view=fine-tune&part=versions", "[data-tree] .mm-branch button", "[data-card] dl"),
    ],
)
def test_a_link_reopens_exactly_what_its_sender_sees(
    served: Served, open_page: Open, tab: str, address: str, act: str, until: str
) -> None:
    page = open_page(f"{served[1]}?{address}")
    if tab == "image" and "search" in address:  # by the picture that is there
        page.goto(f"{served[1]}?{address}&item={served[0].ws.items.listed('image', limit=1)[0].id}")
    there = page.locator(f"#mm-{tab} :is([data-name]:not(:empty), img, table):visible")
    expect(there.first).to_be_visible(timeout=60_000)
    page.locator(f"#mm-{tab} {act}").first.click(timeout=60_000)
    expect(page.locator(f"#mm-{tab} {until}").first).to_be_visible(timeout=60_000)
    expect(page.locator(f"#mm-{tab} [aria-busy=true]")).to_have_count(0)
    other, differ = open_page(page.url), ""

    def are_the_same() -> bool:  # what each shows of the collection comes when it comes
        nonlocal differ
        mine, theirs = page.evaluate(SHOWN, tab), other.evaluate(SHOWN, tab)
        differ = "" if mine == theirs else "\n".join(ndiff(mine.splitlines(), theirs.splitlines()))
        return not differ

    wait_for(are_the_same, 30, lambda: differ)


def test_a_long_state_is_shared_as_a_short_link_and_what_is_gone_is_said_in_place(
    served: Served, open_page: Open
) -> None:
    address = served[1]
    page = open_page(address, tolerate="400 (Bad Request)", blank=True)
    page.add_init_script("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    texts = "\n".join(f"{i}: a red car in the snow beside a house, {'很' * 30}" for i in range(9))
    page.goto(f"{address}?view=align&text={quote(texts)}")
    box = page.locator("#mm-image")
    expect(box.locator("[data-score]")).to_have_count(9, timeout=60_000)
    page.get_by_role("button", name="Share", exact=True).click()
    page.wait_for_function("() => window.copied")
    link = str(page.evaluate("window.copied"))
    assert re.fullmatch(re.escape(address) + r"\?s=[\w-]{16}", link)
    mine = page.evaluate(SHOWN, "image")
    page.goto(link)
    expect(box.locator("[data-score]")).to_have_count(9, timeout=60_000)
    expect(box.locator("[aria-busy=true]")).to_have_count(0)
    assert page.evaluate(SHOWN, "image") == mine and "text=" in page.url

    first = box.locator(".mm-samples button[aria-pressed=true]")
    for query, says in (
        ("?s=0123456789abcdef", "This short link is not known here.*; what the page begins with is shown"),
        (f"?view=align&item={'0' * 64}", "The picture of this link is not here.*; the first sample is shown"),
        ("?view=align&version=tuned-9", "The version tuned-9 of this link is not here.* answers instead"),
    ):
        page.goto(address + query)
        expect(box.locator(".mm-lost p")).to_have_text(re.compile(says))
        expect(first).to_have_count(1)
    page.goto(f"{address}?view=fine-tune&part=versions&compared=tuned-8,tuned-9")
    expect(page.locator("#mm-finetune .mm-lost p")).to_have_text(re.compile("tuned-8, tuned-9 of this link"))
