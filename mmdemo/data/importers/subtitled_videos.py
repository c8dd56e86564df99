"""Videos with an SRT or VTT file beside each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.importers.video_corpora import is_video, video_row, videos_below
from mmdemo.data.rows import Row, Skipped, read_text
from mmdemo.data.subtitles import read_cues
from mmdemo.media.below import is_below
from mmdemo.media.regular_file import is_file

SUBTITLES = (".srt", ".vtt")


class SubtitledVideos:
    """Videos with an SRT or VTT file of the same name beside them: each cue is a text with its span."""

    name = "subtitles"
    about = "a folder of videos with SRT or VTT files beside them"
    order = 230

    def accepts(self, path: Path) -> bool:
        """Such a folder, or one such video."""
        if is_file(path):
            return is_video(path) and self._beside(path) is not None
        if any(path.glob("metadata.*")):  # a manifest says more
            return False
        return any(self._beside(v) is not None for v in videos_below(path).values())

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """One row a cue; a video without subtitles is imported without a text."""
        videos = {path.stem: path} if is_file(path) else videos_below(path)
        number = 0
        for name, file in videos.items():
            beside = self._beside(file)
            cues = list(read_cues(read_text(beside))) if beside else []
            if not cues:
                number += 1
                yield Row(number, file.name, file)
            for start, end, text in cues:
                number += 1
                yield video_row(number, videos, name, text, (start, end), "")

    @staticmethod
    def _beside(video: Path) -> Path | None:
        own = (video.with_suffix(suffix) for suffix in SUBTITLES)
        return next((file for file in own if is_file(file) and is_below(video.parent, file)), None)


IMPORTERS.add(SubtitledVideos.name, SubtitledVideos())
