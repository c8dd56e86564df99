"""Runs that come with a backup: none begins by itself, and none is gone on with past the limits of a form."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.settings import Settings, load_settings
from mmdemo.store.backup import replace, restore
from mmdemo.store.workspace import Workspace
from tests.store.hostile import by_sql


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, workspace=tmp_path / "workspace", samples=False, device="cpu")


@pytest.mark.parametrize("status", ["queued", "running"])
def test_a_run_of_a_backup_that_was_under_way_is_a_stopped_one_after_a_restore(
    ws: Workspace, theirs: Path, tmp_path: Path, status: str
) -> None:
    held = f"UPDATE runs SET status = '{status}', holder = 'a', lease_until = '2020-01-01 00:00:00'"
    brought = by_sql(theirs, tmp_path / "run.zip", held)
    replace(ws, brought)
    restore(brought, tmp_path / "new")
    new = Workspace(load_settings({}, workspace=tmp_path / "new", samples=False))
    for one in (ws, new):
        assert not one.runs.waiting() and not one.runs.unfinished() and not one.runs.holders()
        run = one.runs.get("run-1")
        assert (run.status, run.holder, run.lease_until) == ("stopped", None, None) and run.finished_at
        assert run.message == "It was under way when the backup was made. Resume goes on with it."
    new.close()


def test_a_run_of_a_backup_that_has_ended_is_as_it_was(ws: Workspace, theirs: Path, tmp_path: Path) -> None:
    replace(ws, by_sql(theirs, tmp_path / "run.zip", "UPDATE runs SET status = 'failed', message = 'Why.'"))
    assert (ws.runs.get("run-1").status, ws.runs.get("run-1").message) == ("failed", "Why.")
