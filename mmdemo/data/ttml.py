"""Subtitles as TTML, once called DFXP, read without what XML may declare: no entities, no other files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError, XMLParser

from mmdemo.errors import UserError

CLOCK = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2}(?:\.\d{1,9})?)(?::(\d{1,3}))?")  # the last are frames
OFFSET = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)(h|ms|m|s|f|t)")
SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
RATE = re.compile(r"[1-9]\d{0,8}")
FRAMES_A_SECOND = 30.0  # where the file says nothing


def read_ttml(text: str) -> Iterator[tuple[float | None, float | None, str]]:
    """Start, end and text of each paragraph, or of each of its spans where only these have times.

    Times within a part of the file count from the start of that part. A line break becomes a blank.

    Raises:
        UserError: it is no XML, declares a document type, or has a time that is none.
    """
    if "<!DOCTYPE" in text:
        raise UserError(
            "It declares a document type, which may hold more than subtitles.", "Take its DOCTYPE out."
        )
    reader = _Reader()
    parser = XMLParser(target=reader)
    try:
        parser.feed(text)
        parser.close()
    except ParseError as e:
        raise UserError(f"It is no XML that can be read: {e}.", "Export the subtitles again.") from e
    yield from reader.cues


@dataclass
class _Part:
    """An element that is open."""

    name: str
    start_s: float | None
    end_s: float | None
    said: list[str] | None  # takes the text in it; None: it is of no cue
    is_cue: bool = False
    is_timed: bool = False  # whether it or the paragraph that it is in has times of its own


@dataclass
class _Reader:
    """What the parser tells of the file, from its beginning to its end."""

    cues: list[tuple[float | None, float | None, str]] = field(default_factory=list)
    _open: list[_Part] = field(default_factory=list)
    _frames_a_second: float = FRAMES_A_SECOND
    _ticks_a_second: float = 1.0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        name = _local(tag)
        told = {_local(key): value.strip() for key, value in attributes.items()}
        if name == "tt":
            self._read_rates(told)
        above = self._open[-1] if self._open else _Part("", None, None, None)
        zero = above.start_s or 0.0
        start = zero + self._time(told["begin"]) if "begin" in told else above.start_s
        end = above.end_s
        if "end" in told:
            end = zero + self._time(told["end"])
        elif "dur" in told:
            end = (start or 0.0) + self._time(told["dur"])
        is_cue = name == "p" or (name == "span" and "begin" in told and not above.is_timed)
        own = name in ("p", "span") and bool(told.keys() & {"begin", "end", "dur"})
        is_timed = own or above.is_timed
        part = _Part(name, start, end, [] if is_cue else above.said, is_cue, is_timed)
        if name == "br" and part.said is not None:
            part.said.append(" ")
        self._open.append(part)

    def data(self, text: str) -> None:
        """Text within the element that is open."""
        if self._open and (said := self._open[-1].said) is not None:
            said.append(text)

    def end(self, _tag: str) -> None:
        """The element that is open ends."""
        part = self._open.pop()
        if part.is_cue and part.said is not None and (said := " ".join("".join(part.said).split())):
            start, end = (None if t is None else round(t, 3) for t in (part.start_s, part.end_s))
            self.cues.append((start, end, said))

    def close(self) -> None:
        """The file ends."""

    def _read_rates(self, told: dict[str, str]) -> None:
        if RATE.fullmatch(told.get("frameRate", "")):
            self._frames_a_second = self._ticks_a_second = float(told["frameRate"])
        above, _, below = told.get("frameRateMultiplier", "").partition(" ")
        if RATE.fullmatch(above) and RATE.fullmatch(below):
            self._frames_a_second *= float(above) / float(below)
        if RATE.fullmatch(told.get("tickRate", "")):
            self._ticks_a_second = float(told["tickRate"])

    def _time(self, said: str) -> float:
        """A time in seconds."""
        if clock := CLOCK.fullmatch(said):
            whole = int(clock[1]) * 3600 + int(clock[2]) * 60 + float(clock[3])
            return whole + int(clock[4] or 0) / self._frames_a_second
        if offset := OFFSET.fullmatch(said):
            rates = {"f": 1 / self._frames_a_second, "t": 1 / self._ticks_a_second}
            return float(offset[1]) * (SECONDS | rates)[offset[2]]
        raise UserError(f"{said[:40]!r} is no time of TTML.", "Write it as 00:00:01.500 or 1.5s.")


def _local(name: str) -> str:
    """A name without the address of its name space, which differs from version to version."""
    return name.rpartition("}")[2]
