"""A frame is seen as it was meant: upright, with its proportions, without combs, in its own colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from mmdemo.media.image import decode_image
from mmdemo.media.video import decode_video, frame_at, key_frames, probe_video
from mmdemo.store.workspace import Workspace

SIDE = 240  # pixels


def write_frames(
    path: Path,
    frames: list[np.ndarray],
    pixel: Fraction | None = None,
    matrix: tuple[int, int] | None = None,
    **options: str,
) -> Path:
    """A video of (H, W, 3) uint8 frames whose pixels are so many times as wide as high."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": "4", **options})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        if pixel is not None:
            context.sample_aspect_ratio = pixel
        if matrix is not None:  # of the tag and of what was done
            context.colorspace = matrix[0]
        for pixels in frames:
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if matrix is not None:
                frame = frame.reformat(format="yuv420p", dst_colorspace=matrix[1])
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def disc() -> np.ndarray:
    """A white disc that fills a black square."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    return np.repeat(((x**2 + y**2 < (SIDE / 2) ** 2) * 255).astype(np.uint8)[..., None], 3, 2)


@pytest.mark.parametrize(("pixel", "stored"), [(Fraction(4, 3), (180, 240)), (Fraction(3, 4), (240, 180))])
def test_a_disc_in_pixels_that_are_not_square_is_round_wherever_it_is_shown(
    tmp_path: Path, ws: Workspace, pixel: Fraction, stored: tuple[int, int]
) -> None:
    squeezed = np.asarray(Image.fromarray(disc()).resize(stored))
    path = write_frames(tmp_path / "disc.mp4", [squeezed] * 3, pixel)
    facts = probe_video(path)
    assert (facts.width, facts.height) == (SIDE, SIDE)
    item = ws.add_media("video", path, "disc.mp4", source="test")
    assert (item.width, item.height) == (SIDE, SIDE)
    small = next(f.image for f in decode_video(path, [0.0], at_least_px=100) if f.image)
    assert small.size == (100, 100)
    shown = [
        frame_at(path, 0.04).image,
        key_frames(path, [0.0])[0].image,
        decode_image(ws.thumbnail(item, 320)),
        decode_image(ws.video_frame(item, 0.04, 320)),
    ]
    for image in shown:
        grey = np.asarray(image.convert("L")) > 128
        assert grey.any(0).sum() == pytest.approx(grey.any(1).sum(), abs=4)
        assert grey.mean() == pytest.approx(np.pi / 4, abs=0.02)


@pytest.mark.parametrize("pixel", [Fraction(1, 5000), Fraction(60_000, 1)])
def test_a_pixel_that_is_absurdly_wide_or_high_is_taken_for_a_square(tmp_path: Path, pixel: Fraction) -> None:
    path = write_frames(tmp_path / "absurd.mp4", [disc()], pixel)
    assert frame_at(path, 0).image.size == (SIDE, SIDE)


def test_a_frame_of_two_fields_is_seen_without_combs(tmp_path: Path) -> None:
    """A bar moves between the fields: woven together, its edges are combs."""
    frame = np.zeros((SIDE, SIDE, 3), np.uint8)
    frame[::2, 40:100], frame[1::2, 120:180] = 255, 255
    path = write_frames(tmp_path / "combs.mp4", [frame] * 4, **{"x264-params": "tff=1"})
    for image in (frame_at(path, 0.04).image, next(iter(decode_video(path, at_least_px=120))).image):
        assert image is not None
        grey = np.asarray(image.convert("L").resize((SIDE, SIDE))).astype(int)
        assert grey[20:-20, 60:80].mean() > 230 and grey[20:-20, 140:160].mean() < 25
        assert np.abs(np.diff(grey[20:-20], axis=0)).mean() < 4


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_a_video_that_was_held_otherwise_is_turned_the_right_way(tmp_path: Path, degrees: int) -> None:
    arrow = np.zeros((120, 160, 3), np.uint8)
    arrow[:40] = (255, 0, 0)  # red is above
    lying = np.ascontiguousarray(np.rot90(arrow, -degrees // 90))
    source, turned = write_frames(tmp_path / "lying.mp4", [lying] * 3), tmp_path / "turned.mp4"
    with av.open(str(source)) as given, av.open(str(turned), "w") as out:
        stream = out.add_stream_from_template(given.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    image = np.asarray(frame_at(turned, 0).image).astype(int)
    assert image.shape == arrow.shape
    assert image[10:30, 20:-20, 0].mean() > 200 and image[60:, 20:-20, 0].mean() < 40


@pytest.mark.parametrize(("side", "told"), [(240, 2), (720, 2), (240, 1), (720, 6)])
def test_colours_are_read_by_what_the_file_says_of_them_or_as_players_guess(
    tmp_path: Path, side: int, told: int
) -> None:
    television, hd = 5, 1
    written = {1: hd, 6: television, 2: hd if side >= 720 else television}[told]
    green = np.zeros((side, 64, 3), np.uint8)
    green[:] = (10, 200, 60)
    path = write_frames(tmp_path / "green.mp4", [green], matrix=(told, written))
    assert np.asarray(frame_at(path, 0).image)[30, 30] == pytest.approx((10, 200, 60), abs=4)
