"""The database: its engine, its migrations, and the two ways to talk to it, reading and writing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session

from mmdemo.errors import StorageError, UnavailableError, reason
from mmdemo.store.database_errors import BUSY, in_words, is_away
from mmdemo.store.tables import now

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
BUSY_MS = 30_000  # how long a writer waits for another's transaction
AGAIN_S = 0.2  # after which a server that could not be reached is asked once more
MOST_CONNECTIONS = 40  # beyond the five that are kept; PostgreSQL takes a hundred of everybody's
PATIENCE = {  # of libpq: a server that is gone without a word is noticed within half a minute
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
ONE_WRITER = 0x6D6D_6465_6D6F  # "mmdemo": the lock that writers of all processes take
TAKE_OR_LEAVE = f"SELECT pg_try_advisory_xact_lock({ONE_WRITER})"
READING: dict[str, dict[str, Any]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
WRITING: dict[str, dict[str, Any]] = {
    "sqlite": {"write": True},
    "postgresql": {"write": True, "isolation_level": "READ COMMITTED"},  # as it stands once the lock is had
}
FILE = "file"  # in what is noted of a connection: which file it is to
DURABLE = "durable"  # and whether its commits wait for the disk
MOST_VALUES = 500  # in one list of a query; SQLite took 999 at most before 3.32
Value = TypeVar("Value")


class Database:
    """An SQLAlchemy engine that commits durably, whichever database it is over.

    A commit that has returned survives a power cut: SQLite runs in WAL mode with `synchronous=FULL`, and
    PostgreSQL is asked for `synchronous_commit` where its server is set up without. A write transaction takes
    a lock at its beginning that all processes share, so writers queue and never fail halfway; a read sees one
    moment. Connections that a server has ended meanwhile are noticed when they are taken up, and replaced.
    """

    def __init__(self, url: str, revision: str = "head") -> None:
        try:
            named = make_url(url)
            if named.get_backend_name() == "sqlite":
                self.engine = create_engine(named, connect_args={"timeout": BUSY_MS / 1000})
            else:
                patience = {name: value for name, value in PATIENCE.items() if name not in named.query}
                self.engine = create_engine(
                    named, connect_args=patience, pool_pre_ping=True, max_overflow=MOST_CONNECTIONS
                )
        except (ArgumentError, ImportError) as e:
            raise StorageError(
                f"MMDEMO_DATABASE_URL cannot be used: {e}.",
                "Write it as postgresql+psycopg://USER:PASSWORD@HOST/NAME.",
            ) from e
        self._write_lock = threading.Lock()  # writers of this process queue here, cheaper than in SQLite
        if self.engine.dialect.name == "sqlite":
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "connect", self._note_file)
            event.listen(self.engine, "begin", _begin_sqlite)
        else:
            event.listen(self.engine, "connect", _configure_postgresql)
            event.listen(self.engine, "begin", _begin_postgresql)
        self._opened = False  # before that a connection makes the file
        self.migrate(revision)
        self._opened = True

    def migrate(self, revision: str = "head") -> None:
        """Bring the tables to today's form, or that of a revision; nothing is dropped."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        try:
            with self._unchecked() as connection, connection.begin():
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
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
        if self._file and not os.access(self._file.parent, os.W_OK):
            return StorageError(
                f"The folder {self._file.parent} cannot be written to, and its database needs that.",
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
        with self._connected(**WRITING[self.engine.dialect.name]) as connection:
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
        """A session that sees one moment and changes nothing.

        Raises:
            StorageError: the database cannot be read; see `in_words`.
        """
        with (
            in_words("The database cannot be read", self._file),
            self._connected(**READING[self.engine.dialect.name]) as connection,
            Session(connection, autoflush=False) as session,
        ):
            self._require_there(connection)
            yield session

    @contextmanager
    def write(self, *, waits: bool = True, durable: bool = True) -> Iterator[Session]:
        """A session whose changes are on disk when the block has ended, or not made at all.

        Args:
            waits: for others that write; else it is refused at once where one does.
            durable: else a power cut may take its changes, and those alone: nobody waits for the disk.

        Raises:
            StorageError: the disk is full, the database cannot be written to or reached, or it is locked for
                too long; see `in_words`.
        """
        with (
            in_words("Nothing was saved", self._file),
            self._writing(BUSY_MS / 1000 if waits else 0),
            self._connected(**WRITING[self.engine.dialect.name], waits=waits, durable=durable) as connection,
            Session(connection, expire_on_commit=False) as session,
        ):
            self._require_there(connection)
            yield session
            self._require_there(connection)  # what is written to a file that nobody finds is lost
            session.commit()

    def identity(self) -> tuple[int, int] | None:
        """What tells the database's file from another that may take its place; None: it is on a server.

        Raises:
            StorageError: it is gone.
        """
        if self._file is None:
            return None
        found = _which(self._file)
        if found is None:
            raise self._gone(self._file)
        return found

    def _note_file(self, _connection: Any, record: Any) -> None:
        """Which file a connection is to, for as long as it is open."""
        if self._file is not None:
            record.info[FILE] = _which(self._file)

    def _require_there(self, connection: Connection) -> None:
        """Refuse to go on with a file that was deleted, or that another one has the name of by now.

        Raises:
            StorageError: which.
        """
        if self._file is None:
            return
        is_now = _which(self._file)
        if is_now == connection.info.get(FILE):
            return
        self.engine.dispose()  # the next one is to the file that is there
        if is_now is None:
            raise self._gone(self._file)
        connection.invalidate()
        raise UnavailableError(
            f"The database of {self._file.parent} is another one by now.", "Try again in a moment."
        )

    def _gone(self, file: Path) -> StorageError:
        return StorageError(
            f"The workspace {file.parent} is gone: somebody has moved or deleted it.",
            "Put it back, or start mmdemo again.",
        )

    @property
    def _file(self) -> Path | None:
        """SQLite's."""
        name = self.engine.url.database if self.engine.dialect.name == "sqlite" else None
        return Path(name) if name else None

    @contextmanager
    def _writing(self, wait_s: float) -> Iterator[None]:
        """This process's turn to write."""
        if not self._write_lock.acquire(timeout=wait_s):
            raise _busy()
        try:
            yield
        finally:
            self._write_lock.release()

    @contextmanager
    def _connected(self, **how: Any) -> Iterator[Connection]:
        """A connection; of a server that has just come back, or is about to, the second one.

        Nothing was asked of it yet, so nothing is done twice.
        """
        if self._opened and self._file is not None and not self._file.exists():
            raise self._gone(self._file)
        try:
            connection = self.engine.connect()
        except DBAPIError as e:
            if not is_away(e):
                raise
            time.sleep(AGAIN_S)
            connection = self.engine.connect()
        with connection:
            yield connection.execution_options(**how)

    def close(self) -> None:
        """Release every connection."""
        self.engine.dispose()


def clock(session: Session) -> datetime:
    """The time that leases go by: of several machines the database's, which is one for all."""
    if session.get_bind().dialect.name == "sqlite":
        return now()
    found: datetime = session.execute(select(func.timezone("utc", func.clock_timestamp()))).scalar_one()
    return found


def in_parts(values: Sequence[Value], most: int = MOST_VALUES) -> Iterator[Sequence[Value]]:
    """Values in parts that one query can name, or of so many."""
    for start in range(0, len(values), most):
        yield values[start : start + most]


def _which(file: Path) -> tuple[int, int] | None:
    """What tells a file from another one of its name; None: there is none."""
    try:
        facts = file.stat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin_sqlite` says
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Any) -> None:
    how = connection.get_execution_options()
    durable = how.get("durable", True)
    if how.get("write") and durable != connection.info.get(DURABLE, True):
        connection.exec_driver_sql(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        connection.info[DURABLE] = durable
    if how.get("waits", True):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if how.get("write") else "BEGIN")
        return
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MS}")


def _configure_postgresql(connection: Any, _record: Any) -> None:
    connection.autocommit = True  # what is set here holds for as long as the connection
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {BUSY_MS}")
        cursor.execute("SHOW synchronous_commit")
        if cursor.fetchone()[0] == "off":  # then a commit would return before it is on disk
            cursor.execute("SET synchronous_commit = on")
    connection.autocommit = False


def _begin_postgresql(connection: Any) -> None:
    how = connection.get_execution_options()
    if how.get("write") and how.get("waits", True):
        more = "" if how.get("durable", True) else ", set_config('synchronous_commit', 'off', true)"
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({ONE_WRITER}){more}")
    elif how.get("write") and not connection.exec_driver_sql(TAKE_OR_LEAVE).scalar():
        raise _busy()


def _busy() -> UnavailableError:
    return UnavailableError(f"Nothing was saved: {BUSY.why}.", "Try again in a moment.")
