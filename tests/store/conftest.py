"""Everything about the store runs on both databases, but for what one of them alone can do."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mmdemo.settings import Settings
from tests import postgresql


@pytest.fixture(params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Each database in turn."""
    return str(request.param)


@pytest.fixture
def new_url(dialect: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Make a database without any tables; its URL."""

    def make() -> str:
        name = f"test_{secrets.token_hex(6)}"
        if dialect == "sqlite":
            return f"sqlite:///{tmp_path / name}.sqlite3"
        server = request.getfixturevalue("postgresql")
        postgresql.execute(server, f"CREATE DATABASE {name}")
        return f"{server}/{name}"

    return make


@pytest.fixture
def settings(dialect: str, request: pytest.FixtureRequest, settings: Settings) -> Settings:
    """An empty workspace's settings over each database."""
    if dialect == "sqlite":
        return settings
    return replace(settings, database_url=request.getfixturevalue("postgresql_url"))


@pytest.fixture
def only_sqlite(dialect: str) -> None:
    """Skip what is about the file that SQLite keeps in the workspace."""
    if dialect != "sqlite":
        pytest.skip("this is about SQLite's file")
