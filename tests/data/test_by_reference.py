"""Media that stay outside of the workspace: what is read from there, and what never is."""

from __future__ import annotations

import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mmdemo.data.exporting import export_labels
from mmdemo.data.importing import import_source
from mmdemo.errors import GoneError, UserError
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.settings import DATABASE, Settings, load_settings
from mmdemo.store.backup import Lacking, back_up, lies_outside, restore
from mmdemo.store.media_store import sha256
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace
from mmdemo.ui.media_routes import media_routes
from tests.conftest import TASK, png


def bring(ws: Workspace, folder: Path) -> Item:
    """Import a folder by reference; returns the item of a.png."""
    report = import_source(ws, str(folder), TASK, verdict="none", outside=True)
    assert report.outside == report.items
    return ws.items.listed("image", ["a.png"])[0]


def test_an_item_is_read_where_it_is_and_nothing_is_copied(
    settings: Settings, database_url: str, folder: Path
) -> None:
    ws = Workspace(replace(settings, database_url=database_url))
    item = bring(ws, folder)
    assert ws.media_path(item) == (folder / "a.png").resolve() and not any(ws.media.folder.rglob("*.png"))
    assert ws.thumbnail(item, 64).is_file() and len(lies_outside(ws)) == 5
    assert import_source(ws, str(folder), TASK, outside=True).known == 5
    ws.close()


def test_one_that_is_gone_or_has_changed_is_said_to_be(app: App, folder: Path) -> None:
    item = bring(app.ws, folder)
    client = TestClient(Starlette(routes=media_routes(app)))
    address = f"/mmdemo/media/{item.id}"
    assert client.get(address).content == (folder / "a.png").read_bytes()
    (folder / "a.png").write_bytes(png((9, 9, 9)))
    changed = client.get(address)
    assert changed.status_code == 404 and "has changed there since it was imported" in changed.json()["error"]
    (folder / "a.png").unlink()
    gone = client.get(address)
    assert gone.status_code == 404 and str(folder) not in gone.text
    assert gone.json()["error"] == (
        "The file of a.png is not in the workspace but in the folder pictures, and is gone from there."
    )
    found = ask(app, "check")
    (fault,) = found["faults"]
    assert fault["what"] == (
        f"The file of a.png is not in the workspace but in the folder pictures, and is gone from there: "
        f"it was {folder / 'a.png'}."
    )
    assert fault["cure"].startswith("Put it back, or remove it. Import its folder again")
    assert found["checked"]["outside"] == 5


def test_bytes_that_change_under_the_same_size_and_time_are_not_served(ws: Workspace, folder: Path) -> None:
    import os

    (folder / "a.png").write_bytes(png((1, 2, 3)))
    item = bring(ws, folder)
    facts = (folder / "a.png").stat()
    data = bytearray((folder / "a.png").read_bytes())
    data[-20] ^= 1
    (folder / "a.png").write_bytes(data)
    os.utime(folder / "a.png", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    with pytest.raises(GoneError, match="has changed"):
        ws.media_path(item)


def test_a_database_of_somebody_else_opens_no_file_here(app: App, folder: Path, tmp_path: Path) -> None:
    """It names a folder that this machine knows, and files beside and below it, by all names there are."""
    item = bring(app.ws, folder)
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"the secret of this machine")
    (folder / "private.png").write_bytes(b"what was never imported")
    (folder / "link.png").symlink_to(secret)
    (known,) = app.ws.folders.known()
    with app.ws.database.write() as session:
        session.connection().exec_driver_sql("DELETE FROM source_files")
    for folder_id, name in [
        (known, "../secret.png"),
        (known, str(secret)),
        (known, "link.png"),
        (known, "private.png"),
        (known, ""),
        (known, "."),
        ("0" * 32, "a.png"),
        (str(tmp_path), "secret.png"),
        ("", "/etc/passwd"),
    ]:
        with app.ws.database.write() as session:
            session.connection().exec_driver_sql("DELETE FROM source_files")
            row = (folder_id, sha256(name.encode()), item.id, name, item.bytes, 1, True)
            session.connection().exec_driver_sql(
                "INSERT INTO source_files (folder, key, item_id, name, bytes, mtime_ns, outside) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        with pytest.raises(GoneError):
            app.ws.media_path(item)


def test_a_folder_that_was_only_copied_from_is_never_read_from(ws: Workspace, folder: Path) -> None:
    import_source(ws, str(folder), TASK)
    item = ws.items.listed("image", ["a.png"])[0]
    ws.media_path(item).unlink()
    with ws.database.write() as session:
        session.connection().exec_driver_sql("UPDATE source_files SET outside = 1")
    with pytest.raises(GoneError, match="a folder that this machine does not know"):
        ws.media_path(item)


def test_what_was_uploaded_is_packed_or_leads_elsewhere_is_not_left_where_it_is(
    app: App, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="What was uploaded goes after its import"):
        import_source(app.ws, str(folder), TASK, within=folder, outside=True)
    shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    with pytest.raises(UserError, match=r"packed\.zip is packed"):
        import_source(app.ws, str(tmp_path / "packed.zip"), TASK, outside=True)
    (tmp_path / "far.png").write_bytes(png((3, 3, 3)))
    (folder / "link.png").symlink_to(tmp_path / "far.png")
    report = import_source(app.ws, str(folder), TASK, outside=True)
    assert (report.outside, report.copied) == (5, 1) and "Copied all the same: 1." in " ".join(report.notes)
    item = app.ws.items.listed("image", ["link.png"])[0]
    assert app.ws.media_path(item).is_relative_to(app.ws.media.folder)


def test_a_backup_says_that_they_are_not_inside_and_carries_them_on_request(
    app: App, folder: Path, tmp_path: Path
) -> None:
    item = bring(app.ws, folder)
    told = ask(app, "backup", out=str(tmp_path / "b.zip"))
    assert told["outside"] == 5
    assert restore(tmp_path / "b.zip", tmp_path / "without") == Lacking(outside=5)
    other = Workspace(load_settings({}, workspace=tmp_path / "without"))
    with pytest.raises(GoneError, match="does not know"):
        other.media_path(item)
    import_source(other, str(folder), TASK, outside=True)
    assert other.media_path(item) == (folder / "a.png").resolve()
    other.close()
    assert ask(app, "backup", out=str(tmp_path / "w.zip"), with_outside=True)["outside"] == 0
    assert restore(tmp_path / "w.zip", tmp_path / "with") == Lacking()
    whole = Workspace(load_settings({}, workspace=tmp_path / "with"))
    assert whole.media_path(item).read_bytes() == (folder / "a.png").read_bytes()
    whole.close()


def test_a_backup_restored_where_it_was_made_finds_them_again(app: App, folder: Path, tmp_path: Path) -> None:
    item = bring(app.ws, folder)
    back_up(app.ws, tmp_path / "b.zip")
    assert app.data.restore(tmp_path / "b.zip").lacking == Lacking(outside=5)
    assert app.ws.media_path(item) == (folder / "a.png").resolve()


def test_an_export_takes_them_along(ws: Workspace, folder: Path, tmp_path: Path) -> None:
    for name in "abcde":
        (folder / f"{name}.txt").write_text(f"the {name}")
    import_source(ws, str(folder), TASK, verdict="match", outside=True)
    export_labels(ws, tmp_path / "out", TASK, "jsonl")
    lines = [json.loads(line) for line in next((tmp_path / "out").glob("*.jsonl")).read_text().splitlines()]
    for line in lines:
        assert (tmp_path / "out" / line["file_name"]).read_bytes() == (
            folder / Path(line["file_name"]).name
        ).read_bytes()
    assert len(lines) == 5


def test_imported_as_copies_afterwards_they_are_in_the_workspace(ws: Workspace, folder: Path) -> None:
    item = bring(ws, folder)
    import_source(ws, str(folder), TASK)
    shutil.rmtree(folder)
    assert ws.media_path(item).is_file() and lies_outside(ws) == []


def test_no_backup_holds_where_folders_are(ws: Workspace, folder: Path, tmp_path: Path) -> None:
    bring(ws, folder)
    back_up(ws, tmp_path / "b.zip")
    shutil.unpack_archive(tmp_path / "b.zip", tmp_path / "in")
    with sqlite3.connect(tmp_path / "in" / DATABASE) as database:
        assert str(folder.parent) not in "".join(database.iterdump())
    assert not list((tmp_path / "in").rglob("folders.json"))
