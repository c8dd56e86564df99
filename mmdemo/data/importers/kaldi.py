"""Kaldi's folders of data: wav.scp names the recordings, text the words, segments the spans."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.packed import packed_or_not, plain_name
from mmdemo.data.rows import Row, Skipped, attempt
from mmdemo.data.side_names import side_name_of
from mmdemo.data.source import Source
from mmdemo.errors import ImportRowError
from mmdemo.media.regular_file import is_file
from mmdemo.modality import is_medium
from mmdemo.store.splits import split_names

RECORDINGS, TEXTS, SEGMENTS = "wav.scp", "text", "segments"
LOOKED_AT = 20  # folders, and recordings of each, by which the layout is known


class Kaldi:
    """Folders with wav.scp, text and perhaps segments. A command in wav.scp is never run."""

    name = "kaldi"
    about = "a Kaldi folder with wav.scp and text"

    def recognise(self, source: Source) -> Recognition:
        """A folder with wav.scp and text beside each other; a file that wav.scp names makes it sure."""
        folders = self._folders(source)
        if not folders:
            return NOT_MINE
        is_there = any(_is_any_there(source, folder) for folder in folders[:LOOKED_AT])
        # Else text alone may still name files, as a manifest reads it.
        return Recognition(0.9 if is_there else 0.3, "It has wav.scp beside text, as Kaldi's folders do.")

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """One row an utterance, and one for each recording without any; a folder called train or dev says
        the split.
        """
        folders = self._folders(source)
        names = {folder: side_name_of(source, folder / TEXTS) for folder in folders}
        splits = split_names(names.values())
        number = 0
        for folder in folders:
            for one in _utterances(source, folder):
                number += 1
                made = partial(_row, source, folder, one, number, splits.get(names[folder], ""))
                yield attempt(number, one.name, made)

    @staticmethod
    def _folders(source: Source) -> list[Path]:
        if not source.is_folder:
            return []
        named = [f.parent for f in source.files if plain_name(f).name == RECORDINGS]
        return [folder for folder in named if is_file(packed_or_not(folder / TEXTS))]


def _is_any_there(source: Source, folder: Path) -> bool:
    """Whether one of the first recordings that wav.scp names is below the source."""
    for place in islice(_lines(source, folder / RECORDINGS).values(), LOOKED_AT):
        try:
            if is_medium(source.find(place, folder, lasting=False)):
                return True
        except ImportRowError:
            continue
    return False


@dataclass(frozen=True)
class _Utterance:
    """What is said in a recording, or in a part of it."""

    name: str
    recording: str  # its place, as wav.scp has it; empty: it has none
    text: str | None = None  # None: text has no line of it
    span: str = ""  # start and end as segments has them; empty: all of the recording
    is_cut: bool = False  # whether segments names it


def _utterances(source: Source, folder: Path) -> Iterator[_Utterance]:
    recordings = _lines(source, folder / RECORDINGS)
    texts = _lines(source, folder / TEXTS)
    cut = _lines(source, folder / SEGMENTS) if is_file(packed_or_not(folder / SEGMENTS)) else {}
    used = set()
    for name, place in cut.items():
        recording, _, span = place.partition(" ")
        used.add(recording)
        yield _Utterance(name, recordings.get(recording, ""), texts.get(name), span, True)
    for name, text in texts.items():
        if name not in cut:
            used.add(name)
            yield _Utterance(name, recordings.get(name, ""), text)
    for name, place in recordings.items():
        if name not in used:
            yield _Utterance(name, place)


def _lines(source: Source, path: Path) -> dict[str, str]:
    """What stands behind the first word of each line, by that word."""
    text = source.read_text(packed_or_not(path))
    lines = (line.split(maxsplit=1) for line in text.split("\n") if line.strip())
    return {words[0]: " ".join(words[1].split()) if len(words) > 1 else "" for words in lines}


def _row(source: Source, folder: Path, one: _Utterance, number: int, split: str) -> Row:
    """The row of an utterance.

    Raises:
        ImportRowError: it has no recording that can be read, no text, or no span.
    """
    if not one.recording:
        raise ImportRowError(f"wav.scp has no recording of {one.name}.")
    if "|" in (one.recording[0], one.recording[-1]):
        raise ImportRowError(
            f"wav.scp has a command for the recording of {one.name}, and commands are not run.",
            "Write the recording into a file, and name that file in wav.scp.",
        )
    if one.is_cut and not one.text:
        raise ImportRowError(f"The segment {one.name} has no text.")
    start, end = _span(one) if one.is_cut else (None, None)
    file = source.find(one.recording, folder)
    return Row(number, file.name, file, text=one.text or "", split=split, start_s=start, end_s=end)


def _span(one: _Utterance) -> tuple[float, float | None]:
    """Start and end in seconds; an end below 0 is that of the recording."""
    try:
        start, end = map(float, one.span.split()[:2])
    except ValueError as e:
        raise ImportRowError(f"The span of {one.name} in segments is no pair of numbers.") from e
    if not (math.isfinite(start) and math.isfinite(end)):
        raise ImportRowError(f"The span of {one.name} in segments is no pair of numbers.")
    return start, None if end < 0 else end


IMPORTERS.add(Kaldi.name, Kaldi())
