"""What browsers play is judged by codec, and a copy of anything else has the clock of its file."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mmdemo.errors import BusyError
from mmdemo.media.audio import RATE_HZ, decode_audio, probe_audio, write_opus
from mmdemo.media.playable import plays_sound, plays_video, write_video_copy
from mmdemo.media.video import decode_video, probe_video
from tests.media.test_audio import encoded, tone
from tests.media.test_clock import beep, heard_at, write_spoken
from tests.media.test_video import UNEVEN, number, write_video

NEAR_S = 0.05
PIXELS = {"prores_ks": "yuv422p10le"}


def times(path: Path) -> list[float]:
    return [frame.time_s for frame in decode_video(path, [])]


def write_film(path: Path, codec: str) -> None:
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 128, 96, PIXELS.get(codec, "yuv420p")
        for i in range(30):
            frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), 20 + 7 * i, np.uint8), format="rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("codec", "suffix", "plays"),
    [
        ("libx264", ".mp4", True),
        ("libx264", ".mkv", False),
        ("libx265", ".mp4", False),
        ("mpeg4", ".mp4", False),
        ("libvpx-vp9", ".webm", True),
        ("libsvtav1", ".mp4", True),
        ("mpeg2video", ".ts", False),
        ("prores_ks", ".mov", False),
    ],
)
def test_a_video_is_judged_by_its_codec_and_a_copy_plays_with_the_same_frames_at_the_same_times(
    tmp_path: Path, codec: str, suffix: str, plays: bool
) -> None:
    path = tmp_path / f"film{suffix}"
    with ThreadPoolExecutor(1) as thread:  # SVT-AV1 makes the thread that opens it a real-time one, as root
        thread.submit(write_film, path, codec).result()
    if sys.platform == "linux":
        assert (
            os.sched_getscheduler(0) == os.SCHED_OTHER
        )  # what is begun from here on has to leave others time
    assert plays_video(path) == plays
    if plays:
        return
    told: list[float] = []
    write_video_copy(path, tmp_path / "copy.mp4", told.append)
    assert plays_video(tmp_path / "copy.mp4")
    assert times(tmp_path / "copy.mp4") == pytest.approx(times(path), abs=NEAR_S)
    assert probe_video(tmp_path / "copy.mp4").duration_s == pytest.approx(
        probe_video(path).duration_s, abs=NEAR_S
    )
    assert told == sorted(told) and told and 0 < told[-1] < 1


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_a_copy_of_a_variable_frame_rate_shows_each_frame_when_the_file_does(
    tmp_path: Path, codec: str
) -> None:
    path = write_video(tmp_path / "uneven.mkv", [700 + at for at in UNEVEN], Fraction(1, 1000), codec)
    write_video_copy(path, tmp_path / "copy.mp4")
    shown = list(decode_video(tmp_path / "copy.mp4"))
    assert [f.time_s for f in shown] == pytest.approx([at / 1000 for at in UNEVEN], abs=0.002)
    numbers = [number(f.image) for f in shown if f.image]
    assert numbers == pytest.approx(list(range(len(UNEVEN))), abs=1)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_copy_is_heard_when_its_file_is(tmp_path: Path, suffix: str) -> None:
    """Sound that begins late, with a gap, beside pictures that begin at 0; the copy is joined or encoded."""
    path = write_spoken(tmp_path / f"late{suffix}", [(1.5, beep()), (4.0, beep())])
    write_video_copy(path, tmp_path / "copy.mp4")
    copy = tmp_path / "copy.mp4"
    assert plays_video(copy)
    assert np.array(heard_at(decode_audio(copy))) == pytest.approx(
        np.array([(1.5, 2.4), (4.0, 4.9)]), abs=NEAR_S
    )
    assert times(copy) == pytest.approx(times(path), abs=NEAR_S)


def test_the_default_track_is_the_one_that_a_copy_has(tmp_path: Path) -> None:
    path = write_spoken(tmp_path / "two.mkv", [(0.0, beep(300.0))], [(0.0, beep(1200.0))], marked=1)
    assert not plays_video(path)
    write_video_copy(path, tmp_path / "copy.mp4")
    samples = decode_audio(tmp_path / "copy.mp4")[: RATE_HZ // 2]
    assert np.abs(np.fft.rfft(samples)).argmax() * 2 == pytest.approx(1200, abs=5)
    with av.open(str(tmp_path / "copy.mp4")) as copy:
        assert len(copy.streams.audio) == 1


@pytest.mark.parametrize(
    ("codec", "container", "plays"),
    [
        ("pcm_s16le", "wav", True),
        ("pcm_f32le", "wav", False),
        ("adpcm_ima_wav", "wav", False),
        ("libmp3lame", "mp3", True),
        ("mp2", "mp2", False),
        ("alac", "caf", False),
        ("flac", "flac", True),
        ("libopus", "ogg", True),
        ("libopus", "webm", False),
    ],
)
def test_a_recording_is_judged_by_its_codec_and_a_copy_is_as_long(
    tmp_path: Path, codec: str, container: str, plays: bool
) -> None:
    path = tmp_path / "sound.bin"
    path.write_bytes(encoded(codec, container, tone(2.0, 48_000), 48_000))
    assert plays_sound(path) == plays
    if not plays:
        write_opus(path, tmp_path / "copy.ogg")
        assert plays_sound(tmp_path / "copy.ogg")
        copied, given = probe_audio(tmp_path / "copy.ogg"), probe_audio(path)
        assert copied.duration_s == pytest.approx(given.duration_s, abs=NEAR_S)


def test_what_is_told_how_far_a_copy_is_may_stop_it(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.avi", [40 * i for i in range(50)], codec="mpeg4")

    def stop(share: float) -> None:
        raise BusyError("Stopped.")

    with pytest.raises(BusyError):
        write_video_copy(path, tmp_path / "copy.mp4", stop)
