"""Recordings and videos that declare more than they hold, or that stand for other files."""

from __future__ import annotations

import io
import resource
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from assets.sounds import wav_bytes
from mmdemo.asker import Asker, asking
from mmdemo.errors import MediaError
from mmdemo.media.audio import audio_blocks, probe_audio
from mmdemo.media.container import MOST_STREAMS
from mmdemo.media.mp4_index import require_index
from mmdemo.media.video import decode_video, probe_video
from mmdemo.settings import ASSETS, load_settings
from mmdemo.store.workspace import Workspace
from tests.films import write_film
from tests.media.test_audio import encoded, tone

RATE_HZ = 16_000
DECLARED = 30_000_000
LITTLE_MB = 150


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def wav(rate_hz: int, channels: int = 1, seconds_of_bytes: int = 100_000) -> bytes:
    data = b"\x80" * seconds_of_bytes * channels
    head = struct.pack("<HHIIHH", 1, channels, rate_hz, rate_hz * channels, channels, 8)
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def with_sizes(data: bytes) -> bytes:
    """The same MP4, whose table of sizes says that there are thirty million frames of one byte."""
    at = data.index(b"stsz")
    return data[: at + 8] + struct.pack(">II", 1, DECLARED) + data[at + 16 :]


def gif(width: int, height: int, frames: int) -> bytes:
    """An animation whose every frame is one pixel, a second long."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x21\xf9\x04\0" + struct.pack("<H", 1) + b"\0\0" + b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1)
    return head + (frame + b"\0\x02\x02\x44\x01\0") * frames + b"\x3b"


def test_thirty_million_declared_frames_cost_no_memory(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", ["mosquito"]).read_bytes()
    bomb = with_sizes(film)
    assert len(bomb) < 20_000
    before = peak_mb()
    with pytest.raises(MediaError, match=r"declares 30,000,000 frames in [\d,]+ bytes"):
        probe_video(bomb)
    (tmp_path / "bomb.mp4").write_bytes(bomb)
    with pytest.raises(MediaError, match=r"bomb\.mp4 declares 30,000,000 frames"):
        probe_audio(tmp_path / "bomb.mp4")
    assert peak_mb() - before < LITTLE_MB


def fragment(data: bytes) -> bytes:
    """A fragment of thirty million samples behind the file."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body) + 8) + kind + body

    run = box(b"trun", struct.pack(">II", 0, DECLARED))
    return data + box(b"moof", box(b"traf", box(b"tfhd", struct.pack(">II", 0, 1)) + run))


def edited(data: bytes) -> bytes:
    """Ten thousand edits, each of the whole track."""
    at = data.index(b"edts") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    rows = struct.pack(">IIHH", 10_000, 0, 1, 0) * 10_000
    table = struct.pack(">I", len(rows) + 16) + b"elst" + struct.pack(">II", 0, 10_000) + rows
    grown = struct.pack(">I", len(table) + 8) + b"edts" + table
    out = bytearray(data[:at] + grown + data[at + size :])
    for kind in (b"moov", b"trak"):
        place = out.index(kind) - 4
        old = int.from_bytes(out[place : place + 4], "big")
        out[place : place + 4] = struct.pack(">I", old + len(grown) - size)
    return bytes(out)


@pytest.mark.parametrize("change", [with_sizes, fragment, edited], ids=["table", "fragment", "edits"])
def test_whatever_an_index_multiplies_is_counted(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    film = write_film(tmp_path / "film.mp4", ["mosquito", "an_apple", "mosquito"]).read_bytes()
    require_index(io.BytesIO(film), "film.mp4")
    with pytest.raises(MediaError, match=r"declares .* frames in"):
        require_index(io.BytesIO(change(film)), "film.mp4")


def test_plain_sound_in_quicktime_has_more_samples_than_rows(tmp_path: Path) -> None:
    data = encoded("pcm_u8", "mov", np.zeros(RATE_HZ * 60, np.float32), RATE_HZ)
    assert abs(probe_audio(data).duration_s - 60) < 0.1


def test_every_sample_that_ships_is_in_bounds() -> None:
    for film in sorted((ASSETS / "video").glob("*.mp4"))[:2]:
        assert probe_video(film).duration_s > 10
    assert probe_audio(next((ASSETS / "speech" / "samples").glob("*.ogg"))).duration_s > 0


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (wav(1), "1 samples a second"),
        (wav(2_000_000), "2,000,000 samples a second"),
        (wav(8000, channels=64, seconds_of_bytes=1000), "64 channels"),
    ],
)
def test_sound_of_an_impossible_rate_or_number_of_channels_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(MediaError, match=told):
        probe_audio(data)


def test_frames_that_are_too_large_are_refused_before_one_is_decoded() -> None:
    before = peak_mb()
    with pytest.raises(MediaError, match="no picture that can be decoded"):
        probe_video(gif(16_000, 16_000, 3))
    assert peak_mb() - before < LITTLE_MB


def test_a_giant_cover_of_a_small_recording_costs_nothing() -> None:
    head = struct.pack(">IIBBBBB", 20_000, 20_000, 8, 6, 0, 0, 0)
    cover = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + head + b"\0\0\0\0" + b"\0" * 3000
    picture = b"\0image/png\0\x03\0" + cover
    frame = b"APIC" + struct.pack(">I", len(picture)) + b"\0\0" + picture
    size = len(frame)
    tag = b"ID3\x03\0\0" + bytes([size >> 21 & 127, size >> 14 & 127, size >> 7 & 127, size & 127]) + frame
    sound = encoded("libmp3lame", "mp3", tone(2.0), RATE_HZ)
    before = peak_mb()
    assert probe_audio(tag + sound[sound.index(b"\xff\xf3") :]).duration_s > 1.5
    assert peak_mb() - before < LITTLE_MB


def test_a_file_of_hundreds_of_streams_is_not_opened() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="matroska") as f:
        streams = [f.add_stream("pcm_s16le", rate=RATE_HZ, layout="mono") for _ in range(MOST_STREAMS + 1)]
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), "s16", "mono")
        frame.sample_rate = RATE_HZ
        for stream in streams:
            f.mux(stream.encode(frame))
    with pytest.raises(MediaError, match="over 64 streams"):
        probe_audio(out.getvalue())


def test_a_list_of_other_files_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.ts"
    secret.write_bytes(encoded("mp2", "mpegts", tone(3.0, 44_100), 44_100))
    assert probe_audio(secret).duration_s > 2
    lists = {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{secret}\n#EXT-X-ENDLIST\n",
        "a.ffconcat": f"ffconcat version 1.0\nfile {secret.name}\n",
        "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
        "a.mpd": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        '<AdaptationSet mimeType="audio/mp2t"><Representation id="0" bandwidth="1">'
        f"<BaseURL>{secret.name}</BaseURL></Representation></AdaptationSet></Period></MPD>",
    }
    for name, text in lists.items():
        for called in (name, "innocent.mp4"):
            path = tmp_path / called
            path.write_text(text)
            for probe in (probe_audio, probe_video):
                with pytest.raises(MediaError, match=r"not a (recording|video) that can be read"):
                    probe(path)


def ebml(name: str, data: bytes) -> bytes:
    return bytes.fromhex(name) + (1 << 56 | len(data)).to_bytes(8, "big") + data


def test_attachments_and_a_declared_length_of_matroska_cost_nothing(tmp_path: Path) -> None:
    film = tmp_path / "film.mkv"
    write_film(film, ["mosquito"])
    plain, probed = film.read_bytes(), probe_video(film)
    length = plain.index(bytes.fromhex("4489")) + 3
    film.write_bytes(plain[:length] + struct.pack(">d", 1e18) + plain[length + 8 :])
    assert probe_video(film).duration_s == pytest.approx(probed.duration_s, abs=0.2)
    named = ebml("466E", b"a.bin") + ebml("4660", b"application/octet-stream") + ebml("46AE", b"\x01")
    attached = ebml("1941A469", ebml("61A7", named + ebml("465C", bytes(10_000))) * (MOST_STREAMS + 1))
    inside = plain.index(bytes.fromhex("18538067")) + 4
    film.write_bytes(plain[:inside] + b"\x01" + b"\xff" * 7 + attached + plain[inside + 8 :])
    with pytest.raises(MediaError, match=f"has over {MOST_STREAMS} streams"):
        probe_video(film)


def test_a_path_that_looks_like_an_address_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("concat:a.wav").write_bytes(wav_bytes(tone(1.0)))
    assert probe_audio(Path("concat:a.wav")).duration_s == 1.0


def test_a_visitor_may_bring_less_than_others(tmp_path: Path) -> None:
    settings = load_settings({}, workspace=tmp_path / "ws", samples=False, visitor_hours=0.01)
    ws = Workspace(settings)
    long = wav_bytes(tone(40.0))
    assert ws.describe("audio", long, "long.wav").duration_s == 40.0
    with asking(Asker("viewer", session="s")):
        with pytest.raises(MediaError, match=r"0\.0 hours long, over the limit of 0\.01"):
            ws.describe("audio", long, "long.wav")
        with pytest.raises(MediaError, match="over the limit of"):
            ws.describe("video", gif(16, 16, 9000), "long.gif")
    ws.close()


def test_more_frames_than_a_second_can_have_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    film = write_film(tmp_path / "film.mp4", ["mosquito", "an_apple"])
    monkeypatch.setattr("mmdemo.media.video.MOST_FRAMES_A_SECOND", 5)
    with pytest.raises(MediaError, match="20 frames, over the limit of 18"):
        probe_video(film, max_hours=0.001)


def test_what_lies_about_its_length_is_not_decoded_for_ever() -> None:
    with pytest.raises(MediaError, match=r"over the limit of 0\.001"):
        for _ in audio_blocks(wav_bytes(tone(10.0)), max_hours=0.001):
            pass


def test_frames_past_those_of_a_day_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmdemo.media.video.MOST_FRAMES", 20)
    with pytest.raises(MediaError, match="over 20 frames"):
        for _ in decode_video(gif(16, 16, 50), []):
            pass


def flac(seconds: float, declared_s: float) -> bytes:
    """Eight channels of silence at 192 kHz, and how long it says that they are."""
    data = bytearray(encoded("flac", "flac", np.zeros(round(192_000 * seconds), np.float32), 192_000, "7.1"))
    at = 8 + 10  # rate, channels, bits and count of the samples, in 8 bytes
    told = int.from_bytes(data[at : at + 8], "big") >> 36 << 36
    data[at : at + 8] = (told | round(192_000 * declared_s)).to_bytes(8, "big")
    return bytes(data)


TOO_MANY = r"has more samples in all its channels than are decoded of a recording of its length\."


def test_many_channels_at_a_high_rate_are_taken_of_minutes_and_refused_of_an_hour() -> None:
    assert abs(probe_audio(flac(1.0, 1.0)).duration_s - 1) < 0.1
    with pytest.raises(MediaError, match=TOO_MANY):
        probe_audio(flac(1.0, 3600.0))


def test_what_a_decoder_delivers_beyond_what_is_declared_is_counted_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mmdemo.media.container.WITHIN_S", 1.0)
    for look in (probe_audio, lambda data: list(audio_blocks(data))):
        with pytest.raises(MediaError, match=TOO_MANY):
            look(flac(2.0, 0.01))
