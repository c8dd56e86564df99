"""The Video tab in the real browser: find, describe, label a span, search, and what its numbers say. All that
looks through the videos that ship is here: to do it once takes ten seconds.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from mmdemo.store.labels import NewLabel
from tests.browser.finetuning import promote, settings
from tests.browser.test_numbers import no_number_is_left_out, told
from tests.browser.test_page import tab, wait_saved
from tests.browser.test_speech import drag_edge
from tests.conftest import drawing

sys.path.insert(0, str(ASSETS))

from build_video import write_stills

Served = tuple[App, str]
TASK = "video-text"


@pytest.mark.slow
def test_numbers_of_videos(served: Served, open_page: Callable[..., Page]) -> None:
    app, address = served
    item = next(i for i in app.ws.items.listed("video") if i.name == "drawings-1.mp4")
    app.speech.transcribe(item)
    page = open_page(f"{address}?view=video&task=video-text&item={item.id}&text=grapes")
    video = page.locator("#mm-video")
    expect(video.locator("[data-moments] .mm-line").nth(1)).to_be_visible(timeout=60_000)
    said = video.locator(".mm-line", has_text="Said")
    assert "share of the query's words" in told(page, said.first.locator(".mm-ask"))
    shown = video.locator(".mm-line", has_text="Shown")
    assert "videos of drawings that ship" in told(page, shown.first.locator(".mm-ask"))
    no_number_is_left_out(page)

    video.locator("[data-find] input").fill("quarterly tax report")
    video.locator("[data-find] button[type=submit]").click()
    expect(video.get_by_text("No good match in this video")).to_be_visible(timeout=60_000)
    video.get_by_role("tab", name="Describe", exact=True).click()
    caption = video.locator("[data-captions] .mm-caption").first
    expect(caption).to_be_visible(timeout=60_000)
    assert "claim" in told(page, caption.locator(".mm-ask").first)
    caption.locator(".mm-pick").click()
    no_number_is_left_out(page)


@pytest.mark.slow
def test_find_a_moment_describe_the_shots_and_label_them(
    served: Served, open_page: Callable[..., Page]
) -> None:
    app, address = served
    page = open_page(f"{address}?task=video-text&view=video")
    video = page.locator("#mm-video")
    expect(video.locator("[data-progress]")).to_contain_text("8 shots", timeout=60_000)
    video.get_by_label("What to find in this video").fill("a harp")
    video.get_by_role("button", name="Find", exact=True).click()
    first = video.locator("[data-moments] .mm-line").first
    expect(first).to_contain_text("0:07.04", timeout=60_000)
    expect(first).to_contain_text("0:09.92")
    assert 7.0 < page.evaluate("document.querySelector('#mm-video video').currentTime") < 7.2
    expect(video.locator(".mm-shots span")).to_have_count(8)
    expect(video.locator(".mm-curve polyline")).to_have_count(1)

    # the time line: a click goes there, keys step by frame and by shot
    line = video.get_by_role("slider", name="Time line")
    line.focus()
    page.keyboard.press("]")
    page.wait_for_function(
        "() => Math.abs(document.querySelector('#mm-video video').currentTime - 9.92) < 0.05"
    )
    page.keyboard.press(".")
    page.wait_for_function(
        "() => Math.abs(document.querySelector('#mm-video video').currentTime - 9.96) < 0.02"
    )

    known = app.ws.labels.total()
    first.get_by_role("button", name="match: a harp", exact=True).click()
    expect(video.locator("[data-receipt]")).to_contain_text("saved on disk")
    assert app.ws.labels.total() == known + 1
    saved = next(p for p in app.ws.pairs.browse(TASK, source="moment"))
    assert (saved.start_s, saved.end_s) == pytest.approx((7.04, 9.92), abs=0.02) and saved.verdict == "match"

    video.get_by_role("tab", name="Describe", exact=True).click()
    expect(video.locator("[data-captions] .mm-line").first).to_be_visible(timeout=60_000)
    expect(video.locator("[data-summary]")).to_contain_text("Shows")
    with page.expect_download() as got:
        video.get_by_role("button", name="Download").click()
        page.get_by_role("menuitem", name="VTT").click()
    assert Path(got.value.path()).read_text().startswith("WEBVTT")

    tab(page, "Label")
    label = page.locator("#mm-label")
    expect(label.locator("video")).to_be_visible()
    expect(label.locator(".mm-moment")).to_have_count(1)
    drag_edge(page, label.locator(".mm-moment"), 30)
    expect(label.locator(".mm-receipt")).to_contain_text("saved with your label")
    pair = int(
        label.get_attribute("data-pair")
        or page.locator("#mm-label [data-pair]").get_attribute("data-pair")
        or 0
    )
    before = app.ws.pairs.get(pair)
    page.keyboard.press("m")
    wait_saved(page)
    after = app.ws.pairs.get(pair)
    assert before is not None and after is not None and after.verdict == "match"
    assert (after.end_s or 0) > (before.end_s or 0) and after.start_s == pytest.approx(before.start_s)


@pytest.mark.slow
def test_upload_find_correct_label_fine_tune_promote_and_find_again(
    served: Served, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    app, address = served
    spans = write_stills(
        tmp_path / "mine.mp4",
        [
            (drawing(name), 2.0)
            for name in ("celtic_harp", "canada_flag_umbrella", "certificate", "sleeping_cat")
        ],
    )
    page = open_page(f"{address}?task=video-text&view=video")
    video = page.locator("#mm-video")
    video.locator("input[type=file]").set_input_files(tmp_path / "mine.mp4")
    expect(video.locator("[data-name]")).to_contain_text("mine.mp4")
    expect(video.locator("[data-progress]")).to_contain_text("4 shots", timeout=60_000)

    def find(text: str) -> None:
        video.get_by_label("What to find in this video").fill(text)
        video.get_by_role("button", name="Find", exact=True).click()
        expect(video.locator("[data-moments] .mm-line").first).to_be_visible(timeout=60_000)
        expect(video.locator("[data-moments]")).not_to_have_attribute("aria-busy", "true")
        video.locator("[data-moments] .mm-pick").first.click()

    find("an umbrella")
    start, end = spans[1]
    page.wait_for_function(
        f"() => {{ const v = document.querySelector('#mm-video video');"
        f" return v.currentTime >= {start} && v.currentTime <= {end}; }}"
    )
    drag_edge(page, video.locator(".mm-moment").first, -30)
    expect(video.locator("[data-moments] .mm-caption").first).to_contain_text("corrected")
    known = app.ws.labels.total()
    video.get_by_role("button", name="match: an umbrella", exact=True).first.click()
    expect(video.locator("[data-receipt]")).to_contain_text("saved on disk")
    assert app.ws.labels.total() == known + 1
    saved = next(p for p in app.ws.pairs.browse(TASK, source="moment") if p.final_text == "an umbrella")
    assert saved.start_s == pytest.approx(start, abs=0.03) and start < (saved.end_s or 0) < end - 0.1
    for pair in app.ws.pairs.browse(TASK, state="unlabelled"):  # the samples are labelled as they came
        app.labels.add(pair.id, NewLabel("match", annotator="test"))

    tab(page, "Fine-tune")
    settings(page)
    page.locator("#mm-finetune [name=head]").select_option("temporal")
    page.locator("#mm-finetune [name=epochs]").fill("2")
    page.get_by_role("button", name="Fine-tune", exact=True).click()
    tune = page.locator("#mm-finetune")
    expect(tune.locator("[data-result]")).to_contain_text("R@1 IoU 0.5", timeout=120_000)
    expect(tune.locator("[data-result]")).to_contain_text("mIoU")
    promote(page)

    tab(page, "Video")
    find("an umbrella")
    expect(video.locator("[data-moments]")).to_have_attribute("data-model", re.compile("tuned-"))
    page.wait_for_function(
        f"() => {{ const v = document.querySelector('#mm-video video');"
        f" return v.currentTime >= {start} && v.currentTime <= {end}; }}"
    )
    app.context.jobs.roll_back(TASK)


@pytest.mark.slow
def test_a_link_reopens_a_moment_narrow_and_what_is_no_video_gets_a_sentence(
    served: Served, open_page: Callable[..., Page], tmp_path: Path
) -> None:
    app, address = served
    item = next(i for i in app.ws.items.listed("video") if i.name == "drawings-2.mp4")
    page = open_page(
        f"{address}?task=video-text&view=video&mode=find&item={item.id}&text=a+drawing",
        width=400,
        tolerate="400 (Bad Request)",
    )
    video = page.locator("#mm-video")
    expect(video.locator("[data-name]")).to_contain_text("drawings-2.mp4")
    expect(video.get_by_label("What to find in this video")).to_have_value("a drawing")
    expect(video.locator("[data-moments] .mm-line").first).to_be_visible(timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth") <= 401
    assert (
        "task=video-text" in page.url and "view=video" in page.url
    )  # no other tab has taken the link for its own
    (tmp_path / "x.mp4").write_bytes(b"%PDF nothing")
    video.get_by_label("Video file").set_input_files(str(tmp_path / "x.mp4"))
    expect(page.get_by_text("is not a video that can be read").first).to_be_visible()


@pytest.mark.slow
@pytest.mark.parametrize("answer", ["samples", "medium", "watch"])
def test_what_is_said_of_a_refused_file_stays_while_the_first_video_is_on_its_way(
    served: Served, open_page: Callable[..., Page], tmp_path: Path, answer: str
) -> None:
    held: list[Route] = []  # the answer comes only after the file was refused
    page = open_page(served[1], tolerate="400 (Bad Request)", blank=True)
    page.route(f"**/mmdemo/api/{answer}", lambda route: held.append(route))
    with page.expect_request(f"**/mmdemo/api/{answer}"):
        page.goto(f"{served[1]}?task=video-text&view=video")
    (tmp_path / "x.mp4").write_bytes(b"%PDF nothing")
    page.locator("#mm-video").get_by_label("Video file").set_input_files(str(tmp_path / "x.mp4"))
    sentence = page.get_by_text("is not a video that can be read").first
    expect(sentence).to_be_visible()
    for route in held:
        route.continue_()
    expect(page.locator("#mm-video [data-progress]")).not_to_be_empty()
    expect(sentence).to_be_visible()


@pytest.mark.slow
def test_numbers_of_a_search_in_videos(served: Served, open_page: Callable[..., Page]) -> None:
    page = open_page(f"{served[1]}?view=video&mode=search&text=a+harp")
    result = page.locator("#mm-video [data-results] .mm-line").first
    expect(result).to_be_visible(timeout=60_000)
    assert "candidates of which one in" in told(page, result.locator(".mm-ask"))
    no_number_is_left_out(page)
    result.locator(".mm-pick").click()
    expect(page.locator("#mm-video .mm-moment")).to_have_count(1)
