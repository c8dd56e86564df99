"""Every number on the page that claims something can be clicked, and says what it was measured on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from mmdemo.service.app import App
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests.browser.conftest import free_port
from tests.browser.labelling import check_said
from tests.conftest import TASK, execute_run

Open = Callable[..., Page]
Served = tuple[App, str]

# What has been done of a job, what the machine does, and what is itself the answer to a click.
EXEMPT = (
    ".mm-progress, .mm-status, .mm-notices, .mm-toast, "
    "[data-device], [data-estimate], .mm-reliability, .mm-facts"
)
WIDTHS = (390, 1360)
UNCLICKABLE = """(exempt) => {
  const found = [], page = document.querySelector(".gradio-container");
  const walk = document.createTreeWalker(page, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const box = node.parentElement, text = node.textContent.replace("95 % interval", "").trim();
    if (!box.checkVisibility() || box.closest(`.mm-ask, textarea, select, ${exempt}`)) continue;
    const figure = box.closest("td") && /^[+-]?\\d+\\.\\d( |$)/.test(text) && !/ [MG]B$/.test(text);
    if (figure || /\\d\\s*(%|points)/.test(text)) found.push(text);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A page over a workspace whose pictures are labelled, with a version that learned from them."""
    from mmdemo.ui.shell import serve

    settings = load_settings(
        {}, workspace=tmp_path_factory.mktemp("tuned"), device="cpu", server_port=free_port()
    )
    app, address, page = serve(settings, block=False)
    for pair in app.ws.pairs.browse(TASK, state="unlabelled", limit=1000):
        if pair.is_own:
            app.ws.labels.add(pair.id, NewLabel("match"))
    run = create_run(app.ws, TASK, "head", TrainSettings(epochs=2, members=1), "ask")
    execute_run(app, run)
    yield app, address
    page.close(verbose=False)
    app.close()


def told(page: Page, number: Locator) -> str:
    """What the dialog says that a click on a number opens, in a narrow window as in a wide one; focus goes
    back where it was when it is closed.
    """
    said = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        number.focus()
        page.keyboard.press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog.locator(".mm-facts, .mm-error").first).to_be_visible()
        expect(dialog.locator(".mm-error")).to_have_count(0)
        said.append(dialog.inner_text())
        page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(number).to_be_focused()
    assert len(set(said)) == 1
    return said[0]


def no_number_is_left_out(page: Page) -> None:
    """In a narrow window, where nothing is wider than it is, as in a wide one."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate(UNCLICKABLE, EXEMPT) == [], width
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), width


@pytest.mark.slow
def test_numbers_of_pictures(served: Served, open_page: Open) -> None:
    app, address = served
    page = open_page(address)
    row = page.locator("[data-score='0']")
    assert "one in 5 is right" in told(page, row.locator(".mm-number"))
    page.get_by_role("button", name="Show similarity").click()
    assert "The cosine of the picture's vector" in told(page, row.locator(".mm-near .mm-ask"))
    no_number_is_left_out(page)

    item = next(i for i in app.ws.items.listed("image") if i.name == "coffee.jpg").id
    page = open_page(f"{address}?view=caption&item={item}")
    caption = page.locator("[data-captions] .mm-caption").first
    expect(caption).to_contain_text("Of ten captions like this one")
    claim, agreed = caption.locator(".mm-ask").all()
    assert "drawings and photographs" in told(page, claim) and "claim 80 % and more" in told(page, agreed)
    no_number_is_left_out(page)


@pytest.mark.slow
def test_numbers_of_speech(served: Served, open_page: Open) -> None:
    page = open_page(f"{served[1]}?view=speech&task=speech-text")
    speech = page.locator("#mm-speech")
    expect(speech.locator("[data-name]")).to_contain_text(" s", timeout=60_000)
    expect(speech.locator("[data-about]")).to_contain_text("words", timeout=60_000)
    word = speech.locator("[data-said]").first
    word.click()
    heard = speech.locator("[data-heard]")
    expect(heard).to_contain_text(word.inner_text())
    assert "not calibrated" in told(page, heard.locator(".mm-ask"))
    no_number_is_left_out(page)

    check_said(speech, "the cat sat on a mat\nthe last train to the coast leaves at seven in the evening")
    row = speech.locator("[data-score='1']")
    expect(row).to_contain_text("last train", timeout=60_000)
    row.locator(".mm-pick").click()
    expect(row.locator("s").first).to_be_visible()
    said, about = row.locator(".mm-ask").all()
    assert "(that it was said)" in told(page, said)
    assert "(that it is what is spoken about)" in told(page, about)
    speech.locator(".mm-word", has_text="coast").click()
    assert "the words before it, which are yours" in told(page, heard.locator(".mm-ask"))
    no_number_is_left_out(page)


@pytest.mark.slow
def test_numbers_of_a_search_by_words_by_an_item_and_for_texts(served: Served, open_page: Open) -> None:
    app, address = served
    pair = next(p for p in app.ws.pairs.browse(TASK) if p.is_own)
    page = open_page(f"{address}?view=search&text={pair.final_text}")
    image = page.locator("#mm-image [data-results]")
    own = image.locator(f".mm-card[data-item='{pair.item}'] .mm-ask")
    expect(own).to_be_visible(timeout=60_000)
    assert "It also holds all words of the query" in told(page, own)
    tick = image.locator(f".mm-card[data-item='{pair.item}'] .mm-mark.good")
    tick.click()
    expect(image.locator(".mm-learned")).to_contain_text("1 answer: results reordered.")
    assert "A person said of this answer" in told(page, own)
    tick.click()
    expect(image.locator(".mm-learned")).to_have_count(0)
    no_number_is_left_out(page)
    item = image.locator(".mm-card").first.get_attribute("data-item")
    page = open_page(f"{served[1]}?view=search&item={item}&by=item&all=1")
    like = page.locator("#mm-image .mm-card .mm-ask").first
    expect(like).to_contain_text("similarity", timeout=60_000)
    assert "there is no percent" in told(page, like)
    no_number_is_left_out(page)
    page.locator("#mm-image").get_by_role("button", name="Texts", exact=True).click()
    text = page.locator("#mm-image [data-results] .mm-line .mm-ask").first
    expect(text).to_be_visible()
    assert "candidates of which one in" in told(page, text)
    no_number_is_left_out(page)


@pytest.mark.slow
def test_numbers_of_a_search_in_recordings(served: Served, open_page: Open) -> None:
    page = open_page(f"{served[1]}?view=speech&mode=search&text=travel")
    speech = page.locator("#mm-speech")
    numbers = speech.locator("[data-results] .mm-line").first.locator(".mm-ask")
    expect(numbers.first).to_be_visible(timeout=60_000)
    assert "(that it is what is spoken about)" in told(page, numbers.first)
    assert "(that it was said)" in told(page, numbers.last)
    no_number_is_left_out(page)
    for name in ("Texts for this recording", "Recordings like this one"):
        with page.expect_response("**/api/search"):
            speech.get_by_role("button", name=name).click()
        expect(speech.locator("[data-results] .mm-ask").first).to_be_visible()
        no_number_is_left_out(page)
    speech.locator("[data-results] .mm-pick").first.click()
    expect(speech.locator("[data-panel=listen]")).to_be_visible()


@pytest.mark.slow
def test_numbers_of_a_run(tuned: Served, open_page: Open) -> None:
    page = open_page(f"{tuned[1]}?view=fine-tune")
    expect(page.locator("[data-result] table").first).to_be_visible()
    page.evaluate("for (const more of document.querySelectorAll('#mm-finetune details')) more.open = true")
    curves = page.locator("[data-curves-of] .mm-ask")
    assert "the very pairs that are learned" in told(page, curves.first)
    assert "matches of the validation side" in told(page, curves.last)
    assert "sign-flip test" in told(page, page.locator(".mm-verdict [data-gate] .mm-ask").first)
    assert "held-out matches of" in told(page, page.locator(".mm-verdict h1 .mm-ask").first)
    assert "passes the test in 80 of 100 cases" in told(page, page.locator("[data-tested] .mm-ask").last)
    assert "first of the labels only" in told(page, page.locator("[data-worth] .mm-ask").first)
    assert "where the right answer" in told(page, page.locator("[data-changes] .mm-ask").first).lower()
    no_number_is_left_out(page)
    page.locator("[data-again]").click()
    expect(page.locator("[data-outlook] .mm-ask")).to_be_visible()
    assert "runs on drawings" in told(page, page.locator("[data-outlook] .mm-ask"))
    no_number_is_left_out(page)


@pytest.mark.slow
def test_the_figures_of_a_table_are_one_stop_of_the_tab_key_and_the_arrows_go_through_them(
    tuned: Served, open_page: Open
) -> None:
    page = open_page(f"{tuned[1]}?view=fine-tune")
    figures = page.locator("[data-result] table").first.locator(".mm-ask")
    expect(figures.first).to_be_visible()
    assert figures.evaluate_all("all => all.filter((one) => one.tabIndex === 0).length") == 1
    figures.first.focus()
    page.keyboard.press("ArrowRight")
    expect(figures.nth(1)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(figures.nth(5)).to_be_focused()
    assert "in the first place" in told(page, figures.nth(5))
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(figures.first).to_be_focused()


@pytest.mark.slow
def test_numbers_of_runs_and_versions(tuned: Served, open_page: Open) -> None:
    app, address = tuned
    page = open_page(f"{address}?view=fine-tune&part=runs")
    runs = page.locator("[data-panel=runs]")
    assert "held-out matches of" in told(page, runs.locator(".mm-ask").first)
    no_number_is_left_out(page)
    page.locator("[data-part=versions]").click()
    tree = page.locator("[data-tree]")
    assert "The mean of R@1, R@5 and R@10" in told(page, tree.locator(".mm-ask").last)
    version = next(v.id for v in app.ws.versions.of_task(TASK) if v.parent)
    tree.get_by_role("button", name=version, exact=True).click()
    card = page.locator("[data-card]")
    expect(card.locator(".mm-reliability")).to_be_visible()
    assert version in told(page, card.locator("table .mm-ask").first)
    for box in tree.get_by_role("checkbox").all()[-2:]:
        box.check()
    page.locator("[data-compare]").click()
    compared = page.locator("[data-compared] table .mm-ask")
    expect(compared.first).to_be_visible(timeout=60_000)
    assert "matches of today" in told(page, compared.first)
    no_number_is_left_out(page)
    page.locator("[data-part=models]").click()
    expect(page.locator("[data-models] table")).to_be_visible()
    no_number_is_left_out(page)


@pytest.mark.parametrize("view", ["label", "data"])
def test_counts_need_no_source(tuned: Served, open_page: Open, view: str) -> None:
    page = open_page(f"{tuned[1]}?view={view}")
    expect(
        page.locator("#mm-label .mm-label-counts, #mm-data [data-size]").locator("visible=true")
    ).to_contain_text(re.compile("label|Fits"))
    no_number_is_left_out(page)
