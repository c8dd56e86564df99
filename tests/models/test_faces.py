"""Faces are found where people look at one, and a person is told by them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mmdemo.media.image import decode_image
from mmdemo.models.captioning.seen import FACE, THING, face_evidence, person_fit
from mmdemo.models.encoders.faces import face_detector
from mmdemo.settings import ASSETS


@pytest.mark.parametrize(("name", "share"), [("photos/astronaut", 0.17), ("photos/camera", 0.12)])
def test_a_face_is_found_with_its_size(name: str, share: float) -> None:
    (face,) = face_detector().faces(decode_image(ASSETS / f"{name}.jpg"))
    assert face.probability > 0.99
    assert face.share == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("name", ["chelsea", "coffee", "gravel", "retina", "rocket"])
def test_what_is_no_face_is_none(name: str) -> None:
    assert face_detector().faces(decode_image(ASSETS / "photos" / f"{name}.jpg")) == []


def test_faces_at_the_edge_of_a_picture_are_found_and_two_are_two() -> None:
    astronaut = decode_image(ASSETS / "photos" / "astronaut.jpg")
    face = astronaut.crop((150, 40, 330, 240))
    both = Image.new("RGB", (360, 200))
    both.paste(face, (0, 0))
    both.paste(face, (180, 0))
    assert len(face_detector().faces(both)) == 2


@pytest.mark.parametrize("size", [(1, 1), (3000, 4), (4, 3000), (39, 39)])
def test_a_picture_of_any_shape_is_looked_at(size: tuple[int, int]) -> None:
    assert face_detector().faces(Image.effect_noise(size, 60)) == []


def test_a_surer_face_makes_a_person_surer_and_none_makes_nobody() -> None:
    faces = face_evidence(np.array([0.0, 0.71, 0.9, 0.99, 1.0]))
    said = person_fit().probability({THING: np.zeros(5), FACE: faces})
    assert list(said) == sorted(said)
    assert faces[0] == 0.0
