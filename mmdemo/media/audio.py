"""Bytes to waveforms: any container and codec that FFmpeg reads, to 16 kHz mono, block by block.

Times are the container's presentation times from its earliest track on, as a browser plays it: the sound of a
video is on the clock of its pictures. Nothing here holds more than a block in memory, however long it is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from mmdemo.errors import MediaError
from mmdemo.media.container import MAX_HOURS, opened, require_length, require_samples
from mmdemo.media.rate import RATE_HZ
from mmdemo.media.sound_track import track_samples
from mmdemo.media.tracks import length_s, pictures_of, sound_of, zero_s

BLOCK_S = 30.0
DECODED_WHOLE_S = 600.0  # a longer recording is not decoded before it is answered for
PEAKS_HZ = 50  # pairs of peaks a second: 360,000 bytes for an hour
SUFFIX_OF = {  # a container's name in FFmpeg, to the suffix that fits it
    "wav": ".wav",
    "mp3": ".mp3",
    "ogg": ".ogg",
    "flac": ".flac",
    "matroska,webm": ".webm",
    "mov,mp4,m4a,3gp,3g2,mj2": ".m4a",
}


@dataclass(frozen=True)
class AudioFacts:
    """What a file says of its sound."""

    duration_s: float  # of what can be read
    container: str
    suffix: str
    complete: bool  # False: it is damaged after `duration_s`


def audio_blocks(
    source: bytes | Path, block_s: float = BLOCK_S, start_s: float = 0.0, max_hours: float = MAX_HOURS
) -> Iterator[np.ndarray]:
    """(N,) float32 in [-1, 1] at 16 kHz mono, `block_s` seconds at a time; the last block is shorter.

    What comes before a damage is yielded.

    Raises:
        MediaError: nothing in it can be decoded as sound, a sample is infinite or not a number, or there are
            more hours of it.
    """
    size = max(1, round(block_s * RATE_HZ))
    name = source.name if isinstance(source, Path) else "This file"
    to_skip = round(start_s * RATE_HZ)
    parts: list[np.ndarray] = []
    held = 0
    heard, seconds = False, 0.0
    with _opened(source, name) as container:
        for samples in track_samples(container, _track(container, name), name):
            heard = True
            seconds += len(samples) / RATE_HZ
            require_length(seconds, name, max_hours)
            if not np.isfinite(samples).all():
                raise MediaError(f"{name} holds samples that are no numbers.", "Record or export it again.")
            if to_skip >= len(samples):
                to_skip -= len(samples)
                continue
            parts.append(samples[to_skip:])
            held += len(samples) - to_skip
            to_skip = 0
            while held >= size:
                whole = np.concatenate(parts)
                yield whole[:size]
                parts, held = [whole[size:]], held - size
        if not heard:
            raise MediaError(f"{name} holds no sound that can be decoded.", "Record or export it again.")
    if held:
        yield np.concatenate(parts)


def decode_audio(source: bytes | Path, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray:
    """(N,) float32 at 16 kHz mono between two times.

    Raises:
        MediaError: not a recording, or the span is empty.
    """
    want = None if end_s is None else round((end_s - start_s) * RATE_HZ)
    parts: list[np.ndarray] = []
    for block in audio_blocks(source, start_s=start_s):
        parts.append(block if want is None else block[: want - sum(map(len, parts))])
        if want is not None and sum(map(len, parts)) >= want:
            break
    if not parts:
        raise MediaError(f"There is no sound after {start_s:.1f} s.", "Choose an earlier span.")
    return np.concatenate(parts)


def probe_audio(source: bytes | Path, max_hours: float = MAX_HOURS) -> AudioFacts:
    """Say what is there: a file of some minutes is decoded from end to end, of a longer one the beginning is,
    and its packets are counted.

    Raises:
        MediaError: not a recording, or a longer one.
    """
    name = source.name if isinstance(source, Path) else "This file"
    with _opened(source, name) as container:
        kind = container.format.name
        told, track = length_s(container), _track(container, name)
        ends, a_second = _told_s(container, track), (track.rate or 0) * (track.channels or 0)
    require_length(told or 0.0, name, max_hours)
    require_samples(a_second * (told or 0.0), told or 0.0, name)
    if told is not None and told > DECODED_WHOLE_S:
        next(iter(audio_blocks(source)))
        seconds = _last_packet_s(source, name)
        require_length(seconds, name, max_hours)
        require_samples(a_second * seconds, seconds, name)
    else:
        seconds = sum(len(block) for block in audio_blocks(source, max_hours=max_hours)) / RATE_HZ
    complete = ends is None or seconds > ends - max(1.0, 0.02 * ends)
    return AudioFacts(seconds, kind, SUFFIX_OF.get(kind, ".audio"), complete)


def _track(container: av.container.InputContainer, name: str) -> av.AudioStream:
    track = sound_of(container)
    if track is None:
        raise MediaError(f"{name} uses a codec that is not known here.", "Convert it to WAV or MP3 first.")
    return track


def _told_s(container: av.container.InputContainer, track: av.AudioStream) -> float | None:
    """When the sound ends, by what the file says; None: it does not, or only when its pictures do."""
    if track.duration and track.start_time is not None and track.time_base is not None:
        return float((track.start_time + track.duration) * track.time_base) - zero_s(container)
    return None if pictures_of(container) else length_s(container)


def _last_packet_s(source: bytes | Path, name: str) -> float:
    """Where the last packet of sound that is there ends."""
    last = 0.0
    with _opened(source, name) as container:
        packets = container.demux(_track(container, name))
        with contextlib.suppress(av.FFmpegError):  # what follows cannot be read
            for packet in packets:
                if packet.pts is not None and packet.time_base is not None:
                    last = max(last, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        return last - zero_s(container)


def audio_peaks(source: bytes | Path) -> np.ndarray:
    """(N, 2) int8: the lowest and highest sample of each 1/50 s, -127..127, computed block by block."""
    step = RATE_HZ // PEAKS_HZ
    rows: list[np.ndarray] = []
    for block in audio_blocks(source):
        whole = np.pad(block, (0, -len(block) % step)).reshape(-1, step)
        rows.append(np.stack([whole.min(1), whole.max(1)], axis=1))
    return (np.concatenate(rows).clip(-1, 1) * 127).round().astype(np.int8)


def write_opus(source: Path, target: Path, told: Callable[[float], None] = lambda share: None) -> None:
    """The sound of a file as Opus in Ogg, which every browser plays and seeks in: 14 MB an hour.

    Args:
        source: the file.
        target: where to.
        told: called with the share that is done; may raise to stop.
    """
    with _opened(source, source.name) as container:
        whole_s = length_s(container) or 0.0
    with av.open(str(target), "w", format="ogg") as out:
        stream = out.add_stream("libopus", rate=48_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        stream.bit_rate = 32_000
        resampler = av.AudioResampler("s16", "mono", 48_000)
        at = 0
        for block in audio_blocks(source):
            frame = av.AudioFrame.from_ndarray(
                (block.clip(-1, 1) * 32767).astype(np.int16)[None], format="s16", layout="mono"
            )
            frame.sample_rate = RATE_HZ
            frame.pts, at = at, at + len(block)
            for resampled in resampler.resample(frame):
                out.mux(stream.encode(resampled))
            told(min(0.99, at / RATE_HZ / whole_s) if whole_s else 0.0)
        for resampled in resampler.resample(None):
            out.mux(stream.encode(resampled))
        out.mux(stream.encode(None))


@contextlib.contextmanager
def _opened(source: bytes | Path, name: str) -> Iterator[av.container.InputContainer]:
    with opened(source, name, "a recording", "Use WAV, MP3, M4A, OGG, FLAC, WebM or a video.") as container:
        if not container.streams.audio:
            raise MediaError(f"{name} has no sound track.", "Choose a recording, or a video with sound.")
        yield container
