"""Searching in the real page: it ends, it follows ticks and crosses, and its links reopen exactly it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from mmdemo.asker import Asker
from mmdemo.service.app import App
from tests.conftest import TASK

Served = tuple[App, str]
Open = Callable[..., Page]
BEN = Asker("annotator", session="three", name="Ben", by="grant 2")
FIRST_S = 60_000  # ms; the first answer waits for the model


def shown(box: Locator) -> list[str]:
    """The items of the results, in their order."""
    return [str(card.get_attribute("data-item")) for card in box.locator("[data-results] [data-item]").all()]


def searched(served: Served, open_page: Open, words: str) -> tuple[Page, Locator]:
    """The page with the answers to some words, and its Image tab."""
    page = open_page(f"{served[1]}?view=search&text={words}")
    box = page.locator("#mm-image")
    expect(box.locator("[data-results] h1")).to_be_visible(timeout=FIRST_S)
    return page, box


def test_where_nothing_fits_all_is_folded_and_a_link_reopens_it_unfolded(
    served: Served, open_page: Open
) -> None:
    page, box = searched(served, open_page, "quarterly+tax+report")
    expect(box.locator("[data-results] h1")).to_have_text("No good match")
    expect(box.locator(".mm-card").first).to_be_hidden()
    weaker = box.locator(".mm-fold summary")
    expect(weaker).to_contain_text(f"{len(shown(box))} weaker matches")
    weaker.focus()
    page.keyboard.press("Enter")
    expect(box.locator(".mm-card").first).to_be_visible()
    expect(page).to_have_url(re.compile("all=1"))
    again = open_page(page.url).locator("#mm-image")
    expect(again.locator(".mm-card").first).to_be_visible(timeout=FIRST_S)


def test_the_example_of_the_search_field_finds_what_it_names_and_says_how(
    served: Served, open_page: Open
) -> None:
    page = open_page(f"{served[1]}?view=search")
    box = page.locator("#mm-image")
    words = box.get_by_role("searchbox")
    words.fill(str(words.get_attribute("placeholder")))
    words.press("Enter")
    first = box.locator(".mm-card").first
    expect(first).to_contain_text("found by its text", timeout=FIRST_S)
    titles = box.locator(".mm-card:not(.weaker) .mm-text").all_inner_texts()
    assert len(titles) > 2 and all("apple" in title.lower() for title in titles)


@pytest.mark.slow
def test_a_tick_in_align_has_a_receipt_with_undo_and_a_shared_link_names_the_version_that_answered(
    served: Served, open_page: Open
) -> None:
    app, address = served
    page = open_page(f"{address}?view=align&text=a+cat")
    page.add_init_script("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    page.reload()
    box = page.locator("#mm-image")
    page.wait_for_selector("#mm-image [data-score='0']", timeout=FIRST_S)
    page.get_by_role("button", name="Share", exact=True).click()
    page.wait_for_function("() => window.copied")
    assert f"version={app.ws.versions.active('image-text')}" in page.evaluate("() => window.copied")
    tick = box.get_by_label("match: a cat", exact=True)
    tick.click()
    saved = box.get_by_role("status").filter(has_text="Saved: 1 answer.")
    expect(saved).to_be_visible()
    expect(box.locator("[data-scores] .mm-marks")).to_have_attribute("title", re.compile("saved on disk"))
    saved.get_by_role("button", name="Undo").click()
    expect(page.locator(".mm-toast", has_text="taken back by label")).to_be_visible()
    expect(tick).to_have_attribute("aria-pressed", "false")


@pytest.mark.slow
def test_a_search_by_a_picture_says_whether_it_asks_for_the_words_too(
    served: Served, open_page: Open
) -> None:
    app, _ = served
    item = app.ws.items.listed("image", limit=1)[0].id
    _, box = searched(served, open_page, f"a+cup&item={item}")
    by = box.locator("[data-similar]")
    expect(by).to_have_text("By this picture and the words")
    box.get_by_role("searchbox").fill("")
    expect(by).to_have_text("By this picture")


def test_words_in_another_language_have_their_sentence_and_no_percent(
    served: Served, open_page: Open
) -> None:
    _, box = searched(served, open_page, "ein+Hund+auf+dem+Sofa")
    expect(box.locator("[data-search-note]")).to_contain_text("looks German")
    expect(box.locator("[data-results]")).not_to_contain_text("%")
    expect(box.locator(".mm-card").first).to_contain_text("similarity")


@pytest.mark.slow
def test_a_cross_moves_the_answers_at_once_stays_after_a_reload_and_can_be_taken_back(
    served: Served, open_page: Open
) -> None:
    page, box = searched(served, open_page, "an+animal&all=1")
    before = shown(box)

    def cross(card: Locator) -> None:
        with page.expect_response("**/api/search"):
            card.get_by_label("mismatch: an animal", exact=True).click()

    cross(box.locator(f".mm-card[data-item='{before[0]}']"))
    expect(box.locator(".mm-card").first).not_to_have_attribute("data-item", before[0])
    expect(box.locator(".mm-learned")).to_contain_text("1 answer: results reordered.")
    page.reload()
    own = box.locator(f".mm-card[data-item='{before[0]}']")
    expect(own.get_by_label("mismatch: an animal", exact=True)).to_have_attribute(
        "aria-pressed", "true", timeout=FIRST_S
    )
    cross(own)
    expect(box.locator(".mm-card").first).to_have_attribute("data-item", before[0])
    assert shown(box) == before
    expect(box.locator(".mm-learned")).to_have_count(0)
    expect(page.locator(".mm-toast")).to_contain_text("taken back by label")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("view", "act"),
    [
        ("view=align", "By this picture"),
        ("view=speech&mode=search", "Texts for this recording"),
    ],
)
def test_a_link_to_a_search_by_a_picture_or_recording_reopens_exactly_it(
    served: Served, open_page: Open, view: str, act: str
) -> None:
    page = open_page(f"{served[1]}?{view}")
    box = page.locator("#mm-speech" if "speech" in view else "#mm-image")
    expect(box.locator("img, [data-name]:not(:empty)").first).to_be_visible(timeout=FIRST_S)
    box.get_by_role("tab", name="Search", exact=True).click()
    box.get_by_role("button", name=act, exact=True).click()
    expect(box.locator("[data-results] [data-item]").first).to_be_visible(timeout=FIRST_S)
    found, texts = shown(box), box.locator("[data-results] .mm-text").all_inner_texts()
    again = open_page(page.url).locator(f"#{box.get_attribute('id')}")
    expect(again.locator("[data-results] [data-item]").first).to_be_visible(timeout=FIRST_S)
    assert shown(again) == found and again.locator("[data-results] .mm-text").all_inner_texts() == texts


@pytest.mark.slow
def test_a_link_to_texts_that_are_found_by_words_and_to_filters_reopens_exactly_them(
    served: Served, open_page: Open
) -> None:
    page, box = searched(served, open_page, "a+dog")
    box.get_by_role("button", name="Texts", exact=True).click()
    expect(box.locator("[data-results] .mm-line").first).to_be_visible()
    expect(box.locator(".mm-card")).to_have_count(0)
    texts = box.locator("[data-results] .mm-text").all_inner_texts()
    again = open_page(page.url).locator("#mm-image")
    expect(again.locator("[data-results] .mm-line").first).to_be_visible(timeout=FIRST_S)
    assert again.locator("[data-results] .mm-text").all_inner_texts() == texts
    box.get_by_role("button", name="Pictures", exact=True).click()
    expect(box.locator(".mm-card").first).to_be_visible()
    with page.expect_response("**/api/search"):
        box.get_by_role("button", name="Only Not yet").press("Enter")
    expect(box.locator("[data-results]")).not_to_have_attribute("aria-busy", "true")
    found = shown(box)
    again = open_page(page.url).locator("#mm-image")
    expect(again.locator(".mm-card").first).to_be_visible(timeout=FIRST_S)
    assert shown(again) == found
    expect(again.get_by_role("checkbox", name="Not yet")).to_be_checked()
    expect(again.get_by_role("checkbox", name="Unsure")).not_to_be_checked()
    again.get_by_role("checkbox", name="Not yet").click()  # the only one: without it nothing would be chosen
    expect(again.get_by_role("checkbox", name="Not yet")).to_be_checked()
    expect(again.get_by_role("checkbox", name="Unsure")).not_to_be_checked()


def test_a_tick_moves_the_answers_and_the_old_order_is_a_click_away_by_keyboard(
    served: Served, open_page: Open
) -> None:
    page, box = searched(served, open_page, "a+car&all=1")
    before = shown(box)
    tick = box.locator(f".mm-card[data-item='{before[2]}'] .mm-mark.good")
    tick.focus()
    page.keyboard.press("Enter")
    note = box.locator(".mm-learned")
    expect(note).to_contain_text("1 answer: results reordered.")
    expect(tick).to_be_focused()
    cross = box.locator(f".mm-card[data-item='{before[2]}'] .mm-mark.bad")
    cross.click()
    expect(note).to_contain_text("what was crossed moved down", ignore_case=True)
    page.locator(".mm-toast").get_by_role("button", name="Undo").click()  # the tick holds again
    expect(tick).to_have_attribute("aria-pressed", "true")
    expect(note).to_contain_text("What is like the ticked moved up")
    expect(page.locator("#mm-image [data-results]")).not_to_have_attribute("aria-busy", "true")
    expect(box.locator(f".mm-card[data-item='{before[2]}'] .mm-moved")).to_contain_text("↑")
    moved = shown(box)
    assert moved != before
    note.get_by_role("button", name="Show the old order").press("Enter")
    expect(note).to_contain_text("The order without people's answers.")
    assert shown(box) == before
    expect(tick).to_have_attribute("aria-pressed", "true")
    note.get_by_role("button", name="Show the new order").press("Enter")
    expect(note).to_contain_text("results reordered")
    assert shown(box) == moved
    note.get_by_role("button", name="Undo").press("Enter")
    expect(note).to_have_count(0)
    assert shown(box) == before
    box.get_by_role("button", name="Show more", exact=True).press("Enter")
    expect(box.locator(".mm-card")).to_have_count(2 * len(before))
    assert shown(box)[: len(before)] == before


def test_selected_pictures_are_answered_at_once_taken_back_and_hidden(
    served: Served, open_page: Open
) -> None:
    app, _ = served
    page, box = searched(served, open_page, "fruit&all=1")
    crossed = box.locator(f".mm-card[data-item='{shown(box)[0]}']")
    cross = crossed.get_by_label("mismatch: fruit", exact=True)
    cross.click()
    expect(box.locator(".mm-learned")).to_contain_text("1 answer: results reordered.")
    first, second, third = shown(box)[:3]  # the crossed one is among them
    boxes = [box.locator(f".mm-card[data-item='{item}'] .mm-choose") for item in (first, second, third)]
    boxes[0].focus()
    page.keyboard.press("Space")
    boxes[2].click(modifiers=["Shift"])
    bar = box.get_by_role("region", name="What is selected")
    expect(bar).to_contain_text("3 selected")
    labels = app.ws.labels.total()
    bar.get_by_role("button", name="Fits", exact=True).click()
    toast = page.locator("#mm-toasts")
    expect(toast).to_contain_text("Saved: 3 answers")
    expect(bar).to_be_hidden()
    expect(box.locator(".mm-mark.good[aria-pressed=true]")).to_have_count(3)
    assert app.ws.labels.total() == labels + 3
    toast.get_by_role("button", name="Undo").click()
    expect(box.locator(".mm-mark.good[aria-pressed=true]")).to_have_count(0)
    expect(cross).to_have_attribute("aria-pressed", "true")  # what was said before counts again
    cross.click()
    expect(cross).to_have_attribute("aria-pressed", "false")
    boxes[1].check()
    bar.get_by_role("button", name="Hide", exact=True).click()
    expect(box.locator(f".mm-card[data-item='{second}']")).to_have_count(0)
    toast.get_by_role("button", name="Undo").click()
    expect(box.locator(f".mm-card[data-item='{second}']")).to_have_count(1)
    boxes[0].check()
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()


def test_a_search_is_saved_opened_and_removed_and_what_it_found_is_asked_next_by_label(
    served: Served, open_page: Open
) -> None:
    page, box = searched(served, open_page, "something+with+wheels&all=1&sort=name")
    box.get_by_role("button", name="Save this search").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_have_value("something with wheels")
    dialog.get_by_label("Name").fill("wheels")
    dialog.get_by_role("button", name="Save", exact=True).press("Enter")
    saved = box.get_by_role("link", name="wheels")
    expect(saved).to_be_visible()
    searches = served[0].ws.saved_searches
    (first,) = searches.all(TASK, Asker())
    searches.keep(TASK, "wheels", "view=search&text=before", Asker())
    page.locator("#mm-toasts").evaluate("(toasts) => toasts.replaceChildren()")
    box.get_by_role("button", name="Save this search").click()
    dialog.get_by_label("Name").fill("wheels")
    dialog.get_by_role("button", name="Save", exact=True).press("Enter")
    page.locator("#mm-toasts").get_by_role("button", name="Undo").click()
    expect(saved).to_have_attribute("href", "?view=search&text=before")  # what was there is there again
    searches.remove(first.id, Asker())
    searches.keep(TASK, "wheels", first.state, BEN)
    chosen = shown(box)[:2]
    for item in chosen:
        box.locator(f".mm-card[data-item='{item}'] .mm-choose").check()
    box.get_by_role("button", name="Label later").press("Enter")
    expect(box.locator(f".mm-card[data-item='{chosen[1]}'] .mm-choose")).to_be_focused()
    toast = page.locator("#mm-toasts")
    expect(toast).to_contain_text("Label asks for 2 pairs next.")
    toast.get_by_role("button", name="Open Label").click()
    asked = page.locator("#mm-label")
    for _ in chosen:
        expect(asked.locator(".mm-pair-text")).to_have_text("something with wheels")
        pair = asked.get_attribute("data-pair")
        asked.get_by_role("button", name="Skip").click()
        expect(asked).not_to_have_attribute("data-pair", str(pair))
    expect(asked.locator(".mm-pair-text")).not_to_have_text("something with wheels")
    page.goto(f"{served[1]}?view=search&lang=zh-CN")
    saved.press("Enter")
    expect(box.locator("[data-results] .mm-card").first).to_be_visible(timeout=FIRST_S)
    expect(page).to_have_url(re.compile("text=something.*sort=name|sort=name.*text=something"))
    box.get_by_role("button", name="移除已保存的搜索").click()
    dialog.get_by_role("button").first.click()  # another's: it is asked before, and there is no way back
    expect(saved).to_have_count(0)
    expect(toast.get_by_role("button")).to_have_count(0)
    expect(box.locator("[data-save]")).to_be_focused()


def test_what_was_answered_for_one_picture_is_asked_again_where_another_is_shown(
    served: Served, open_page: Open
) -> None:
    app, address = served
    item = app.ws.items.listed("image", limit=1)[0].id
    page = open_page(f"{address}?view=search&by=item&find=text&all=1&item={item}")
    box = page.locator("#mm-image")
    expect(box.locator("[data-results] .mm-line").first).to_be_visible(timeout=FIRST_S)
    align, search = (box.get_by_role("tab", name=name, exact=True) for name in ("Align", "Search"))
    align.click()
    box.locator(f".mm-samples button:not([data-item='{item}'])").first.click()
    expect(box.locator("[data-score]").first).to_be_visible()
    other = box.locator(".mm-samples button[aria-pressed=true]").get_attribute("data-item")
    with page.expect_response("**/api/search") as asked:
        search.click()
    assert asked.value.request.post_data_json["item"] == other != item
    line = box.locator("[data-results] .mm-line").first
    with page.expect_request("**/api/label_result") as said:
        line.locator(".mm-mark.good").click()
    assert said.value.post_data_json["item"] == other
    box.get_by_role("button", name="Pictures", exact=True).click()
    box.get_by_title("More like this picture").nth(1).click()
    align.click()
    expect(box.locator("[data-score]").first).to_be_visible()
    expect(box.locator("[data-answer]")).not_to_have_text("Does a text fit this picture?")
