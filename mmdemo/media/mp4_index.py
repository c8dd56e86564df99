"""How many frames an MP4 or QuickTime file declares: asked before FFmpeg, which makes a row for each of them
while it opens the file, though ten kilobytes can declare thirty million.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from mmdemo.errors import MediaError

MOST_FRAMES = 12_000_000  # a whole day of 60 pictures and 50 packets of sound a second
MOST_BOXES = 2_000_000
# Boxes in which FFmpeg looks for others.
WITHIN = frozenset(
    b"moov trak mdia minf stbl edts udta tref dinf mvex moof traf wave clip matt tapt gmhd meta".split()
)
DEEPEST = 12
SOUND_AT_ONCE = 1024  # samples of plain sound that FFmpeg puts into one row
READ_ROWS = 100_000  # of a table at a time
SEARCHED = 1 << 20  # bytes in which the first box of `meta` is looked for


@dataclass
class Track:
    """What one track declares."""

    is_sound: bool = False
    samples: int = 0
    times: int = 0  # rows of the table of times
    first_step: int = 0  # of it
    chunks: int = 0
    in_chunk: int = 0  # samples, at most
    edits: int = 0  # each may show the whole track again

    @property
    def rows(self) -> int:
        """Those that FFmpeg makes of it."""
        plain = self.is_sound and self.times == 1 and self.first_step == 1  # samples, a chunk at a time
        made = self.chunks * -(-self.in_chunk // SOUND_AT_ONCE) if plain else self.samples
        return made * max(1, self.edits)


@dataclass
class _Index:
    """What a file declares."""

    tracks: list[Track] = field(default_factory=lambda: [Track()])  # the first has what is of none
    boxes: int = 0


def require_index(file: BinaryIO, name: str) -> None:
    """Refuse a file that declares more frames than it can have; what is of another format has none.

    Raises:
        MediaError: it declares more than it has bytes, or than a day has.
    """
    size = file.seek(0, os.SEEK_END)
    index = _Index()
    _walk(file, name, 0, size, index, 0)
    file.seek(0)
    declared = sum(track.rows for track in index.tracks)
    if declared > min(size, MOST_FRAMES):
        raise MediaError(
            f"{name} declares {declared:,} frames in {size:,} bytes.", "Export it again, or in parts."
        )


def _walk(file: BinaryIO, name: str, start: int, end: int, index: _Index, depth: int) -> None:
    for kind, at, stop in _boxes(file, start, end):
        index.boxes += 1
        if index.boxes > MOST_BOXES:
            raise MediaError(f"{name} has over {MOST_BOXES:,} parts.", "Export it again.")
        if kind == b"cmov":
            raise MediaError(f"{name} has an index that is packed.", "Export it again as an mp4.")
        if kind == b"trak":
            index.tracks.append(Track())
        if kind in WITHIN and depth < DEEPEST:
            _walk(
                file, name, _first_of_meta(file, at, stop) if kind == b"meta" else at, stop, index, depth + 1
            )
        elif kind in TABLES:
            file.seek(at)
            _read(kind, file, stop - at, index.tracks[0 if kind == b"trun" else -1])


def _boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The kind of each box, and where its content begins and ends."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return
        size, kind = struct.unpack_from(">I4s", head)
        begins = start + 8
        if size == 1 and len(head) == 16:
            size, begins = struct.unpack_from(">Q", head, 8)[0], start + 16
        elif size == 0:  # the last one
            size = end - start
        if size < begins - start:
            return
        yield kind, begins, min(end, start + size)
        start += size


def _first_of_meta(file: BinaryIO, start: int, end: int) -> int:
    """Where the boxes in a `meta` begin: FFmpeg looks for the first one by its name."""
    file.seek(start)
    data = file.read(min(end - start, SEARCHED))
    at = next((i for i in range(4, len(data), 4) if data[i : i + 4] == b"hdlr"), 8)
    return start + at - 4


TABLES = frozenset([b"hdlr", b"stsz", b"stz2", b"trun", b"stts", b"stsc", b"stco", b"co64", b"elst"])


def _read(kind: bytes, file: BinaryIO, size: int, track: Track) -> None:
    """Take down what a table says; its first four bytes are its version."""
    head = file.read(min(16, size)).ljust(16, b"\0")
    first, second, third = struct.unpack_from(">III", head, 4)
    if kind == b"hdlr":
        track.is_sound = track.is_sound or head[8:12] == b"soun"
    elif kind in (b"stsz", b"stz2"):
        track.samples += second
    elif kind == b"trun":
        track.samples += first
    elif kind == b"stts":
        track.times, track.first_step = track.times + first, third
    elif kind == b"stsc":
        file.seek(8 - len(head), os.SEEK_CUR)
        left = min(first, (size - 8) // 12)
        while left > 0 and len(data := file.read(12 * min(left, READ_ROWS))) >= 12:
            rows = np.frombuffer(data[: len(data) // 12 * 12], ">u4").reshape(-1, 3)
            track.in_chunk = max(track.in_chunk, int(rows[:, 1].max()))
            left -= len(rows)
    elif kind == b"elst":
        track.edits += min(first, size // 12)
    else:
        track.chunks += min(first, size // 4)
