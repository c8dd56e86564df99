"""A small video can hold hours of frames after one key frame: for strangers few of them are decoded."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from mmdemo.asker import OWNER, Asker, asked_until, asking
from mmdemo.errors import BusyError, MediaError
from mmdemo.media import video
from mmdemo.media.allowance import LEAST_PX, Allowance
from mmdemo.media.trial import close_trials, probed
from mmdemo.media.video import decode_video, frame_at, key_frames, probe_video
from mmdemo.store.workspace import Workspace
from tests.media.test_video import number

STRANGER = Asker("viewer", session="s")
FRAMES, A_SECOND = 50, 10
DURATION = b"\x44\x89\x88"  # of a Matroska file, before 8 bytes of it


@pytest.fixture(scope="module")
def one_key_frame(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film whose frame number i is grey level 20 + 4 i, and only the first is a key frame."""
    path = tmp_path_factory.mktemp("films") / "long.mkv"
    with av.open(str(path), "w") as out:
        options = {"g": "1000", "bf": "0", "crf": "10", "sc_threshold": "0"}
        stream = out.add_stream("libx264", rate=A_SECOND, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for i in range(FRAMES):
            grey = np.full((32, 64, 3), 20 + 4 * i, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(autouse=True)
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video, "TO_ONE_FRAME_PX", 20 * LEAST_PX)


def test_a_stranger_is_shown_the_nearest_frame_that_few_frames_lead_to(one_key_frame: Path) -> None:
    with asking(STRANGER):
        early, late = frame_at(one_key_frame, 1.0), frame_at(one_key_frame, 4.5)
        assert len(key_frames(one_key_frame, [0.0, 2.0, 4.0])) == 1
    assert early.is_exact and number(early.image) == 10
    assert not late.is_exact and 10 < number(late.image) <= 20
    with asking(OWNER):
        assert number(frame_at(one_key_frame, 4.5).image) == 45
    with asking(Asker("trainer", session="t")):
        assert frame_at(one_key_frame, 9.0).is_exact


def test_a_frame_that_is_not_the_one_is_kept_for_nobody(ws: Workspace, one_key_frame: Path) -> None:
    film = ws.add_media("video", one_key_frame, "long.mkv", source="import")
    with asking(STRANGER):
        nearest = ws.video_frame(film, 4.5, 320)
    assert ws.video_frame(film, 4.5, 320) != nearest
    assert len(list((ws.folder / "cache" / "stills").rglob("*.webp"))) == 1


def test_a_walk_that_takes_longer_than_a_stranger_may_ask_for_is_refused(one_key_frame: Path) -> None:
    with asking(STRANGER):
        walk = decode_video(one_key_frame, allowance=Allowance(20 * LEAST_PX))
        with pytest.raises(MediaError, match="takes too long to be looked through"):
            list(walk)
        assert len(list(decode_video(one_key_frame, allowance=Allowance(60 * LEAST_PX)))) == FRAMES
    assert len(list(decode_video(one_key_frame, allowance=Allowance(20 * LEAST_PX)))) == FRAMES


def test_a_file_is_not_believed_how_long_it_is(one_key_frame: Path, tmp_path: Path) -> None:
    whole, lie = one_key_frame.read_bytes(), tmp_path / "lie.mkv"
    at = whole.index(DURATION) + len(DURATION)
    lie.write_bytes(whole[:at] + struct.pack(">d", 1000.0) + whole[at + 8 :])  # ms
    assert probe_video(lie).duration_s == 1.0
    try:
        with asking(STRANGER):
            assert probed("video", lie, 1.0).duration_s == pytest.approx(FRAMES / A_SECOND)
            with pytest.raises(MediaError, match="over the limit"):
                probed("video", lie, 3 / 3600)
            assert list(decode_video(lie, allowance=Allowance(1e9)))[-1].time_s == pytest.approx(1.9)
        assert len(list(decode_video(lie))) == FRAMES
    finally:
        close_trials()


def test_decoding_ends_when_whoever_asked_has_gone(one_key_frame: Path) -> None:
    seen = 0
    with asked_until(lambda: seen > 5), pytest.raises(BusyError, match="Nobody waits"):
        for _ in decode_video(one_key_frame):
            seen += 1
    assert seen < 10
