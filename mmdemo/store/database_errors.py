"""What a database refuses, in words: each reason has a sentence of its own, and a kind of error."""

from __future__ import annotations

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from mmdemo.errors import DamagedError, MmdemoError, StorageError, UnavailableError, UserError, reason

log = logging.getLogger(__name__)
LEAST_FREE = 1_000_000  # bytes; SQLite says of a disk with less only that it cannot open or lock its files


@dataclass(frozen=True)
class Reason:
    """Why a database refuses."""

    why: str  # after "Nothing was saved: "
    cure: str
    kind: type[MmdemoError] = StorageError


FULL = Reason("the disk is full", "Free some disk space.")
BUSY = Reason(
    "the database is busy", "Try again when the other program that writes to it has ended.", UnavailableError
)
AWAY = Reason(
    "the database cannot be reached", "Try again in a moment, or see that it runs.", UnavailableError
)
READ_ONLY = Reason("the database is read-only", "Make the workspace's folder and its database writable.")
STANDBY = Reason("the database is read-only", "Name the server that takes writes in MMDEMO_DATABASE_URL.")
SHUT = Reason("the database cannot be opened", "See that the workspace's folder is there and writable.")
DISK = Reason("the disk does not read or write", "Check the disk.")
DAMAGED = Reason("the database is damaged", "Restore a backup.", DamagedError)
FORBIDDEN = Reason("the database lets this user do too little", "Check MMDEMO_DATABASE_URL.")
UNSTORABLE = Reason("a value cannot be stored", "Shorten it, or leave out what is no text.", UserError)

SQLITE = {  # by the primary result code (sqlite.org/rescode.html)
    sqlite3.SQLITE_FULL: FULL,
    sqlite3.SQLITE_BUSY: BUSY,
    sqlite3.SQLITE_LOCKED: BUSY,
    sqlite3.SQLITE_PROTOCOL: BUSY,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_PERM: READ_ONLY,
    sqlite3.SQLITE_CANTOPEN: SHUT,
    sqlite3.SQLITE_IOERR: DISK,
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_TOOBIG: UNSTORABLE,
}
OF_THE_DISK = (SHUT, DISK)  # what may also mean that it is full
POSTGRESQL = {  # by the beginning of its SQLSTATE, the longest that fits
    "08": AWAY,  # the connection
    "22": UNSTORABLE,
    "25006": STANDBY,
    "28": FORBIDDEN,  # who one is
    "3D000": FORBIDDEN,  # no such database
    "40": BUSY,  # two transactions in each other's way
    "42501": FORBIDDEN,  # what one may
    "53": AWAY,  # too many connections, no memory
    "53100": FULL,
    "54000": UNSTORABLE,  # too long for the index of words
    "55P03": BUSY,  # another one has the lock
    "57": AWAY,  # it shuts down, starts or was ended
    "57014": BUSY,  # it took too long
    "58": DISK,
    "XX001": DAMAGED,
    "XX002": DAMAGED,
}


@contextmanager
def in_words(what: str, file: Path | None) -> Iterator[None]:
    """What the database refuses within this block is said in a sentence.

    Args:
        what: what did not come about, as "Nothing was saved".
        file: SQLite's; None: it is another database.

    Raises:
        UnavailableError: it is away or busy, for a while.
        DamagedError: it is damaged.
        StorageError: the disk or the database refuses until somebody sees to it.
        UserError: a value that no database of ours stores.
    """
    try:
        yield
    except NoConnectionFree as e:
        raise _worded(BUSY, what, e) from e
    except DBAPIError as e:
        known = _reason_of(e, file)
        if known is None:  # such as a constraint that is broken: a fault of ours
            raise
        raise _worded(known, what, e.orig or e) from e
    except (OverflowError, UnicodeEncodeError) as e:  # of a number, or of half a character
        raise _worded(UNSTORABLE, what, e) from e


def is_away(e: DBAPIError) -> bool:
    """Whether a database could not be reached, so that nothing was asked of it."""
    return _reason_of(e, None) is AWAY


def _reason_of(e: DBAPIError, file: Path | None) -> Reason | None:
    code = getattr(e.orig, "sqlite_errorcode", None)
    if code is not None:
        known = SQLITE.get(code & 0xFF)
        return FULL if known in OF_THE_DISK and file is not None and _is_full(file) else known
    if isinstance(e.orig, sqlite3.Error):
        return None
    state = getattr(e.orig, "sqlstate", None)
    if state:
        return next((POSTGRESQL[state[:n]] for n in (5, 2) if state[:n] in POSTGRESQL), None)
    if isinstance(e, OperationalError | InterfaceError):  # libpq's own: there was no server to give a state
        return AWAY
    return UNSTORABLE  # the driver's own, such as of a NUL


def _is_full(file: Path) -> bool:
    try:
        return shutil.disk_usage(file.parent).free < LEAST_FREE
    except OSError:
        return False


def _worded(known: Reason, what: str, e: BaseException) -> MmdemoError:
    if known is AWAY:  # whether what was sent before has arrived, nobody knows
        return UnavailableError("The database cannot be reached.", known.cure)
    if known is FORBIDDEN:  # the database names its users, tables and hosts: that is for the log
        log.warning("%s: %s (%s)", what, known.why, reason(e))
    why = f"{known.why} ({reason(e)})" if known is UNSTORABLE else known.why
    return known.kind(f"{what}: {why}.", known.cure)
