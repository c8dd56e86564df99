"""Whatever a decoder raises of a file is one sentence that names the file."""

from __future__ import annotations

import errno
import io
import logging
import struct
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from assets.sounds import wav_bytes
from mmdemo.errors import BusyError, MediaError
from mmdemo.media.audio import decode_audio, probe_audio
from mmdemo.media.decoding import decoding
from mmdemo.media.image import decode_image, probe_image
from mmdemo.media.told_rarely import ToldRarely
from mmdemo.media.video import probe_video
from tests.films import write_film
from tests.media.test_audio import tone

RAISED = [
    struct.error("unpack requires a buffer of 2 bytes"),
    RuntimeError("Failed to decode frame 0: Truncated data"),
    UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "unexpected end of data"),
    OSError("image file is truncated"),
    av.error.InvalidDataError(1094995529, "Invalid data found", "x"),
    KeyError(0),
    AttributeError("no attribute 'x'"),
    RecursionError("too deep"),
    MemoryError(),
    PermissionError(errno.EACCES, "Permission denied"),
]


@pytest.mark.parametrize("raised", RAISED, ids=[type(e).__name__ for e in RAISED])
def test_whatever_a_decoder_raises_is_one_sentence_that_names_the_file(raised: Exception) -> None:
    with pytest.raises(MediaError, match=r"^mine\.bin [^\n]+\. [A-Z][^\n]+\.$"), decoding("mine.bin"):
        raise raised


def test_what_is_no_fault_of_the_file_is_told_as_it_is() -> None:
    with pytest.raises(BusyError), decoding("mine.bin"):
        raise BusyError("Too many are read just now.")
    with pytest.raises(OSError, match="No space left"), decoding("mine.bin"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_mistake_of_our_own_is_not_told_as_a_damaged_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmdemo.media.sound_track.MonoMix", None)
    with pytest.raises(TypeError):
        decode_audio(wav_bytes(tone(0.5)))


def test_what_is_told_of_a_file_without_being_known_as_damage_is_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = ToldRarely(logging.getLogger("mmdemo.media"))
    monkeypatch.setattr("mmdemo.media.decoding.TOLD", told)
    with pytest.raises(MediaError), decoding("mine.bin"):
        raise OSError("image file is truncated")
    with pytest.raises(MediaError), decoding("mine.avif"):
        raise RuntimeError("Failed to decode frame 0: Decoding of color planes failed")
    assert not [record for record in caplog.records if record.levelname == "WARNING"]
    for _ in range(3):
        with pytest.raises(MediaError), decoding("mine.bin"):
            raise KeyError(0)
    (warned,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert warned.exc_info and "A file cannot be decoded" in warned.getMessage()
    monkeypatch.setattr("mmdemo.media.told_rarely.AGAIN_S", 0.0)
    told.tell(logging.WARNING, "A file cannot be decoded: KeyError")
    assert "KeyError (and 2 more)" in caplog.text and "mine" not in caplog.text


@pytest.mark.parametrize(
    "tag", [b"Caf\xe9 cr\xe8me", "東京駅にて".encode("shift-jis"), "Жучок".encode("cp1251")]
)
def test_a_tag_in_any_encoding_does_not_stop_a_video_or_its_sound(tmp_path: Path, tag: bytes) -> None:
    film = write_film(tmp_path / "film.mp4", ["mosquito"])
    title = b"T" * len(tag)
    with av.open(str(film)) as given, av.open(str(tmp_path / "named.mkv"), "w") as out:
        out.metadata["title"] = title.decode()
        video = out.add_stream_from_template(given.streams.video[0])
        video.metadata["title"] = title.decode()
        sound = out.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = video
                out.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16_000), np.int16), "s16", "mono")
        frame.sample_rate = 16_000
        out.mux(sound.encode(frame))
    data = (tmp_path / "named.mkv").read_bytes()
    assert data.count(title) == 2
    spoiled = data.replace(title, tag)
    assert probe_video(spoiled).duration_s == pytest.approx(1.0, abs=0.05)
    assert probe_audio(spoiled).duration_s == pytest.approx(1.0, abs=0.05)


def jpeg(exif: bytes) -> bytes:
    out = io.BytesIO()
    Image.linear_gradient("L").resize((60, 40)).save(out, "JPEG", exif=b"Exif\0\0" + exif)
    return out.getvalue()


def entry(kind: int, count: int, value: bytes) -> bytes:
    """Exif that says one thing, the orientation, in a kind of number."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHI", 1, 274, kind, count) + value.ljust(4, b"\0") + b"\0" * 4


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"II",
        b"XX*\0\x08\0\0\0" + b"\1" * 20,
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff",
        entry(3, 1, b"\x63"),  # an orientation of 99
        entry(2, 3, b"up\0"),  # of letters
        entry(3, 2**31, b"\xff\xff\xff\x7f"),  # of two thousand million numbers
        entry(5, 1, b"\x1a\0\0\0") + struct.pack("<II", 1, 0),  # of 1/0
        entry(10, 1, b"\x1a\0\0\0") + struct.pack("<ii", -1, 0),  # of -1/0
        entry(12, 1, b"\x1a\0\0\0") + struct.pack("<d", float("nan")),
    ],
)
def test_odd_exif_does_not_stop_the_decoding(exif: bytes) -> None:
    assert decode_image(jpeg(exif)).size == (60, 40)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize(
    "exif", [entry(3, 1, b"\6"), entry(4, 1, b"\6"), entry(1, 1, b"\6"), entry(3, 2, b"\6")]
)
def test_an_orientation_is_followed_in_whatever_kind_of_number_it_is_written(exif: bytes) -> None:
    assert (probe_image(jpeg(exif)).width, probe_image(jpeg(exif)).height) == (40, 60)


def test_a_damaged_avif_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "mine.avif"
    Image.effect_noise((96, 96), 60).convert("RGB").save(path, quality=90)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(MediaError, match=r"^mine\.avif "):
        probe_image(path)
