"""Invitations and tokens in the database, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from mmdemo.errors import UserError
from mmdemo.settings import load_settings
from mmdemo.store.backup import back_up, replace, restore
from mmdemo.store.grants import INVITATION, TOKEN, GrantLog
from mmdemo.store.tables import Grant, SignedIn, now
from mmdemo.store.workspace import Workspace


@pytest.fixture
def ws(tmp_path: Path, database_url: str) -> Iterator[Workspace]:
    found = Workspace(load_settings({}, workspace=tmp_path, database_url=database_url))
    yield found
    found.close()


@pytest.fixture
def log(ws: Workspace) -> GrantLog:
    return ws.grants


def made(
    log: GrantLog, digest: str, uses: int | None = None, days: float = 1, kind: str = INVITATION
) -> Grant:
    ends = now() + timedelta(days=days)
    return log.add(
        Grant(kind=kind, role="annotator", name="", digest=digest, uses_left=uses, expires_at=ends)
    )


def use(log: GrantLog, digest: str) -> Grant | None:
    with log._database.write() as session:
        return log.use_in(session, digest)


def test_an_invitation_for_three_lets_three_in_however_many_come_at_once(log: GrantLog) -> None:
    grant = made(log, "a", uses=3)
    with ThreadPoolExecutor(8) as people:
        let_in = [found for found in people.map(lambda _: use(log, "a"), range(20)) if found is not None]
    assert sorted(found.used for found in let_in) == [1, 2, 3]
    (kept,) = log.listed()
    assert (kept.id, kept.used, kept.uses_left) == (grant.id, 3, 0)


def test_what_is_over_revoked_or_not_there_lets_nobody_in(log: GrantLog) -> None:
    made(log, "over", days=-1)
    taken_back = made(log, "revoked")
    assert use(log, "revoked") is not None and log.stands(taken_back.id, "revo")
    first = log.revoke(taken_back.id).revoked_at
    assert log.revoke(taken_back.id).revoked_at == first  # once
    assert not log.stands(taken_back.id, "revo") and not log.stands(999, "revo")
    for digest in ("over", "revoked", "none", ""):
        assert use(log, digest) is None and log.token(digest) is None
    with pytest.raises(UserError, match="no invitation or token 999"):
        log.revoke(999)


def test_a_token_that_is_shown_as_an_invitation_opens_nothing_and_is_not_counted(log: GrantLog) -> None:
    made(log, "a", uses=2, kind=TOKEN)
    made(log, "b")
    assert use(log, "a") is None and log.token("b") is None
    (kept,) = (grant for grant in log.listed() if grant.kind == TOKEN)
    assert (kept.used, kept.uses_left) == (0, 2)
    found = log.token("a")
    assert found is not None and found.id == kept.id


def test_a_grant_stands_by_its_number_and_its_digest(log: GrantLog) -> None:
    """After a restore the number may be another's."""
    grant = made(log, "abcdef")
    assert log.stands(grant.id, "abc") and log.stands(grant.id, "abcdef")
    assert not log.stands(grant.id, "abd") and not log.stands(grant.id, "")


def test_a_restore_lets_nobody_in_whose_invitation_was_taken_back(
    ws: Workspace, log: GrantLog, only_sqlite: None, tmp_path: Path
) -> None:
    revoked, kept, used = made(log, "revoked"), made(log, "kept"), made(log, "used", uses=1)
    archive = back_up(ws, tmp_path / "backup.zip")
    log.revoke(revoked.id)
    assert use(log, "used") is not None
    made(log, "later", kind=TOKEN)
    assert replace(ws, archive).lacking.grants == 2
    ws.follow()
    assert use(log, "revoked") is None and use(log, "used") is None
    assert log.stands(kept.id, "kept") and log.stands(used.id, "used") and log.token("later") is not None


def test_a_backup_that_becomes_a_new_workspace_opens_it_to_nobody(
    ws: Workspace, log: GrantLog, only_sqlite: None, tmp_path: Path
) -> None:
    for digest, kind in {"a": INVITATION, "b": TOKEN}.items():
        made(log, digest, kind=kind)
    made(log, "over", days=-1)
    with log._database.write() as session:
        ends = now() + timedelta(days=1)
        session.add(SignedIn(mark="a", let_in_by="owner", role="owner", name="", ends_at=ends))
    folder = tmp_path / "new"
    assert restore(back_up(ws, tmp_path / "backup.zip"), folder).grants == 2
    new = Workspace(load_settings({}, workspace=folder))
    assert use(new.grants, "a") is None and new.grants.token("b") is None and new.sessions.listed() == []
    assert len(new.grants.listed()) == 3  # who was let in stays known
    new.close()
