"""Everything about the store runs on both databases, but for what one of them alone can do."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mmdemo.settings import Settings
from tests import postgresql
from tests.store.hostile import their_backup


@pytest.fixture
def settings(settings: Settings, database_url: str) -> Settings:
    """An empty workspace's settings over each database."""
    return replace(settings, database_url=database_url)


@pytest.fixture
def new_url(database_url: str, tmp_path: Path) -> Callable[[], str]:
    """Make a database of the same kind without any tables; its URL."""

    def make() -> str:
        name = f"test_{secrets.token_hex(6)}"
        if not database_url:
            return f"sqlite:///{tmp_path / name}.sqlite3"
        server = database_url.rsplit("/", 1)[0]
        postgresql.execute(server, f"CREATE DATABASE {name}")
        return f"{server}/{name}"

    return make


@pytest.fixture
def only_sqlite(database_url: str) -> None:
    """Skip what is about the file that SQLite keeps in the workspace."""
    if database_url:
        pytest.skip("this is about SQLite's file")


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A backup of somebody else's workspace."""
    return their_backup(tmp_path)
