from __future__ import annotations

import csv

import numpy as np
import torch
from PIL import Image

from mmdemo.media.image import decode_image
from mmdemo.models.aligner import HeadAligner, Towers
from mmdemo.models.calibration import BASE_RATE
from mmdemo.models.explain import explain, where
from mmdemo.models.heads.residual import HeadShape, ResidualHead
from mmdemo.models.reliability import CANNOT_TELL, FITS
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from tests.conftest import TASK

SIDE_PX = 320
CLEAR = 12  # drawings whose titles fit them, of validation


def side_by_side(left: Image.Image, right: Image.Image) -> Image.Image:
    canvas = Image.new("RGB", (2 * SIDE_PX, SIDE_PX), "white")
    for column, drawing in enumerate((left, right)):
        canvas.paste(drawing.resize((SIDE_PX, SIDE_PX)), (column * SIDE_PX, 0))
    return canvas


def test_of_two_drawings_side_by_side_the_brightest_point_lies_on_the_right_one(app: App) -> None:
    aligner = app.models.aligner(TASK)
    with (ASSETS / "clipart" / "metadata.csv").open(encoding="utf-8") as f:
        rows = [row for row in csv.DictReader(f) if row["split"] == "validation"]
    clear = []
    for row in rows:
        drawing = decode_image(ASSETS / "clipart" / row["file_name"])
        if aligner.align(drawing, [row["text"]])[0].zone == FITS:
            clear.append((drawing, row["text"]))
        if len(clear) == CLEAR:
            break
    hits, lit = [], []
    for (left, a), (right, b) in zip(clear[0::2], clear[1::2], strict=True):
        canvas = side_by_side(left, right)
        maps, shown = where(aligner, canvas, [a, b]), explain(aligner, canvas, [a, b]).maps
        for column in range(2):
            middle = maps.shape[2] / 2
            hits.append((int(maps[column].argmax()) % maps.shape[2] >= middle) == bool(column))
            if shown[column].max() > 0:
                assert np.array_equal(shown[column].argmax(), maps[column].argmax())
                lit.append(hits[-1])
    assert np.mean(hits) >= 0.8 and lit and np.mean(lit) >= 0.8


class OneText(ResidualHead):
    """A head for which all texts are one."""

    def project_text(self, vectors: torch.Tensor) -> torch.Tensor:
        return super().project_text(torch.ones_like(vectors))


def collapsed(towers: Towers, side: str) -> ResidualHead:
    shape = HeadShape(towers.media.feature_dim, towers.media.dim)
    if side == "text":
        return OneText(shape).eval()
    head = ResidualHead(shape).eval()
    torch.nn.init.constant_(head.media_out.bias, 1e6)
    return head


def test_a_version_that_says_the_same_of_every_text_can_not_tell_and_gives_no_number(app: App) -> None:
    towers = app.models.towers(app.settings.model)
    for side in ("text", "media"):
        head = collapsed(towers, side)
        aligner = HeadAligner("v9", TASK, towers, head, towers.calibration)
        found = explain(aligner, decode_image(ASSETS / "photos" / "chelsea.jpg"), ["a tabby cat", "a rocket"])
        what = "text" if side == "text" else "picture"
        for score, note in zip(found.scores, found.notes, strict=True):
            assert score.zone == CANNOT_TELL and score.probability == BASE_RATE
            assert score.doubt == note
            assert note.startswith(f"v9 says the same of every {what}, so it can't tell what fits.")
        assert found.maps.max() == 0
    fine = explain(app.models.aligner(TASK), decode_image(ASSETS / "photos" / "chelsea.jpg"), ["a tabby cat"])
    assert fine.scores[0].doubt == ""
