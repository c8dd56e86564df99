"""What a database refuses is said in a sentence of its own, and nothing is half-written."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import event, text

from mmdemo.errors import DamagedError, MmdemoError, StorageError, UnavailableError, UserError
from mmdemo.settings import DATABASE, Settings
from mmdemo.store import database
from mmdemo.store.labels import NewLabel
from mmdemo.store.tables import Activation, Item, Run
from mmdemo.store.workspace import Workspace
from tests import postgresql as server
from tests.conftest import TASK, png
from tests.store.test_labels import pair


def tried(ws: Workspace, at: int) -> MmdemoError:
    """What is said of a label that is not stored."""
    with pytest.raises(MmdemoError) as refused:
        ws.labels.add(at, NewLabel("match"))
    return refused.value


# Both


def test_a_value_that_one_of_the_databases_could_not_keep_is_refused_by_both(ws: Workspace) -> None:
    with ws.database.write() as session:
        session.add(Item(id="i", modality="image", name="n", suffix=".png", source="t", bytes=2**40))
    for row, says in (
        (
            Activation(task=TASK, version_id="v", annotator="x" * 121),
            "The annotator has 121 characters",
        ),
        (Activation(task=TASK, version_id="a\0b"), "The version holds a character that cannot be stored"),
        (Activation(task=TASK, version_id="v", annotator="\ud800"), "The annotator holds a character"),
        (Item(id="j", modality="image", name="n", suffix="", source="t", bytes=2**63), "The bytes is 9223"),
        (
            Item(id="k", modality="image", name="n", suffix="", source="t", bytes=1, width=2**31),
            "The width",
        ),
    ):
        with pytest.raises(UserError, match=says), ws.database.write() as session:
            session.add(row)
    assert ws.items.get("i").bytes == 2**40 and ws.versions.active(TASK)  # type: ignore[union-attr]


@pytest.mark.parametrize("value", ["\ud800", "a\0b", "x" * 10_000])
def test_a_name_that_nothing_can_have_is_refused_or_not_found(ws: Workspace, value: str) -> None:
    try:
        assert ws.items.get(value) is None
    except UserError as e:
        assert "cannot be stored" in str(e)


@pytest.mark.parametrize("value", [2**31, 2**63, 2**70, -1])
def test_a_number_that_nothing_can_have_is_refused_or_not_found(ws: Workspace, value: int) -> None:
    try:
        assert ws.pairs.get(value) is None
    except UserError as e:
        assert "cannot be stored" in str(e)


def test_two_writers_wait_for_each_other_and_both_see_what_the_other_has_written(settings: Settings) -> None:
    stores = [Workspace(settings) for _ in range(2)]  # as two processes
    item = stores[0].add_media("image", png(), "a.png", source="t")
    ids: list[int] = []

    def write(ws: Workspace) -> None:
        for i in range(20):
            ids.append(ws.labels.add_on(TASK, item.id, f"text {i}", NewLabel("match", key=f"k{i}"), "t")[0])

    threads = [threading.Thread(target=write, args=(ws,)) for ws in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ids) == 40 and len(set(ids)) == 20 == stores[0].labels.total()
    for ws in stores:
        ws.close()


def test_a_read_sees_one_moment_though_others_write(ws: Workspace, settings: Settings) -> None:
    at, other = pair(ws), Workspace(settings)
    with ws.database.read() as session:
        before = session.scalar(text("SELECT COUNT(*) FROM labels"))
        other.labels.add(at, NewLabel("match"))
        assert session.scalar(text("SELECT COUNT(*) FROM labels")) == before
    assert ws.labels.total() == 1
    other.close()


def test_a_database_that_another_one_writes_to_for_too_long_is_busy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_MS", 100)
    ws, other = Workspace(settings), Workspace(settings)
    at = pair(ws)
    with other.database.write() as session:
        session.execute(text("UPDATE pairs SET source = 'u'"))
        refused = tried(ws, at)
    assert isinstance(refused, UnavailableError)
    assert str(refused) == (
        "Nothing was saved: the database is busy. "
        "Try again when the other program that writes to it has ended."
    )
    ws.labels.add(at, NewLabel("match"))
    for one in (ws, other):
        one.close()


# SQLite


@pytest.mark.usefixtures("only_sqlite")
def test_a_read_only_database_is_said_to_be_read_only(ws: Workspace) -> None:
    at = pair(ws)

    def lock(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    event.listen(ws.database.engine, "connect", lock)
    ws.database.engine.dispose()
    assert str(tried(ws, at)) == (
        "Nothing was saved: the database is read-only. Make the workspace's folder and its database writable."
    )


@pytest.mark.usefixtures("only_sqlite")
def test_a_damaged_database_is_said_to_be_damaged_and_nothing_more_is_written_to_it(ws: Workspace) -> None:
    at = pair(ws)
    ws.close()
    file = ws.folder / DATABASE
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\x55" * (len(whole) - 4096))
    refused = tried(ws, at)
    assert isinstance(refused, DamagedError)
    assert str(refused) == "Nothing was saved: the database is damaged. Restore a backup."
    with pytest.raises(DamagedError, match=r"^The database cannot be read: the database is damaged\."):
        ws.pairs.get(at)
    ws.close()
    file.write_bytes(whole)
    ws.labels.add(at, NewLabel("match"))


@pytest.mark.usefixtures("only_sqlite")
def test_a_database_without_its_folder_is_said_to_be_gone(ws: Workspace) -> None:
    at = pair(ws)
    ws.close()
    ws.folder.rename(ws.folder.with_name("moved"))
    refused = tried(ws, at)
    assert type(refused) is StorageError and "is gone: somebody has moved or deleted it" in str(refused)
    ws.folder.with_name("moved").rename(ws.folder)


# PostgreSQL


@pytest.fixture
def only_postgresql(database_url: str) -> str:
    """Its URL; skips what is about the server."""
    if not database_url:
        pytest.skip("this is about PostgreSQL's server")
    return database_url


@contextmanager
def shut(url: str) -> Iterator[None]:
    """Within this block nobody gets a connection to that database, and those that are open are ended."""
    address, name = url.rsplit("/", 1)
    server.execute(address, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    server.execute(
        address, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    )
    try:
        yield
    finally:
        server.execute(address, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")


def test_a_server_that_ends_connections_and_takes_new_ones_is_not_noticed(
    ws: Workspace, only_postgresql: str
) -> None:
    at = pair(ws)
    with shut(only_postgresql):
        pass
    assert ws.pairs.get(at) is not None and ws.labels.add(at, NewLabel("match"))


def test_a_server_that_is_away_is_one_sentence_about_the_database_and_comes_back(
    settings: Settings, only_postgresql: str
) -> None:
    with server.cluster() as own:
        server.execute(own.address, "CREATE DATABASE mine")
        ws = Workspace(replace(settings, database_url=f"{own.address}/mine"))
        at = pair(ws)
        with own.away():
            for _ in range(3):
                refused = tried(ws, at)
                assert isinstance(refused, UnavailableError) and str(refused) == (
                    "The database cannot be reached. Try again in a moment, or see that it runs."
                )
            with pytest.raises(UnavailableError, match="cannot be reached"):
                ws.labels.total()
        assert ws.labels.total() == 0 and ws.labels.add(at, NewLabel("match", key="k"))
        ws.close()


def test_a_connection_that_breaks_within_a_transaction_stores_nothing_and_says_so(
    ws: Workspace, only_postgresql: str
) -> None:
    at = pair(ws)
    with pytest.raises(UnavailableError, match="cannot be reached"), ws.database.write() as session:
        session.execute(text("UPDATE pairs SET source = 'half'"))
        with shut(only_postgresql):
            pass
    assert ws.pairs.get(at).source != "half"  # type: ignore[union-attr]


def test_a_commit_waits_for_the_disk_though_the_server_is_set_up_without(
    ws: Workspace, only_postgresql: str
) -> None:
    with ws.database.read() as session:  # the tests' server is
        assert session.scalar(text("SHOW synchronous_commit")) == "on"
        assert (
            session.scalar(text("SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'"))
            == "off"
        )


def test_a_standby_is_said_to_take_no_writes(ws: Workspace, only_postgresql: str) -> None:
    at, (address, name) = pair(ws), only_postgresql.rsplit("/", 1)
    server.execute(address, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    ws.close()
    assert "the database is read-only. Name the server that takes writes" in str(tried(ws, at))


def test_a_worker_that_holds_a_run_is_known_by_its_whole_name(ws: Workspace) -> None:
    with pytest.raises(UserError, match="The holder has 121 characters"):
        ws.runs.create(TASK, "head", "base", {}, "", holder="h" * 121)
    with ws.database.read() as session:
        assert session.query(Run).count() == 0
