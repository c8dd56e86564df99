"""Videos and recordings with SRT or VTT files beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.importers.folders import Sides, beside, by_folder
from mmdemo.data.rows import Row, Skipped
from mmdemo.data.source import Source, same_name
from mmdemo.data.subtitles import read_cues
from mmdemo.errors import UserError
from mmdemo.modality import MODALITIES

SUBTITLES = (".srt", ".vtt")
LANGUAGE = re.compile(r"\.[a-z]{2,3}([-_][a-z0-9]{2,8})*(\.(forced|sdh|cc|auto))?$", re.IGNORECASE)


class SubtitledVideos:
    """Videos or recordings with an SRT or VTT file of the same name beside them, or one for each language:
    each cue is a text with its span.
    """

    name = "subtitles"
    about = "a folder of videos with SRT or VTT files beside them"

    def recognise(self, source: Source) -> Recognition:
        """By such a file beside one of them."""
        timed = [f for f in source.media if _has_time(f)]
        if not timed:
            return NOT_MINE
        folders = by_folder(source)
        count = sum(bool(_subtitles(f, folders.get(f.parent, {}))) for f in timed)
        why = f"{count} of {len(timed)} files have subtitles beside them."
        return Recognition(0.6 + 0.1 * count / len(timed), why) if count else NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """One row a cue; a video without subtitles is imported without a text."""
        sides, folders, number = Sides(source), by_folder(source), 0
        read = {s for f in source.media for s in _subtitles(f, folders.get(f.parent, {}))}
        for file in source.files:
            if file in read:
                continue
            cues = 0
            for one in _subtitles(file, folders.get(file.parent, {})) if _has_time(file) else []:
                try:
                    said = list(read_cues(source.read_text(one)))
                except UserError as e:
                    number += 1
                    yield Skipped(number, str(e), one.name)
                    continue
                for start, end, text in said:
                    cues, number = cues + 1, number + 1
                    facts = {"text": text, "start_s": start, "end_s": end, "split": sides.of(file)}
                    yield source.file_row(number, file, lambda facts=facts: facts)  # type: ignore[misc]
            if not cues:
                number += 1
                yield source.file_row(number, file, lambda file=file: {"split": sides.of(file)})  # type: ignore[misc]


def _has_time(file: Path) -> bool:
    return any(MODALITIES.get(name).claims(file) for name in ("video", "audio"))


def _subtitles(file: Path, among: dict[str, Path]) -> list[Path]:
    """The subtitles of a file: talk.srt, talk.mp4.srt or, where there is none of these, talk.en.srt."""
    own = beside(file, SUBTITLES, among)
    if own:
        return own[:1]
    stem = same_name(file.stem)
    return [
        path
        for path in sorted(set(among.values()))
        if path.suffix.lower() in SUBTITLES
        and same_name(path.name).startswith(f"{stem}.")
        and LANGUAGE.fullmatch(same_name(path.stem).removeprefix(stem))
    ]


IMPORTERS.add(SubtitledVideos.name, SubtitledVideos())
