"""The files that hold texts with their times beside recordings and videos, by suffix, and their readers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mmdemo.data.elan import read_elan
from mmdemo.data.subtitles import read_cues
from mmdemo.data.textgrid import read_textgrid
from mmdemo.data.ttml import read_ttml

Cue = tuple[float | None, float | None, str]  # start and end in seconds, None where it is open; and the text
Note = Callable[[str], None]  # takes a sentence of what a person should know of how a file is read

LABELS = ".txt"  # the suffix of Audacity's
LOOKED_AT = 20  # lines by which they are known
SBV_TIME = r"(\d{1,4}):(\d{1,2}):(\d{1,2}\.\d{1,9})"
SBV_TIMES = re.compile(rf"\s*{SBV_TIME},{SBV_TIME}\s*")
ASS_TIME = re.compile(r"(\d{1,4}):(\d{1,2}):(\d{1,2}(?:[.:]\d{1,9})?)")
ASS_FORMAT = "Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text"  # where none is said
ASS_BLOCK = re.compile(r"\{[^{}]*\}")  # says how it looks
ASS_DRAWING = re.compile(r"\\p[1-9]")  # in such a block: what follows is lines of a shape, and no words
LABEL = re.compile(r"\s*(-?\d{1,9}(?:[.,]\d{1,9})?)\t(-?\d{1,9}(?:[.,]\d{1,9})?)(?:\t(.*))?")  # of Audacity
LRC_TIME = re.compile(r"\s*\[(\d{1,4}):(\d{1,2})(?:[.:](\d{1,9}))?\]")
LRC_WORD = re.compile(r"<\d{1,4}:\d{1,2}(?:[.:]\d{1,9})?>")  # the time of a word within a line
LRC_OFFSET = re.compile(r"\s*\[offset:\s*([+-]?\d{1,9})\s*\]\s*", re.IGNORECASE)


def read_timed(suffix: str, text: str, note: Note) -> Iterator[Cue]:
    """The texts of a file with their times.

    Args:
        suffix: one of TIMED_TEXTS.
        text: of the file.
        note: is told what was left out of it.

    Raises:
        UserError: the file is none of its kind, or is damaged.
    """
    return TIMED_TEXTS[suffix.lower()](text, note)


def read_sbv(text: str) -> Iterator[Cue]:
    """Start, end and text of each cue of YouTube's SBV; line breaks become blanks."""
    times: re.Match[str] | None = None
    lines: list[str] = []
    for line in [*_lines(text), None]:
        found = SBV_TIMES.fullmatch(line) if line is not None else None
        if line is not None and found is None:
            lines.append(line.replace("[br]", " "))
            continue
        said = " ".join(" ".join(lines).split())
        if times is not None and said:
            h1, m1, s1, h2, m2, s2 = times.groups()
            yield _seconds(h1, m1, s1), _seconds(h2, m2, s2), said
        times, lines = found, []


def read_lrc(text: str) -> Iterator[Cue]:
    """The lines of a song as LRC has them. A line lasts until the next time; the end of the last is open.

    A line with several times is sung at each of them. A line without a time goes on with the one above.
    """
    timed: list[tuple[float, list[str]]] = []  # each time, and the parts of the text that stand there
    offset_s = 0.0  # by which all lines come earlier
    said: list[str] = []
    for line in _lines(text):
        if offset := LRC_OFFSET.fullmatch(line):
            offset_s = int(offset[1]) / 1000
            continue
        at, times = 0, []
        while found := LRC_TIME.match(line, at):
            times.append(_seconds("0", found[1], f"{found[2]}.{found[3] or 0}"))
            at = found.end()
        rest = LRC_WORD.sub("", line[at:]).strip()
        if times:
            said = [rest]
            timed += [(time, said) for time in times]
        elif rest and not re.fullmatch(r"\[[a-z#]+:.*\]", rest, re.IGNORECASE):
            said.append(rest)
    timed.sort(key=lambda one: one[0])
    ends = _later([time for time, _ in timed])
    for (time, parts), end in zip(timed, ends, strict=True):
        if words := " ".join(" ".join(parts).split()):
            yield (
                max(0.0, round(time - offset_s, 3)),
                None if end is None else round(end - offset_s, 3),
                words,
            )


def read_ass(text: str) -> Iterator[Cue]:
    """Start, end and text of each line of dialogue in ASS or SSA, in the order of their times; what says how
    it looks is left out.
    """
    columns = _columns(ASS_FORMAT)
    in_events, found = False, []
    for line in _lines(text):
        head, _, rest = line.partition(":")
        if line.lstrip().startswith("["):
            in_events = line.strip().lower() == "[events]"
        elif in_events and head.strip() == "Format":
            columns = _columns(rest)
        elif in_events and head.strip() == "Dialogue":
            fields = dict(zip(columns, rest.split(",", len(columns) - 1), strict=False))
            times = [ASS_TIME.fullmatch(fields.get(name, "").strip()) for name in ("start", "end")]
            said = fields.get("text", "")
            words = " ".join(re.sub(r"\\[Nnh]", " ", ASS_BLOCK.sub("", said)).split())
            is_drawn = any(map(ASS_DRAWING.search, ASS_BLOCK.findall(said)))
            if times[0] and times[1] and words and not is_drawn:
                start, end = (_seconds(t[1], t[2], t[3].replace(":", ".")) for t in times if t)
                found.append((start, end, words))
    yield from sorted(found, key=lambda cue: cue[:2])


def _columns(told: str) -> list[str]:
    return [name.strip().lower() for name in told.split(",")]


def is_labels(text: str) -> bool:
    """Whether a text consists of Audacity's labels: a start, an end and perhaps a text in each line."""
    lines = [line for line in _lines(text)[:LOOKED_AT] if line.strip() and not line.startswith("\\")]
    return bool(lines) and all(map(LABEL.fullmatch, lines))


def read_labels(text: str) -> Iterator[Cue]:
    """Start, end and text of Audacity's labels; those without a text are left out, and so are frequencies."""
    for line in _lines(text):
        found = LABEL.fullmatch(line)
        if found and (words := " ".join((found[3] or "").split())):
            start, end = (round(float(time.replace(",", ".")), 3) for time in found.groups()[:2])
            yield start, end, words


def _later(times: list[float]) -> list[float | None]:
    """Of each of the sorted times the next that is later; None of the last."""
    found: list[float | None] = []
    later: float | None = None
    for i in range(len(times) - 1, -1, -1):
        if i + 1 < len(times) and times[i + 1] > times[i]:
            later = times[i + 1]
        found.append(later)
    return found[::-1]


def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\n|\r", text)


def _seconds(hours: str, minutes: str, seconds: str) -> float:
    return round(int(hours) * 3600 + int(minutes) * 60 + float(seconds), 3)


# Of several beside a file the first is read.
TIMED_TEXTS: dict[str, Callable[[str, Note], Iterator[Cue]]] = {
    ".srt": lambda text, _: read_cues(text),
    ".vtt": lambda text, _: read_cues(text),
    ".sbv": lambda text, _: read_sbv(text),
    ".ttml": lambda text, _: read_ttml(text),
    ".dfxp": lambda text, _: read_ttml(text),
    ".lrc": lambda text, _: read_lrc(text),
    ".ass": lambda text, _: read_ass(text),
    ".ssa": lambda text, _: read_ass(text),
    ".textgrid": read_textgrid,
    ".eaf": read_elan,
    LABELS: lambda text, _: read_labels(text),  # where it consists of them
}
