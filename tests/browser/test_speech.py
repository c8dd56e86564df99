"""The Speech tab in the real browser, its fake microphone fed with a spoken sentence."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, Route, expect

from assets.sounds import wav_bytes
from mmdemo.media.audio import RATE_HZ
from mmdemo.service.app import App
from tests.browser.finetuning import promote, settings
from tests.browser.labelling import AWAY, check_said, check_texts, wait_sent
from tests.browser.test_page import label_by_keyboard, tab, wait_saved
from tests.doorway import Doorway

Served = tuple[App, str]
TASK = "speech-text"
CORRECTION = "**/mmdemo/api/label_result"
SAID = "The train to the coast leaves at seven in the morning."


def drag_edge(page: Page, word: Locator, by_px: int) -> None:
    """Drag the end of a word on the time line."""
    box = word.locator(".mm-edge.end").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 3, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 3 + by_px, box["y"] + 10, steps=4)
    page.mouse.up()


def correct(speech: Locator, word: str, instead: str) -> None:
    """Write another word in the place of one that was heard."""
    speech.locator("[data-said]", has_text=word).click()
    speech.get_by_label("Another word").fill(instead)
    speech.get_by_label("Another word").press("Enter")


def test_what_is_told_late_of_a_recording_that_is_no_longer_asked_for_is_passed_over(
    served: Served, open_page: Callable[..., Page]
) -> None:
    page = open_page(f"{served[1]}?view=speech&task=speech-text")
    speech, held = page.locator("#mm-speech"), list[Route]()
    expect(speech.locator("[data-name]")).to_contain_text("sentence-01")
    page.route("**/mmdemo/api/medium", lambda route: route.continue_() if held else held.append(route))
    samples = speech.locator("[data-samples]")
    with page.expect_request("**/mmdemo/api/medium"):
        samples.select_option(index=5)
    samples.select_option(index=6)
    name = speech.locator("[data-name]")
    expect(name).not_to_contain_text("sentence-01")
    newest = name.inner_text()
    with page.expect_response("**/mmdemo/api/medium"):
        held[0].continue_()
    page.evaluate("() => new Promise((done) => setTimeout(done))")
    assert name.inner_text() == newest
    chosen = samples.input_value()
    page.wait_for_function("(item) => location.search.includes(item)", arg=chosen)


def test_a_word_is_corrected_in_its_place_and_taken_back_and_keys_play_and_step(
    served: Served, open_page: Callable[..., Page]
) -> None:
    app, address = served
    page = open_page(f"{address}?view=speech&task=speech-text&text=a+cat%0AA+Cat%0Athe+shore", tolerate=AWAY)
    speech, known = page.locator("#mm-speech"), app.ws.labels.total()
    correct(speech, "coast", "shore")
    expect(speech.locator("[data-text]")).to_contain_text("to the shore leaves")
    expect(speech.locator("[data-receipt]")).to_contain_text("saved on disk: “coast” is “shore”")
    assert app.ws.labels.total() == known + 1
    speech.locator("[data-receipt]").get_by_role("button", name="Undo").click()
    expect(speech.locator("[data-text]")).to_contain_text("to the coast leaves")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")  # to the first word
    page.wait_for_function("() => document.querySelector('#mm-speech audio').currentTime > 0.05")
    page.keyboard.press("Space")
    expect(speech.get_by_role("button", name="Pause", exact=True)).to_be_visible()
    expect(speech.locator("[aria-busy=true]")).to_have_count(0)
    expect(speech.locator("[data-score]")).to_have_count(2)  # equal texts are one row, and then one line
    assert speech.get_by_label("Texts", exact=True).input_value().split("\n")[1:] == ["the shore"]

    # what is refused is not shown as made, and what is stored late is told without touching another recording
    refusal = {"error": "No.", "cure": "Stop."}
    page.route(CORRECTION, lambda route: route.fulfill(status=400, json=refusal))
    correct(speech, "coast", "shore")
    expect(speech.locator("[data-error]")).to_have_text("No. Stop.")
    expect(speech.locator("[data-text]")).to_contain_text("to the coast leaves")
    page.unroute(CORRECTION)
    held: list[Route] = []
    page.route(CORRECTION, lambda route: held.append(route))
    with page.expect_request(CORRECTION):
        correct(speech, "coast", "shore")
    speech.locator("[data-chips] .mm-chip").nth(1).click()
    other = speech.locator("[data-text]:not(:has-text('in the morning'))")
    expect(other.locator("[data-said='4']")).to_be_visible()
    said = other.inner_text()
    held[0].continue_()
    told = page.locator("#mm-toasts", has_text="saved on disk: “coast” is “shore”")
    expect(told).to_be_visible()
    expect(speech.locator("[data-receipt]")).to_be_empty()
    told.get_by_role("button", name="Undo").click()
    wait_sent(page)
    assert other.inner_text() == said and app.ws.labels.total() == known + 4  # two labels, both taken back


def test_what_is_asked_while_the_server_is_away_comes_by_itself_when_it_is_back(
    doorway: Doorway, open_page: Callable[..., Page]
) -> None:
    page = open_page(doorway.address, tolerate=AWAY)
    image, speech = page.locator("#mm-image"), page.locator("#mm-speech")
    rows = image.locator("[data-score]")
    expect(rows).to_have_count(3)
    doorway.close()
    check_texts(page, "a cup of coffee\na tabby cat")
    expect(image).to_contain_text("It is asked again when it is back.")
    tab(page, "Speech")
    expect(page.locator("#mm-header")).to_contain_text("No connection")
    page.wait_for_function(  # it is told below the row of tabs, and not over it
        "() => document.querySelector('.mm-notices').getBoundingClientRect().top >="
        " mm.gradioTabs()[0].getBoundingClientRect().bottom - 1"
    )
    speech.get_by_role("tab", name="Search", exact=True).click()
    speech.get_by_label("Words to search recordings for").fill("an apple")
    doorway.open()
    expect(speech.locator("[data-name]")).to_contain_text("sentence-01")
    expect(speech.get_by_label("Words to search recordings for")).to_be_visible()
    expect(speech.get_by_label("Words to search recordings for")).to_have_value("an apple")
    expect(page.locator("#mm-header")).not_to_contain_text("No connection")
    tab(page, "Image")
    expect(rows).to_have_count(2)


@pytest.mark.slow
def test_record_transcribe_align_correct_label_tune_and_search(
    served: Served, open_page: Callable[..., Page]
) -> None:
    app, address = served
    page = open_page(f"{address}?view=speech&task=speech-text")
    page.set_viewport_size({"width": 1360, "height": 1000})  # for the mouse: edges are dragged where they are
    page.set_default_timeout(60_000)
    speech = page.locator("#mm-speech")
    expect(speech.locator("[data-name]")).to_contain_text("sentence-01")
    speech.locator("[data-record]").click()
    expect(speech.locator("[data-live]")).to_contain_text("train", timeout=60_000)
    speech.locator("[data-record]").click()
    expect(speech.locator("[data-name]")).to_contain_text("recording-")
    expect(speech.locator("[data-about]")).to_contain_text("words", timeout=60_000)
    # Where it began within the first word, which the microphone repeats, that is heard as another one.
    expect(speech.locator("[data-text]")).to_contain_text(re.compile("[Tt]rain(ed)? to the coast"))
    words = speech.locator(".mm-word")
    expect(words.nth(4)).to_be_visible()  # they are drawn when the waveform is there

    # a word plays when it is clicked, and its border can be dragged
    expect(speech.locator("[aria-busy=true]")).to_have_count(0, timeout=60_000)  # an answer draws them anew
    speech.locator(".mm-word", has_text="coast").first.click()
    page.wait_for_function("() => document.querySelector('#mm-speech audio').currentTime > 0.1")
    known = app.ws.labels.total()
    drag_edge(page, speech.locator(".mm-word", has_text="coast").first, 9)
    expect(speech.locator("[data-receipt]")).to_contain_text("saved on disk: “coast”")
    assert app.ws.labels.total() == known + 1

    speech.locator("[data-correct]").click()
    speech.get_by_label("Corrected transcript").fill(SAID)
    speech.get_by_role("button", name="Save", exact=True).click()
    expect(speech.locator("[data-receipt]")).to_contain_text("saved on disk: the transcript")
    assert any(
        p.text == SAID and p.verdict == "match" for p in app.ws.pairs.browse(TASK, source="transcribe")
    )
    with page.expect_download() as got:
        speech.get_by_role("button", name="Download").click()
        page.get_by_role("menuitem", name="SRT").click()
    assert "-->" in Path(got.value.path()).read_text()

    check_said(speech, f"The cat sat on a mat\n{SAID}")
    speech.locator("[data-score='1'] .mm-pick").click()
    expect(speech.locator("[data-score='1'] [aria-pressed=true]")).to_be_visible()
    expect(speech.locator(".mm-word").first).to_be_visible()

    tab(page, "Label")
    label = page.locator("#mm-label")
    expect(label.locator(".mm-picture .mm-wave-scroll")).to_be_visible()
    expect(label.locator(".mm-pair-text")).not_to_have_text("Loading…")
    page.keyboard.press("w")  # the words on the waveform, whose edges can be dragged here too
    expect(label.locator(".mm-word").first).to_be_visible()
    known = app.ws.labels.total()
    word = label.locator(".mm-word").nth(2)
    said = word.inner_text()
    drag_edge(page, word, 9)
    expect(label.locator(".mm-receipt")).to_contain_text(f"saved on disk: “{said}”")
    assert app.ws.labels.total() == known + 1
    page.keyboard.press("w")
    expect(label.locator(".mm-word")).to_have_count(0)
    before = app.ws.labels.total()
    label_by_keyboard(page, 20)
    wait_saved(page)
    assert app.ws.labels.total() == before + 20

    tab(page, "Fine-tune")
    settings(page)
    page.locator("#mm-finetune [name=epochs]").fill("2")
    page.get_by_role("button", name="Fine-tune", exact=True).click()
    expect(page.locator(".mm-verdict")).to_be_visible(timeout=90_000)
    promote(page)
    tuned = app.ws.versions.active(TASK)
    assert tuned.startswith("tuned-") and app.ws.versions.active("image-text") == app.settings.model
    assert app.context.keeper_of(TASK).wait(60)

    tab(page, "Speech")
    speech.get_by_role("tab", name="Search", exact=True).click()
    speech.get_by_label("Words to search recordings for").fill("snow in the mountains")
    speech.get_by_role("button", name="Search", exact=True).click()
    expect(speech.locator("[data-results] .mm-line").first).to_contain_text("heavy snow", timeout=60_000)
    expect(speech.locator("[data-results]")).to_have_attribute("data-model", tuned)


def test_a_link_reopens_a_recording_and_what_is_no_recording_gets_a_sentence(
    served: Served, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    app, address = served
    item = app.ws.items.listed("audio")[4]
    page = open_page(
        f"{address}?task=speech-text&view=speech&mode=align&item={item.id}&text=hello",
        width=400,
        tolerate="400 (Bad Request)",
    )
    speech = page.locator("#mm-speech")
    expect(speech.locator("[data-name]")).to_contain_text(item.name)
    expect(speech.get_by_label("Texts", exact=True)).to_have_value("hello")
    assert page.evaluate("document.documentElement.scrollWidth") <= 401
    for part in (".mm-wave-scroll", ".mm-wave-bar", "[data-samples]", ".mm-tools"):
        box = speech.locator(part).bounding_box()
        assert box is not None and box["x"] + box["width"] <= 400, part
    (tmp_path / "x.mp3").write_bytes(b"%PDF nothing")
    speech.get_by_label("Recording file").set_input_files(str(tmp_path / "x.mp3"))
    expect(page.get_by_text("is not a recording that can be read").first).to_be_visible()


@pytest.mark.slow
def test_a_span_is_dragged_and_saved_with_its_label(served: Served, open_page: Callable[..., Page]) -> None:
    app, address = served
    item = app.ws.items.listed("audio")[1]
    with app.ws.database.write() as session:
        pair, _ = app.ws.pairs.add(
            session, TASK, item.id, "only this part", source="spans", start_s=0.4, end_s=1.2
        )
    page = open_page(f"{address}?task=speech-text&view=label")
    label = page.locator("#mm-label")
    app.context.queue_of(TASK).make()
    app.context.queue_of(TASK).returned(pair.id)
    page.reload()
    expect(label.locator(".mm-pair-text")).to_have_text("only this part")
    expect(label.locator(".mm-word")).to_have_count(1)
    drag_edge(page, label.locator(".mm-word"), 20)
    expect(label.locator(".mm-receipt")).to_contain_text("saved with your label")
    page.keyboard.press("m")
    wait_saved(page)
    saved = app.ws.pairs.get(pair.id)
    assert saved is not None and saved.verdict == "match"
    assert saved.start_s == pytest.approx(0.4) and saved.end_s is not None and saved.end_s > 1.2


@pytest.mark.parametrize("answer", ["samples", "medium", "transcript"])
def test_a_refused_microphone_gets_a_sentence_that_a_recording_on_its_way_does_not_take_away(
    served: Served, open_page: Callable[..., Page], answer: str
) -> None:
    held: list[Route] = []  # the answer comes only after the microphone was refused
    page = open_page(served[1], blank=True)
    page.add_init_script(
        "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))"
    )
    page.route(f"**/mmdemo/api/{answer}", lambda route: held.append(route))
    with page.expect_request(f"**/mmdemo/api/{answer}"):
        page.goto(f"{served[1]}?task=speech-text&view=speech")
    page.locator("#mm-speech [data-record]").click()
    sentence = page.get_by_text("The microphone is not available. Allow it in the browser")
    expect(sentence).to_be_visible()
    for route in held:
        route.continue_()
    page.wait_for_url("**item=*")  # written when all of the recording is there
    expect(sentence).to_be_visible()
    expect(page.locator("#mm-speech [data-record]")).to_have_text("Record")


@pytest.mark.slow
def test_what_is_spoken_about_has_a_number_of_its_own_and_where_nobody_speaks_there_is_none(
    open_page: Callable[..., Page], served: Served, tmp_path: Path
) -> None:
    app, address = served
    page = open_page(f"{address}?view=speech&task=speech-text&mode=search&text=public%20transport")
    results = page.locator("#mm-speech [data-results]")
    expect(results.locator(".mm-legend")).to_contain_text("nobody says exactly this", timeout=60_000)
    told = results.locator(".mm-line .mm-faint").all_inner_texts()
    about = [int(line.split("about it ")[1].split(" %")[0]) for line in told]
    assert about == sorted(about, reverse=True) and about[0] >= 50 and "said 0 %" in told[0]
    (tmp_path / "quiet.wav").write_bytes(wav_bytes(np.zeros(2 * RATE_HZ, np.float32)))
    quiet = app.media.keep(tmp_path / "quiet.wav", "test", TASK)
    page.goto(f"{address}?view=speech&task=speech-text&mode=align&item={quiet.id}&text=a%20cat")
    expect(page.locator("#mm-speech [data-align-note]")).to_contain_text("No speech was found")
    assert page.locator("#mm-speech [data-scores] .mm-fit").count() == 0
