"""Sound in Matroska, Ogg and FLAC that is more than its file holds, or says that it is."""

from __future__ import annotations

import struct
import zlib

import pytest

from mmdemo.errors import MediaError
from mmdemo.media.audio import audio_blocks, probe_audio
from mmdemo.media.container import MOST_STREAMS

HEAD = "1A45DFA3"
RATE_HZ = 48_000


def element(key: str, data: bytes) -> bytes:
    """One of EBML, with its length in eight bytes."""
    return bytes.fromhex(key) + ((1 << 56) | len(data)).to_bytes(8, "big") + data


def number(key: str, value: int) -> bytes:
    return element(key, value.to_bytes(8, "big"))


def track(key: int, encoding: bytes = b"") -> bytes:
    sound = element("B5", struct.pack(">d", RATE_HZ)) + number("9F", 1) + number("6264", 16)
    head = number("D7", key) + number("73C5", key) + number("83", 2) + element("86", b"A_PCM/INT/LIT")
    return element("AE", head + element("E1", sound) + encoding)


def matroska(tracks: bytes, blocks: list[bytes]) -> bytes:
    kind = number("4286", 1) + number("42F7", 1) + number("42F2", 4) + number("42F3", 8)
    kind += element("4282", b"matroska") + number("4287", 4) + number("4285", 2)
    info = element("1549A966", number("2AD7B1", 1_000_000) + element("4D80", b"x") + element("5741", b"x"))
    clusters = b"".join(
        element("1F43B675", number("E7", at) + element("A3", b"\x81\x00\x00\x80" + block))
        for at, block in enumerate(blocks)
    )
    return element(HEAD, kind) + element("18538067", info + element("1654AE6B", tracks) + clusters)


def packed(how: bytes) -> bytes:
    """What says of a track that its blocks are packed."""
    return element("6D80", element("6240", number("5031", 0) + number("5032", 1) + element("5034", how)))


def test_blocks_that_unpack_to_a_thousand_times_their_size_count_as_what_they_are() -> None:
    block = zlib.compress(bytes(2_000_000), 9)
    bomb = matroska(track(1, packed(number("4254", 0))), [block] * 20)
    assert len(bomb) < 60_000
    with pytest.raises(MediaError, match=r"over the limit of 0\.1"):  # 40 MB, seven minutes
        for _ in audio_blocks(bomb, max_hours=0.1):
            pass


def test_tracks_by_the_thousand_are_not_opened() -> None:
    tracks = b"".join(track(key) for key in range(1, 2000))
    with pytest.raises(MediaError, match=f"over {MOST_STREAMS} streams"):
        probe_audio(matroska(tracks, [bytes(9600)]))
    pages = b"".join(
        b"OggS\0\2" + struct.pack("<qIII", 0, key, 0, 0) + b"\1\x13OpusHead\1\1\0\0" + bytes(7)
        for key in range(2000)
    )
    with pytest.raises(MediaError):
        probe_audio(pages)


def test_a_flac_of_a_hundred_bytes_that_says_it_lasts_weeks_is_refused() -> None:
    facts = struct.pack(">HH", 4096, 4096) + bytes(6)
    facts += ((RATE_HZ << 44) | (15 << 36) | ((1 << 36) - 1)).to_bytes(8, "big") + bytes(16)
    with pytest.raises(MediaError, match=r"397\.7 hours long"):
        probe_audio(b"fLaC\x80\0\0\x22" + facts + b"\xff\xf8" + bytes(100))
