"""What every importer yields: a `Row` for what can be imported, a `Skipped` with a reason for what cannot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmdemo.errors import ImportRowError
from mmdemo.label_kinds import LABEL_KINDS, UNLABELLED
from mmdemo.media.regular_file import TABLE_MB, require_file


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
    path = (root / name.strip().replace("\\", "/")).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ImportRowError(f"{name} lies outside the folder of the manifest.")
    if not path.is_file():
        raise ImportRowError(f"{name} is missing.")
    return path


def read_text(path: Path) -> str:
    """A text file in UTF-8, UTF-16 with its mark, or else Windows-1252, which any bytes are.

    Raises:
        MediaError: it is no file that can be read, or larger than what is held in memory.
    """
    data = require_file(path, TABLE_MB, may_be_empty=True).read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
