"""What every importer yields: a `Row` for what can be imported, a `Skipped` with a reason for what cannot."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mmdemo.errors import ImportRowError, MmdemoError, UserError, is_disk_full, one_line
from mmdemo.label_kinds import LABEL_KINDS, UNLABELLED

log = logging.getLogger(__name__)
Made = TypeVar("Made")
Said = TypeVar("Said")
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and bytes that are no characters


@dataclass(frozen=True)
class Row:
    """One line of a source: a file, perhaps with a text and what somebody said of the pair."""

    number: int  # from 1, as a person counts the rows of the source
    name: str  # what the file is called there
    file: Path | None = None  # where its bytes are, or:
    data: bytes | None = None
    fleeting: bool = False  # whether the file may be gone as soon as the next row is asked for
    text: str = ""
    verdict: str = ""  # the name of a label kind, or empty
    corrected: str = ""  # a corrected text
    start_s: float | None = None
    end_s: float | None = None
    split: str = ""
    annotator: str = ""
    comment: str = ""
    source: str = ""  # where the pair came from before; empty: from this source


def name_below(row: Row, root: Path) -> str:
    """What a row's file is called below a folder; what lies elsewhere, as its source calls it."""
    is_below = row.file is not None and row.file.is_relative_to(root)
    return row.file.relative_to(root).as_posix() if row.file is not None and is_below else row.name


@dataclass(frozen=True)
class Skipped:
    """A line that cannot be imported, and why."""

    row: int
    reason: str
    file: str = ""  # what it names, where it names one


def attempt(number: int, name: str, made: Callable[[], Made]) -> Made | Skipped:
    """A row, or the sentence why there is none: what is wrong with one is no matter of the others.

    Args:
        number: of the row.
        name: of its file, where it names one.
        made: makes it, or what several rows are made of.

    Raises:
        MemoryError, StorageError, OSError: the machine fails, and not the row.
    """
    try:
        return made()
    except UserError as e:
        return Skipped(number, str(e), name)
    except (MmdemoError, MemoryError):
        raise
    except Exception as e:  # of what other people's files and tools hold nobody knows all
        if is_disk_full(e):
            raise
        log.warning("row %s cannot be read", number, exc_info=e)
        return Skipped(number, f"The row cannot be read: {type(e).__name__}: {one_line(str(e))}.", name)


def attempt_several(
    first: int, name: str, said: Callable[[], Sequence[Said]], made: Callable[[int, Said], Row]
) -> Iterator[Row | Skipped]:
    """The rows that one record of a source becomes; one sentence where it cannot be told what it says.

    Args:
        first: the number of the first row.
        name: of its file, where it names one.
        said: what the record says, of each row.
        made: makes a row of its number and of what is said of it.
    """
    found = attempt(first, name, said)
    if isinstance(found, Skipped):
        yield found
        return
    for number, one in enumerate(found, first):
        yield attempt(number, name, partial(made, number, one))


# What a value of a table is, where it is no text.
NOUNS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    bool: "true or false",
    int: "a number",
    float: "a number",
}


def read_field(value: Any, name: str, *types: type) -> str:
    """A text as a source writes it, without the blanks around it; empty where it has none.

    What is no text is not made one: "{'en': 'a cat'}" is nobody's caption.

    Args:
        value: of the source.
        name: of its column.
        types: what it may be beside a text, such as int for names that are numbers.

    Raises:
        ImportRowError: it is of another type.
    """
    if value is None or value != value:  # as a table writes what is not there
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, *types)):
        what = NOUNS.get(type(value), f"of the type {type(value).__name__}")
        raise ImportRowError(f"{name} is {what}, not a text.")
    return str(value).strip()


def require_storable(row: Row) -> None:
    """Refuse a row with a character that a database cannot store, instead of leaving it out.

    Raises:
        ImportRowError: which of its texts has one.
    """
    texts = {"name": row.name, "text": row.text, "corrected text": row.corrected}
    for what, text in (texts | {"annotator": row.annotator, "comment": row.comment}).items():
        if UNSTORABLE.search(text):
            raise ImportRowError(f"The {what} holds a character that cannot be stored: {ascii(text)[:80]}.")


def read_verdict(value: Any) -> str:
    """The name of a label kind as a source writes it; empty where nobody has said anything.

    Raises:
        ImportRowError: there is no such kind.
    """
    word = str(value or "").strip().lower()
    if word in {"none", UNLABELLED}:
        return ""
    if word and word not in LABEL_KINDS:
        raise ImportRowError(f"The verdict {word!r} is none of {', '.join(LABEL_KINDS)}.")
    return word


def parse_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is none, or nested deeper than can be read.
    """
    try:
        return json.loads(text)
    except RecursionError as e:
        raise ValueError("it is nested too deeply") from e
