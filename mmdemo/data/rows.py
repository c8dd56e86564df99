"""What every importer yields: a `Row` for what can be imported, a `Skipped` with a reason for what cannot."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdemo.errors import ImportRowError, MediaError, OutsideError
from mmdemo.label_kinds import LABEL_KINDS, UNLABELLED
from mmdemo.media.below import below
from mmdemo.media.regular_file import TABLE_MB, is_file, require_file

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # NUL, and bytes that are no characters


@dataclass(frozen=True)
class Row:
    """One line of a source: a file, perhaps with a text and what somebody said of the pair."""

    number: int  # from 1, as a person counts the rows of the source
    name: str  # what the file is called there
    file: Path | None = None  # where its bytes are, or:
    data: bytes | None = None
    text: str = ""
    verdict: str = ""  # the name of a label kind, or empty
    corrected: str = ""  # a corrected text
    start_s: float | None = None
    end_s: float | None = None
    split: str = ""
    annotator: str = ""
    comment: str = ""


@dataclass(frozen=True)
class Skipped:
    """A line that cannot be imported, and why."""

    row: int
    reason: str
    file: str = ""  # what it names, where it names one


def file_row(number: int, root: Path, name: str, **facts: Any) -> Row | Skipped:
    """The row of a file that the source names, or why there is none.

    Args:
        number: of the row.
        root: the folder that the file must lie in.
        name: of the file, relative to it.
        facts: the other fields of the row.
    """
    try:
        return Row(number, file_name(name), file_inside(root, name), **facts)
    except ImportRowError as e:
        return Skipped(number, str(e), name)


def file_name(name: str) -> str:
    """The last part of a file's name as any system writes it."""
    return Path(name.replace("\\", "/")).name


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


def file_inside(root: Path, name: str) -> Path:
    """The file of that name below `root`.

    Raises:
        ImportRowError: it is not there, or the name leads out of the folder.
    """
    if not name.strip():
        raise ImportRowError("The row names no file.")
    try:
        path = below(root, name.strip().replace("\\", "/")).resolve()
    except OutsideError as e:
        raise ImportRowError(f"{name} lies outside the folder of the manifest.") from e
    if not is_file(path):
        raise ImportRowError(f"{name} is missing.")
    return path


def parse_json(text: str) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: it is none, or nested deeper than can be read.
    """
    try:
        return json.loads(text)
    except RecursionError as e:
        raise ValueError("it is nested too deeply") from e


def read_text(path: Path) -> str:
    """A text file in UTF-8, UTF-16 with its mark, or else Windows-1252; none of its bytes is passed over.

    Raises:
        MediaError: it is no file that can be read, larger than what is held in memory, or in none of these.
    """
    data = require_file(path, TABLE_MB, may_be_empty=True).read_bytes()
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        with suppress(UnicodeDecodeError):
            return data.decode(encoding)
    raise MediaError(f"{path} is not a text in UTF-8, UTF-16 or Windows-1252.", "Save it as UTF-8.")
