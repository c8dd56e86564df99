"""Texts with times as files: SRT, VTT, plain text, JSON and Praat's TextGrid; and SRT and VTT read again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from mmdemo.store.texts import joined

# As many digits as a time has: of more of them in a row each would be tried with all that follow.
TIME = r"(?:(\d{1,4}):)?(\d{1,4}):(\d{1,2})[.,](\d{1,9})"
VTT_BLOCK = re.compile(r"(NOTE|STYLE|REGION)\b")
CUE = re.compile(rf"{TIME}\s{{0,20}}-->\s{{0,20}}{TIME}")


def words_to_lines(words: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Words as lines of subtitles: at most seven seconds and seventy characters, cut at pauses."""
    lines: list[dict[str, Any]] = []
    for word in words:
        last = lines[-1] if lines else None
        if (
            last is None
            or word["end"] - last["start"] > 7.0
            or len(last["text"]) + len(word["word"]) > 70
            or word["start"] - last["end"] > 1.0
        ):
            lines.append({"text": word["word"], "start": word["start"], "end": word["end"]})
        else:
            last["text"] = joined([last["text"], word["word"]])
            last["end"] = word["end"]
    return lines


def transcript_as(format: str, transcript: dict[str, Any]) -> str:
    """A transcript in one of the FORMATS."""
    return FORMATS[format](transcript)


def _lines(transcript: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = words_to_lines(transcript["words"]) or transcript.get("segments", [])
    return found


def _json(transcript: dict[str, Any]) -> str:
    told = {k: transcript[k] for k in ("text", "words", "segments")}
    return json.dumps(told, ensure_ascii=False, indent=1)


def _srt(transcript: dict[str, Any]) -> str:
    return "".join(
        f"{i}\n{_clock(s['start'], ',')} --> {_clock(s['end'], ',')}\n{s['text']}\n\n"
        for i, s in enumerate(_lines(transcript), 1)
    )


def _vtt(transcript: dict[str, Any]) -> str:
    return captions_as("vtt", _lines(transcript))


def _txt(transcript: dict[str, Any]) -> str:
    return "\n".join(s["text"] for s in transcript.get("segments") or _lines(transcript)) + "\n"


def captions_as(format: str, captions: list[dict[str, Any]]) -> str:
    """Captions with times as vtt, or as chapters (a time and a title a line)."""
    if format == "vtt":
        return "WEBVTT\n\n" + "".join(
            f"{_clock(c['start'], '.')} --> {_clock(c['end'], '.')}\n{c['text']}\n\n" for c in captions
        )
    return "".join(f"{_clock(c['start'], '.')} {c['text']}\n" for c in captions)


def read_cues(text: str) -> Iterator[tuple[float, float, str]]:
    """Start, end and text of each cue of an SRT or VTT file; tags and line breaks are left out.

    A cue is all from its line of times to the next one's; so an empty line within it, or none before the
    next, loses nothing.
    """
    times: tuple[float, float] | None = None
    lines: list[str] = []
    skips = False  # within a note or a style of VTT
    for line in [*re.split(r"\r\n|\n|\r", text), None]:
        found = CUE.search(line) if line is not None else None
        if line is not None and found is None:
            if not line.strip():
                skips = False
            elif VTT_BLOCK.match(line) and (not lines or not lines[-1].strip()):
                skips = True
            if not skips:
                lines.append(line)
            continue
        if times is not None:
            # What stands right above times is the next cue's number, or its name in VTT after an empty line.
            if line is not None and lines and (lines[-1].strip().isdigit() or _is_name(lines)):
                lines.pop()
            said = re.sub(r"<[^<>]*>|\{[^{}]*\}", "", " ".join(" ".join(lines).split())).strip()
            if said:
                yield round(times[0], 3), round(times[1], 3), said
        lines, skips = [], False
        times = _times(found) if found is not None else None


def _is_name(lines: list[str]) -> bool:
    return bool(lines[-1].strip()) and len(lines) > 1 and not lines[-2].strip()


def _times(found: re.Match[str]) -> tuple[float, float]:
    h1, m1, s1, f1, h2, m2, s2, f2 = found.groups()
    start = int(h1 or 0) * 3600 + int(m1) * 60 + int(s1) + float(f"0.{f1}")
    return start, int(h2 or 0) * 3600 + int(m2) * 60 + int(s2) + float(f"0.{f2}")


def _clock(seconds: float, mark: str) -> str:
    ms = round(seconds * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}{mark}{ms % 1000:03d}"


def _textgrid(transcript: dict[str, Any]) -> str:
    """Praat's long text format, one interval tier; the gaps between words are empty intervals."""
    words = transcript["words"]
    end_s = max([transcript.get("duration") or 0.0, *(w["end"] for w in words)])
    intervals: list[tuple[float, float, str]] = []
    at = 0.0
    for w in words:
        if w["start"] > at:
            intervals.append((at, w["start"], ""))
        start = max(at, w["start"])
        if w["end"] > start:
            intervals.append((start, w["end"], w["word"]))
            at = w["end"]
    if end_s > at or not intervals:
        intervals.append((at, end_s, ""))
    head = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
        f"xmin = 0\nxmax = {end_s:.3f}\ntiers? <exists>\n"
        f'size = 1\nitem []:\n    item [1]:\n        class = "IntervalTier"\n        name = "words"\n'
        f"        xmin = 0\n        xmax = {end_s:.3f}\n        intervals: size = {len(intervals)}\n"
    )
    body = "".join(
        f"        intervals [{i}]:\n            xmin = {a:.3f}\n            xmax = {b:.3f}\n"
        f'            text = "{text.replace(chr(34), chr(34) * 2)}"\n'
        for i, (a, b, text) in enumerate(intervals, 1)
    )
    return head + body


FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {
    "json": _json,
    "srt": _srt,
    "vtt": _vtt,
    "txt": _txt,
    "textgrid": _textgrid,
}
