"""What the columns of a table say of a pair beside its file; manifests and data sets name them alike."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mmdemo.data.rows import read_field, read_verdict
from mmdemo.errors import ImportRowError

TEXT_COLUMNS = ("text", "caption", "sentence", "transcription", "transcript", "title", "description")


def said_in(line: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a `Row` that a line says of its pair: the label on it, and its span.

    Raises:
        ImportRowError: which column cannot be read, and why.
    """

    def value(column: str, *types: type) -> str:
        return read_field(line.get(column), column, *types)

    return {
        "verdict": read_verdict(value("verdict", int)),
        "corrected": value("corrected_text"),
        "start_s": _seconds(value("start", int, float), "start"),
        "end_s": _seconds(value("end", int, float), "end"),
        "annotator": value("annotator", int),
        "comment": value("comment"),
    }


def _seconds(value: str, name: str) -> float | None:
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ImportRowError(f"{name} is {value!r}, which is not a number of seconds.")
    return seconds
