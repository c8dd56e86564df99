"""JSON lines: one value a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from mmdemo.data.rows import parse_json


def json_lines(text: str) -> Iterator[Any]:
    """What each line of JSON lines says, and a `ValueError` for one that says nothing; empty lines are none.

    Only a line feed ends a line: other separators of Unicode may stand within a text.
    """
    for line in text.split("\n"):
        if line.strip():
            try:
                yield parse_json(line)
            except ValueError as e:
                yield e


def is_json_lines(head: str) -> bool:
    """Whether a text begins with an object of JSON in a line of its own."""
    with suppress(ValueError, RecursionError):
        return isinstance(json.loads(head.lstrip().partition("\n")[0]), dict)
    return False
