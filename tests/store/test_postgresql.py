"""What is of PostgreSQL alone; what holds for both databases runs on both in the other files."""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mmdemo.errors import StorageError, UserError
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png


def test_labels_of_many_at_once_are_stored_once_and_never_changed(
    tmp_path: Path, postgresql_url: str
) -> None:
    ws = Workspace(load_settings({}, workspace=tmp_path, samples=False, database_url=postgresql_url))
    before, run = ws.labels.total(), secrets.token_hex(8)
    item = ws.add_media("image", png(), "square.png", source="test")
    pairs = []
    for i in range(20):
        with ws.database.write() as session:
            pairs.append(ws.pairs.add(session, TASK, item.id, f"text {i}", source="test")[0].id)

    def annotate(who: str) -> None:
        for pair in pairs:
            for _ in range(2):  # sent twice, as after a lost answer
                ws.labels.add(pair, NewLabel("match", annotator=who, key=f"{run}{who}{pair}"))

    threads = [threading.Thread(target=annotate, args=(who,)) for who in ("ada", "bob", "cy")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ws.labels.total() == before + 60
    for change in ("DELETE FROM labels", "UPDATE labels SET verdict = 'mismatch'"):
        with pytest.raises(DBAPIError, match="only ever added"), ws.database.write() as session:
            session.execute(text(change))
    assert ws.labels.total() == before + 60
    with pytest.raises(UserError, match="The key has 65 characters"):
        ws.labels.add(pairs[0], NewLabel("match", key="k" * 65))
    ws.close()


def test_a_database_url_that_cannot_be_used_gets_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="MMDEMO_DATABASE_URL cannot be used"):
        Workspace(load_settings({}, workspace=tmp_path, samples=False, database_url="no url"))
    with pytest.raises(StorageError, match="cannot be opened"):
        url = "postgresql+psycopg://nobody@127.0.0.1:1/none?connect_timeout=2"
        Workspace(load_settings({}, workspace=tmp_path, samples=False, database_url=url))
