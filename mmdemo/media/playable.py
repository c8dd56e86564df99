"""What browsers play, judged by codec and not by suffix, and copies of what they do not.

A copy keeps the clock of its file, from its zero on. Streams that browsers know are joined anew as they are;
others are encoded: pictures as H.264 with square pixels, upright, of at most 720 rows; sound as AAC or Opus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from mmdemo.errors import MediaError
from mmdemo.media.container import opened
from mmdemo.media.sound_track import track_samples
from mmdemo.media.tracks import NO_VIDEO, length_s, pictures_of, sound_of, zero_s
from mmdemo.media.video import decode_video, probe_video

Told = Callable[[float], None]  # the share that is done, or the time that was reached; may raise to stop

WEBM, MP4, OGG = "matroska,webm", "mov,mp4,m4a,3gp,3g2,mj2", "ogg"
PLAIN = frozenset(["yuv420p", "yuvj420p"])  # of H.264, what every browser decodes
PICTURES = {MP4: frozenset(["h264", "av1", "vp9"]), WEBM: frozenset(["vp8", "vp9", "av1"])}
SOUND_BESIDE = {MP4: frozenset(["aac", "mp3", "opus", "flac"]), WEBM: frozenset(["opus", "vorbis"])}
# Alone: what browsers play and can seek in without an index that recorders leave out.
SOUND = {
    "wav": frozenset(["pcm_s16le", "pcm_u8", "pcm_s24le"]),
    "mp3": frozenset(["mp3"]),
    OGG: frozenset(["opus", "vorbis", "flac"]),
    "flac": frozenset(["flac"]),
    MP4: frozenset(["aac", "mp3", "opus", "flac"]),
}
LATE_S = 0.02  # after 0 a clock may begin; browsers take such a beginning in different ways
END_S = 1.0  # of a copy, that may differ from what its index says
HEIGHT_PX = 720
SOUND_HZ = 48_000
THREADS = 2  # that encode: others have work here, too
MOST_BITS_A_SECOND = 3_000_000  # of pictures
WHAT = "a video", "Choose another."


def plays_video(source: Path) -> bool:
    """Whether browsers play a video as it is.

    Raises:
        MediaError: it is none.
    """
    with opened(source, source.name, *WHAT) as given:
        kind, video, sound = given.format.name, pictures_of(given), sound_of(given)
        if video is None or abs(zero_s(given)) > LATE_S:
            return False
        seen = [track for track in given.streams.video if not track.disposition & NO_VIDEO]
        if video.index != seen[0].index or (sound and sound.index != given.streams.audio[0].index):
            return False  # browsers begin with the first of each
        heard = not given.streams.audio or (sound is not None and _codec(sound) in SOUND_BESIDE.get(kind, ()))
        return heard and _plays(video, PICTURES.get(kind, frozenset()))


def plays_sound(source: Path) -> bool:
    """Whether browsers play a recording as it is, and can seek in it.

    Raises:
        MediaError: it is none.
    """
    with opened(source, source.name, "a recording", "Choose another.") as given:
        sound = sound_of(given)
        if sound is None or sound.index != given.streams.audio[0].index or abs(zero_s(given)) > 2 * LATE_S:
            return False
        return _codec(sound) in SOUND.get(given.format.name, frozenset())


def require_whole(source: Path) -> None:
    """Refuse a copy whose end is missing.

    Raises:
        MediaError: it is, or it is no video.
    """
    with opened(source, source.name, *WHAT) as given:
        told = length_s(given) or 0.0
        given.seek(round(told * av.time_base), backward=True)
        ends = (float((p.pts + (p.duration or 0)) * p.time_base) for p in given.demux() if p.pts is not None)
        if max(ends, default=0.0) < told - END_S:
            raise MediaError("Its end is missing.", "Play it again: it is made anew.")


def _codec(track: av.stream.Stream) -> str:
    """What a track is coded as, whichever decoder reads it here."""
    return str(track.codec_context.codec.canonical_name)


def _plays(video: av.VideoStream, codecs: frozenset[str]) -> bool:
    return _codec(video) in codecs and (_codec(video) != "h264" or video.pix_fmt in PLAIN)


def write_video_copy(source: Path, target: Path, told: Told = lambda share: None) -> None:
    """Write an mp4 that browsers play; its clock is the source's.

    Raises:
        MediaError: it is no video.
    """
    with opened(source, source.name, *WHAT) as given:
        video = pictures_of(given)
        copied = video is not None and _plays(video, PICTURES[MP4]) and not _is_turned(given, video)
    if copied:
        try:
            _write(source, target, told, _copied_pictures)
            return
        except (av.FFmpegError, MediaError, ValueError):  # time stamps that no mp4 can have
            target.unlink(missing_ok=True)
    _write(source, target, told, _encoded_pictures)


def _is_turned(given: av.container.InputContainer, video: av.VideoStream) -> bool:
    """Whether pictures are to be shown turned, which no copy of their packets says."""
    with suppress(av.FFmpegError, StopIteration):  # what is damaged further on is seen as far as it goes
        return bool(next(given.decode(video)).rotation)
    return False


Packets = Iterator[tuple[float, av.Packet]]  # and when each belongs. Seconds


def _write(
    source: Path,
    target: Path,
    told: Told,
    pictures: Callable[[Path, av.container.InputContainer, av.container.OutputContainer, Told], Packets],
) -> None:
    with (
        opened(source, source.name, *WHAT) as given,
        opened(source, source.name, *WHAT) as heard,
        av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as out,
    ):
        whole_s, far_s = length_s(given) or 0.0, 0.0

        def reached(at_s: float) -> None:
            nonlocal far_s
            far_s = max(far_s, at_s)
            told(min(0.99, far_s / whole_s) if whole_s else 0.0)

        made = pictures(source, given, out, reached)
        sounds = _sound(heard, out, source.name, reached)
        for _, packet in _merged(made, sounds):
            out.mux(packet)


def _merged(one: Packets, other: Packets) -> Packets:
    """Both in the order of their times: what is read of a file is read as it is played."""
    first, second = next(one, None), next(other, None)
    while first or second:
        if second is None or (first is not None and first[0] <= second[0]):
            assert first is not None
            yield first
            first = next(one, None)
        else:
            yield second
            second = next(other, None)


def _copied_pictures(
    source: Path,
    given: av.container.InputContainer,
    out: av.container.OutputContainer,
    reached: Told,
) -> Packets:
    video = pictures_of(given)
    assert video is not None
    return _copied(given, video, out.add_stream_from_template(video), reached)


def _copied(
    given: av.container.InputContainer, track: av.stream.Stream, stream: av.stream.Stream, reached: Told
) -> Packets:
    """The packets of a track as they are, from the zero of the file on."""
    assert track.time_base is not None
    zero = round(zero_s(given) / track.time_base)
    for packet in _with_order(given.demux(track)):
        assert packet.pts is not None and packet.dts is not None
        packet.pts, packet.dts = packet.pts - zero, packet.dts - zero
        at_s = float(packet.dts * track.time_base)
        packet.stream = stream
        reached(at_s)
        yield at_s, packet


def _with_order(packets: Iterator[av.Packet]) -> Iterator[av.Packet]:
    """Packets with the time at which each is decoded, which Matroska leaves out of the first ones.

    Raises:
        ValueError: there is one without a time.
    """
    waiting: list[av.Packet] = []
    for packet in packets:
        if not packet.size:
            continue
        waiting.append(packet)
        if packet.dts is None:
            if len(waiting) > 64:
                raise ValueError("no packet says when it is decoded")
            continue
        step = packet.duration or 1
        for back, one in enumerate(reversed(waiting)):
            if one.dts is None:
                one.dts = packet.dts - back * step
            if one.pts is None:
                raise ValueError("a packet does not say when it is shown")
        yield from waiting
        waiting.clear()
    if waiting:
        raise ValueError("no packet says when it is decoded")


def _encoded_pictures(
    source: Path,
    given: av.container.InputContainer,
    out: av.container.OutputContainer,
    reached: Told,
) -> Packets:
    facts = probe_video(source, patient=True)
    scale = min(1.0, HEIGHT_PX / facts.height)
    size = max(2, round(facts.width * scale / 2) * 2), max(2, round(facts.height * scale / 2) * 2)
    rate = {"maxrate": str(MOST_BITS_A_SECOND), "bufsize": str(2 * MOST_BITS_A_SECOND)}
    options = {"preset": "veryfast", "crf": "23", "threads": str(THREADS)} | rate
    stream = out.add_stream("libx264", rate=25, options=options)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
    stream.codec_context.time_base = Fraction(1, 1000)

    def packets() -> Packets:
        last = -1
        for decoded in decode_video(source, at_least_px=min(size), patient=True):
            assert decoded.image is not None
            reached(decoded.time_s)
            frame = av.VideoFrame.from_image(decoded.image.resize(size))
            last = max(last + 1, round(decoded.time_s * 1000))
            frame.pts, frame.time_base = last, Fraction(1, 1000)
            yield from _timed(stream.encode(frame))
        yield from _timed(stream.encode(None))

    return packets()


def _timed(packets: list[av.Packet]) -> Packets:
    for packet in packets:
        assert packet.dts is not None
        yield float(packet.dts * packet.time_base), packet


def _sound(
    given: av.container.InputContainer, out: av.container.OutputContainer, name: str, reached: Told
) -> Packets:
    """The packets of the sound of a file, as they are or encoded; none where there is none."""
    sound = sound_of(given)
    if sound is None:
        return iter(())
    if _codec(sound) in SOUND_BESIDE[MP4]:
        return _copied(given, sound, out.add_stream_from_template(sound), reached)
    stream = out.add_stream("aac", rate=SOUND_HZ, layout="stereo")
    assert isinstance(stream, av.AudioStream)
    stream.bit_rate = 128_000
    return _encoded_sound(given, sound, stream, name, reached)


def _encoded_sound(
    given: av.container.InputContainer,
    sound: av.AudioStream,
    stream: av.AudioStream,
    name: str,
    reached: Told,
) -> Packets:
    at = 0
    resampler = av.AudioResampler(stream.format, "stereo", SOUND_HZ, frame_size=1024)
    for samples in track_samples(given, sound, name, SOUND_HZ):
        if not len(samples):
            continue
        flat = np.ascontiguousarray(samples).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(flat, "flt", "stereo")
        frame.sample_rate, frame.time_base = SOUND_HZ, Fraction(1, SOUND_HZ)
        frame.pts, at = at, at + len(samples)
        reached(at / SOUND_HZ)
        for ready in resampler.resample(frame):
            yield from _timed(stream.encode(ready))
    for ready in resampler.resample(None):
        yield from _timed(stream.encode(ready))
    yield from _timed(stream.encode(None))
