"""The small inputs in tests/data/cases are previewed and imported as on the page, and each is what its maker
meant: which layout it is, what its rows say, and where what they bring ends up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmdemo.media.image import decode_image
from mmdemo.media.playable import plays_video
from mmdemo.modality import modality_of
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from tests.conftest import TASK, labels_of
from tests.waiting import wait_for

CASES = Path(__file__).parent / "cases"
SPEECH, VIDEO = "speech-text", "video-text"
Pairs = set[tuple[str, str]]  # the name of a file, and a text of it


@pytest.fixture
def empty(make_app: Callable[..., App]) -> App:
    """A workspace without samples."""
    return make_app("empty", samples=False)


def brought(app: App, name: str, task: str = TASK) -> dict[str, Any]:
    """A case previewed and imported; what is told of the import. No row of it is passed over."""
    source = str(CASES / name)
    shown = ask(app, "import_preview", source=source, task=task)
    assert shown["rows"] and not any("reason" in row for row in shown["rows"])
    ask(app, "import_start", source=source, task=task)
    wait_for(lambda: ask(app, "import_state")["status"] == "done")
    state = ask(app, "import_state")
    report: dict[str, Any] = state["report"]
    assert state["error"] == "" and report["skipped"] == [] and report["layout"] == shown["importer"]
    return report


def pairs_of(app: App, task: str = TASK) -> Pairs:
    return {(p.name, p.text) for p in app.ws.pairs.browse(task, limit=100)}


@dataclass(frozen=True)
class Answer:
    """What is right of a case."""

    layout: str
    items: int
    pairs: Pairs
    held_out: Pairs | None = None  # None: the source says nothing of it
    task: str = TASK


CAPTIONS = {(f"{i:012}.jpg", f"caption {k} of {i}{' 😀' * (k == 3)}") for i in range(3) for k in range(5)}
RIGHT = {
    "class-tree-with-splits": Answer(
        "classes",
        8,
        {(f"{side}{i}.jpg", kind) for side in ("train", "val") for i in (0, 1) for kind in ("cat", "dog")},
        {(f"val{i}.jpg", kind) for i in (0, 1) for kind in ("cat", "dog")},
    ),
    "imagefolder-per-split": Answer(
        "manifest",
        5,
        {(f"{i:04}.png", f"train caption number {i}") for i in range(3)}
        | {(f"{i:04}.png", f"validation caption number {i}") for i in range(2)},
        {(f"{i:04}.png", f"validation caption number {i}") for i in range(2)},
    ),
    "caption-txt-in-folders": Answer(
        "captions",
        4,
        {
            (f"image{i}.jpg", f"a photo of the {kind} number {i} on grass")
            for i in (0, 1)
            for kind in ("cat", "dog")
        },
    ),
    "coco-folder": Answer(
        "coco",
        3,
        CAPTIONS,
        CAPTIONS,
    ),
    "same-name-in-two-folders": Answer(
        "subtitles",
        2,
        {("GOPR0001.MP4", "day one caption"), ("GOPR0001.MP4", "day two caption")},
        task=VIDEO,
    ),
    "parquet-embedded": Answer("manifest", 3, {("0.jpg", "one"), ("1.jpg", "two"), ("2.jpg", "three")}),
    "jsonl-line-separators": Answer(
        "manifest",
        4,
        {
            ("0.jpg", "plain text"),
            ("1.jpg", "first line second line"),
            ("2.jpg", "pasted from a page"),
            ("3.jpg", "a paragraph end"),
        },
    ),
    "tsv-unbalanced-quote": Answer(
        "manifest",
        6,
        {
            ("0.jpg", "first"),
            ("1.jpg", '"Stop, he said and ran away'),
            ("2.jpg", "third"),
            ("3.jpg", "fourth"),
            ("4.jpg", '"fifth" is a word in quotes'),
            ("5.jpg", "sixth"),
        },
    ),
    "hidden-folders": Answer("folder", 1, set()),
}


@pytest.mark.parametrize("name", RIGHT)
def test_every_file_and_text_of_a_case_is_where_it_belongs(empty: App, name: str) -> None:
    right = RIGHT[name]
    report = brought(empty, name, right.task)
    assert report["layout"] == right.layout and report["items"] == right.items
    assert empty.ws.items.count(modality_of(right.task).name) == right.items
    assert pairs_of(empty, right.task) == right.pairs
    if right.held_out is not None:
        sides = {(p.name, p.text): p.split for p in empty.ws.pairs.browse(right.task, limit=100)}
        assert {key for key, side in sides.items() if side == "held-out"} == right.held_out


def test_what_three_annotators_say_of_a_pair_is_three_labels(empty: App) -> None:
    report = brought(empty, "annotators-disagree")
    assert (report["items"], report["pairs"], report["labels"]) == (1, 2, 5)  # its two files are one picture
    (cat,) = empty.ws.pairs.browse(TASK, contains="cat")
    said = [(label.annotator, label.verdict) for label in labels_of(empty.ws, cat.id)]
    assert said == [("ann", "match"), ("bob", "mismatch"), ("cy", "match"), ("dan", "match")]


def test_pictures_with_a_rational_of_nothing_in_their_exif_are_pictures_and_upright(empty: App) -> None:
    assert brought(empty, "odd-exif")["items"] == 2
    sizes = {item.name: (item.width, item.height) for item in empty.ws.items.listed("image")}
    assert sizes["srational_bad.jpg"] == (240, 320) and "zero_rational.jpg" in sizes


def test_a_video_whose_title_is_not_in_utf_8_is_a_video(empty: App) -> None:
    assert brought(empty, "tags-not-utf8", VIDEO)["items"] == 1
    assert empty.ws.items.listed("video")[0].duration_s == pytest.approx(2.0, abs=0.1)


def test_a_dark_frame_of_16_bits_is_dark_and_a_ramp_of_12_is_not(empty: App) -> None:
    assert brought(empty, "sixteen-bit")["items"] == 2
    grey = {
        item.name: np.asarray(decode_image(empty.ws.media_path(item)))[..., 0]
        for item in empty.ws.items.listed("image")
    }
    assert grey["g12in16.png"].max() > 200 and grey["g16_dark200.png"].max() < 10


def test_words_and_moments_of_sound_that_begins_late_are_where_they_are_heard(app: App) -> None:
    brought(app, "late-sound", VIDEO)
    (item,) = (i for i in app.ws.items.listed("video") if i.name == "latesound.mp4")
    found = ask(app, "moments", item=item.id, query="the train to the coast")
    said = next(m for m in found["moments"] if m["found_by"] == "words")
    assert (said["start"], said["end"]) == pytest.approx((4.25, 6.2), abs=0.2)
    words = [word for sentence in app.speech.sentences(item) for word in sentence["words"]]
    assert (words[0]["start"], words[-1]["end"]) == pytest.approx((4.25, 6.9), abs=0.1)


def test_a_channel_that_is_the_other_upside_down_does_not_silence_the_recording(app: App) -> None:
    brought(app, "inverted-channels", SPEECH)
    (item,) = (i for i in app.ws.items.listed("audio") if i.name == "inverted.flac")
    told = ask(app, "transcribe", item=item.id)
    assert told["text"] == "The train to the coast leaves at seven in the morning."


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hevc.mp4", "mpeg4.mp4"])
def test_what_browsers_do_not_play_in_an_mp4_has_a_copy_that_they_do(empty: App, name: str) -> None:
    assert brought(empty, f"codecs-in-mp4/{name}", VIDEO)["items"] == 1
    (item,) = empty.ws.items.listed("video")
    assert ask(empty, "playing", item=item.id)["copy"]
    wait_for(lambda: ask(empty, "playing", item=item.id)["ready"])
    assert plays_video(empty.context.copies.path(item, "video"))
