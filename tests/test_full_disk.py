"""A disk that fills while people label refuses in a sentence, and loses nothing that was acknowledged."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine

from tests import crowd, small_disk
from tests.waiting import wait_for


@pytest.mark.slow
def test_what_is_stored_after_a_disk_was_full_is_what_people_were_told(tmp_path: Path) -> None:
    try:
        mounted = small_disk.small_disk(tmp_path / "disk", 40)
        disk = mounted.__enter__()
    except PermissionError as e:
        pytest.skip(str(e))
    try:
        pairs = crowd.pairs_to_label(disk / "w", count=10)
        with crowd.serving(disk / "w", tmp_path / "log") as server:
            people = crowd.Crowd(server.address, pairs, people=8)
            people.begin()
            wait_for(lambda: len(people.acknowledged) > 20)
            small_disk.fill(disk)
            wait_for(lambda: len(people.answers) > 0)
            assert crowd.ask(server.address, "label_counts", {"task": "image-text"})[0] == 200
            small_disk.make_room(disk)
            people.end()
        engine = create_engine(f"sqlite:///{disk / 'w' / 'mmdemo.sqlite3'}")
        assert crowd.differences(engine, people.acknowledged) == [] == crowd.faults(engine)
        engine.dispose()
    finally:
        mounted.__exit__(None, None, None)
    assert set(people.answers) == {(507, "Nothing was saved: the disk is full.")}
