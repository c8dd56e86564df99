"""What can go wrong, in words for the person who met it.

    Exception
    └── MmdemoError            a sentence on what is wrong, a sentence on what to do
        ├── UserError          the input is wrong: a page shows it, a command prints it and exits 2
        │   ├── MediaError     a file that cannot be read as the modality it was given for
        │   │   ├── GoneError  a file outside that is there no more, or is another one by now
        │   │   └── LostError  what was made of media is not there, and their files may be gone too
        │   ├── ImportRowError one row of an import; the rest of the import goes on
        │   ├── NotJsonError   a file that is no JSON; a ValueError too, for who tries whether it is
        │   ├── DataError      what a fine-tuning lacks, with the row to mend
        │   ├── NumberError    a feature, a loss or a score that is infinite or not a number
        │   ├── OutsideError   a name that leads out of the folder that it belongs to
        │   ├── AccessError    who asks may not
        │   └── NameTakenError  another labels under that name by now
        ├── StorageError       the disk or the database refused; nothing was half-written
        │   ├── UnavailableError  for a while: the same again, a little later, may do
        │   └── DamagedError   what is kept cannot be read
        ├── BusyError          too much is asked for at once
        └── RegistryError      a plug-in adds a name that is taken

Lower layers raise these and never print or exit; one wrapper in the page and one in the command line
turn them into words.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable
from dataclasses import dataclass


class MmdemoError(Exception):
    """A fault with its cure.

    It is one line, whatever a library or a file's name has put into it: that is what a command prints.

    Args:
        what: what is wrong, with the value that is wrong, as a sentence.
        cure: what to do about it, as a sentence.
    """

    def __init__(self, what: str, cure: str = "") -> None:
        self.what = one_line(what)
        self.cure = one_line(cure)
        super().__init__(f"{self.what} {self.cure}".strip())


class UserError(MmdemoError):
    """The input is wrong; exit status 2 on the command line."""


class NotJsonError(UserError, ValueError):
    """A file is no JSON: a sentence, and for who tries whether it is one a value that is none."""


class MediaError(UserError):
    """A file that cannot be read as the modality it was given for."""


class GoneError(MediaError):
    """A file that an item is read from outside is there no more, or is another one by now."""


class LostError(MediaError):
    """What was made of media is not there, as where their files are gone too; `lost` are ids or keys."""

    def __init__(self, what: str, cure: str, lost: Iterable[str]) -> None:
        super().__init__(what, cure)
        self.lost = frozenset(lost)


class ImportRowError(UserError):
    """One row of an import cannot be used; the others can."""


class DataError(UserError):
    """The labels cannot be trained on as they are."""


class NumberError(UserError):
    """A feature, a loss or a score is infinite or not a number; its file, pair or setting is named."""


class OutsideError(UserError):
    """A name leads out of the folder that it belongs to."""


class NameTakenError(UserError):
    """Another labels under a name that was nobody's a moment ago."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is another's name.", "Choose another.")


class AccessError(UserError):
    """Whoever asks may not, or has shown a key that opens nothing."""


class StorageError(MmdemoError):
    """The disk or the database refused; nothing was half-written."""


class UnavailableError(StorageError):
    """The database is away or busy for a while; the same again, a little later, may do."""


class BusyError(MmdemoError):
    """Too much is asked for at once; the same again, a little later, does."""


class DamagedError(StorageError):
    """What is kept cannot be read, and is not as it was written."""


class RegistryError(MmdemoError):
    """A name that is taken in a table; a fault of whoever adds it."""


def one_line(text: str) -> str:
    """A text without line breaks and without what steers a terminal."""
    lines = (line.strip() for line in re.split(r"[\r\n]", text))
    return re.sub(r"[\x00-\x1f\x7f]", "", " ".join(line for line in lines if line))


def reason(e: BaseException) -> str:
    """Why something failed, from whatever a library raised: its first line, without a full stop."""
    why = e.what if isinstance(e, MmdemoError) else getattr(e, "strerror", None) or str(e)
    return (str(why).strip().splitlines() or [type(e).__name__])[0].rstrip(".: ") or type(e).__name__


def unforeseen(what: str, e: BaseException) -> str:
    """What to say of work that failed for a reason which nobody counted on: to whom it is told is not known,
    and what a library says may name folders, hosts and statements. The log has it, by whoever calls this.

    Args:
        what: as "The run failed".
        e: what was raised.
    """
    return f"{what} ({type(e).__name__}). The log says more."


@dataclass(frozen=True)
class Refusal:
    """What it means that the system refused to write."""

    cure: str
    of_the_name: bool = False  # whether another name would do: the input is wrong where a person chose it


REFUSALS = {
    errno.ENOSPC: Refusal("Free some disk space."),
    errno.EDQUOT: Refusal("Free some disk space, or ask for a larger quota."),
    errno.EFBIG: Refusal("Choose a disk that takes files of that size.", True),
    errno.EACCES: Refusal("Choose a place that you may write to.", True),
    errno.EPERM: Refusal("Choose a place that you may write to.", True),
    errno.EROFS: Refusal("Choose a place that is not read-only.", True),
    errno.ENOENT: Refusal("Make the folder first, or choose another.", True),
    errno.ENOTDIR: Refusal("A part of the path is a file: choose another place.", True),
    errno.EISDIR: Refusal("That is a folder: name a file in it.", True),
    errno.EEXIST: Refusal("Something of that name is there: choose another.", True),
    errno.ENOTEMPTY: Refusal("Choose another name.", True),
    errno.EXDEV: Refusal("Choose a place on the same disk.", True),
    errno.ENAMETOOLONG: Refusal("Choose a shorter name.", True),
    errno.EINVAL: Refusal("Choose another name.", True),
    errno.ELOOP: Refusal("The links in the path lead in a circle: choose another place.", True),
    errno.EMFILE: Refusal("Close other programs, or raise the limit of open files."),
    errno.ENFILE: Refusal("Close other programs, or raise the limit of open files."),
}


def cannot_write(what: str, e: OSError, *, named: bool = False) -> MmdemoError:
    """What to say of a file or folder that could not be written, by the system's own reason.

    Args:
        what: what could not be done, as "The export could not be written".
        e: what the system said.
        named: whether a person has chosen the place: then a place that cannot be used is wrong input.
    """
    known = REFUSALS.get(e.errno or 0, Refusal("Check the disk and its permissions."))
    kind = UserError if named and known.of_the_name else StorageError
    return kind(f"{what}: {reason(e)}.", known.cure)


def is_disk_full(e: Exception) -> bool:
    """Whether an error of a library says that nothing more can be written; safetensors says so in words."""
    full = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    if isinstance(e, OSError):
        return e.errno in full
    return any(f"os error {number}" in str(e) for number in full)
