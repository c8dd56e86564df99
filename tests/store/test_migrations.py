"""A workspace of every earlier form opens, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Connection, MetaData, create_engine, inspect, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from mmdemo.settings import Settings
from mmdemo.store.database import MIGRATIONS
from mmdemo.store.tables import Base
from mmdemo.store.workspace import Workspace

REVISIONS = sorted(file.name.split("_")[0] for file in (MIGRATIONS / "versions").glob("m*.py"))
MADE = {  # every index and trigger, those of constraints too
    "sqlite": "SELECT name FROM sqlite_master WHERE type != 'table'",
    "postgresql": "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' "
    "UNION SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
}
pytestmark = pytest.mark.filterwarnings("ignore:Skipped unsupported reflection")


def columns(connection: Connection, table: str) -> dict[str, tuple[str, bool]]:
    return {c["name"]: (str(c["type"]), c["nullable"]) for c in inspect(connection).get_columns(table)}


def test_the_migrations_arrive_at_the_tables_of_the_code(ws: Workspace, new_url: Callable[[], str]) -> None:
    fresh = create_engine(new_url())
    Base.metadata.create_all(fresh)
    with fresh.connect() as wanted, ws.database.engine.connect() as found:
        for table in Base.metadata.tables:
            assert columns(found, table) == columns(wanted, table), table
    fresh.dispose()


@pytest.mark.parametrize("revision", REVISIONS[:-1])
def test_a_workspace_of_every_earlier_form_is_upgraded_and_loses_nothing(
    revision: str, settings: Settings, new_url: Callable[[], str]
) -> None:
    """Every table has a row before the upgrade, and the same row after it."""
    old_form = replace(settings, database_url=new_url())
    engine = create_engine(old_form.url)
    with engine.begin() as connection:
        migrate(connection, revision)
    with engine.begin() as connection:
        kept = fill(connection)
    engine.dispose()
    ws = Workspace(old_form)
    with ws.database.read() as session:
        for name, row in kept.items():
            found = session.execute(select(Base.metadata.tables[name])).mappings()
            assert row in [{k: one[k] for k in row} for one in found], name
        made = indexes_and_triggers(session)
    with pytest.raises(DBAPIError, match="only ever added"), ws.database.write() as session:
        session.execute(text("DELETE FROM labels"))
    ws.close()
    fresh = Workspace(replace(settings, workspace=settings.workspace.parent / "fresh"))
    with fresh.database.read() as session:
        assert made == indexes_and_triggers(session)
    fresh.close()


def migrate(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def fill(connection: Connection) -> dict[str, dict[str, Any]]:
    """A row in each table that there is; what stands in them."""
    given = {"item_id": "one", "version_id": "base", "pair_id": 1, "id": "one", "label_id": 1}
    tables = MetaData()
    tables.reflect(connection)
    kept = {}
    for table in tables.sorted_tables:
        if table.name == "alembic_version" or table.name.startswith("searchable_texts_words"):
            continue  # a full-text index is filled by triggers
        row = {c.name: given.get(c.name, _some(c)) for c in table.columns}
        row["id"] = 1 if "id" in row and table.columns["id"].type.python_type is int else row.get("id")
        row = {k: v for k, v in row.items() if k in table.columns}
        if table.name == "versions":
            row["id"] = "base"
        connection.execute(table.insert().values(row))
        kept[table.name] = row
    return kept


def _some(column: Column[Any]) -> Any:
    kind = column.type.python_type
    if kind is datetime:
        return datetime(2026, 1, 2, 3, 4, 5)
    return {int: 7, float: 1.5, str: "words", bool: True, dict: {"a": 1}, list: []}.get(kind)


def indexes_and_triggers(session: Session) -> set[str]:
    return set(session.scalars(text(MADE[session.get_bind().dialect.name])))
