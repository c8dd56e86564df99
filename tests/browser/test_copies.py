"""The real page plays what browsers do not: by a copy, which is made behind it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from mmdemo.media.playable import write_video_copy
from mmdemo.service.app import App
from tests.media.test_audio import encoded, tone

Served = tuple[App, str]
PLAYS = "(node) => node && node.readyState >= 2 && Math.abs(node.duration - {seconds}) < 0.05"
SHOWN = "document.querySelector('#mm-video video')"


def write_old(path: Path, codec: str, frames: int = 75) -> Path:
    with av.open(str(path), "w") as out:
        quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        stream = out.add_stream(codec, rate=25, options=quiet)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 20 + 3 * i, np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["libx265", "mpeg4"])
def test_a_video_in_a_codec_that_no_browser_knows_plays_in_the_page(
    served: Served, open_page: Callable[..., Page], tmp_path: Path, codec: str
) -> None:
    app, address = served
    path = write_old(tmp_path / f"{codec}.mp4", codec)
    item = app.ws.add_media("video", path, path.name, source="test")
    page = open_page(f"{address}?view=video&task=video-text&item={item.id}")
    video = page.locator("#mm-video video").first
    page.wait_for_function(f"() => ({PLAYS.format(seconds=3.0)})({SHOWN})", timeout=60_000)
    assert video.evaluate("(node) => node.videoWidth") == 320


@pytest.mark.slow
def test_how_far_a_copy_is_stands_in_the_place_of_the_player_of_what_somebody_only_looks_at(
    served: Served, open_page: Callable[..., Page], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    def held(source: Path, target: Path, told: Callable[[float], None]) -> None:
        told(0.4)
        assert go.wait(60)
        write_video_copy(source, target, told)

    monkeypatch.setattr("mmdemo.media.playable.write_video_copy", held)
    page = open_page(f"{served[1]}?view=video&task=video-text")
    tab = page.locator("#mm-video")
    expect(tab.locator("[data-name]")).not_to_be_empty()
    tab.locator("input[type=file]").set_input_files(write_old(tmp_path / "phone.mp4", "mpeg4", 50))
    expect(tab.locator(".mm-copying")).to_contain_text("A copy that they play is being made: 40 %")
    expect(tab.locator("video")).to_be_hidden()
    expect(tab.locator(".mm-shots span").first).to_be_visible(timeout=60_000)  # everything else goes on
    go.set()
    page.wait_for_function(f"() => ({PLAYS.format(seconds=2.0)})({SHOWN})", timeout=60_000)
    expect(tab.locator(".mm-copying")).to_be_hidden()
    expect(tab.locator("video")).to_be_visible()


def test_sound_in_a_codec_that_no_browser_knows_plays_in_the_page_once_it_was_asked_for(
    served: Served, open_page: Callable[..., Page]
) -> None:
    app, address = served
    data = encoded("adpcm_ima_wav", "wav", tone(2.0), 16_000)
    item = app.ws.add_media("audio", data, "phone.wav", source="test")
    page = open_page(address)
    page.wait_for_function("() => window.mm")
    page.evaluate(f"""async () => {{
        const host = document.createElement('div');
        document.body.append(host);
        window.heard = mm.wave(host);
        await window.heard.load('{item.id}', 2.0, true);
    }}""")
    page.wait_for_function(f"() => ({PLAYS.format(seconds=2.0)})(window.heard.audio)", timeout=30_000)
    page.wait_for_function("() => window.heard.audio.currentTime > 0.2", timeout=30_000)
