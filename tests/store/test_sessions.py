"""Who is signed in, on SQLite and on PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mmdemo.errors import UserError
from mmdemo.settings import DATABASE, load_settings
from mmdemo.store import sessions, swap
from mmdemo.store.database import Database
from mmdemo.store.sessions import SessionLog
from mmdemo.store.tables import Grant, SignedIn, now
from mmdemo.store.workspace import Workspace

DAY = timedelta(days=1)


@pytest.fixture
def ws(tmp_path: Path, database_url: str) -> Iterator[Workspace]:
    found = Workspace(load_settings({}, workspace=tmp_path, database_url=database_url))
    yield found
    found.close()


@pytest.fixture
def log(ws: Workspace) -> SessionLog:
    return ws.sessions


def signed_in(mark: str, by: str = "owner", ends: timedelta = DAY) -> SignedIn:
    return SignedIn(mark=mark, let_in_by=by, role="owner", name="", ends_at=now() + ends)


def add(log: SessionLog, row: SignedIn) -> None:
    with log._database.write() as session:
        log.add_in(session, row)


def test_a_session_is_good_until_it_is_ended_and_for_what_let_it_in(log: SessionLog) -> None:
    add(log, signed_in("a"))
    add(log, signed_in("b", "grant:1:ab"))
    assert log.use("a", "owner", DAY) and log.use("b", "grant:1:ab", DAY)
    assert not log.use("a", "phrase", DAY) and not log.use("c", "owner", DAY)
    log.end("a")
    assert not log.use("a", "owner", DAY) and [row.mark for row in log.listed()] == ["b"]


def test_what_let_many_in_ends_all_of_their_sessions_and_no_other_s(log: SessionLog) -> None:
    for mark, by in {"a": "grant:1:ab", "b": "grant:1:ab", "c": "grant:11:cd", "d": "grant_1:"}.items():
        add(log, signed_in(mark, by))
    log.end_all_of("grant:1:")
    assert sorted(row.mark for row in log.listed()) == ["c", "d"]


def test_a_session_is_ended_by_what_no_later_one_is_called(log: SessionLog) -> None:
    for mark in ("a" * 64, "a" * 15 + "b" * 49):
        add(log, signed_in(mark))
    assert log.end_called("a" * 15 + "b").mark.endswith("b")
    add(log, signed_in("c" * 64))
    for called in ("a" * 15 + "b", "a" * 11, "", "1", "a" * 11 + "%"):
        with pytest.raises(UserError, match="no session"):
            log.end_called(called)


def test_who_is_signed_in_is_told_at_once_while_another_writes(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    add(ws.sessions, signed_in("a"))
    grant = Grant(kind="token", role="owner", name="", digest="d" * 64, expires_at=now() + 9 * DAY)
    ws.grants.add(grant)
    later = now() + DAY / 2
    monkeypatch.setattr(sessions, "now", lambda: later)
    other = Database(database_url or f"sqlite:///{ws.folder / DATABASE}")
    begun = time.monotonic()
    for writer in (ws.database, other):  # of this process, and of another
        with writer.write() as held:
            held.execute(select(SignedIn.id))
            assert ws.sessions.use("a", "owner", DAY) and ws.grants.token("d" * 64) is not None
    assert time.monotonic() - begun < 10 and ws.sessions.listed()[0].used_at < later
    assert ws.sessions.use("a", "owner", DAY) and ws.sessions.listed()[0].used_at == later
    other.close()


def test_a_session_that_is_used_is_kept_and_one_that_is_over_goes(
    log: SessionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mark in "ab":
        add(log, signed_in(mark))
    later = now() + DAY / 2
    monkeypatch.setattr(sessions, "now", lambda: later)
    assert log.use("a", "owner", DAY)
    later += DAY * 3 / 4
    assert log.use("a", "owner", DAY) and not log.use("b", "owner", DAY)
    add(log, signed_in("c", ends=9 * DAY))
    later -= 2 * DAY
    assert sorted(row.mark for row in log.listed()) == ["a", "c"]


def test_one_key_keeps_so_many_sessions_and_no_more(log: SessionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_OF_ONE", 2)
    for mark in ("other", "a", "b", "c"):
        add(log, signed_in(mark, "owner" if mark == "other" else "hub"))
    assert [row.mark for row in log.listed()] == ["c", "b", "other"]


def test_a_restore_signs_in_nobody_and_out_nobody(ws: Workspace, only_sqlite: None, tmp_path: Path) -> None:
    """Who signed out since the backup stays out."""
    from mmdemo.store.backup import back_up, replace

    add(ws.sessions, signed_in("out"))
    archive = back_up(ws, tmp_path / "backup.zip")
    ws.sessions.end("out")
    add(ws.sessions, signed_in("in"))
    replace(ws, archive)
    ws.follow()
    assert [row.mark for row in ws.sessions.listed()] == ["in"]


def test_who_signs_out_while_a_backup_is_taken_in_stays_out(
    ws: Workspace, only_sqlite: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmdemo.store.backup import back_up, replace

    for mark in ("out", "in"):
        add(ws.sessions, signed_in(mark))
    archive, last_step = back_up(ws, tmp_path / "backup.zip"), swap._replace_rows

    def replace_rows(*given: Any) -> None:
        ws.sessions.end("out")
        last_step(*given)

    monkeypatch.setattr(swap, "_replace_rows", replace_rows)
    replace(ws, archive)
    ws.follow()
    assert [row.mark for row in ws.sessions.listed()] == ["in"]
