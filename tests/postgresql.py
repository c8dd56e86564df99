"""A PostgreSQL of the tests' own: a new cluster in a temporary folder, on a free port of 127.0.0.1."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

USER = "postgres"  # PostgreSQL refuses to run as root, so root starts it as this user
UNSAFE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")  # it lives as long as the tests


def binaries() -> Path | None:
    """The folder with initdb and pg_ctl: where PATH or Debian has them, the newest version."""
    on_path = shutil.which("pg_ctl")
    if on_path and (Path(on_path).parent / "initdb").exists():
        return Path(on_path).parent
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((p.parent for p in found), key=lambda p: int(p.parent.name), default=None)


def why_not() -> str:
    """Why there is no PostgreSQL to be had here; empty: there is."""
    if binaries() is None:
        return "there is no PostgreSQL; install Debian's postgresql"
    if os.geteuid() == 0 and USER not in {entry.pw_name for entry in pwd.getpwall()}:
        return f"PostgreSQL does not run as root and there is no user {USER}"
    return ""


@dataclass(frozen=True)
class Cluster:
    """A cluster in a folder, which can go away and come back."""

    folder: Path
    port: int
    durable: bool = False  # whether it waits for the disk

    @property
    def address(self) -> str:
        """Without a database's name, as SQLAlchemy takes it."""
        return f"postgresql+psycopg://mmdemo@127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = [f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories="]
        settings += [] if self.durable else UNSAFE
        log = str(self.folder / "log")
        self._run("pg_ctl", "start", "-w", "-l", log, "-o", " ".join(f"-c {s}" for s in settings))

    def stop(self) -> None:
        """End it at once, as a kill would."""
        self._run("pg_ctl", "stop", "-m", "immediate")

    @contextmanager
    def away(self) -> Iterator[None]:
        """Within this block it is not there."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def init(self) -> None:
        """Make it."""
        self._run("initdb", "--username=mmdemo", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")

    def _run(self, program: str, *arguments: str) -> None:
        programs = binaries()
        assert programs is not None
        command = [str(programs / program), "-D", str(self.folder / "data"), *arguments]
        user = USER if os.geteuid() == 0 else None
        subprocess.run(command, check=True, user=user, cwd=self.folder, stdout=subprocess.DEVNULL)


@contextmanager
def cluster(*, durable: bool = False) -> Iterator[Cluster]:
    """Make and start a cluster. It goes afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mmdemo-postgresql-"))
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        made = Cluster(folder, s.getsockname()[1], durable)
    try:
        made.init()
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def execute(server: str, statement: str) -> None:
    """Run one statement outside a transaction on the server's own database."""
    address = server.replace("+psycopg", "")
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(statement)  # type: ignore[call-overload]
