"""Invitations and tokens in the database, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from mmdemo.errors import UserError
from mmdemo.settings import load_settings
from mmdemo.store.grants import INVITATION, GrantLog
from mmdemo.store.tables import Grant, now
from mmdemo.store.workspace import Workspace


@pytest.fixture
def log(tmp_path: Path, database_url: str) -> Iterator[GrantLog]:
    ws = Workspace(load_settings({}, workspace=tmp_path, database_url=database_url))
    yield ws.grants
    ws.close()


def made(log: GrantLog, digest: str, uses: int | None = None, days: float = 1) -> Grant:
    ends = now() + timedelta(days=days)
    return log.add(
        Grant(kind=INVITATION, role="annotator", name="", digest=digest, uses_left=uses, expires_at=ends)
    )


def test_an_invitation_for_three_lets_three_in_however_many_come_at_once(log: GrantLog) -> None:
    grant = made(log, "a", uses=3)
    with ThreadPoolExecutor(8) as people:
        let_in = [found for found in people.map(lambda _: log.use("a"), range(20)) if found is not None]
    assert sorted(found.used for found in let_in) == [1, 2, 3]
    (kept,) = log.listed()
    assert (kept.id, kept.used, kept.uses_left) == (grant.id, 3, 0) and log.usable("a") is None


def test_what_is_over_revoked_or_not_there_lets_nobody_in(log: GrantLog) -> None:
    made(log, "over", days=-1)
    taken_back = made(log, "revoked")
    assert log.use("revoked") is not None and not log.is_revoked(taken_back.id)
    first = log.revoke(taken_back.id).revoked_at
    assert log.revoke(taken_back.id).revoked_at == first  # once
    assert log.is_revoked(taken_back.id) and log.is_revoked(999)
    for digest in ("over", "revoked", "none", ""):
        assert log.use(digest) is None and log.usable(digest) is None
    with pytest.raises(UserError, match="no invitation or token 999"):
        log.revoke(999)
