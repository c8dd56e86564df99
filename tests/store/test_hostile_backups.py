"""Backups that attack: whatever is in one, it is refused in a sentence and nothing has changed."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
import stat
import struct
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from mmdemo.command_line import main
from mmdemo.errors import StorageError, UserError
from mmdemo.settings import Settings, load_settings
from mmdemo.store import archive as archives
from mmdemo.store.backup import Lacking, replace, restore
from mmdemo.store.workspace import Workspace
from tests.conftest import png
from tests.store.hostile import DATABASE, by_sql, changed, fill, refused


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """These are about the file that SQLite keeps in the workspace."""
    return load_settings({}, workspace=tmp_path / "workspace", samples=False, device="cpu")


DATABASES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "empty": (lambda data: b"", "is empty"),
    "no database": (lambda data: b"x" * 5000, "is damaged: file is not a database"),
    "cut off": (lambda data: data[: len(data) // 2], "is damaged"),
    "overwritten": (lambda data: data[:8192] + os.urandom(20_000) + data[28_192:], "is damaged"),
    "another's": (lambda data: other_database(), "is none of mmdemo's"),
    "header alone": (lambda data: data[:100], "is damaged|is none of mmdemo's"),
}


def other_database() -> bytes:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE items (id)")
    return database.serialize()


@pytest.mark.parametrize("kind", DATABASES)
def test_a_damaged_empty_or_foreign_database_is_refused(
    ws: Workspace, theirs: Path, tmp_path: Path, kind: str
) -> None:
    make, says = DATABASES[kind]
    fill(ws, (9, 9, 9))
    with changed(theirs, tmp_path / "bad.zip") as files:
        files[DATABASE] = make(files[DATABASE])
    refused(ws, tmp_path / "bad.zip", says)


ROWS = {
    "UPDATE items SET suffix = '/../../../../etc/passwd'": "is no suffix of items",
    "UPDATE items SET suffix = '.png/../x'": "is no suffix of items",
    "UPDATE items SET id = '../../../../../../etc/passwd'": "is no id of items|refers to none",
    "UPDATE versions SET id = '../../x' WHERE id = 'tuned-1'": "'../../x' is no id of versions",
    "UPDATE versions SET id = '..' WHERE id = 'tuned-1'": "'..' is no id of versions",
    "UPDATE versions SET id = '' WHERE id = 'tuned-1'": "'' is no id of versions",
    "UPDATE versions SET id = '*' WHERE id = 'tuned-1'": "is no id of versions",
    "UPDATE runs SET id = '/etc'": "'/etc' is no id of runs",
    "UPDATE runs SET id = x'2e2e2f78'": "is no id of runs",
    "UPDATE items SET bytes = 4": "bytes and not 4",
    "UPDATE pairs SET item_id = 'none'": "a row of pairs refers to none of items",
    "CREATE TRIGGER evil AFTER INSERT ON labels BEGIN DELETE FROM items; END": "trigger 'evil'",
    "CREATE VIEW evil AS SELECT 1": "view 'evil'",
    "CREATE TABLE evil (x)": "table 'evil'",
    "DROP TRIGGER labels_no_delete": "lacks the trigger",
    "ALTER TABLE labels ADD COLUMN evil GENERATED ALWAYS AS (abs(-9223372036854775808))": "'labels'",
    "CREATE INDEX evil ON labels (hex(text))": "index 'evil'",
    "UPDATE alembic_version SET version_num = 'm999'": "made by a newer version",
    "DELETE FROM alembic_version": "is none of mmdemo's",
}


@pytest.mark.parametrize("statement", ROWS)
def test_a_database_with_rows_or_triggers_that_mmdemo_does_not_write_is_refused(
    ws: Workspace, theirs: Path, tmp_path: Path, statement: str
) -> None:
    if "DROP TRIGGER" in statement:
        with closing(sqlite3.connect(ws.folder / DATABASE)) as database:
            query = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'labels'"
            statement, says = f"DROP TRIGGER {database.execute(query).fetchone()[0]}", "lacks the trigger"
    else:
        says = ROWS[statement]
    refused(ws, by_sql(theirs, tmp_path / "bad.zip", statement), says)


OTHERWISE = {
    "no key": lambda sql: sql.replace("PRIMARY KEY (id)", "UNIQUE (key, id)").replace(
        "INTEGER NOT NULL", "INTEGER", 1
    ),
    "one label a pair": lambda sql: sql.replace('UNIQUE ("key")', "UNIQUE (pair_id)"),
}


@pytest.mark.parametrize("kind", OTHERWISE)
def test_a_table_of_mmdemo_s_own_words_in_another_order_is_refused(
    ws: Workspace, theirs: Path, tmp_path: Path, kind: str
) -> None:
    """Labels would be acknowledged, and stored where nothing finds them."""
    with closing(sqlite3.connect(ws.folder / DATABASE)) as database:
        rows = (
            "SELECT sql FROM sqlite_master WHERE tbl_name = 'labels' AND sql != '' ORDER BY type != 'table'"
        )
        table, *others = (sql for (sql,) in database.execute(rows))
    other = OTHERWISE[kind](table)
    assert other != table
    moved = ("CREATE TABLE kept AS SELECT * FROM labels", "DROP TABLE labels", other)
    back = ("INSERT INTO labels SELECT * FROM kept", "DROP TABLE kept", *others)
    refused(ws, by_sql(theirs, tmp_path / "bad.zip", *moved, *back), "The table 'labels' .* is not as mmdemo")


def test_an_index_on_other_columns_is_refused(ws: Workspace, theirs: Path, tmp_path: Path) -> None:
    other = ("DROP INDEX uq_pairs", "CREATE INDEX uq_pairs ON pairs (task)")
    refused(ws, by_sql(theirs, tmp_path / "bad.zip", *other), "The table 'pairs' .* is not as mmdemo")


def test_a_file_that_is_not_the_one_it_is_named_after_is_refused(
    ws: Workspace, theirs: Path, tmp_path: Path
) -> None:
    with changed(theirs, tmp_path / "bad.zip") as files:
        (name,) = (name for name in files if name.startswith("media/"))
        files[name] = files[name][:-1] + b"\0"
    refused(ws, tmp_path / "bad.zip", "the file of a.png is not the one that was kept")


def test_a_backup_that_lacks_a_file_is_taken_and_says_so(ws: Workspace, theirs: Path, tmp_path: Path) -> None:
    with changed(theirs, tmp_path / "less.zip") as files:
        del files[next(name for name in files if name.startswith("media/"))]
    assert replace(ws, tmp_path / "less.zip").lacking == Lacking(files=1)
    assert restore(tmp_path / "less.zip", tmp_path / "new") == Lacking(files=1)


def entry(name: str, mode: int = 0) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


ENTRIES: dict[str, tuple[list[tuple[zipfile.ZipInfo, bytes]], str]] = {
    "absolute": ([(entry("/tmp/evil"), b"x")], "no name of a file"),
    "climbing": ([(entry("media/../../evil"), b"x")], "no name of a file"),
    "by a drive": ([(entry("C:/evil"), b"x")], "no name of a file"),
    "backslashes": ([(entry("media\\..\\..\\evil"), b"x")], "no name of a file"),
    "a link": ([(entry("media/aa", stat.S_IFLNK | 0o777), b"/etc/passwd")], "is a link or a device"),
    "a folder as link": (
        [(entry("media/aa", stat.S_IFLNK | 0o777), b"/tmp"), (entry("media/aa/evil"), b"x")],
        "is a link or a device",
    ),
    "a device": ([(entry("media/aa", stat.S_IFBLK), b"")], "is a link or a device"),
    "twice": ([(entry("media/aa/b"), b"x"), (entry("media/aa/b"), b"y")], "holds 'media/aa/b' twice"),
    "two databases": ([(entry(DATABASE), b"x")], f"holds '{DATABASE}' twice"),
    "a file as folder": ([(entry("media/aa"), b"x"), (entry("media/aa/b"), b"y")], "lies in what is a file"),
    "empty name": ([(entry("media//b"), b"x")], "no name of a file"),
}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ENTRIES)
def test_an_entry_that_leads_elsewhere_or_comes_twice_is_refused(
    ws: Workspace, theirs: Path, tmp_path: Path, kind: str
) -> None:
    entries, says = ENTRIES[kind]
    bad = tmp_path / "bad.zip"
    shutil.copyfile(theirs, bad)
    with zipfile.ZipFile(bad, "a") as zipped:
        for info, data in entries:
            zipped.writestr(info, data)
    refused(ws, bad, says)
    assert not (tmp_path / "evil").exists() and not Path("/tmp/evil").exists()


def test_a_small_zip_that_becomes_a_large_workspace_is_refused_before_it_is_unpacked(
    ws: Workspace, theirs: Path, tmp_path: Path
) -> None:
    bomb = tmp_path / "bomb.zip"
    shutil.copyfile(theirs, bomb)
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as zipped, zipped.open("media/big", "w") as out:
        for _ in range(200):
            out.write(bytes(1_000_000))
    assert bomb.stat().st_size < 1_000_000
    refused(ws, bomb, r"bytes of it would become 2\d{8}")


def test_a_size_that_is_a_lie_and_contents_that_are_not_whole_are_refused(
    ws: Workspace, theirs: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(theirs) as zipped:
        (info,) = (info for info in zipped.infolist() if info.filename.startswith("media/"))
    data = bytearray(theirs.read_bytes())
    at = data.index(png((1, 2, 3)))
    data[at + 20] ^= 0xFF  # its CRC is another
    (tmp_path / "crc.zip").write_bytes(data)
    refused(ws, tmp_path / "crc.zip", "not a zip that can be read, or is damaged")
    data = bytearray(theirs.read_bytes())
    in_list = data.rindex(info.filename.encode()) - 46
    data[in_list + 24 : in_list + 28] = (info.file_size - 1).to_bytes(4, "little")
    (tmp_path / "short.zip").write_bytes(data)
    refused(ws, tmp_path / "short.zip", "damaged")
    (tmp_path / "cut.zip").write_bytes(theirs.read_bytes()[:-40])
    refused(ws, tmp_path / "cut.zip", "not a zip")


def is_not_read(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where 10,000 bytes of a list are too many, an archive is refused before it is opened as a zip."""
    monkeypatch.setattr(archives, "MOST_DIRECTORY", 10_000)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *given: pytest.fail("it was read"))
    with (
        pytest.raises(UserError, match="lists more entries than a backup has"),
        archives.opened(archive),
    ):
        pass


def test_a_list_of_more_entries_than_a_backup_has_is_not_read(
    ws: Workspace, theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = io.BytesIO(theirs.read_bytes())
    with zipfile.ZipFile(many, "a") as zipped:
        for i in range(500):
            zipped.writestr(f"media/aa/{i}", b"")
    (tmp_path / "many.zip").write_bytes(many.getvalue())
    monkeypatch.setattr(archives, "MOST_ENTRIES", 400)
    refused(ws, tmp_path / "many.zip", r"it has 50\d entries")
    is_not_read(tmp_path / "many.zip", monkeypatch)


@pytest.mark.parametrize("at", ["pointed at", "before the pointer"])
def test_a_list_that_only_the_long_record_tells_of_is_not_read_either(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """zipfile believes the long record where there is a pointer, whatever the short one says."""
    whole = theirs.read_bytes()
    long = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 50_000, 0)
    empty = bytes(len(long))
    at_start = at == "pointed at"
    pointer = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0 if at_start else len(whole), 1)
    hidden = (long if at_start else b"") + whole[:-22] + (empty if at_start else long) + pointer + whole[-22:]
    (tmp_path / "hidden.zip").write_bytes(hidden)
    is_not_read(tmp_path / "hidden.zip", monkeypatch)


def test_what_the_disk_has_no_room_for_is_refused_before_it_is_unpacked(
    ws: Workspace, theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = fill(ws, (9, 9, 9))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 9, 1))  # type: ignore[attr-defined]
    with pytest.raises(StorageError, match=r"holds 1 MB, and 0 MB of the disk are free. Free some disk"):
        replace(ws, theirs)
    assert ws.items.get(item) is not None


def test_an_encrypted_zip_and_one_of_another_kind_are_refused(
    ws: Workspace, theirs: Path, tmp_path: Path
) -> None:
    data = bytearray(theirs.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    data[at + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(data)
    refused(ws, tmp_path / "secret.zip", "is encrypted")


def test_a_backup_that_an_older_mmdemo_made_is_brought_to_todays_form(ws: Workspace, tmp_path: Path) -> None:
    old = Path(__file__).resolve().parents[1] / "models" / "workspace_of_conse.zip"
    assert replace(ws, old).lacking == Lacking()
    assert ws.follow() and not ws.follow()
    assert ws.items.count("image") == 16


def test_an_older_database_whose_rows_cannot_be_migrated_is_refused(ws: Workspace, tmp_path: Path) -> None:
    old = Path(__file__).resolve().parents[1] / "models" / "workspace_of_conse.zip"
    heard = "INSERT INTO transcripts SELECT id, 'v', 'en', '[1]', 0, 1, created_at FROM items LIMIT 1"
    refused(ws, by_sql(old, tmp_path / "bad.zip", heard), "cannot be brought to today's form")


def test_a_database_of_other_pages_is_taken(ws: Workspace, theirs: Path, tmp_path: Path) -> None:
    odd = by_sql(
        theirs, tmp_path / "odd.zip", "PRAGMA journal_mode=DELETE", "PRAGMA page_size=8192", "VACUUM"
    )
    replace(ws, odd)
    assert [item.name for item in ws.items.listed("image")] == ["a.png"]


def test_the_workspaces_of_before_are_kept_to_a_number(ws: Workspace, theirs: Path) -> None:
    backups = ws.folder / "backups"
    backups.mkdir()
    (backups / "before-restore-20200101-000000.zip").write_bytes(b"old")
    (backups / "mine.zip").write_bytes(b"mine")
    kept = [replace(ws, theirs).kept for _ in range(4)]
    assert {path.name for path in backups.iterdir()} == {"mine.zip", *(path.name for path in kept[1:])}


def test_a_restore_where_the_database_is_elsewhere_is_refused(
    theirs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MMDEMO_DATABASE_URL", "postgresql+psycopg://nobody@localhost/none")
    assert main(["restore", str(theirs), "--workspace", str(tmp_path / "new")]) == 2
    assert "pg_restore" in capsys.readouterr().err and not (tmp_path / "new").exists()
