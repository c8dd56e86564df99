from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.sounds import wav_bytes
from mmdemo.data.samples import SPEECH
from mmdemo.errors import MediaError
from mmdemo.media.audio import (
    PEAKS_HZ,
    RATE_HZ,
    audio_blocks,
    audio_peaks,
    decode_audio,
    probe_audio,
    write_opus,
)


def tone(seconds: float, rate_hz: int = RATE_HZ, hz: float = 440.0) -> np.ndarray:
    """(N,) float32 of a sine at half volume."""
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def encoded(codec: str, container: str, samples: np.ndarray, rate_hz: int, layout: str = "mono") -> bytes:
    """A file made by FFmpeg itself."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as f:
        stream = f.add_stream(codec, rate=rate_hz, layout=layout)
        channels = len(av.AudioLayout(layout).channels)
        frame = av.AudioFrame.from_ndarray(
            np.repeat(samples[:, None], channels, 1).reshape(1, -1), "flt", layout
        )
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(stream.format, layout, rate_hz, frame_size=stream.frame_size or 1024)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            f.mux(stream.encode(part))
        f.mux(stream.encode(None))
    return out.getvalue()


@pytest.mark.parametrize(
    ("codec", "container", "rate_hz", "layout"),
    [
        ("pcm_s16le", "wav", 44_100, "stereo"),
        ("pcm_s16le", "wav", 48_000, "7.1"),
        ("libmp3lame", "mp3", 44_100, "stereo"),
        ("aac", "mp4", 48_000, "mono"),
        ("libopus", "ogg", 48_000, "mono"),
        ("libopus", "webm", 48_000, "mono"),
        ("flac", "flac", 96_000, "stereo"),
    ],
)
def test_whatever_people_have_becomes_16_khz_mono(
    codec: str, container: str, rate_hz: int, layout: str, tmp_path: Path
) -> None:
    suffix = {"mp4": ".m4a"}.get(container, f".{container}")
    if container == "mp4":  # it wants to seek in its output
        path = tmp_path / "x.m4a"
        with av.open(str(path), "w", format="mp4") as f:
            stream = f.add_stream(codec, rate=rate_hz, layout=layout)
            frame = av.AudioFrame.from_ndarray(tone(2.0, rate_hz)[None], "flt", layout)
            frame.sample_rate = rate_hz
            resampler = av.AudioResampler(stream.format, layout, rate_hz, frame_size=1024)
            for part in [*resampler.resample(frame), *resampler.resample(None)]:
                f.mux(stream.encode(part))
            f.mux(stream.encode(None))
        data = path.read_bytes()
    else:
        data = encoded(codec, container, tone(2.0, rate_hz), rate_hz, layout)
    samples = decode_audio(data)
    assert samples.dtype == np.float32 and abs(len(samples) / RATE_HZ - 2.0) < 0.1
    middle = samples[RATE_HZ // 2 : -RATE_HZ // 2]
    peak = np.abs(np.fft.rfft(middle)).argmax() * RATE_HZ / len(middle)
    assert abs(peak - 440) < 2 and 0.3 < np.abs(middle).max() < 0.9
    facts = probe_audio(data)
    assert facts.suffix == suffix and abs(facts.duration_s - 2.0) < 0.1 and facts.complete


@given(st.integers(1, 40_000), st.floats(0.05, 1.0))
def test_blocks_joined_are_the_whole(count: int, block_s: float) -> None:
    data = wav_bytes(np.linspace(-0.9, 0.9, count, dtype=np.float32))
    blocks = list(audio_blocks(data, block_s))
    assert all(len(b) == round(block_s * RATE_HZ) for b in blocks[:-1])
    assert np.array_equal(np.concatenate(blocks), decode_audio(data))


def test_a_span_is_cut_out_where_it_is() -> None:
    samples = np.concatenate([np.zeros(RATE_HZ), tone(1.0), np.zeros(RATE_HZ)]).astype(np.float32)
    part = decode_audio(wav_bytes(samples), 0.5, 1.5)
    assert len(part) == RATE_HZ
    assert np.abs(part[: RATE_HZ // 2]).max() < 0.01 < 0.4 < np.abs(part[RATE_HZ // 2 :]).max()
    with pytest.raises(MediaError, match=r"no sound after 9\.0 s"):
        decode_audio(wav_bytes(samples), 9.0)


def test_peaks_are_the_lowest_and_highest_sample_of_each_fiftieth_of_a_second() -> None:
    samples = np.concatenate([np.zeros(RATE_HZ), tone(1.0)]).astype(np.float32)
    peaks = audio_peaks(wav_bytes(samples))
    assert peaks.shape == (2 * PEAKS_HZ, 2) and peaks.dtype == np.int8
    assert (peaks[:PEAKS_HZ] == 0).all() and (peaks[PEAKS_HZ + 1 :, 1] > 55).all()


def test_what_cannot_be_heard_gets_a_sentence(tmp_path: Path) -> None:
    video = io.BytesIO()
    with av.open(video, "w", format="matroska") as f:
        stream = f.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 64
        frame = av.VideoFrame(64, 64, "yuv420p")
        f.mux(stream.encode(frame))
        f.mux(stream.encode(None))
    for data, sentence in (
        (b"", "empty"),
        (b"%PDF-1.4 " * 500, "not a recording"),
        (video.getvalue(), "no sound track"),
        (wav_bytes(np.zeros(0, np.float32)), "no sound that can be decoded"),
    ):
        with pytest.raises(MediaError, match=sentence):
            probe_audio(data)
    with pytest.raises(MediaError, match=r"gone\.wav does not exist"):
        probe_audio(tmp_path / "gone.wav")


def test_a_file_that_is_cut_off_is_heard_up_to_there() -> None:
    whole = encoded("libmp3lame", "mp3", tone(6.0), RATE_HZ)
    assert 2.0 < probe_audio(whole[: len(whole) // 2]).duration_s < 4.0


def test_what_browsers_cannot_seek_in_is_made_into_opus_of_the_same_length(tmp_path: Path) -> None:
    source, target = tmp_path / "a.webm", tmp_path / "a.ogg"
    source.write_bytes(encoded("libopus", "webm", tone(3.0, 48_000), 48_000))
    write_opus(source, target)
    assert abs(probe_audio(target).duration_s - probe_audio(source).duration_s) < 0.05


def test_a_long_recording_is_measured_without_decoding_it_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SPEECH / "words-slt.ogg"
    whole = probe_audio(source)
    monkeypatch.setattr("mmdemo.media.audio.DECODED_WHOLE_S", 20.0)
    counted = probe_audio(source)
    assert counted.duration_s == pytest.approx(whole.duration_s, abs=0.1) and counted.complete
    cut = probe_audio(source.read_bytes()[: source.stat().st_size // 2])
    assert cut.duration_s < 0.7 * whole.duration_s
