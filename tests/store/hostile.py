"""What backups that attack are made with: a backup of somebody else's, and ways to change it."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mmdemo.errors import UserError
from mmdemo.settings import load_settings
from mmdemo.store.backup import back_up, replace, restore
from mmdemo.store.labels import NewLabel
from mmdemo.store.tables import Version
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png

DATABASE = "mmdemo.sqlite3"


def their_backup(tmp_path: Path) -> Path:
    """A backup of somebody else's workspace: a labelled picture, a version, a run."""
    ws = Workspace(load_settings({}, workspace=tmp_path / "theirs", samples=False))
    fill(ws, (1, 2, 3))
    ws.versions.ensure_base(TASK, "base", "base")
    ws.versions.add(Version(id="tuned-1", task=TASK, base="base", parent="base"))
    ws.runs.create(TASK, "head", "base", {}, "", run_id="run-1")
    for name in ("versions/tuned-1/card.json", "runs/run-1/snapshot.json"):
        (ws.folder / name).parent.mkdir()
        (ws.folder / name).write_text("{}")
    made = back_up(ws, tmp_path / "theirs.zip")
    ws.close()
    return made


def fill(ws: Workspace, colour: tuple[int, int, int]) -> str:
    item = ws.add_media("image", png(colour), "a.png", source="t")
    with ws.database.write() as session:
        pair, _ = ws.pairs.add(session, TASK, item.id, "a word", source="t")
        ws.labels.add_in(session, pair, NewLabel("match"))
    return item.id


def state(folder: Path) -> dict[str, bytes]:
    """Every file of a workspace but those of a database that is open, and every label."""
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        labels = repr(database.execute("SELECT * FROM labels").fetchall())
        items = repr(database.execute("SELECT * FROM items").fetchall())
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((DATABASE, "restore.lock"))
    }
    return files | {"labels": labels.encode(), "items": items.encode()}


@contextmanager
def changed(theirs: Path, out: Path) -> Iterator[dict[str, bytes]]:
    """The files of a backup, to be changed and packed again."""
    with zipfile.ZipFile(theirs) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    yield files
    with zipfile.ZipFile(out, "w") as zipped:
        for name, data in files.items():
            zipped.writestr(name, data)


def by_sql(theirs: Path, out: Path, *statements: str) -> Path:
    """A backup after statements on its database."""
    file = out.with_suffix(".db")
    with changed(theirs, out) as files:
        file.write_bytes(files[DATABASE])
        with closing(sqlite3.connect(file, isolation_level=None)) as database:
            database.execute("PRAGMA foreign_keys=OFF")
            for statement in statements:
                database.execute(statement)
            database.execute("PRAGMA journal_mode=DELETE")
        files[DATABASE] = file.read_bytes()
    return out


def refused(ws: Workspace, archive: Path, match: str) -> None:
    """An open workspace, and a new folder, refuse it and stay as they are."""
    before = state(ws.folder)
    with pytest.raises(UserError, match=match):
        replace(ws, archive)
    assert state(ws.folder) == before
    new = ws.folder.parent / "new"
    with pytest.raises(UserError, match=match):
        restore(archive, new)
    assert not new.exists() and not list(ws.folder.parent.glob(".mmdemo-part-*"))
    fill(ws, (7, 7, 7))  # and goes on
