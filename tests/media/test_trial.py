"""A file of a stranger is looked at in a process of its own: what ends that, ends nothing else."""

from __future__ import annotations

import os
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from mmdemo.asker import Asker, asking
from mmdemo.errors import MediaError
from mmdemo.media import trial
from mmdemo.media.trial import close_trials, probed
from mmdemo.settings import ASSETS
from tests.media.test_image import saved

STRANGER = Asker("viewer", session="s")


@pytest.fixture(autouse=True, scope="module")
def none_are_left() -> Iterator[None]:
    yield
    close_trials()


def a_gif_with_a_long_comment() -> bytes:
    whole = saved(Image.new("P", (1, 1)), "GIF")
    return whole[:19] + b"\x21\xfe" + (b"\xff" + b"c" * 255) * 60_000 + b"\0" + whole[19:]


def a_plain_ppm_of_comments() -> bytes:
    return b"P3\n1000 1000\n255\n" + b"#\n" * 2_000_000


def a_tiff_of_a_million_strips(count: int = 5_000_000) -> bytes:
    entries = [(256, 4, 1, 4990), (257, 4, 1, 5000), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, count, 8 + 2 + 12 * 8 + 4), (277, 3, 1, 1), (278, 4, 1, 1)]
    rows = b"".join(struct.pack("<HHII", *one) for one in entries)
    return b"II*\0" + struct.pack("<IH", 8, 8) + rows + bytes(4) + b"\x08\0\0\0" * count


@pytest.mark.parametrize(
    "bomb", [a_gif_with_a_long_comment, a_plain_ppm_of_comments, a_tiff_of_a_million_strips]
)
def test_a_picture_that_takes_minutes_or_gigabytes_is_refused_soon_and_the_next_one_is_looked_at(
    bomb: Callable[[], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bomb.img"
    file.write_bytes(bomb())
    with asking(STRANGER):
        close_trials()
        monkeypatch.setattr(trial, "CPU_S", 0)
        before = time.process_time()
        with pytest.raises(MediaError, match=r"^bomb\.img (takes too (long|much memory) to read|takes more)"):
            probed("image", file, 25)
        assert time.process_time() - before < 1.0  # of this process
        assert probed("image", saved(Image.new("RGB", (30, 20)), "PNG"), 25).width == 30


def test_what_ends_its_decoder_ends_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(saved(Image.new("RGB", (3, 2)), "PNG"))
    with asking(STRANGER):
        assert probed("image", tmp_path / "a.png", 25).height == 2
        begun = [one._process for one in trial._every if one._process is not None]
        for process in begun:
            os.kill(process.pid, 11)  # as a decoder that writes where it must not
            process.wait()
        assert begun
        assert probed("image", tmp_path / "a.png", 25).height == 2


def test_a_refusal_is_the_same_sentence_there_as_here(tmp_path: Path) -> None:
    (tmp_path / "no.png").write_bytes(b"nothing of a picture")
    told: list[Any] = []
    for asker in (STRANGER, Asker("owner")):
        with asking(asker), pytest.raises(MediaError) as refused:
            probed("image", tmp_path / "no.png", 25)
        told.append((refused.value.what, refused.value.cure))
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("kind", "sample"), [("audio", "speech/names-slt.ogg"), ("video", "video/drawings-7.mp4")]
)
def test_sounds_and_videos_are_looked_at_there_too(kind: str, sample: str) -> None:
    facts = {}
    for asker in (STRANGER, Asker("owner")):
        with asking(asker):
            facts[asker.role] = probed(kind, ASSETS / sample, 1.0)
    assert facts["viewer"] == facts["owner"]
    assert facts["viewer"].duration_s > 0
