"""Who is signed in, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from mmdemo.errors import UserError
from mmdemo.settings import load_settings
from mmdemo.store import sessions
from mmdemo.store.sessions import SessionLog
from mmdemo.store.tables import SignedIn, now
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


def test_a_session_is_good_until_it_is_ended_and_for_what_let_it_in(log: SessionLog) -> None:
    log.add(signed_in("a"))
    log.add(signed_in("b", "grant:1:ab"))
    assert log.use("a", "owner", DAY) and log.use("b", "grant:1:ab", DAY)
    assert not log.use("a", "phrase", DAY) and not log.use("c", "owner", DAY)
    log.end("a")
    assert not log.use("a", "owner", DAY) and [row.mark for row in log.listed()] == ["b"]


def test_what_let_many_in_ends_all_of_their_sessions_and_no_other_s(log: SessionLog) -> None:
    for mark, by in {"a": "grant:1:ab", "b": "grant:1:ab", "c": "grant:11:cd", "d": "grant_1:"}.items():
        log.add(signed_in(mark, by))
    log.end_all_of("grant:1:")
    assert sorted(row.mark for row in log.listed()) == ["c", "d"]
    (first, _) = log.listed()
    log.end_number(first.id)
    with pytest.raises(UserError, match="no session"):
        log.end_number(first.id)


def test_a_session_that_is_used_is_kept_and_one_that_is_over_goes(
    log: SessionLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    for mark in "ab":
        log.add(signed_in(mark))
    later = now() + DAY / 2
    monkeypatch.setattr(sessions, "now", lambda: later)
    assert log.use("a", "owner", DAY)
    later += DAY * 3 / 4
    assert log.use("a", "owner", DAY) and not log.use("b", "owner", DAY)
    log.add(signed_in("c", ends=9 * DAY))
    later -= 2 * DAY
    assert sorted(row.mark for row in log.listed()) == ["a", "c"]


def test_one_key_keeps_so_many_sessions_and_no_more(log: SessionLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MOST_OF_ONE", 2)
    for mark in ("other", "a", "b", "c"):
        log.add(signed_in(mark, "owner" if mark == "other" else "hub"))
    assert [row.mark for row in log.listed()] == ["c", "b", "other"]


def test_a_restore_signs_in_nobody_and_out_nobody(ws: Workspace, only_sqlite: None, tmp_path: Path) -> None:
    """Who signed out since the backup stays out."""
    from mmdemo.store.backup import back_up, replace

    ws.sessions.add(signed_in("out"))
    archive = back_up(ws, tmp_path / "backup.zip")
    ws.sessions.end("out")
    ws.sessions.add(signed_in("in"))
    replace(ws, archive)
    ws.follow()
    assert [row.mark for row in ws.sessions.listed()] == ["in"]
