from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from assets.sounds import wav_bytes
from mmdemo.errors import MediaError
from mmdemo.media.audio import RATE_HZ
from mmdemo.media.shots import find_shots
from mmdemo.media.video import decode_video, frame_at, key_frames, probe_video
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from mmdemo.store.tables import Item

SAMPLE = ASSETS / "video" / "drawings-1.mp4"


def write_video(
    path: Path, pts: list[int], base: Fraction = Fraction(1, 1000), codec: str = "libx264", side: int = 64
) -> Path:
    """A video whose frame number i is grey level 20 + 4 i, shown at pts[i] in the time base."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=25, options={"g": "5", "bf": "0", "crf": "10"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = side, side // 2, "yuv420p"
        stream.time_base = stream.codec_context.time_base = base
        for i, at in enumerate(pts):
            grey = np.full((side // 2, side, 3), 20 + 4 * i, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts, frame.time_base = at, base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def number(image: Image.Image) -> int:
    """Which frame of `write_video` this is."""
    return round((float(np.asarray(image).mean()) - 20) / 4)


UNEVEN = [0, 40, 80, 200, 210, 220, 600, 1000, 1040, 1500, 1510, 2400]


@pytest.mark.parametrize("first", [0, 700], ids=["from zero", "not from zero"])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_variable_frame_rate_keeps_every_frame_at_its_time(tmp_path: Path, first: int, suffix: str) -> None:
    path = write_video(tmp_path / f"uneven{suffix}", [first + t for t in UNEVEN])
    times = [f.time_s for f in decode_video(path)]
    assert times == pytest.approx([t / 1000 for t in UNEVEN], abs=0.002)
    for i, t in enumerate(UNEVEN):  # what is shown at each frame's time is that frame, and until the next one
        assert number(frame_at(path, t / 1000 + 0.001).image) == i
    # a span that is written down and read again gives the very same frames
    start, end = round(times[3], 3), round(times[8], 3)
    chosen = [number(f.image) for f in decode_video(path, start_s=start, end_s=end) if f.image]
    assert chosen == [3, 4, 5, 6, 7]


def test_only_the_frames_that_are_asked_for_become_pictures(tmp_path: Path) -> None:
    path = write_video(tmp_path / "even.mp4", [40 * i for i in range(50)])
    found = list(decode_video(path, np.arange(0, 2, 0.5)))
    assert len(found) == 50 and [f.time_s for f in found if f.image] == pytest.approx(
        [0, 0.52, 1.0, 1.52], abs=0.03
    )
    small = next(f.image for f in decode_video(SAMPLE, [0.0], at_least_px=100) if f.image)
    assert min(small.size) == 100
    keys = key_frames(path, [0.0, 0.7, 1.5])
    assert [number(f.image) % 5 for f in keys] == [0, 0, 0] and keys[0].time_s < keys[1].time_s < keys[
        2
    ].time_s


def test_a_video_that_was_filmed_upright_is_upright(tmp_path: Path) -> None:
    source = write_video(tmp_path / "flat.mp4", [40 * i for i in range(5)])
    turned = tmp_path / "turned.mp4"
    data = source.read_bytes()
    at = (
        data.find(b"tkhd") + 4 + 4 + 4 * 4 + 4 + 8 + 8
    )  # version and flags, times and ids, reserved, layer and volume
    matrix = np.array([0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000], ">i4").tobytes()
    assert np.frombuffer(data[at : at + 4], ">i4")[0] == 0x10000
    turned.write_bytes(data[:at] + matrix + data[at + 36 :])
    facts = probe_video(turned)
    assert (facts.width, facts.height) == (32, 64)
    assert frame_at(turned, 0).image.size == (32, 64)


def test_cuts_between_drawings_with_slow_zooms_are_found_to_the_frame() -> None:
    import csv

    with (ASSETS / "video" / "samples.csv").open(encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    for name in ("drawings-1", "drawings-7"):
        known = [float(r["start"]) for r in rows if name in r["file_name"]]
        frames = list(decode_video(ASSETS / "video" / f"{name}.mp4", []))
        shots = find_shots(
            np.array([f.time_s for f in frames]),
            np.array([f.signs.row() for f in frames]),
            float(rows[0]["duration"]),
        )
        assert shots[:, 0] == pytest.approx(known, abs=0.021)
        assert np.array_equal(shots[1:, 0], shots[:-1, 1])


def test_what_is_no_video_gets_a_sentence(tmp_path: Path) -> None:
    for data, says in (
        (b"just text", "not a video"),
        (wav_bytes(np.zeros(RATE_HZ, np.float32)), "has no pictures. It has sound only"),
        (b"", "This file is empty"),
        (SAMPLE.read_bytes()[:2000], "not a video"),
    ):
        with pytest.raises(MediaError, match=says):
            probe_video(data)


def test_one_frame_a_gif_and_a_broken_middle_are_used_as_far_as_they_go(tmp_path: Path) -> None:
    one = write_video(tmp_path / "one.mp4", [0])
    assert probe_video(one).duration_s > 0 and len(list(decode_video(one))) == 1
    out = io.BytesIO()
    pictures = [Image.new("RGB", (40, 30), (i * 40, 0, 0)) for i in range(4)]
    pictures[0].save(out, "GIF", save_all=True, append_images=pictures[1:], duration=200)
    facts = probe_video(out.getvalue())
    assert facts.suffix == ".gif" and facts.duration_s == pytest.approx(0.8, abs=0.1)
    assert len(list(decode_video(out.getvalue()))) == 4
    data = bytearray(SAMPLE.read_bytes())
    data[90_000:110_000] = bytes(20_000)
    times = [f.time_s for f in decode_video(bytes(data))]
    assert len(times) > 300 and times[-1] > 19


def _written(path: Path, frames: list[np.ndarray]) -> np.ndarray:
    """The shots of a video of these frames at 25 a second."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "20"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for pixels in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels.astype(np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    seen = list(decode_video(path, []))
    return find_shots(
        np.array([f.time_s for f in seen]), np.array([f.signs.row() for f in seen]), len(frames) / 25
    )


def test_a_fade_through_black_and_a_dissolve_end_a_shot_in_their_middle_and_a_pan_does_not(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    a, b = (np.kron(rng.integers(40, 220, (6, 10, 3)), np.ones((16, 16, 1))) for _ in range(2))
    still = [[a] * 50, [b] * 50]
    shares = np.linspace(0, 1, 20)
    fade = [a * (1 - s) for s in shares] + [a * 0] * 4 + [b * s for s in shares]
    dissolve = [(1 - s) * a + s * b for s in shares]
    pan = [np.roll(a, 2 * i, axis=1) for i in range(50)]
    assert _written(tmp_path / "fade.mp4", still[0] + fade + still[1])[:, 0] == pytest.approx(
        [0, 72 / 25], abs=0.1
    )
    assert _written(tmp_path / "mix.mp4", still[0] + dissolve + still[1])[:, 0] == pytest.approx(
        [0, 60 / 25], abs=0.2
    )
    assert len(_written(tmp_path / "pan.mp4", pan)) == 1


@pytest.mark.slow
def test_where_a_file_is_damaged_is_told_and_the_rest_is_used(tmp_path: Path, app: App) -> None:
    path = tmp_path / "damaged.ts"
    rng = np.random.default_rng(1)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"g": "25"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for _ in range(250):
            pixels = rng.integers(0, 255, (96, 160, 3)).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    whole = app.video.watching(_looked_through(app, bytes(data)))
    assert whole["complete"] and whole["damaged"] == []
    begin, end = int(0.4 * len(data)), int(0.6 * len(data))
    data[begin:end] = rng.integers(0, 255, end - begin).astype(np.uint8).tobytes()
    found = app.video.watching(_looked_through(app, bytes(data)))
    assert found["complete"] and found["damaged"]
    assert 3.0 < found["damaged"][0][0] < 6.5 and found["damaged"][-1][1] < 7.5


def _looked_through(app: App, data: bytes) -> Item:
    item = app.ws.add_media("video", data, "noise.ts", source="test")
    app.video.moments(item, "noise")
    return item
