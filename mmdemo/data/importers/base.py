"""What an importer is, and the table of importers.

An importer is one file in this folder, or a file of another package (see mmdemo/registry.py): a class that
follows `Importer`, and a line that puts it into the table under its name:

    IMPORTERS.add(CocoCaptions.name, CocoCaptions())

It is asked in the order of `order`, listed in the Data tab by its `about`, and used by whatever imports: the
page, the command line, and `evaluate --pairs`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from mmdemo.data.rows import Row, Skipped
from mmdemo.errors import UserError
from mmdemo.media.regular_file import is_there, require_file_or_folder
from mmdemo.registry import Registry, modules_in
from mmdemo.settings import MAX_FILE_MB


@runtime_checkable
class Importer(Protocol):
    """A source of rows: a layout of files and tables that some tool or corpus has.

    Its place in the order of asking is a number, lowest first, and the first that accepts a path gets it.
    Those that ship have 100-199 for corpora of speech and 200-299 for those of videos, whose tables a
    manifest would take too; 300 COCO; 400 data sets; 500 manifests; 900-999 folders, which take any folder.
    """

    name: str  # in the table, and where the page says what a source is read as
    about: str  # what it takes, as one line for the page: "a COCO captions JSON"
    order: int

    def accepts(self, path: Path) -> bool:
        """Whether the path, which may be a folder, a file or datasets:NAME, is one of its sources.

        It looks at names and the beginnings of files only, and raises nothing.
        """
        ...

    def rows(self, path: Path) -> Iterator[Row | Skipped]:
        """The rows of the source in its order, numbered from 1, each made when it is asked for.

        A row that cannot be imported is a `Skipped` with its reason, and the rows after it follow.

        Raises:
            UserError: the source as a whole cannot be read.
        """
        ...


IMPORTERS: Registry[Importer] = Registry("importer", Importer, modules_in(__package__))


def importers() -> list[Importer]:
    """All importers, in the order of asking."""
    return sorted(IMPORTERS.values(), key=lambda importer: importer.order)


def takes(path: Path) -> bool:
    """Whether any importer takes the path."""
    return any(_accepts(importer, path) for importer in importers())


def _accepts(importer: Importer, path: Path) -> bool:
    try:
        return importer.accepts(path)
    except OSError:  # of a name that nothing can have, or what nobody may look at
        return False


def importer_for(path: Path) -> Importer:
    """The first importer that takes the path.

    Raises:
        UserError: the path is not there, or nobody takes it.
    """
    if is_there(path):
        require_file_or_folder(path, MAX_FILE_MB)
    for importer in importers():
        if _accepts(importer, path):
            return importer
    if not is_there(path):
        raise UserError(f"{path} does not exist.", "Check the path, or name a data set as datasets:NAME.")
    raise UserError(
        f"{path.name} is nothing that can be imported.",
        f"Use one of: {'; '.join(importer.about for importer in importers())}.",
    )
