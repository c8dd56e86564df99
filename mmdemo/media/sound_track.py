"""A sound track on the clock of its file: each sample where its time stamp says.

What the file leaves out is silence: a track that begins later than the pictures, a pause of the recorder, a
packet that is damaged. What it gives twice is given once.
"""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np

from mmdemo.media.container import require_samples
from mmdemo.media.mono import MonoMix
from mmdemo.media.rate import RATE_HZ
from mmdemo.media.tracks import length_s, zero_s

# By how much time stamps may differ from the count of samples before they are followed: those of some formats
# are rounded to milliseconds, and those of others to frames.
TOLERANCE_S = 0.03
MOST_TWICE_S = 1.0  # that is passed over; a clock that is set back by more goes on from where it was
UNTOLD_GAP_S = 600.0  # that is believed of a file which does not say how long it is
SILENCE_S = 30.0  # made at a time


def track_samples(
    container: av.container.InputContainer, track: av.AudioStream, name: str, stereo_hz: int | None = None
) -> Iterator[np.ndarray]:
    """(N,) float32 at 16 kHz mono from the container's zero on, some at a time.

    Args:
        container: the file.
        track: of it.
        name: what the file is called in a sentence.
        stereo_hz: give (N, 2) at this rate instead, as it is to be listened to.

    Raises:
        MediaError: there are more samples than `require_samples` lets through, whatever the file declares.
    """
    zero, end_s = zero_s(container), length_s(container)
    rate_hz = stereo_hz or RATE_HZ
    form, given, to_drop = _Form(stereo_hz), 0, 0
    decoded = 0  # samples of all channels, those that were passed over among them
    at_s, shift_s = 0.0, 0.0  # where the next sample of the track belongs, and by how much its clock was set

    def passed(parts: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        nonlocal given, to_drop
        for part in parts:
            kept = part[min(to_drop, len(part)) :]
            to_drop -= len(part) - len(kept)
            given += len(kept)
            yield kept

    for frame in _frames(container, track):
        told_s = at_s
        if frame.pts is not None and frame.time_base is not None:
            told_s = float(frame.pts * frame.time_base) - zero + shift_s
        if abs(told_s - at_s) > TOLERANCE_S:
            most_s = at_s + UNTOLD_GAP_S if end_s is None else end_s + 1.0
            if at_s - MOST_TWICE_S <= told_s <= most_s:
                yield from passed(form.rest())
                lacking = round(told_s * rate_hz) - given
                to_drop = max(0, -lacking)
                yield from passed(_silence(lacking, rate_hz, stereo_hz is not None))
            else:  # a clock that was set, as where recordings were put one behind another
                shift_s, told_s = shift_s + at_s - told_s, at_s
        at_s = told_s + frame.samples / frame.sample_rate
        decoded += frame.samples * len(frame.layout.channels)
        require_samples(decoded, at_s, name)
        yield from passed(form.of(frame))
    yield from passed(form.rest())


def _silence(count: int, rate_hz: int, stereo: bool) -> Iterator[np.ndarray]:
    size = round(SILENCE_S * rate_hz)
    for start in range(0, count, size):
        now = min(size, count - start)
        yield np.zeros((now, 2) if stereo else now, np.float32)


def _frames(container: av.container.InputContainer, track: av.AudioStream) -> Iterator[av.AudioFrame]:
    """Decoded frames; damaged packets are passed over, a damaged rest ends it."""
    track.codec_context.thread_type = "AUTO"
    packets = container.demux(track)
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except StopIteration:
            return
        except av.error.InvalidDataError:
            continue  # one damaged packet
        except (av.error.FFmpegError, ValueError):
            return  # the rest cannot be read
        for frame in frames:
            assert isinstance(frame, av.AudioFrame)
            if frame.samples and frame.sample_rate:
                yield frame


class _Form:
    """Resamples frames and mixes their channels, of which there may be others in the middle of a file."""

    def __init__(self, stereo_hz: int | None) -> None:
        self._stereo_hz = stereo_hz
        self._kind: tuple[str, str, int] | None = None
        self._resampler: av.AudioResampler | None = None
        self._mix = MonoMix(1)

    def of(self, frame: av.AudioFrame) -> Iterator[np.ndarray]:
        """What of it and of those before it is ready."""
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if self._resampler is None or kind != self._kind:
            yield from self.rest()
            if self._kind is None or kind[1] != self._kind[1]:
                self._mix = MonoMix(len(frame.layout.channels))
            # FFmpeg's own way to mono makes eight channels louder than one. Interleaved, since PyAV 18 reads
            # past the planes of a planar frame with eight channels.
            layout, rate_hz = ("stereo", self._stereo_hz) if self._stereo_hz else (None, RATE_HZ)
            self._kind, self._resampler = kind, av.AudioResampler("flt", layout, rate_hz)
        yield from map(self._samples, self._resampler.resample(frame))

    def rest(self) -> Iterator[np.ndarray]:
        """What is not given yet of all that came: what comes next does not follow upon it."""
        if self._resampler is not None:
            resampler, self._resampler = self._resampler, None
            yield from map(self._samples, resampler.resample(None))

    def _samples(self, frame: av.AudioFrame) -> np.ndarray:
        """(N,) or (N, 2) float32 of an interleaved frame."""
        samples = frame.to_ndarray().reshape(-1, len(frame.layout.channels))  # (N, C)
        return samples if self._stereo_hz else self._mix.mix(samples)
