from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import func, select

from mmdemo.service.app import App
from mmdemo.store.tables import Label
from tests.browser.finetuning import promote
from tests.browser.labelling import check_texts
from tests.conftest import TASK, labels_of, png

Open = Callable[..., Page]
Served = tuple[App, str]


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).first.click()  # views call theirs so too


def counts(app: App) -> int:
    return app.ws.labels.counts(TASK).labelled


def label_by_keyboard(page: Page, number: int) -> list[tuple[str, str]]:
    """Label as fast as keys go down; returns the pair that was on the screen at each key, and the key."""
    return page.evaluate(
        """async (number) => {
        const box = document.querySelector('#mm-label'), said = [];
        const all = [box, ...box.querySelectorAll('*')], root = all.find((n) => 'pair' in n.dataset);
        while (said.length < number) {
          const pair = root.dataset.pair;
          if (!pair) { await new Promise(requestAnimationFrame); continue; }
          const proposal = root.dataset.why === 'hard-negative';
          const key = proposal ? 'x' : 'm';
          said.push([pair, proposal ? 'mismatch' : 'match']);
          document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        }
        return said;
      }""",
        number,
    )


def trucks(page: Page) -> list[str]:
    """The items that are nearest to a truck, whatever fits: the words that titles hold are first always."""
    expect(page.locator("[data-results][aria-busy]")).to_have_count(0)
    return [str(card.get_attribute("data-item")) for card in page.locator(".mm-card").all()]


def wait_saved(page: Page) -> None:
    page.wait_for_function("() => window.mm?.outbox && !mm.outbox.waiting().length")


@pytest.mark.slow
def test_the_whole_way_from_a_sample_to_a_better_model(served: Served, open_page: Open) -> None:
    app, address = served
    page = open_page(address)
    page.locator(".mm-samples button").nth(1).click()
    check_texts(page, "a cup of espresso\na rocket")
    expect(page.locator("[data-score]")).to_have_count(2)
    first = page.locator(".mm-stage canvas").evaluate("(c) => c.toDataURL()")
    page.locator("[data-score='1']").click()
    assert page.locator(".mm-stage canvas").evaluate("(c) => c.toDataURL()") != first
    page.get_by_role("tab", name="Search", exact=True).click()
    page.get_by_label("Search words").fill("a truck")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".mm-card").first).to_be_visible()
    before = trucks(page)

    tab(page, "Label")
    expect(page.locator(".mm-picture img")).to_be_visible()
    start = counts(app)
    expect(page.locator(".mm-why")).to_be_empty()  # why a pair is asked about would hint at the answer
    said = label_by_keyboard(page, 80)  # of fewer, hardly any would be for validation
    wait_saved(page)
    expect(page.locator(".mm-receipt")).to_contain_text(re.compile("saved on disk · it was (asked|drawn)"))
    assert counts(app) == start + 80 and len({pair for pair, _ in said}) == 80

    tab(page, "Fine-tune")
    page.get_by_role("button", name="Fine-tune", exact=True).click()
    expect(page.locator("[data-run] [data-state=running]")).to_be_visible(timeout=60_000)
    page.reload()
    expect(page.locator(".mm-verdict")).to_be_visible(timeout=120_000)
    expect(page.locator(".mm-table").last).to_contain_text("MedR")
    expect(page.locator(".mm-five")).to_have_count(2)  # the same question, old and new
    promote(page)
    tuned = app.ws.versions.active(TASK)
    assert tuned.startswith("tuned-")
    expect(page.locator("#mm-header")).to_contain_text(tuned)
    assert app.context.keeper.wait(30)

    tab(page, "Image")
    page.get_by_role("tab", name="Search", exact=True).click()
    page.get_by_label("Search words").fill("a truck")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#mm-image [data-results]")).to_have_attribute("data-model", tuned)
    assert trucks(page) != before

    page.reload()
    expect(page.locator("#mm-image [data-results]")).to_have_attribute("data-model", tuned)
    tab(page, "Fine-tune")
    expect(page.locator(".mm-verdict")).to_be_visible()
    expect(page.get_by_role("heading", name="What more answers would bring")).to_be_visible(timeout=60_000)
    assert counts(app) == start + 80
    page.get_by_role("button", name="Go back to the old one", exact=True).click()
    expect(page.locator("[data-decided]")).to_contain_text("The old one is kept")
    expect(page.locator("[data-promote]")).to_be_enabled()  # it can be promoted again
    assert app.ws.versions.active(TASK) == app.settings.model


def test_a_slow_answer_that_was_overtaken_does_not_cover_the_newer_one(
    served: Served, open_page: Open
) -> None:
    _, address = served
    page = open_page(address, own_clock=True)
    expect(page.locator("[data-score]").first).to_be_visible()
    page.clock.install()
    page.evaluate(
        """async () => {
          const box = window.box = document.createElement("div");
          window.first = mm.into(box, () => new Promise((done) => { window.answer = done; }), () => {});
          await mm.into(box, async () => "newer", (text) => { box.textContent = text; });
        }"""
    )
    page.clock.run_for(1000)  # past the time at which the page says Working
    shown = page.evaluate("""async () => { answer("older"); await first; return box.textContent; }""")
    assert shown == "newer"


@pytest.mark.slow
def test_every_key_is_stored_once_on_the_pair_it_was_pressed_on_though_saves_fail(
    served: Served, open_page: Open
) -> None:
    app, address = served
    page = open_page(f"{address}?view=label", tolerate="Failed to load resource")
    expect(page.locator(".mm-picture img")).to_be_visible()
    number = {"calls": 0}

    def flaky(route: Route) -> None:
        number["calls"] += 1
        kind = number["calls"] % 5
        if kind == 1:
            route.abort()  # it never arrived
        elif kind == 3:
            route.fetch()  # it arrived, and the answer was lost
            route.fulfill(status=503, body="")
        else:
            route.continue_()

    page.route("**/mmdemo/api/label", flaky)
    log = app.ws.labels.total()
    with app.ws.database.read() as session:
        newest = session.scalar(select(func.max(Label.id))) or 0
    said = label_by_keyboard(page, 15)  # each of the five ways several times; a failure waits 0.3 s
    wait_saved(page)
    assert number["calls"] > 20 and app.ws.labels.total() == log + 15
    for pair, verdict in said:
        made = [label.verdict for label in labels_of(app.ws, int(pair)) if label.id > newest]
        assert made == [verdict]


def test_labels_that_could_not_be_sent_are_sent_after_a_reload(served: Served, open_page: Open) -> None:
    app, address = served
    page = open_page(f"{address}?view=label", tolerate="Failed to load resource")
    expect(page.locator(".mm-picture img")).to_be_visible()
    page.route("**/mmdemo/api/label", lambda route: route.abort())
    log = app.ws.labels.total()
    label_by_keyboard(page, 3)
    expect(page.locator("#mm-header")).to_contain_text("3 labels wait for the server")
    page.on("dialog", lambda dialog: dialog.accept())
    page.unroute("**/mmdemo/api/label")
    page.reload()
    wait_saved(page)
    assert app.ws.labels.total() == log + 3


def test_edit_skip_undo_and_keys_in_a_text_field(served: Served, open_page: Open) -> None:
    app, address = served
    page = open_page(f"{address}?view=label")
    shown = page.locator(".mm-pair-text")
    expect(page.locator(".mm-picture img")).to_be_visible()
    log = app.ws.labels.total()
    page.keyboard.press("e")
    page.get_by_label("Corrected text").fill("my own match text")
    page.keyboard.press("Enter")
    expect(page.locator(".mm-receipt")).to_contain_text("saved on disk")
    assert app.ws.pairs.browse(TASK, state="match")[0] and app.ws.labels.total() == log + 1
    assert any(p.corrected == "my own match text" for p in app.ws.pairs.browse(TASK, state="match"))
    page.keyboard.press("z")
    expect(page.locator(".mm-receipt")).to_contain_text("taken back")
    assert not any(p.corrected == "my own match text" for p in app.ws.pairs.browse(TASK))
    before = shown.text_content()
    page.keyboard.press("s")
    expect(shown).not_to_have_text(before or "")
    assert app.ws.labels.total() == log + 2


@pytest.mark.slow
def test_a_link_reopens_exactly_what_was_shared(served: Served, open_page: Open) -> None:
    _, address = served
    page = open_page(address)
    page.locator(".mm-samples button").nth(2).click()
    check_texts(page, "ein Fuchs 🦊\na rocket & more")
    expect(page.locator("[data-score]")).to_have_count(2)
    numbers = page.locator("[data-score] .mm-number").all_text_contents()
    other = open_page(page.url)
    expect(other.locator("[data-score]")).to_have_count(2)
    assert other.get_by_label("Captions", exact=True).input_value() == "ein Fuchs 🦊\na rocket & more"
    assert other.locator("[data-score] .mm-number").all_text_contents() == numbers
    assert other.locator(".mm-stage img").get_attribute("src") == page.locator(".mm-stage img").get_attribute(
        "src"
    )
    at = open_page(address, blank=True)
    for view, says in (
        ("label", "Fits"),
        ("fine-tune", re.compile("Start labelling|Fine-tune|Tune again")),
        ("data", "Export"),
    ):
        at.goto(f"{address}?view={view}")
        expect(at.get_by_role("button", name=says, exact=False).first).to_be_visible()
        assert f"view={view}" in at.url


def test_an_upload_is_aligned_and_what_is_no_picture_gets_a_sentence(
    served: Served, open_page: Open, pictures: Path
) -> None:
    page = open_page(served[1], tolerate="400 (Bad Request)")
    (pictures / "red.png").write_bytes(png())
    (pictures / "fake.jpg").write_bytes(b"%PDF-1.7")
    expect(page.locator("[data-score]").first).to_be_visible()
    page.get_by_label("Picture file").set_input_files(pictures / "red.png")
    expect(page.locator(".mm-stage img")).to_have_attribute("alt", "red.png")
    page.get_by_label("Picture file").set_input_files(pictures / "fake.jpg")
    expect(page.locator(".mm-toast.bad")).to_contain_text("not a picture that can be read")
    check_texts(page, "  ")
    expect(page.locator("[data-scores] .mm-error")).to_contain_text("no caption to score")


def test_the_webcam_takes_a_picture(served: Served, open_page: Open) -> None:
    page = open_page(served[1])
    expect(page.locator("[data-score]").first).to_be_visible()
    page.get_by_role("button", name="Camera", exact=True).click()
    page.wait_for_function("() => document.querySelector('.mm-stage video')?.videoWidth > 0")
    page.get_by_role("button", name="Take picture").click()
    expect(page.locator(".mm-stage img")).to_have_attribute("alt", "webcam.png")


def test_captions_are_proposed_and_a_tick_is_a_label_that_a_second_press_takes_back(
    served: Served, open_page: Open
) -> None:
    app, address = served
    for pair in app.ws.pairs.browse("image-text", state="labelled", contains="A cup of espresso"):
        app.ws.labels.undo(pair.label)  # of a test before: then it is known, and nothing is proposed
    page = open_page(address)
    page.locator(".mm-samples button").nth(1).click()
    page.get_by_role("tab", name="Caption", exact=True).click()
    expect(page.locator(".mm-caption.best")).to_contain_text("an espresso")
    expect(page.locator("[data-captions]")).not_to_contain_text("false")
    log = app.ws.labels.total()
    tick = page.locator("[data-captions] .mm-mark.good").first
    tick.click()
    expect(page.locator("[data-captions] .mm-marks").first).to_have_attribute(
        "title", f"Label {log + 1} saved on disk"
    )
    tick.click()
    wait_saved(page)
    page.wait_for_function("() => true")
    assert app.ws.labels.total() == log + 2


def test_a_folder_is_imported_browsed_and_exported(served: Served, open_page: Open, pictures: Path) -> None:
    app, address = served
    for i in range(6):
        (pictures / f"p{i}.png").write_bytes(png((10 * i, 200, 90)))
    (pictures / "metadata.csv").write_text(
        "file_name,text\n" + "".join(f"p{i}.png,green {i}\n" for i in range(6)) + "gone.png,x\n"
    )
    page = open_page(f"{address}?view=data")
    shown = page.get_by_role("region", name="Preview")
    expect(shown).to_be_hidden()
    page.get_by_role("button", name="Path or data set").click()
    page.get_by_label("Path or data set").fill(str(pictures))
    page.get_by_role("button", name="Preview").click()
    expect(shown).to_contain_text("green 1")
    expect(shown).to_contain_text("1 row skipped. Row 7: gone.png is missing")
    expect(shown.locator("img").first).to_be_visible()
    expect(page.locator("[data-layout]")).to_have_value("manifest")
    expect(page.locator("[data-why]")).to_have_text("metadata.csv names files in its column file_name.")
    page.get_by_label("Read as").select_option("folder")
    expect(shown).to_contain_text("no text")
    page.get_by_label("Read as").select_option("manifest")
    expect(shown).to_contain_text("green 1")
    page.get_by_role("button", name="Import 6", exact=True).click()
    expect(page.get_by_text("Imported 6 new pictures, 6 new pairs and 0 labels")).to_be_visible()
    page.get_by_text("Rows that were skipped, and why: 1").click()
    expect(page.get_by_text("Row 7: gone.png is missing")).to_be_visible()
    page.get_by_role("tab", name="Browse", exact=True).click()
    page.get_by_label("Words in the text").fill("green 3")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".mm-pairs figure")).to_have_count(1)
    (pictures / "alone").mkdir()
    (pictures / "alone" / "alone.png").write_bytes(png((1, 2, 3)))
    app.data.import_source(str(pictures / "alone"), TASK)
    page.get_by_label("Words in the text").fill("alone")
    page.locator("[data-browse] [name=what]").select_option("items")
    page.locator("[data-browse] [name=state]").select_option("unpaired")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.locator(".mm-pairs figure")).to_have_count(1)
    expect(page.locator(".mm-pairs figure")).to_contain_text(re.compile("alone.png.*no pair"))
    page.get_by_role("tab", name="Import", exact=True).click()
    with page.expect_download() as got:
        page.get_by_role("button", name="Export", exact=True).click()
    assert got.value.suggested_filename.endswith(".zip")
    with page.expect_download() as got:
        page.get_by_role("button", name="Back up").click()
    assert "backup" in got.value.suggested_filename
    assert app.ws.pairs.sources(TASK).count(pictures.name) == 1


def by_dock(page: Page, name: str) -> None:
    """Open a tab as on a phone: the first ones stand at the bottom, More has the others."""
    dock = page.get_by_role("navigation", name="Views")
    if dock.get_by_role("button", name=name, exact=True).count():
        dock.get_by_role("button", name=name, exact=True).click()
    else:
        dock.get_by_role("button", name="More").click()
        page.get_by_role("dialog", name="More").get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("tab", name=name, exact=True, include_hidden=True).first).to_have_attribute(
        "aria-selected", "true"
    )


def test_no_tab_overflows_its_window(served: Served, open_page: Open) -> None:
    page = open_page(served[1])
    expect(page.locator("[data-score]").first).to_be_visible()
    for width, scheme in ((1360, "light"), (400, "light"), (400, "dark"), (1360, "dark")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for name in ("Image", "Label", "Fine-tune", "Data"):
            if width > 720:
                tab(page, name)
            else:
                by_dock(page, name)
            assert page.evaluate("document.documentElement.scrollWidth") <= width + 1, (name, width, scheme)


def test_a_heat_map_lies_on_the_picture_and_nowhere_beside_it_at_every_width(
    served: Served, open_page: Open
) -> None:
    page = open_page(served[1])
    expect(page.locator("[data-score]").first).to_be_visible()
    for width in (1440, 1000, 900, 820, 390):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(
            """() => {
              const canvas = document.querySelector('.mm-stage canvas').getBoundingClientRect();
              const picture = document.querySelector('.mm-stage img'), box = picture.getBoundingClientRect();
              const scale = Math.min(box.width / picture.naturalWidth, box.height / picture.naturalHeight);
              const seen = [picture.naturalWidth * scale, picture.naturalHeight * scale];
              const middle = (b) => [b.left + b.width / 2, b.top + b.height / 2];
              return Math.abs(canvas.width - seen[0]) < 2 && Math.abs(canvas.height - seen[1]) < 2
                && middle(canvas).every((at, k) => Math.abs(at - middle(box)[k]) < 2);
            }"""
        )


def test_the_page_about_the_api_can_be_opened_on_a_phone(served: Served, open_page: Open) -> None:
    page = open_page(served[1])
    page.set_viewport_size({"width": 390, "height": 800})
    page.get_by_role("button", name=re.compile("API")).click()
    expect(page.locator(".api-docs-wrap")).to_be_visible()


def test_a_bold_word_is_set_in_one_typeface(served: Served, open_page: Open) -> None:
    page = open_page(served[1])
    page.get_by_role("tab", name="Align", exact=True).wait_for()
    page.evaluate("document.fonts.ready")
    browser = page.context.new_cdp_session(page)
    browser.send("DOM.enable")
    browser.send("CSS.enable")
    root = browser.send("DOM.getDocument", {"depth": -1})["root"]["nodeId"]
    word = browser.send("DOM.querySelector", {"nodeId": root, "selector": "#mm-image .mm-views button"})
    fonts = browser.send("CSS.getPlatformFontsForNode", {"nodeId": word["nodeId"]})["fonts"]
    assert len(fonts) == 1 and fonts[0]["isCustomFont"], fonts
