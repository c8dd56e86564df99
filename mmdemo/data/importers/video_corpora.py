"""How corpora of videos come: MSR-VTT, QVHighlights, ActivityNet Captions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.json_lines import json_lines
from mmdemo.data.packed import stem_of, suffix_of
from mmdemo.data.rows import Row, Skipped, attempt
from mmdemo.data.side_names import side_word
from mmdemo.data.source import Source, same_name
from mmdemo.errors import ImportRowError, UserError
from mmdemo.modality import MODALITIES
from mmdemo.store.splits import split_names

DEEPEST = 2  # folders in which tables lie
QUERIES = re.compile(r'\s*\{[^\n]*"(?:vid|query)"[^\n]*"(?:vid|query)"')


class Videos:
    """The videos of a source by what corpora call them: their names without suffixes."""

    def __init__(self, source: Source) -> None:
        self._named: dict[str, list[Path]] = {}
        root = Source(source.root, source.within)
        for file in filter(is_video, root.files):
            self._named.setdefault(same_name(file.stem), []).append(file)

    def row(self, number: int, name: str, text: Any, span: Any, split: str) -> Row | Skipped:
        """The row of a video with a text and a span in seconds, or why there is none."""

        def made() -> Row:
            found = self._named.get(same_name(Path(name).stem if is_video(Path(name)) else name), [])
            if len(found) != 1:
                why = "is missing" if not found else "is not one file: there are several of that name"
                raise ImportRowError(f"The video {name} {why}.")
            if not isinstance(text, str) or not text.strip():
                raise ImportRowError(f"The row of {name} has no text.")
            row = Row(number, found[0].name, found[0], text=text.strip(), split=split)
            if span is None:
                return row
            try:
                start, end = float(span[0]), float(span[1])
            except (TypeError, ValueError, IndexError, KeyError) as e:
                raise ImportRowError(f"The span of {name} is no pair of numbers.") from e
            return replace(row, start_s=start, end_s=end)

        return attempt(number, name, made)


def is_video(path: Path) -> bool:
    """Whether a file is called like a video."""
    return MODALITIES.get("video").claims(path)


def _tables(source: Source, *suffixes: str) -> list[Path]:
    """The file, or those of a folder, that may be tables of a corpus."""
    asked = source.json_files
    return [f for f in asked if suffix_of(f) in suffixes and len(source.parts(f)) <= DEEPEST]


def _json(source: Source, path: Path, wanted: str) -> dict[str, Any]:
    table = source.require_json(path, f"It needs {wanted}.")
    if not isinstance(table, dict):
        raise UserError(f"{path.name} is a list.", f"It needs an object with {wanted}.")
    return table


def _whole(source: Source, path: Path) -> dict[str, Any]:
    """What a JSON says; nothing where it says no object."""
    try:
        whole = source.read_json(path)
    except (ValueError, UserError):
        return {}
    return whole if isinstance(whole, dict) else {}


class MsrVtt:
    """One JSON with `videos` and `sentences` (Xu et al. 2016); the files lie beside it or below."""

    name = "msr-vtt"
    about = "an MSR-VTT JSON"

    def recognise(self, source: Source) -> Recognition:
        """A .json with sentences."""
        found = self._tables(source)
        return Recognition(0.9, f"{found[0].name} has videos and sentences.") if found else NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """One row a sentence."""
        tables = [_json(source, path, "videos and sentences") for path in self._tables(source)]
        videos = Videos(source)
        told = [v for table in tables for v in _dicts(table.get("videos"))]
        named = {str(v.get("video_id")): str(v.get("split")) for v in told}
        splits = split_names(named.values())
        for number, sentence in enumerate((s for table in tables for s in _list(table["sentences"])), 1):
            if not isinstance(sentence, dict):
                yield Skipped(number, "The sentence is not a JSON object.")
                continue
            name = str(sentence.get("video_id", ""))
            split = splits.get(named.get(name, ""), "")
            yield videos.row(number, name, sentence.get("caption"), None, split)

    @staticmethod
    def _tables(source: Source) -> list[Path]:
        heads = {path: source.head(path) for path in _tables(source, ".json")}
        known = [
            p for p, h in heads.items() if ('"videos"' in h or '"sentences"' in h) and '"timestamps"' not in h
        ]
        return [p for p in known if isinstance(_whole(source, p).get("sentences"), list)]


class QvHighlights:
    """JSON lines with `vid`, `query` and `relevant_windows` (Lei et al. 2021, arXiv:2107.09609)."""

    name = "qvhighlights"
    about = "a QVHighlights JSONL"

    def recognise(self, source: Source) -> Recognition:
        """A .jsonl whose lines have a vid and a query."""
        found = self._tables(source)
        return (
            Recognition(0.9, f"The lines of {found[0].name} have a vid and a query.") if found else NOT_MINE
        )

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """One row a window; a query without windows, as in the test split, is a row of the whole video."""
        videos, number = Videos(source), 0
        tables = self._tables(source)
        sides = split_names(map(side_word, (stem_of(path) for path in tables)))
        for path in tables:
            split = sides.get(side_word(stem_of(path)), "")
            for entry in json_lines(source.read_text(path)):
                if not isinstance(entry, dict) or "vid" not in entry or "query" not in entry:
                    number += 1
                    yield Skipped(number, "The line is no JSON with a vid and a query.")
                    continue
                windows = entry.get("relevant_windows") or [None]
                for window in windows if isinstance(windows, list) else [windows]:
                    number += 1
                    yield videos.row(number, str(entry["vid"]), entry["query"], window, split)

    @staticmethod
    def _tables(source: Source) -> list[Path]:
        heads = {path: source.head(path) for path in _tables(source, ".jsonl", ".json")}
        return [path for path, head in heads.items() if QUERIES.match(head) and '"query"' in head]


class ActivityNetCaptions:
    """One JSON from a video's name to its `timestamps` and `sentences` (Krishna et al. 2017,
    arXiv:1705.00754).
    """

    name = "activitynet-captions"
    about = "an ActivityNet Captions JSON"

    def recognise(self, source: Source) -> Recognition:
        """A .json whose entries have timestamps."""
        found = self._tables(source)
        return Recognition(0.9, f"The entries of {found[0].name} have timestamps.") if found else NOT_MINE

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """One row a sentence, with its span."""
        videos, number = Videos(source), 0
        tables = self._tables(source)
        sides = split_names(map(side_word, (stem_of(path) for path in tables)))
        for path in tables:
            split = sides.get(side_word(stem_of(path)), "")
            for name, entry in _json(source, path, "timestamps and sentences for each video").items():
                told = entry if isinstance(entry, dict) else {}
                spans, texts = _list(told.get("timestamps")), _list(told.get("sentences"))
                if not texts or len(spans) != len(texts):
                    number += 1
                    counts = f"{len(spans)} timestamps and {len(texts)} sentences"
                    yield Skipped(number, f"{name} has {counts}.", name)
                for span, text in zip(spans, texts, strict=False):
                    number += 1
                    yield videos.row(number, name, text, span, split)

    @staticmethod
    def _tables(source: Source) -> list[Path]:
        return [path for path in _tables(source, ".json") if '"timestamps"' in source.head(path)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in _list(value) if isinstance(one, dict)]


IMPORTERS.add(QvHighlights.name, QvHighlights())
IMPORTERS.add(ActivityNetCaptions.name, ActivityNetCaptions())
IMPORTERS.add(MsrVtt.name, MsrVtt())
