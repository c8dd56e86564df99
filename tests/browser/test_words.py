"""The page in Chinese: nothing is left in English, nothing runs out of the window, what was typed stays."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from mmdemo.ui.page_words import languages
from tests.browser.labelling import Open, Served
from tests.browser.test_accessibility import VIEWS, faults, look

# What somebody sees or hears that is of the page itself: not what people wrote, the names of models and files
# or the keys of a keyboard. A label with a Chinese word in it is translated, and may hold somebody's words.
SAID = """() => {
  const NAMES = [".mm-text, .mm-pair-text, .mm-query, .mm-chip, kbd, option, textarea, footer, code",
    "[data-model], [data-words], [data-wave], [data-name], [data-kinds], [data-models] b, [data-models] dd",
    "[data-tree] b, .mm-brand, .mm-line-of b, figcaption b, .mm-source, [lang=en]"].join(", ");
  const seen = (node) => node.getClientRects().length && !node.closest(NAMES);
  const found = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode())
    if (seen(node.parentElement)) found.push(node.data);
  for (const name of ["placeholder", "aria-label"])
    for (const node of document.querySelectorAll(`[${name}]`)) {
      const said = node.getAttribute(name);
      if (seen(node) && !/[\\u4e00-\\u9fff]/.test(said)) found.push(said);
    }
  return found;
}"""
IN_CHINESE = "&lang=zh"
NAMES = re.compile(
    r"mmdemo|cpu|float\d+|zip|datasets|Enter|Hub|LoRA|cnn|rnn|Hugging|Face|sample\w*", re.ASCII
)
TOO_WIDE = """() => {
  const cuts = (one) => getComputedStyle(one).overflowX !== "visible";
  const scrolls = (one) => one && (cuts(one) || scrolls(one.parentElement));
  return [...document.querySelectorAll("body *")]
    .filter((node) => node.getClientRects().length && node.getBoundingClientRect().right > innerWidth + 1)
    .filter((node) => !node.closest("footer, .visually-hidden") && !scrolls(node.parentElement))
    .map((node) => node.outerHTML.slice(0, 120));
}"""


def english(page: Page) -> list[str]:
    """Words of the page that are left in English."""
    words = (word for said in page.evaluate(SAID) for word in re.split(r"[^\w./@:-]+", said, flags=re.ASCII))
    return sorted(
        {word for word in words if re.fullmatch(r"[A-Za-z][a-z]{2,}", word) and not NAMES.fullmatch(word)}
    )


def wrong(page: Page) -> list[str]:
    """What is wrong in a view that is shown in Chinese on a phone, there and in a wide window."""
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    found = [*english(page), *page.evaluate(TOO_WIDE), *faults(page)]
    page.set_viewport_size({"width": 1440, "height": 900})
    found += [*english(page), *page.evaluate(TOO_WIDE), *faults(page)]
    page.set_viewport_size({"width": 390, "height": 844})
    return found


def test_the_page_asks_and_labels_in_chinese(served: Served, open_page: Open) -> None:
    page = open_page(served[1], width=390, blank=True)
    assert look(page, served[1], ["align", "label"], wrong, IN_CHINESE) == {}


@pytest.mark.slow
def test_no_view_in_chinese_has_english_words_or_shuts_people_out(served: Served, open_page: Open) -> None:
    page = open_page(served[1], width=390, blank=True)
    assert look(page, served[1], list(VIEWS), wrong, IN_CHINESE) == {}


def test_another_language_is_chosen_in_the_header_and_keeps_what_was_typed(
    served: Served, open_page: Open
) -> None:
    page = open_page(served[1])
    another = page.locator("#mm-image [data-another] input")
    expect(page.locator("[data-score]").first).to_be_visible()
    another.fill("fits")
    page.locator("[data-language]").click()
    for code in languages():
        page.locator(f"[data-code={code}]").click()
        expect(page.get_by_role("tab", name="图片", exact=True).first).to_be_visible()
    expect(another).to_have_value("fits")
    page.goto(served[1])  # it is kept
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    another.fill("一只狮子")
    page.get_by_role("button", name="检查", exact=True).click()
    expect(page.locator("#mm-image")).to_contain_text("这看起来是中文")
    expect(page.locator(".mm-fits .mm-text", has_text="A tabby cat")).to_be_visible()  # people's texts stay
