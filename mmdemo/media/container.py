"""The one place where recordings and videos are opened: which formats, from where, and how large.

FFmpeg reads some three hundred formats, lists of other files and addresses among them (HLS, DASH, concat):
only those that are named here are opened, from a file or from bytes, and nothing else is read for them.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from mmdemo.errors import MediaError
from mmdemo.media.decode_budget import DecodeBudget
from mmdemo.media.decoding import decoding
from mmdemo.media.mp4_index import require_index

FORMATS = (  # FFmpeg's names of them
    "wav,w64,mp3,aac,ogg,flac,aiff,au,caf,wv,ac3,eac3,amr,amrnb,amrwb,"
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,gif,mpeg,mpegvideo,mpegts"
)
MOST_STREAMS = 64
MAX_HOURS = 24.0
LEAST_RATE_HZ, MOST_RATE_HZ = 4_000, 384_000  # of sound
MOST_CHANNELS = 32
# Samples of all channels that are decoded for each second of a recording over an hour, of a shorter one as
# many as in an hour: as of eight channels at 48 kHz.
MOST_SAMPLES_A_SECOND, WITHIN_S = 400_000, 3600.0
MOST_FRAME_PX = 36_000_000  # of a picture: 8K has 33 million
MAX_SIDE_PX = 16_384  # 8K is 7,680
MOST_FRAMES_A_SECOND = 240
OPTIONS = {
    "protocol_whitelist": "file",
    "format_whitelist": FORMATS,
    "max_streams": str(MOST_STREAMS + 1),
    "max_pixels": str(MOST_FRAME_PX),  # while FFmpeg looks into streams, covers among them
}
# A decoder holds up to 16 pictures that others refer to, and some that its threads are at, of 1.5 bytes a
# pixel or 3. Beside that of pictures, for a video is read for longer.
BYTES_A_PIXEL = 36
MOST_BYTES, MOST_AT_ONCE, MOST_PASSED = 1_500_000_000, 64, 16  # one of 8K, and one of 4K beside it
MOST_WAIT_S = 20.0  # of who waits for an answer
VIDEOS = DecodeBudget(MOST_BYTES, MOST_AT_ONCE, MOST_PASSED)  # a frame or a few of each
# Those that are looked through are held for as long as their frames are encoded: a wait of their own.
WHOLE_VIDEOS = DecodeBudget(MOST_BYTES, MOST_AT_ONCE, MOST_PASSED)


@contextmanager
def opened(source: bytes | Path, name: str, what: str, cure: str) -> Iterator[av.container.InputContainer]:
    """An open container, whose streams have been looked at.

    Args:
        source: the file or its bytes.
        name: what it is called in a sentence.
        what: what it should be, as in "a recording".
        cure: which files can be read.

    Raises:
        MediaError: it is no file of a format that is read, or it declares more than is taken.
    """
    if isinstance(source, bytes) and not source:
        raise MediaError("This file is empty.", "Choose another one.")
    if isinstance(source, Path) and not source.is_file():
        raise MediaError(f"{name} does not exist.", "Check the path.")
    with decoding(name, cure):
        with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
            require_index(file, name)
        try:
            container = av.open(
                io.BytesIO(source) if isinstance(source, bytes) else f"file:{source}",
                "r",
                options=OPTIONS,
                metadata_errors="replace",  # tags are in any encoding
            )
        except (av.FFmpegError, ValueError) as e:
            raise MediaError(f"{name} is not {what} that can be read.", cure) from e
    with decoding(name, cure), container:
        if len(container.streams) > MOST_STREAMS:
            raise MediaError(f"{name} has over {MOST_STREAMS} streams.", "Save it with those that matter.")
        for stream in container.streams:
            _require_stream(stream, name)
        yield container


def _require_stream(stream: av.stream.Stream, name: str) -> None:
    """Refuse a stream that declares what no recording or video has.

    Raises:
        MediaError: its rate, its channels or its pictures are out of bounds.
    """
    if isinstance(stream, av.AudioStream) and stream.codec_context is not None:
        rate, channels = stream.rate or 0, stream.channels or 0
        if rate and not LEAST_RATE_HZ <= rate <= MOST_RATE_HZ:
            raise MediaError(
                f"{name} has {rate:,} samples a second.",
                f"Convert it to between {LEAST_RATE_HZ:,} and {MOST_RATE_HZ:,}.",
            )
        if channels > MOST_CHANNELS:
            raise MediaError(f"{name} has {channels} channels.", f"Use at most {MOST_CHANNELS}.")
    elif isinstance(stream, av.VideoStream) and stream.codec_context is not None:
        width, height = stream.width, stream.height
        if max(width, height) > MAX_SIDE_PX or width * height > MOST_FRAME_PX:
            raise MediaError(
                f"{name} has frames of {width} x {height} pixels.",
                f"Use at most {MAX_SIDE_PX} on a side and {MOST_FRAME_PX // 1_000_000} million in all.",
            )
        stream.codec_context.options = {"max_pixels": str(MOST_FRAME_PX)}  # those of a later frame too


def require_samples(samples: float, seconds: float, name: str) -> None:
    """Refuse a recording that costs more of the processor than its length says.

    Args:
        samples: of all channels.
        seconds: how long it is, or as much of it as they are of.
        name: what it is called in the sentence.

    Raises:
        MediaError: it is one.
    """
    if samples > MOST_SAMPLES_A_SECOND * max(seconds, WITHIN_S):
        raise MediaError(
            f"{name} has more samples in all its channels than are decoded of a recording of its length.",
            "Convert it to 48,000 a second in two channels, or cut it into parts.",
        )


def require_length(seconds: float, name: str, max_hours: float) -> None:
    """Refuse what is too long.

    Raises:
        MediaError: it is.
    """
    if seconds > max_hours * 3600:
        raise MediaError(
            f"{name} is {seconds / 3600:,.1f} hours long, over the limit of {max_hours:g}.",
            "Cut it into parts.",
        )
