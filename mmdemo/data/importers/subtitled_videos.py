"""Videos and recordings with files of timed texts beside them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.importers.folders import Companions, by_folder
from mmdemo.data.rows import Row, Skipped, attempt
from mmdemo.data.side_names import Sides
from mmdemo.data.source import Source, same_name
from mmdemo.data.timed_texts import LABELS, TIMED_TEXTS, Cue, is_labels, read_timed
from mmdemo.errors import ImportRowError, UserError
from mmdemo.modality import MODALITIES, is_medium

SUBTITLES = tuple(TIMED_TEXTS)
TRACK = re.compile(r"labels?([ _-]?track)?([ _-]?\d*)", re.IGNORECASE)  # what Audacity calls its labels
LANGUAGE = re.compile(r"\.[a-z]{2,3}([-_][a-z0-9]{2,8})*(\.(forced|sdh|cc|auto))?$", re.IGNORECASE)


class SubtitledVideos:
    """Videos or recordings with a file of timed texts of the same name beside them, as SRT or TextGrid, or
    one for each language, or Audacity's label.txt: each cue is a text with its span.
    """

    name = "subtitles"
    about = "a folder of videos or recordings with SRT, VTT, ASS, TTML, LRC, TextGrid, ELAN or Audacity files"

    def recognise(self, source: Source) -> Recognition:
        """By such a file beside one of them."""
        timed = [f for f in source.media if _has_time(f)]
        if not timed:
            return NOT_MINE
        subtitles = Subtitles(source)
        count = sum(bool(subtitles.of(f)) for f in timed)
        why = f"{count} of {len(timed)} files have subtitles beside them."
        # Above plain texts beside them, which say the same without times.
        return Recognition(0.65 + 0.1 * count / len(timed), why) if count else NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """One row a cue; a video without subtitles is imported without a text."""
        sides, subtitles, number = Sides(source), Subtitles(source), 0
        read = {path for f in source.media for path in subtitles.of(f)}
        for file in source.files:
            if file in read:
                continue
            cues = 0
            for one in subtitles.of(file) if _has_time(file) else []:
                said = attempt(number + 1, one.name, partial(_cues, source, one))
                if isinstance(said, Skipped):
                    number += 1
                    yield said
                    continue
                for start, end, text in said:
                    cues, number = cues + 1, number + 1
                    facts = {"text": text, "start_s": start, "end_s": end, "split": sides.of(file)}
                    yield source.file_row(number, file, lambda facts=facts: facts)  # type: ignore[misc]
            if not cues:
                number += 1
                yield source.file_row(number, file, lambda file=file: {"split": sides.of(file)})  # type: ignore[misc]


def _cues(source: Source, path: Path) -> list[Cue]:
    """The texts of a file with their times.

    Raises:
        UserError: it cannot be read.
    """
    text = source.read_text(path)
    try:
        return list(read_timed(path.suffix, text, source.note))
    except UserError as e:
        raise ImportRowError(f"{path.name} cannot be read. {e}") from e


def _has_time(file: Path) -> bool:
    return any(MODALITIES.get(name).claims(file) for name in ("video", "audio"))


class Subtitles:
    """The subtitles of files: talk.srt, talk.mp4.srt or subs/talk.srt; where there is none of these,
    talk.en.srt and talk.de.srt.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._companions = Companions(source, SUBTITLES)
        self._labels: dict[Path, bool] = {}  # whether a text file consists of Audacity's
        self._folders = {
            folder: sorted({path for path in named.values() if path.suffix.lower() in SUBTITLES})
            for folder, named in by_folder(source).items()
        }
        self._of_languages: dict[tuple[Path, str], list[Path]] = {}  # by folder, and the name without one
        for folder, beside in self._folders.items():
            for path in beside:
                for stem in _without_language(path):
                    self._of_languages.setdefault((folder, stem), []).append(path)
        self._media = Counter(file.parent for file in source.media)

    def of(self, file: Path) -> list[Path]:
        """Those of a file."""
        own = list(filter(self._is_timed, self._companions.of(file)))
        if own:
            return own[:1]
        named = self._of_languages.get((file.parent, same_name(file.stem)), ())
        return list(filter(self._is_timed, named)) or self._track(file)

    def _is_timed(self, path: Path) -> bool:
        if path.suffix.lower() != LABELS:
            return True
        if path not in self._labels:
            self._labels[path] = is_labels(self._source.head(path))
        return self._labels[path]

    def _track(self, file: Path) -> list[Path]:
        """The only label.txt of a folder, where the file is the only one that it may be of."""
        if self._media[file.parent] != 1 or not is_medium(file):
            return []
        beside = self._folders.get(file.parent, ())
        named = [p for p in beside if p.suffix.lower() == LABELS and TRACK.fullmatch(p.stem)]
        return named if len(named) == 1 and self._is_timed(named[0]) else []


def _without_language(path: Path) -> Iterator[str]:
    """What the name of a file is, as it is compared, without that of a language: of talk.en.cc.srt talk, and
    talk.en too.
    """
    parts = same_name(path.stem).split(".")
    for count in (1, 2):
        if LANGUAGE.fullmatch("".join(f".{part}" for part in parts[-count:])) and len(parts) > count:
            yield ".".join(parts[:-count])


IMPORTERS.add(SubtitledVideos.name, SubtitledVideos())
