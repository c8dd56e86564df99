"""A server that is killed while people label loses nothing that it has acknowledged."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests import crowd


@pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True
)
def test_every_acknowledged_label_and_undo_is_stored_as_it_was_said_though_the_server_is_killed(
    tmp_path: Path, database_url: str
) -> None:
    workspace = tmp_path / "w"
    pairs = crowd.pairs_to_label(workspace, database_url, 10)
    with crowd.serving(workspace, tmp_path / "log", MMDEMO_DATABASE_URL=database_url) as server:
        people = crowd.Crowd(server.address, pairs, people=8)
        people.begin()
        crowd.kill_again_and_again(server, people, kills=2)
        people.end()
    engine = create_engine(database_url or f"sqlite:///{workspace / 'mmdemo.sqlite3'}")
    assert crowd.differences(engine, people.acknowledged) == [] == crowd.faults(engine)
    engine.dispose()
    assert {status for status, _ in people.answers} <= {0, 503}
