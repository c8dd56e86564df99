"""Samples as they lie in a shard of WebDataset that mmdemo wrote: each file with a JSON beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from mmdemo.data.columns import OWN, TEXT_COLUMNS, said_in
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.data.rows import Row, Skipped, read_field
from mmdemo.data.source import Source
from mmdemo.media.regular_file import is_file
from mmdemo.store.splits import SPLIT_NAMES, split_names


class Samples:
    """One row a file; the JSON says its name, its text and what was said of the pair."""

    name = "samples"
    about = "WebDataset's samples as mmdemo writes them: files with a JSON beside each"

    def recognise(self, source: Source) -> Recognition:
        """A folder in which each of the first files has its JSON; those of others are captions."""
        first = source.media[:8] if source.is_folder else []
        if not first or not all(is_file(_beside(f)) and set(_said(source, f)) >= OWN for f in first):
            return NOT_MINE
        return Recognition(
            0.87, f"{_beside(first[0]).name} lies beside {first[0].name}, and so of the others."
        )

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The files in the order of their names."""
        meaning = split_names({_split(_said(source, file)) for file in source.media})
        for number, file in enumerate(source.media, 1):

            def facts(file: Path = file) -> dict[str, Any]:
                said = _said(source, file)
                text = next((said[c] for c in TEXT_COLUMNS if isinstance(said.get(c), str)), None)
                if text is None and is_file(file.with_suffix(".txt")):
                    text = source.read_text(file.with_suffix(".txt"))
                split = _split(said)
                side = meaning.get(split, SPLIT_NAMES.get(split, ""))
                return {"text": read_field(text, "text"), "split": side, **said_in(said)}

            row = source.file_row(number, file, facts)
            name = str(_said(source, file).get("file_name") or "").rpartition("/")[2]
            yield replace(row, name=name) if isinstance(row, Row) and name else row


def _beside(file: Path) -> Path:
    return file.with_suffix(".json")


def _said(source: Source, file: Path) -> dict[str, Any]:
    try:
        said = source.read_json(_beside(file))
    except ValueError:
        said = None
    return said if isinstance(said, dict) else {}


def _split(said: dict[str, Any]) -> str:
    return str(said.get("split") or "").strip().lower()


IMPORTERS.add(Samples.name, Samples())
