"""Bytes to frames: any container and codec that FFmpeg reads, streamed, with the stream's own clock.

A time is a frame's presentation time in seconds after the earliest stream's start. A browser's player has its
zero there too, or plays a copy that has (`playable.py`). Frame numbers are never computed from a rate, so
variable frame rates need no care. No more than one decoded frame is held here, however long or large the
video is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from PIL import Image

from mmdemo.asker import is_gone
from mmdemo.errors import BusyError, MediaError
from mmdemo.media.allowance import TO_ONE_FRAME_PX, Allowance
from mmdemo.media.container import (
    BYTES_A_PIXEL,
    MAX_HOURS,
    MOST_FRAMES_A_SECOND,
    MOST_WAIT_S,
    VIDEOS,
    WHOLE_VIDEOS,
    opened,
    require_length,
)
from mmdemo.media.decode_budget import DecodeBudget
from mmdemo.media.mp4_index import MOST_FRAMES
from mmdemo.media.shots import SignReader, Signs
from mmdemo.media.shown import shown_image, shown_size
from mmdemo.media.tracks import length_s, pictures_of, zero_s

SUFFIX_OF = {  # a container's name in FFmpeg, to the suffix that fits it
    "mov,mp4,m4a,3gp,3g2,mj2": ".mp4",
    "matroska,webm": ".webm",
    "avi": ".avi",
    "gif": ".gif",
    "ogg": ".ogv",
    "mpegts": ".ts",
}
PAST_END_S = 1.0  # beyond the length that a file says, nothing is decoded for who is not trusted
PIECE_PX = (64, 36)  # what cuts are looked for in


@dataclass(frozen=True)
class VideoFacts:
    """What a file says of its pictures."""

    duration_s: float
    width: int  # as it is shown, after rotation
    height: int
    rate_hz: float  # frames a second, on average
    suffix: str
    has_sound: bool


@dataclass(frozen=True)
class Frame:
    """A picture of a video and when it is shown."""

    time_s: float
    image: Image.Image
    is_exact: bool = True  # False: what was asked for is too far from a key frame, and this is before it


@dataclass(frozen=True)
class Decoded:
    """A decoded frame, and what it says of where shots end."""

    time_s: float
    signs: Signs
    image: Image.Image | None  # only of frames that were asked for
    damaged: bool = False  # it, or what came before it, could not be decoded whole


@contextmanager
def _opened(
    source: bytes | Path, name: str, budget: DecodeBudget = VIDEOS, patient: bool = False
) -> Iterator[av.container.InputContainer]:
    with opened(source, name, "a video", "Choose an mp4, mov, mkv or webm file.") as container:
        try:
            video = pictures_of(container)
            if video is None:
                sound = " It has sound only." if container.streams.audio else ""
                raise MediaError(f"{name} has no pictures.{sound}", "Choose a video.")
            needed = video.width * video.height * BYTES_A_PIXEL
            with budget.taken(needed, None if patient else MOST_WAIT_S):
                yield container
        except av.FFmpegError as e:
            raise MediaError(
                f"{name} is not a video that can be read: {e.strerror or e}.",
                "Choose an mp4, mov, mkv or webm file.",
            ) from e


def _stream(container: av.container.InputContainer) -> av.VideoStream:
    stream = pictures_of(container)
    assert stream is not None  # `_opened` has looked
    stream.thread_type = "AUTO"
    return stream


def _name(source: bytes | Path) -> str:
    return source.name if isinstance(source, Path) else "This file"


def probe_video(
    source: bytes | Path, max_hours: float = MAX_HOURS, patient: bool = False, counted: bool = False
) -> VideoFacts:
    """Say what is there, by the headers and the first frame.

    Args:
        source: the file.
        max_hours: a longer one is refused.
        patient: as in `decode_video`.
        counted: whether its length is that of what is there, where the headers say less.

    Raises:
        BusyError: too many are read just now.
        MediaError: not a video, one with no picture that can be decoded, or one that is too long.
    """
    name = _name(source)
    with _opened(source, name, patient=patient) as container:
        stream = _stream(container)
        told = length_s(container) or 0.0
        require_length(told, name, max_hours)
        most = int(max_hours * 3600 * MOST_FRAMES_A_SECOND)
        if stream.frames > most:
            raise MediaError(f"{name} has {stream.frames:,} frames, over the limit of {most:,}.", "Cut it.")
        first = next(_decode(container, stream, Allowance(TO_ONE_FRAME_PX)), None)
        if first is None:
            raise MediaError(f"{name} has no picture that can be decoded.", "Choose another video.")
        width, height = shown_size(first, stream.sample_aspect_ratio)
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        kind, sound = container.format.name, bool(container.streams.audio)
    if told <= 0 or counted:
        told = max(told, _last_packet_s(source, name, patient))
        require_length(told, name, max_hours)
    return VideoFacts(max(told, 1 / rate), width, height, rate, SUFFIX_OF.get(kind, ".video"), sound)


def _last_packet_s(source: bytes | Path, name: str, patient: bool) -> float:
    last = 0.0
    with _opened(source, name, patient=patient) as container:
        zero = zero_s(container)
        for packet in container.demux(_stream(container)):
            if packet.pts is not None and packet.time_base is not None:
                last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base) - zero)
    return last


def _decode(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    allowance: Allowance,
    lost: list[int] | None = None,
) -> Iterator[av.VideoFrame]:
    """The frames that can be decoded, as far as that is allowed: what is damaged in between is passed over,
    and noted in `lost`.

    Raises:
        MediaError: there are more than a day of video has.
        BusyError: whoever asked has gone.
    """
    for number, packet in enumerate(container.demux(stream)):
        if number > MOST_FRAMES:
            raise MediaError(f"The video has over {MOST_FRAMES:,} frames.", "Cut it into parts.")
        if is_gone():
            raise BusyError("Nobody waits for this any more.", "Ask again.")
        if allowance.is_spent:
            return
        try:
            frames = [f for f in packet.decode() if isinstance(f, av.VideoFrame)]
        except av.FFmpegError:
            frames = []
            if lost is not None and packet.size:
                lost.append(packet.size)
        allowance.spend(sum(f.width * f.height for f in frames) or stream.width * stream.height)
        yield from frames


def decode_video(
    source: bytes | Path,
    wanted_s: Sequence[float] | None = None,
    at_least_px: int | None = None,
    start_s: float = 0.0,
    end_s: float | None = None,
    budget: DecodeBudget = WHOLE_VIDEOS,
    patient: bool = False,
    allowance: Allowance | None = None,
) -> Iterator[Decoded]:
    """Every frame's time and change, in order, and the picture of those that were asked for.

    Args:
        source: the file.
        wanted_s: (N,) rising times: the first frame at or after each is given as a picture; None: all are.
        at_least_px: no smaller than this is the shorter side of a picture, and not much larger.
        start_s: frames before it are passed over; the search begins at the key frame before it.
        end_s: frames at or after it end the walk.
        budget: what the decoder's memory is taken from, for as long as somebody walks.
        patient: whether nobody waits for an answer: then its turn is waited for, however long that takes.
        allowance: how much may be decoded; by default all of it.

    Raises:
        MediaError: not a video, or more would have to be decoded.
        BusyError: too many are read just now.
    """
    name, allowance = _name(source), allowance or Allowance()
    with _opened(source, name, budget, patient) as container:
        stream = _stream(container)
        assert stream.time_base is not None
        zero, pixel = zero_s(container), stream.sample_aspect_ratio
        if allowance.is_bounded and (told := length_s(container)):
            end_s = min(told + PAST_END_S, math.inf if end_s is None else end_s)
        if start_s > 0:
            container.seek(int((start_s + zero) / stream.time_base), stream=stream, backward=True)
        reader = SignReader()
        at = 0
        lost: list[int] = []
        for frame in _decode(container, stream, allowance, lost):
            if frame.pts is None:
                continue
            time_s = float(frame.pts * stream.time_base) - zero
            if time_s < start_s - 1e-6:
                continue
            if end_s is not None and time_s >= end_s - 1e-6:
                return
            small = frame.to_ndarray(
                width=PIECE_PX[0], height=PIECE_PX[1], format="rgb24", interpolation="FAST_BILINEAR"
            ).astype(np.int16)
            ask = wanted_s is None or (at < len(wanted_s) and time_s >= wanted_s[at] - 1e-6)
            if ask and wanted_s is not None:
                while at < len(wanted_s) and time_s >= wanted_s[at] - 1e-6:
                    at += 1
            yield Decoded(
                time_s,
                reader.read(time_s, small),
                shown_image(frame, pixel, at_least_px) if ask else None,
                bool(lost) or frame.is_corrupt,
            )
            lost.clear()
        if allowance.is_spent:
            cure = "Cut it into parts." if patient else "Open it in the Video tab first."
            raise MediaError(f"{name} takes too long to be looked through.", cure)


def key_frames(source: bytes | Path, times_s: Sequence[float], at_least_px: int | None = None) -> list[Frame]:
    """The key frames at or before some times, each once: a first look at a long video, quickly."""
    found: dict[float, Frame] = {}
    allowance = Allowance(TO_ONE_FRAME_PX)
    with _opened(source, _name(source)) as container:
        stream = _stream(container)
        assert stream.time_base is not None
        zero, pixel = zero_s(container), stream.sample_aspect_ratio
        for wanted in times_s:
            container.seek(int((wanted + zero) / stream.time_base), stream=stream, backward=True)
            frame = next(_decode(container, stream, allowance), None)
            if frame is not None and frame.pts is not None:
                time_s = float(frame.pts * stream.time_base) - zero
                if time_s not in found:
                    found[time_s] = Frame(time_s, shown_image(frame, pixel, at_least_px))
    return [found[t] for t in sorted(found)]


def frame_at(source: bytes | Path, time_s: float, at_least_px: int | None = None) -> Frame:
    """The frame that is shown at a time: the last one whose presentation time is not after it. For who is
    not trusted with this machine's time it is an earlier one where that is too far from a key frame.

    Raises:
        MediaError: not a video, or nothing is shown then.
        BusyError: too many are read just now.
    """
    shown: Frame | None = None
    allowance = Allowance(TO_ONE_FRAME_PX)
    with _opened(source, _name(source)) as container:
        stream = _stream(container)
        assert stream.time_base is not None
        zero, pixel = zero_s(container), stream.sample_aspect_ratio
        container.seek(int((max(0.0, time_s) + zero) / stream.time_base), stream=stream, backward=True)
        last: av.VideoFrame | None = None
        is_exact = False
        for frame in _decode(container, stream, allowance):
            if frame.pts is None:
                continue
            if last is not None and float(frame.pts * stream.time_base) - zero > time_s + 1e-6:
                is_exact = True
                break
            last = frame
        if last is not None and last.pts is not None:
            shown_s = float(last.pts * stream.time_base) - zero
            is_exact = is_exact or not allowance.is_spent
            shown = Frame(shown_s, shown_image(last, pixel, at_least_px), is_exact)
    if shown is None:
        raise MediaError(f"Nothing is shown at {time_s:.1f} s.", "Choose an earlier time.")
    return shown
