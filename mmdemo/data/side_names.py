"""The side that the name of a file or folder says: train/, captions_val2017.json, test-00000.parquet."""

from __future__ import annotations

import re
from pathlib import Path

from mmdemo.data.source import Source
from mmdemo.store.splits import SPLIT_NAMES


def side_name(text: str) -> str:
    """The name of a split as it is looked up."""
    return text.strip().lower()


def side_word(name: str) -> str:
    """The name of a split among the words of a name; empty where there is none, or there are several."""
    words = {word for word in re.split(r"[^a-z]+", name.lower()) if word in SPLIT_NAMES}
    whole = name.lower()
    if whole in SPLIT_NAMES:
        return whole
    return words.pop() if len(words) == 1 else ""


def side_name_of(source: Source, file: Path) -> str:
    """The name of a split that a table's folders or its own name say; empty where they say none."""
    for part in source.parts(file):
        if part.lower() in SPLIT_NAMES:
            return part.lower()
    return side_word(file.stem)
