"""The database: its engine, its migrations, and the two ways to talk to it, reading and writing."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session

from mmdemo.errors import StorageError, reason

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
BUSY_MS = 30_000  # how long a writer waits for another process's transaction
MOST_VALUES = 500  # in one list of a query; SQLite took 999 at most before 3.32
Value = TypeVar("Value")


class Database:
    """An SQLAlchemy engine that commits durably.

    SQLite runs in WAL mode with foreign keys on and `synchronous=FULL`: a commit that has returned survives a
    power cut. A write transaction takes the write lock at its beginning, so two writers queue and never fail
    halfway.
    """

    def __init__(self, url: str) -> None:
        try:
            self.engine = create_engine(
                url, connect_args={"timeout": BUSY_MS / 1000} if url.startswith("sqlite") else {}
            )
        except (ArgumentError, ImportError) as e:
            raise StorageError(
                f"MMDEMO_DATABASE_URL cannot be used: {e}.",
                "Write it as postgresql+psycopg://USER:PASSWORD@HOST/NAME.",
            ) from e
        self._write_lock = threading.Lock()  # writers of this process queue here, cheaper than in SQLite
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)
        self.migrate()

    def migrate(self) -> None:
        """Bring the tables to today's form; nothing is dropped."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        try:
            with self._unchecked() as connection, connection.begin():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                if connection.dialect.name == "sqlite":
                    lost = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
                    if lost is not None:
                        raise StorageError(
                            f"The database was not upgraded: a row of {lost[0]} refers to none of {lost[2]}.",
                            "Nothing was changed; restore a backup, or go on with the version before.",
                        )
        except DBAPIError as e:
            raise self._unopened(e) from e

    def _unopened(self, e: DBAPIError) -> StorageError:
        """What to say of a database that cannot be opened; SQLite writes beside its file even to read it."""
        file = self.engine.url.database if self.engine.dialect.name == "sqlite" else None
        if file and not os.access(Path(file).parent, os.W_OK):
            return StorageError(
                f"The folder {Path(file).parent} cannot be written to, and its database needs that.",
                "Make it writable, or name another folder as MMDEMO_WORKSPACE.",
            )
        return StorageError(
            f"The database cannot be opened: {reason(e.orig or e)}.",
            "Check MMDEMO_WORKSPACE and MMDEMO_DATABASE_URL.",
        )

    @contextmanager
    def _unchecked(self) -> Iterator[Connection]:
        """A writing connection on which SQLite lets a table that others refer to be made anew.

        That is how it changes a column (sqlite.org/lang_altertable.html, section 7); the switch does nothing
        within a transaction.
        """
        with self.engine.connect().execution_options(write=True) as connection:
            if connection.dialect.name != "sqlite":
                yield connection
                return
            raw = connection.connection.dbapi_connection
            assert raw is not None
            raw.execute("PRAGMA foreign_keys=OFF")
            try:
                yield connection
            finally:
                raw.execute("PRAGMA foreign_keys=ON")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment and changes nothing."""
        with Session(self.engine, autoflush=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are on disk when the block has ended, or not made at all.

        Raises:
            StorageError: the disk is full, the database cannot be written to or reached, or it is locked for
                too long.
        """
        with self._write_lock:
            connection = self.engine.connect().execution_options(write=True)
            try:
                with Session(connection, expire_on_commit=False) as session:
                    yield session
                    session.commit()
            except OperationalError as e:
                raise StorageError(f"Nothing was saved: {reason(e.orig or e)}.", _cure(e)) from e
            finally:
                connection.close()

    @contextmanager
    def closed(self) -> Iterator[None]:
        """No connection is open and no write begins within this block."""
        with self._write_lock:
            self.engine.dispose()
            yield
            self.engine.dispose()

    def close(self) -> None:
        """Release every connection."""
        self.engine.dispose()


CURES = {  # by what SQLite says
    "full": "Free some disk space.",
    "locked": "Try again when the other program that writes to it has ended.",
    "readonly": "Make the workspace's folder and its database writable.",
    "disk i/o": "Check the disk.",
}


def _cure(e: OperationalError) -> str:
    """What to do about a database that refuses to write."""
    said = str(e.orig).lower()
    return next((cure for word, cure in CURES.items() if word in said), "Check that it runs, and try again.")


def in_parts(values: Sequence[Value]) -> Iterator[Sequence[Value]]:
    """Values in parts that one query can name."""
    for start in range(0, len(values), MOST_VALUES):
        yield values[start : start + MOST_VALUES]


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    writing = connection.get_execution_options().get("write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")
