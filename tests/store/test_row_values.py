"""Backups whose rows hold values that SQLite keeps and no reader of a row could take."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from mmdemo.settings import Settings, load_settings
from mmdemo.store.backup import back_up, replace
from mmdemo.store.row_values import odd_values
from mmdemo.store.soundness import read_only
from mmdemo.store.tables import Grant, Version, now
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK
from tests.store.hostile import DATABASE, by_sql, fill, refused

DEEP = "[" * 100 + "]" * 100
WORD = '{"word": "a", "start": 0, "end": 1, "probability": 1}'
ODD = {  # statements, and what is said
    "UPDATE items SET created_at = '9999-99-99'": "a row of items cannot be read",
    "UPDATE labels SET created_at = 'yesterday'": "a row of labels cannot be read",
    "UPDATE runs SET created_at = 7": "a row of runs cannot be read",
    "UPDATE runs SET created_at = '0001-01-01 00:00:00'": "is no created_at of runs",
    "UPDATE runs SET queued_at = '9999-12-31 00:00:00'": "is no queued_at of runs",
    "UPDATE grants SET expires_at = x'00'": "a row of grants cannot be read",
    "UPDATE items SET duration_s = 'long'": "'long' is no duration_s of items",
    "UPDATE items SET duration_s = 9e999": "inf is no duration_s of items",
    "UPDATE items SET duration_s = -1": "-1.0 is no duration_s of items",
    "UPDATE items SET duration_s = 1e300": r"1e\+300 is no duration_s of items",
    "UPDATE items SET width = 0": "0 is no width of items",
    "UPDATE items SET width = 'wide'": "'wide' is no width of items",
    "UPDATE items SET listed = 'perhaps'": "'perhaps' is no listed of items",
    "UPDATE items SET name = x'ff'": r"b'\\xff' is no name of items",
    "UPDATE items SET name = CAST(x'ff' AS TEXT)": "a row of items cannot be read|is damaged",
    "UPDATE items SET name = hex(zeroblob(1500000))": "is no name of items",
    "UPDATE pairs SET text = hex(zeroblob(2500000))": "is no text of pairs",
    "UPDATE pairs SET source = hex(zeroblob(500000))": "is no source of pairs",
    "UPDATE searchable_texts SET body = hex(zeroblob(15000000))": "is no body of searchable_texts",
    "UPDATE items SET split = 'all'": "'all' is no split of items",
    "UPDATE items SET modality = ''": "'' is no modality of items",
    "UPDATE pairs SET task = '../x'": "'../x' is no task of pairs",
    "UPDATE pairs SET split = 'class'": "'class' is no split of pairs",
    "UPDATE pairs SET start_s = 3, end_s = 2": "the span 3-2 s does not run forward",
    "UPDATE pairs SET label_id = 1e30": "is no label_id of pairs",
    "UPDATE labels SET claimed = -9e999": "-inf is no claimed of labels",
    "UPDATE labels SET verdict = 'Perhaps!'": "'Perhaps!' is no verdict of labels",
    "UPDATE labels SET id = 9223372036854775806": "is no id of labels",
    "UPDATE text_splits SET split = 'none'": "'none' is no split of text_splits",
    "UPDATE versions SET task = 7": "'7' is no task of versions",
    "UPDATE versions SET parent = 'tuned-1' WHERE id = 'tuned-1'": "tuned-1 stands on itself",
    "UPDATE versions SET parent = CASE id WHEN 'base' THEN 'tuned-1' ELSE 'base' END": "stands on itself",
    "UPDATE runs SET status = 'asleep'": "'asleep' is no status of runs",
    "UPDATE runs SET decision = 'yes'": "'yes' is no decision of runs",
    "UPDATE runs SET settings = 'no JSON'": "a row of runs cannot be read",
    "UPDATE runs SET settings = '[]'": r"\[\] is no settings of runs",
    "UPDATE runs SET settings = 'null'": "None is no settings of runs",
    "UPDATE runs SET settings = '{\"a\": NaN}'": r"\{'a': nan\} is no settings of runs",
    "UPDATE runs SET settings = '{\"a\": 1e999}'": r"\{'a': inf\} is no settings of runs",
    f"UPDATE runs SET settings = '{{\"a\": {'9' * 5000}}}'": "a row of runs cannot be read",
    f"UPDATE runs SET settings = '{{\"a\": {DEEP}}}'": "is no settings of runs",
    f"UPDATE runs SET settings = '{'[' * 99_999}'": "a row of runs cannot be read",
    "UPDATE runs SET result = '[1]'": r"\[1\] is no result of runs",
    "UPDATE runs SET result = '{\"after\": [1]}'": "is no result of runs",
    'UPDATE runs SET result = \'{"gate": {"attempt": "x"}}\'': "is no result of runs",
    "UPDATE grants SET role = 'god'": "'god' is no role of grants",
    "UPDATE grants SET kind = 'key'": "'key' is no kind of grants",
    "UPDATE imports SET counts = '7'": "7 is no counts of imports",
    "INSERT INTO changes VALUES (1, 'burn', '', '{}', 1, '2026-01-01 00:00:00')": "no action of changes",
    "INSERT INTO changes VALUES (1, 'edit', '', '\"x\"', 1, '2026-01-01 00:00:00')": "no details of changes",
    "UPDATE searchable_texts SET kind = 'x'": "'x' is no kind of searchable_texts",
    "INSERT INTO short_links VALUES ('../x', 'a=1', '', '', 1, '2026-01-01 00:00:00', '')": (
        "no id of short_link"
    ),
    "INSERT INTO short_links VALUES ('0123456789abcdef', '<b>', '', '', 1, '2026-01-01 00:00:00', '')": (
        "'<b>' is no state of short_links"
    ),
    "INSERT INTO saved_searches VALUES (1, 'image-text', 'a', '<b>', '', '', '2026-01-01 00:00:00')": (
        "'<b>' is no state of saved_searches"
    ),
    "UPDATE transcripts SET segments = '[1]'": r"\[1\] is no segments of transcripts",
    f'UPDATE transcripts SET segments = \'[{{"text": "a", "start": 0, "end": 1, "words": {WORD}}}]\'': (
        "is no segments of transcripts"
    ),
    "UPDATE transcripts SET done_s = -1": "-1.0 is no done_s of transcripts",
    "INSERT INTO attempts (task, series, number, items, version_id, against, chosen, annotator, unit,"
    " created_at) VALUES ('image-text', 1, 0, 3, '', '', 0, '', '', '2026-01-01 00:00:00')": (
        "0 is no number of attempts"
    ),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({}, workspace=tmp_path / "workspace", samples=False, device="cpu")


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that has a row in nearly every table."""
    folder = tmp_path_factory.mktemp("full")
    ws = Workspace(load_settings({}, workspace=folder / "theirs", samples=False))
    item = fill(ws, (1, 2, 3))
    ws.versions.ensure_base(TASK, "base", "base")
    ws.versions.add(Version(id="tuned-1", task=TASK, base="base", parent="base"))
    ws.runs.create(TASK, "head", "base", {"epochs": 3}, "", run_id="run-1")
    ws.runs.update("run-1", result={"after": {"mean_recall": 3.5}, "trained_on": {"match": 2}})
    ws.imports.begin("theirs", TASK)
    said = [{"text": "a", "start": 0.0, "end": 1.0, "words": []}]
    ws.transcripts.put(item, "base", "en", said, 1.0, True)
    with ws.database.write() as session:
        session.add(Grant(kind="token", role="trainer", name="a", digest="b", expires_at=now()))
    ws.close()
    return folder / "theirs" / DATABASE


def odd_in(file: Path) -> list[str]:
    engine = create_engine("sqlite://", creator=partial(read_only, file))
    found = list(odd_values(engine))
    engine.dispose()
    return found


@pytest.mark.parametrize("statement", ODD)
def test_a_value_that_no_row_can_hold_is_found(full: Path, tmp_path: Path, statement: str) -> None:
    file = tmp_path / DATABASE
    shutil.copyfile(full, file)
    with closing(sqlite3.connect(file, isolation_level=None)) as database:
        for (trigger,) in database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall():
            database.execute(f"DROP TRIGGER {trigger}")
        assert database.execute(statement).rowcount
    (says,) = odd_in(file)
    assert re.search(ODD[statement], says), says


def test_a_backup_with_such_a_value_is_refused_and_nothing_changes(
    ws: Workspace, theirs: Path, tmp_path: Path
) -> None:
    bad = by_sql(theirs, tmp_path / "bad.zip", "UPDATE runs SET created_at = '9999-99-99'")
    refused(ws, bad, "The database of bad.zip is damaged: a row of runs cannot be read: ")


def test_what_plug_ins_that_are_gone_have_named_is_taken(
    ws: Workspace, full: Path, theirs: Path, tmp_path: Path
) -> None:
    assert not odd_in(full)
    named = (
        "UPDATE items SET modality = 'series'",
        "UPDATE pairs SET task = 'series-text'",
        "UPDATE versions SET task = 'series-text', base = 'series-preset'",
        "UPDATE runs SET task = 'series-text', method = 'by-hand', settings = '{\"loss\": \"theirs\"}'",
    )
    replace(ws, by_sql(theirs, tmp_path / "series.zip", *named))
    assert ws.items.count("series") == 1 and ws.runs.get("run-1").task == "series-text"


def test_what_mmdemo_itself_backs_up_is_taken_again(ws: Workspace, tmp_path: Path) -> None:
    fill(ws, (5, 5, 5))
    replace(ws, back_up(ws, tmp_path / "own.zip"))
    assert ws.labels.total() == 1
