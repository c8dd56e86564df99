"""What is heard and what is seen lie on one time line, whatever a file's tracks are like."""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from mmdemo.errors import MediaError
from mmdemo.media.audio import PEAKS_HZ, RATE_HZ, audio_blocks, audio_peaks, decode_audio, probe_audio
from mmdemo.media.video import decode_video, frame_at, probe_video
from tests.media.test_audio import tone

NEAR_S = 0.05
CODECS = {".mp4": "aac", ".mov": "pcm_s16le", ".mkv": "pcm_s16le", ".ts": "mp2", ".webm": "libopus"}

Heard = Sequence[tuple[float, np.ndarray]]  # sounds, and when they begin. Seconds


def write_spoken(
    path: Path, *tracks: Heard, first_s: float = 0.0, length_s: float = 6.0, marked: int | None = None
) -> Path:
    """A video that shows grey, its pictures beginning at `first_s`, and the sounds of each track.

    Args:
        path: its suffix says its format.
        tracks: each a list of sounds that are put where they belong, with nothing between them.
        first_s: when the pictures begin.
        length_s: when they end.
        marked: the track that is the default one.
    """
    rate_hz, codec = 48_000, CODECS[path.suffix]
    with av.open(str(path), "w") as out:
        video = out.add_stream("libvpx" if path.suffix == ".webm" else "libx264", rate=25)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sounds = [out.add_stream(codec, rate=rate_hz, layout="mono") for _ in tracks]
        for number, sound in enumerate(sounds):
            if marked is not None:
                sound.disposition = Disposition.default if number == marked else Disposition(0)
        packets = []
        for at in range(round(first_s * 25), round(length_s * 25)):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 128, np.uint8), format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 25)
            packets += video.encode(frame)
        packets += video.encode(None)
        for sound, heard in zip(sounds, tracks, strict=True):
            assert isinstance(sound, av.AudioStream)
            resampler = av.AudioResampler(sound.format, "mono", rate_hz)
            size = sound.frame_size or 1024
            for start_s, samples in heard:
                for begin in range(0, len(samples), size):
                    part = samples[None, begin : begin + size]
                    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), "flt", "mono")
                    frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
                    frame.pts = round(start_s * rate_hz) + begin
                    for ready in resampler.resample(frame):
                        packets += sound.encode(ready)
            packets += sound.encode(None)
        for packet in sorted(packets, key=lambda p: float(p.dts * p.time_base)):
            out.mux(packet)
    return path


def beep(hz: float = 440.0) -> np.ndarray:
    return tone(0.9, 48_000, hz)


def heard_at(samples: np.ndarray, rate_hz: int = RATE_HZ) -> list[tuple[float, float]]:
    """When something is heard, from and to. Seconds."""
    step = rate_hz // 100
    loud = np.abs(samples[: len(samples) // step * step]).reshape(-1, step).max(1) > 0.1
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(int), [0]])))
    return [(a / 100, b / 100) for a, b in edges.reshape(-1, 2)]


def assert_heard(source: Path, expected: Sequence[tuple[float, float]]) -> None:
    assert np.array(heard_at(decode_audio(source))) == pytest.approx(np.array(expected), abs=NEAR_S)


@pytest.mark.parametrize("suffix", list(CODECS))
def test_sound_that_begins_later_than_the_pictures_is_heard_then(tmp_path: Path, suffix: str) -> None:
    path = write_spoken(tmp_path / f"late{suffix}", [(4.0, beep())])
    assert_heard(path, [(4.0, 4.9)])
    assert probe_audio(path).duration_s == pytest.approx(4.9, abs=NEAR_S) and probe_audio(path).complete
    assert heard_at(decode_audio(path, 3.5, 4.5)) == [(pytest.approx(0.5, abs=NEAR_S), 1.0)]
    loud = np.flatnonzero(np.abs(audio_peaks(path)).max(1) > 12) / PEAKS_HZ
    assert loud[0] == pytest.approx(4.0, abs=NEAR_S)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_pictures_that_begin_later_than_the_sound_are_seen_then(tmp_path: Path, suffix: str) -> None:
    path = write_spoken(tmp_path / f"first{suffix}", [(0.0, beep())], first_s=2.0)
    assert_heard(path, [(0.0, 0.9)])
    assert next(iter(decode_video(path))).time_s == pytest.approx(2.0, abs=NEAR_S)
    assert frame_at(path, 0.0).time_s == pytest.approx(2.0, abs=NEAR_S)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_file_whose_clock_begins_at_an_hour_begins_at_0(tmp_path: Path, suffix: str) -> None:
    path = write_spoken(tmp_path / f"hour{suffix}", [(3601.0, beep())], first_s=3600.0, length_s=3602)
    assert probe_video(path).duration_s == pytest.approx(2.0, abs=NEAR_S)
    assert next(iter(decode_video(path))).time_s == pytest.approx(0.0, abs=NEAR_S)
    assert_heard(path, [(1.0, 1.9)])


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_what_a_recorder_left_out_in_the_middle_is_silence(tmp_path: Path, suffix: str) -> None:
    path = write_spoken(tmp_path / f"gap{suffix}", [(0.0, beep()), (2.5, beep()), (4.0, beep())])
    assert_heard(path, [(0.0, 0.9), (2.5, 3.4), (4.0, 4.9)])


def without_beginning(data: bytes, seconds: float) -> bytes:
    """An mp4 whose edit lists leave out its first seconds, as phones do that cut without copying."""
    out, at = bytearray(data), -1
    while (at := out.find(b"elst", at + 1)) >= 0:
        (a_second,) = struct.unpack_from(">I", out, out.find(b"mdhd", at) + 16)  # of the track
        (count,) = struct.unpack_from(">I", out, at + 8)
        left = round(seconds * 1000)  # of the movie
        for entry in range(at + 12, at + 12 + 12 * count, 12):
            lasts, begins = struct.unpack_from(">Ii", out, entry)
            now = min(left, lasts)
            begins += round(now / 1000 * a_second) if begins >= 0 else 0
            struct.pack_into(">Ii", out, entry, lasts - now, begins)
            left -= now
    return bytes(out)


def test_what_an_edit_list_leaves_out_is_neither_seen_nor_heard(tmp_path: Path) -> None:
    path = write_spoken(tmp_path / "cut.mp4", [(1.5, beep()), (4.0, beep())])
    path.write_bytes(without_beginning(path.read_bytes(), 1.0))
    assert_heard(path, [(0.5, 1.4), (3.0, 3.9)])
    assert next(iter(decode_video(path))).time_s == pytest.approx(0.0, abs=NEAR_S)
    assert probe_video(path).duration_s == pytest.approx(5.0, abs=NEAR_S)


def test_what_a_track_gives_twice_is_heard_once(tmp_path: Path) -> None:
    first = write_spoken(tmp_path / "a.ts", [(0.0, beep())], first_s=0.2, length_s=0.9)
    second = write_spoken(tmp_path / "b.ts", [(0.6, beep()), (3.0, beep())], first_s=0.6)
    (tmp_path / "both.ts").write_bytes(first.read_bytes() + second.read_bytes())
    assert_heard(tmp_path / "both.ts", [(0.0, 1.5), (3.0, 3.9)])


def test_a_clock_that_is_set_far_forth_or_back_goes_on_from_where_it_was(tmp_path: Path) -> None:
    data = bytearray(write_spoken(tmp_path / "a.ts", [(0.0, beep()), (2.0, beep())]).read_bytes())
    (tmp_path / "twice.ts").write_bytes(bytes(data) * 2)
    heard = heard_at(decode_audio(tmp_path / "twice.ts"))
    assert [b - a for a, b in heard] == pytest.approx([0.9, 0.9 + 0.9, 0.9], abs=0.1)


def test_the_track_that_is_marked_as_the_default_is_heard(tmp_path: Path) -> None:
    low, high = beep(300.0), beep(1200.0)
    for marked, hz in ((None, 300), (0, 300), (1, 1200)):
        path = write_spoken(tmp_path / f"{marked}.mkv", [(0.0, low)], [(0.0, high)], marked=marked)
        samples = decode_audio(path)[: RATE_HZ // 2]
        assert np.abs(np.fft.rfft(samples)).argmax() * 2 == pytest.approx(hz, abs=5)


def two(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """What is made of two channels. (N,) float32."""
    out = io.BytesIO()
    with wave.open(out, "wb") as f:
        f.setnchannels(2)
        f.setsampwidth(2)
        f.setframerate(RATE_HZ)
        f.writeframes((np.stack([left, right], 1) * 32767).astype("<i2").tobytes())
    return decode_audio(out.getvalue())


def test_channels_of_which_one_is_the_other_upside_down_do_not_cancel_out() -> None:
    voice = tone(1.0)
    hum = 0.2 * tone(1.0, hz=50.0)
    assert np.abs(two(voice, -voice)).max() > 0.4
    assert np.abs(two(voice, -0.9 * voice)).max() > 0.4
    with_hum = two(voice + hum, -voice + hum)
    spectrum = np.abs(np.fft.rfft(with_hum))
    assert spectrum.argmax() == pytest.approx(440, abs=2)
    late = np.concatenate([np.zeros(RATE_HZ, np.float32), voice])
    assert heard_at(two(late, -late)) == [(1.0, 2.0)]


def test_channels_that_do_not_cancel_out_are_averaged() -> None:
    left, right = tone(1.0), 0.5 * tone(1.0, hz=700.0)
    silence = np.zeros_like(left)
    for a, b in ((left, right), (left, left), (left, silence), (silence, right)):
        assert np.allclose(two(a, b), (a + b) / 2, atol=1e-3)


def test_blocks_of_a_late_track_joined_are_the_whole(tmp_path: Path) -> None:
    path = write_spoken(tmp_path / "late.mkv", [(2.0, beep()), (4.0, beep())])
    whole = decode_audio(path)
    assert np.array_equal(np.concatenate(list(audio_blocks(path, 0.37))), whole)
    assert np.array_equal(
        np.concatenate(list(audio_blocks(path, start_s=3.3))), whole[round(3.3 * RATE_HZ) :]
    )


def test_a_track_that_would_begin_after_more_than_a_day_is_refused(tmp_path: Path) -> None:
    path = write_spoken(tmp_path / "far.mkv", [(100_000.0, beep())])
    with pytest.raises(MediaError, match="hours long, over the limit"):
        probe_audio(path)
