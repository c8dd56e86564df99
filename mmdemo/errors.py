"""What can go wrong, in words for the person who met it.

    Exception
    └── MmdemoError            a sentence on what is wrong, a sentence on what to do
        ├── UserError          the input is wrong: a page shows it, a command prints it and exits 2
        │   ├── MediaError     a file that cannot be read as the modality it was given for
        │   ├── ImportRowError one row of an import; the rest of the import goes on
        │   ├── DataError      what a fine-tuning lacks, with the row to mend
        │   └── AccessError    a pass phrase is needed first
        ├── StorageError       the disk or the database refused; nothing was half-written
        └── RegistryError      a plug-in adds a name that is taken

Lower layers raise these and never print or exit; one wrapper in the page and one in the command line
turn them into words.
"""

from __future__ import annotations


class MmdemoError(Exception):
    """A fault with its cure.

    Args:
        what: what is wrong, with the value that is wrong, as a sentence.
        cure: what to do about it, as a sentence.
    """

    def __init__(self, what: str, cure: str = "") -> None:
        self.what = what
        self.cure = cure
        super().__init__(f"{what} {cure}".strip())


class UserError(MmdemoError):
    """The input is wrong; exit status 2 on the command line."""


class MediaError(UserError):
    """A file that cannot be read as the modality it was given for."""


class ImportRowError(UserError):
    """One row of an import cannot be used; the others can."""


class DataError(UserError):
    """The labels cannot be trained on as they are."""


class AccessError(UserError):
    """The page is open to look at; changing something needs the pass phrase."""


class StorageError(MmdemoError):
    """The disk or the database refused; nothing was half-written."""


class RegistryError(MmdemoError):
    """A name that is taken in a table; a fault of whoever adds it."""
