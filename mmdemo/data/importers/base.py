"""What an importer is, and the table of importers.

An importer is one file in this folder, or a file of another package (see mmdemo/registry.py): a class that
follows `Importer`, and a line that puts it into the table under its name:

    IMPORTERS.add(CocoCaptions.name, CocoCaptions())

Each is asked how sure it is that a source is one of its own, and the surest gets it, unless a person chooses
another. It is listed in the Data tab by its `about`, and used by whatever imports: the page, the command
line, and `evaluate --pairs`. `docs/importers.md` is the contract in full, with an example.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mmdemo.data.rows import Row, Skipped
from mmdemo.data.source import Source
from mmdemo.errors import UserError
from mmdemo.media.regular_file import is_there, require_file_or_folder
from mmdemo.registry import Registry, modules_in
from mmdemo.settings import MAX_FILE_MB

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recognition:
    """How sure an importer is that a source is one of its own.

    Those that ship say 1 of what is named as theirs, 0.9 of a file that only their layout has, 0.6-0.85 of a
    table or of texts beside files, by how many of the files it names are there, 0.4 of folders that may be
    classes and 0.2 of any folder.
    """

    sure: float  # 0..1; 0: it is none of its own
    why: str = ""  # what it has seen, as a sentence
    read_once: bool = False  # whether a reading costs so much that rows are not counted beforehand


NOT_MINE = Recognition(0.0)


@runtime_checkable
class Importer(Protocol):
    """A source of rows: a layout of files and tables that some tool or corpus has."""

    name: str  # in the table, and where the page says what a source is read as
    about: str  # what it takes, as one line for the page: "a COCO captions JSON"

    def recognise(self, source: Source) -> Recognition:
        """How sure it is that the source, which may be a folder, a file or datasets:NAME, is its own.

        It looks at names, the beginnings of files, and tables that are read anyway.
        """
        ...

    def rows(self, source: Source) -> Iterator[Row | Skipped]:
        """The rows of the source in its order, numbered from 1, each made when it is asked for.

        A row that cannot be imported is a `Skipped` with its reason, and the rows after it follow.

        Raises:
            UserError: the source as a whole cannot be read.
        """
        ...


IMPORTERS: Registry[Importer] = Registry("importer", Importer, modules_in(__package__))


@dataclass(frozen=True)
class Candidate:
    """An importer that a source may be for."""

    importer: Importer
    sure: float
    why: str
    read_once: bool = False


def candidates(source: Source) -> list[Candidate]:
    """The importers that a source may be for, the surest first."""
    found = []
    for importer in IMPORTERS.values():
        recognised = _recognise(importer, source)
        if recognised.sure > 0:
            found.append(Candidate(importer, recognised.sure, recognised.why, recognised.read_once))
    return sorted(found, key=lambda c: -c.sure)


def _recognise(importer: Importer, source: Source) -> Recognition:
    try:
        return importer.recognise(source)
    except (UserError, OSError, ValueError):  # a table that is none, a name that nothing can have
        return NOT_MINE
    except MemoryError:
        raise
    except Exception as e:  # another package's, or what a file of an odd form does to ours
        log.warning("%s cannot say whether %s is its own", importer.name, source.path, exc_info=e)
        return NOT_MINE


def choose(source: Source, layout: str = "") -> tuple[Candidate, list[Candidate]]:
    """The importer of a source, and all that it may be for.

    Args:
        source: what is to be imported.
        layout: the name of the importer that a person has chosen; empty: the surest.

    Raises:
        UserError: the source is not there, nobody takes it, or the one that was chosen does not.
    """
    path = source.path
    if is_there(path):
        require_file_or_folder(path, MAX_FILE_MB)
    wanted = IMPORTERS.get(layout) if layout else None
    found = candidates(source)
    if wanted is not None:
        chosen = next((c for c in found if c.importer is wanted), None)
        if chosen is not None:
            return chosen, found
        known = ", ".join(c.importer.name for c in found) or "none"
        raise UserError(f"{path.name} is not {wanted.about}.", f"It may be read as: {known}.")
    if found:
        return found[0], found
    if not is_there(path):
        raise UserError(f"{path} does not exist.", "Check the path, or name a data set as datasets:NAME.")
    raise UserError(
        f"{path.name} is nothing that can be imported.",
        f"Use one of: {'; '.join(importer.about for importer in IMPORTERS.values())}.",
    )
