"""How corpora of videos come: MSR-VTT, QVHighlights, ActivityNet Captions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.rows import Row, Skipped, parse_json, read_text
from mmdemo.errors import UserError
from mmdemo.media.below import is_below
from mmdemo.media.listing import files_below
from mmdemo.media.regular_file import is_file
from mmdemo.modality import MODALITIES
from mmdemo.store.splits import SPLIT_NAMES, split_names

HEAD = 4096  # characters by which a file is told from another


def videos_below(folder: Path) -> dict[str, Path]:
    """The videos in a folder and below it, by name without suffix."""
    found = (f for f in sorted(files_below(folder)) if is_video(f))
    return {f.stem: f for f in found if is_below(folder, f)}


def is_video(path: Path) -> bool:
    """Whether a file is called like a video."""
    return MODALITIES.get("video").claims(path)


def _head(path: Path) -> str:
    if not is_file(path):
        return ""
    with path.open("rb") as f:
        return f.read(HEAD).decode("utf-8", errors="replace")


def _json(path: Path, wanted: str) -> dict[str, Any]:
    try:
        table = parse_json(read_text(path))
    except ValueError as e:
        raise UserError(f"{path.name} is no JSON that can be read: {e}.", f"It needs {wanted}.") from e
    if not isinstance(table, dict):
        raise UserError(f"{path.name} is a list.", f"It needs an object with {wanted}.")
    return table


def _split(path: Path) -> str:
    """The split that a file's name says, such as val_1.json or highlight_train_release.jsonl."""
    words = re.split(r"[^a-z]+", path.stem.lower())
    return next((SPLIT_NAMES[w] for w in words if w in SPLIT_NAMES), "")


def video_row(
    number: int, videos: dict[str, Path], name: str, text: Any, span: Any, split: str
) -> Row | Skipped:
    """The row of a video's name with a text and a span in seconds, or why there is none."""
    file = videos.get(Path(name).stem if is_video(Path(name)) else name)
    if file is None:
        return Skipped(number, f"The video {name} is missing.", name)
    if not isinstance(text, str) or not text.strip():
        return Skipped(number, f"The row of {name} has no text.", name)
    if span is None:
        return Row(number, file.name, file, text=text.strip(), split=split)
    try:
        start, end = float(span[0]), float(span[1])
    except (TypeError, ValueError, IndexError):
        return Skipped(number, f"The span of {name} is no pair of numbers.", name)
    return Row(number, file.name, file, text=text.strip(), start_s=start, end_s=end, split=split)


class MsrVtt:
    """One JSON with `videos` and `sentences` (Xu et al. 2016); the files lie beside it or below."""

    name = "msr-vtt"
    about = "an MSR-VTT JSON"
    order = 220

    def accepts(self, path: Path) -> bool:
        """A .json with sentences."""
        begins = _head(path) if path.suffix.lower() == ".json" else ""
        known = '"videos"' in begins or '"sentences"' in begins
        return known and '"sentences"' in read_text(path)

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """One row a sentence."""
        table = _json(path, "videos and sentences")
        named = {v.get("video_id"): str(v.get("split")) for v in table.get("videos", [])}
        splits = split_names(named.values())
        videos = videos_below(path.parent)
        for number, sentence in enumerate(table["sentences"], 1):
            name = str(sentence.get("video_id", ""))
            split = splits.get(named.get(name, ""), "")
            yield video_row(number, videos, name, sentence.get("caption"), None, split)


class QvHighlights:
    """JSON lines with `vid`, `query` and `relevant_windows` (Lei et al. 2021, arXiv:2107.09609)."""

    name = "qvhighlights"
    about = "a QVHighlights JSONL"
    order = 200

    def accepts(self, path: Path) -> bool:
        """A .jsonl whose lines have a vid and a query."""
        return path.suffix.lower() in {".jsonl", ".json"} and bool(
            re.match(r'\s*\{[^\n]*"(?:vid|query)"[^\n]*"(?:vid|query)"', _head(path))
        )

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """One row a window; a query without windows, as in the test split, is a row of the whole video."""
        videos, number = videos_below(path.parent), 0
        for line in read_text(path).split("\n"):
            if not line.strip():
                continue
            try:
                entry = parse_json(line)
                name, query = str(entry["vid"]), entry["query"]
            except (ValueError, KeyError, TypeError):
                number += 1
                yield Skipped(number, "The line is no JSON with a vid and a query.")
                continue
            for window in entry.get("relevant_windows") or [None]:
                number += 1
                yield video_row(number, videos, name, query, window, _split(path))


class ActivityNetCaptions:
    """One JSON from a video's name to its `timestamps` and `sentences` (Krishna et al. 2017,
    arXiv:1705.00754).
    """

    name = "activitynet-captions"
    about = "an ActivityNet Captions JSON"
    order = 210

    def accepts(self, path: Path) -> bool:
        """A .json whose entries have timestamps."""
        return path.suffix.lower() == ".json" and '"timestamps"' in _head(path)

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """One row a sentence, with its span."""
        videos, number = videos_below(path.parent), 0
        for name, entry in _json(path, "timestamps and sentences for each video").items():
            spans, texts = entry.get("timestamps") or [], entry.get("sentences") or []
            for span, text in zip(spans, texts, strict=False):
                number += 1
                yield video_row(number, videos, name, text, span, _split(path))


IMPORTERS.add(QvHighlights.name, QvHighlights())
IMPORTERS.add(ActivityNetCaptions.name, ActivityNetCaptions())
IMPORTERS.add(MsrVtt.name, MsrVtt())
