"""Videos as browsers play them: containers are joined anew, codecs encoded where that is quick."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from mmdemo.errors import MediaError
from mmdemo.media.container import opened
from mmdemo.media.video import decode_video, probe_video

PLAYED = frozenset([".mp4", ".webm", ".ogv"])  # as they are; should a browser know the codec
COPIED = frozenset(["h264", "av1", "vp9"])  # codecs that an mp4 may hold without being encoded again
ENCODED_S = 180.0  # a longer video of another codec is not encoded while somebody waits
HEIGHT_PX = 480


def write_playable(source: Path, target: Path) -> None:
    """Write an mp4 that browsers play; its clock is the source's.

    Raises:
        MediaError: it is no video, or too long to be encoded now.
    """
    facts = probe_video(source)
    with opened(source, source.name, "a video", "Choose another.") as container:
        codec = container.streams.video[0].codec_context.name
    if codec in COPIED:
        _copy(source, target)
    elif facts.duration_s <= ENCODED_S:
        _encode(source, target, facts.width, facts.height)
    else:
        raise MediaError(
            f"{source.name} is {codec}, which browsers do not play.", "Save it as H.264 to see it move here."
        )


def _copy(source: Path, target: Path) -> None:
    what = (source, source.name, "a video", "Choose another.")
    with opened(*what) as given, av.open(str(target), "w", format="mp4") as out:
        video = given.streams.video[0]
        sounds = [s for s in given.streams.audio if s.codec_context.name in {"aac", "mp3", "opus"}][:1]
        made = {s.index: out.add_stream_from_template(s) for s in (video, *sounds)}
        for packet in given.demux(video, *sounds):
            if packet.dts is not None:
                packet.stream = made[packet.stream.index]
                out.mux(packet)


def _encode(source: Path, target: Path, width: int, height: int) -> None:
    scale = min(1.0, HEIGHT_PX / height)
    size = max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
    with av.open(str(target), "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "veryfast", "crf": "24"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for decoded in decode_video(source):
            assert decoded.image is not None
            frame = av.VideoFrame.from_image(decoded.image.resize(size))
            frame.pts, frame.time_base = round(decoded.time_s * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
