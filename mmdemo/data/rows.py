"""What every importer yields, and the table of importers.

An importer is one file: a class with `name`, `about`, `accepts` and `rows`, put into the table by
`register`. It yields a `Row` for what can be imported and a `Skipped` with a reason for what cannot, and
never stops at one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmdemo.errors import ImportRowError, UserError
from mmdemo.media import audio, video
from mmdemo.media.image import SUFFIXES


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


class Importer(Protocol):
    """A source of rows."""

    name: str
    about: str  # one line for the page

    def accepts(self, path: Path) -> bool:
        """Whether this importer is for that path."""
        ...

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """The rows of the source, in its order."""
        ...


IMPORTERS: dict[str, Importer] = {}


def register(importer: Importer) -> Importer:
    """Add an importer to the table; the order of registration is the order of asking."""
    if importer.name in IMPORTERS:
        raise ValueError(f"an importer named {importer.name!r} is registered already")
    IMPORTERS[importer.name] = importer
    return importer


def importer_for(path: Path) -> Importer:
    """The first importer that takes the path.

    Raises:
        UserError: the path is not there, or nobody takes it.
    """
    for importer in IMPORTERS.values():
        if importer.accepts(path):
            return importer
    if not path.exists():
        raise UserError(f"{path} does not exist.", "Check the path, or name a data set as datasets:NAME.")
    raise UserError(
        f"{path.name} is nothing that can be imported.",
        f"Use one of: {'; '.join(i.about for i in IMPORTERS.values())}.",
    )


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


def is_medium(path: Path) -> bool:
    """Whether a file is named like a picture or a recording and is not hidden."""
    known = path.suffix.lower() in SUFFIXES | audio.SUFFIXES | video.SUFFIXES
    return known and not path.name.startswith(".")


def read_text(path: Path) -> str:
    """A text file in UTF-8, UTF-16 with its mark, or else Windows-1252, which any bytes are."""
    data = path.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")
