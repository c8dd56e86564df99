"""Faces are looked for in the shots of a video that is described, in so many of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from mmdemo.errors import MediaError
from mmdemo.models.captioning.agreement import SURE
from mmdemo.models.encoders.faces import Face, FaceDetector
from mmdemo.service import video
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from tests.films import write_film

PHOTOS = ASSETS / "photos"
SIZE = (512, 512)


def test_who_looks_out_of_a_shot_is_told_to_be_a_person_and_no_more_shots_are_looked_at_than_bounded(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_film(tmp_path / "a.mp4", [PHOTOS / "astronaut.jpg", PHOTOS / "chelsea.jpg"], 1.0, SIZE)
    told = app.caption(app.media.keep(film, task="video-text"))["captions"]
    person = next(caption for caption in told if caption["text"] == "a person")
    assert person["score"] >= SURE and (person["start"], person["end"]) == (0.0, pytest.approx(1.0, abs=0.1))
    assert [caption["text"] for caption in told] == ["a person", "a cat"]

    looked_at: list[Image.Image] = []

    def faces(_: FaceDetector, image: Image.Image) -> list[Face]:
        looked_at.append(image)
        return []

    monkeypatch.setattr(FaceDetector, "faces", faces)
    monkeypatch.setattr(video, "FACED", 1)
    unseen = app.caption(app.media.keep(film, task="video-text"))["captions"]
    assert len(looked_at) == 1
    assert all(caption["score"] < SURE for caption in unseen if caption["text"] == "a person")


def test_a_shot_of_which_no_frame_can_be_had_is_described_by_what_was_seen(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_film(tmp_path / "a.mp4", [PHOTOS / "chelsea.jpg"], 1.0, SIZE)
    item = app.media.keep(film, task="video-text")

    def broken(*_: object) -> None:
        raise MediaError("Nothing is shown.", "Choose another one.")

    monkeypatch.setattr("mmdemo.media.video.frame_at", broken)
    assert [caption["text"] for caption in app.caption(item)["captions"]] == ["a cat"]
