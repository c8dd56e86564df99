"""What somebody brings to look at is theirs for a while, and then there is nothing left of it."""

from __future__ import annotations

import sqlite3
import threading
import zipfile
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, event, select

from assets.sounds import wav_bytes
from mmdemo.asker import Asker, asking
from mmdemo.errors import UserError
from mmdemo.settings import DATABASE
from mmdemo.store.backup import back_up
from mmdemo.store.labels import NewLabel
from mmdemo.store.made_files import MadeFiles
from mmdemo.store.media_store import MediaStore
from mmdemo.store.scratch import OTHERS_S, VISITORS_S
from mmdemo.store.tables import Item, Scratch, SearchableText, Transcript, now
from mmdemo.store.workspace import Workspace
from tests.conftest import png
from tests.media.test_audio import tone

ONE, OTHER = Asker("viewer", session="one"), Asker("viewer", session="other")
HERE = Asker("owner")
TASK = "image-text"


def brought(
    ws: Workspace, data: bytes, asker: Asker, name: str = "mine.png", modality: str = "image"
) -> Item:
    with asking(asker):
        return ws.add_media(modality, data, name, source="upload", listed=False)


def sees(ws: Workspace, item: Item, asker: Asker) -> bool:
    with asking(asker):
        return ws.visible(item.id) is not None


def files_of(ws: Workspace) -> list[Path]:
    return sorted(
        f
        for name in ("media", "scratch", "cache", "vectors")
        for f in (ws.folder / name).rglob("*")
        if f.is_file()
    )


def rows(ws: Workspace) -> list[int]:
    with ws.database.read() as session:
        return [len(list(session.scalars(select(t)))) for t in (Item, Scratch, Transcript, SearchableText)]


def test_a_file_is_seen_by_the_session_that_brought_it_and_by_no_other(ws: Workspace) -> None:
    item = brought(ws, png(), ONE)
    assert sees(ws, item, ONE) and not sees(ws, item, OTHER) and not sees(ws, item, HERE)
    assert not list((ws.folder / "media").rglob("*.png")) and ws.media_path(item).is_file()
    assert ws.items.listed("image") == [] and ws.items.sources("image") == []


def test_who_comes_without_a_session_sees_nothing_of_who_is_at_this_machine(ws: Workspace) -> None:
    item = brought(ws, png(), HERE)
    nobody = Asker("viewer")
    assert sees(ws, item, HERE) and not sees(ws, item, nobody)
    theirs = brought(ws, png((1, 2, 3)), nobody)
    assert not any(sees(ws, theirs, who) for who in (HERE, ONE, nobody))
    assert ws.scratch.sweep(at=now() + timedelta(days=2)) and ws.items.get(theirs.id) is None


def test_no_secret_of_a_session_is_in_the_database(ws: Workspace, only_sqlite: None) -> None:
    brought(ws, png(), Asker("viewer", session="a-secret-of-a-browser"))
    ws.close()
    whole = b"".join(f.read_bytes() for f in ws.folder.glob(f"{DATABASE}*"))
    assert b"a-secret-of-a-browser" not in whole


def test_what_two_sessions_bring_goes_with_the_last_of_them(ws: Workspace) -> None:
    item = brought(ws, png(), ONE)
    brought(ws, png(), OTHER)
    with ws.database.write() as session:
        held = session.scalars(select(Scratch).order_by(Scratch.until)).first()
        assert held is not None
        held.until = now() - timedelta(seconds=1)
    assert ws.scratch.sweep() == []
    assert [sees(ws, item, who) for who in (ONE, OTHER)].count(True) == 1 and ws.media_path(item).is_file()
    assert ws.scratch.sweep(at=now() + timedelta(days=2)) == [item.id]


def test_nothing_is_left_of_it_when_its_time_is_over(ws: Workspace) -> None:
    before, at_first = files_of(ws), rows(ws)
    picture = brought(ws, png(), ONE)
    sound = brought(ws, wav_bytes(tone(1.0)), ONE, "mine.wav", "audio")
    for side in (320, 1280):
        ws.thumbnail(picture, side)
    ws.thumbnail(sound, 320)
    states = ws.folder / "cache" / "states" / "some" / "tower" / sound.id[:2] / f"{sound.id[2:]}.npz"
    states.parent.mkdir(parents=True)
    states.write_bytes(b"what was heard")
    said = [{"text": "a secret", "start": 0.0, "end": 1.0, "words": []}]
    ws.transcripts.put(sound.id, "v1", "en", said, 1.0, True)
    assert len(files_of(ws)) > len(before) + 4 and rows(ws) != at_first
    soon = now() + timedelta(seconds=VISITORS_S - 60)
    assert ws.scratch.sweep(at=soon) == []
    late = now() + timedelta(seconds=VISITORS_S + 60)
    assert ws.scratch.sweep(lambda item: item == sound.id, late) == [picture.id]
    assert ws.scratch.sweep(at=late) == [sound.id]
    assert files_of(ws) == before and rows(ws) == at_first


def test_each_use_gives_it_its_time_again(ws: Workspace) -> None:
    item = brought(ws, png(), ONE)
    with ws.database.write() as session:
        held = session.scalars(select(Scratch)).one()
        held.until = now() + timedelta(seconds=5)
    assert sees(ws, item, ONE)
    assert ws.scratch.sweep(at=now() + timedelta(seconds=VISITORS_S - 60)) == []


@pytest.mark.usefixtures("only_sqlite")
def test_what_one_has_brought_is_seen_on_a_disk_that_takes_nothing_more(ws: Workspace) -> None:
    item = brought(ws, png(), ONE)
    with ws.database.write() as session:
        held = session.scalars(select(Scratch)).one()
        held.until = over = now() + timedelta(seconds=5)

    def lock(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA query_only = ON")

    event.listen(ws.database.engine, "connect", lock)
    ws.database.engine.dispose()
    assert sees(ws, item, ONE) and not sees(ws, item, OTHER)
    with ws.database.read() as session:
        assert session.scalars(select(Scratch)).one().until == over


def test_what_is_brought_at_this_machine_stays_for_a_day(ws: Workspace) -> None:
    item = brought(ws, png(), HERE)
    assert ws.scratch.sweep(at=now() + timedelta(seconds=OTHERS_S - 60)) == [] and sees(ws, item, HERE)
    assert ws.scratch.sweep(at=now() + timedelta(seconds=OTHERS_S + 60)) == [item.id]


def test_a_label_takes_it_into_the_collection(ws: Workspace) -> None:
    item = brought(ws, png(), ONE)
    with ws.scratch.keeping(item):
        ws.labels.add_on(TASK, item.id, "a red square", NewLabel("match"), "search")
    kept = ws.items.get(item.id)
    assert kept is not None and kept.listed and sees(ws, kept, OTHER)
    assert ws.media_path(kept).is_relative_to(ws.folder / "media") and ws.media_path(item).is_file()
    assert not any(f.is_file() for f in (ws.folder / "scratch").rglob("*"))
    assert ws.scratch.sweep(at=now() + timedelta(days=9)) == [] and ws.media_path(kept).is_file()


def test_a_label_that_is_refused_leaves_it_where_it_was(ws: Workspace) -> None:
    before = files_of(ws)
    item = brought(ws, png(), ONE)
    with pytest.raises(UserError), ws.scratch.keeping(item):
        ws.labels.add_on(TASK, item.id, " ", NewLabel("match"), "search")
    assert not sees(ws, item, OTHER) and sees(ws, item, ONE)
    assert ws.scratch.sweep(at=now() + timedelta(days=9)) == [item.id] and files_of(ws) == before


def test_an_import_of_the_same_bytes_takes_it_into_the_collection(ws: Workspace) -> None:
    item = brought(ws, png(), ONE)
    added = ws.add_media("image", png(), "imported.png", source="an import")
    assert added.id == item.id and sees(ws, added, OTHER)
    assert ws.scratch.sweep(at=now() + timedelta(days=9)) == [] and ws.media_path(added).is_file()
    again = brought(ws, png(), OTHER)
    assert again.listed and not any(f.is_file() for f in (ws.folder / "scratch").rglob("*"))


def test_no_backup_has_it(ws: Workspace, tmp_path: Path, only_sqlite: None) -> None:
    item = brought(ws, wav_bytes(tone(1.0)), ONE, "a secret name.wav", "audio")
    said = [{"text": "a secret word", "start": 0.0, "end": 1.0, "words": []}]
    ws.transcripts.put(item.id, "v1", "en", said, 1.0, True)
    kept = ws.add_media("image", png(), "kept.png", source="import")
    back_up(ws, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert not [n for n in archive.namelist() if item.id[2:] in n or n.startswith("scratch")]
        data = archive.read(DATABASE)
    assert b"a secret" not in data and b"kept.png" in data
    (tmp_path / "copy.sqlite3").write_bytes(data)
    with sqlite3.connect(tmp_path / "copy.sqlite3") as copy:
        assert copy.execute("SELECT id FROM items").fetchall() == [(kept.id,)]
    assert sees(ws, item, ONE)


def test_files_that_no_row_knows_go(ws: Workspace) -> None:
    item = brought(ws, png(), ONE)
    stray = ws.folder / "scratch" / "ab" / f"{'c' * 62}.png"
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"of a workspace that was here before")
    ws.scratch.remove_strays()
    assert stray.exists()
    ws.scratch.remove_strays(older_s=-1)
    assert not stray.exists() and ws.media_path(item).is_file()


def test_what_was_made_of_items_that_no_row_knows_goes_too(ws: Workspace) -> None:
    kept = ws.add_media("image", png((1, 2, 3)), "kept.png", source="import")
    item = brought(ws, png(), ONE)
    made = [ws.thumbnail(one, side) for one in (kept, item) for side in (320, 1280)]
    other = ws.folder / "cache" / "others" / "ab" / "notes.txt"
    other.parent.mkdir(parents=True)
    other.touch()
    with ws.database.write() as session:  # as after a restore
        session.execute(delete(Scratch))
        session.execute(delete(Item).where(Item.id == item.id))
    ws.scratch.remove_strays()
    assert all(path.exists() for path in made)
    ws.scratch.remove_strays(older_s=-1)
    assert [path.exists() for path in made] == [True, True, False, False] and other.exists()


def test_a_file_that_cannot_be_removed_keeps_no_other(ws: Workspace) -> None:
    items = [brought(ws, png((i, 0, 0)), ONE) for i in range(2)]
    thumbnails = [ws.thumbnail(item, 320) for item in items]
    for item in items:
        path = ws.media_path(item)
        path.unlink()
        path.mkdir()
    assert set(ws.scratch.sweep(at=now() + timedelta(days=2))) == {item.id for item in items}
    assert not any(path.exists() for path in thumbnails)


def test_what_a_sweep_was_killed_over_goes_with_the_next(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_of(ws)
    item = brought(ws, png(), ONE)
    ws.thumbnail(item, 320)

    def killed(made: MadeFiles, ids: Iterable[str]) -> list[Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr(MadeFiles, "of", killed)
    with pytest.raises(KeyboardInterrupt):
        ws.scratch.sweep(at=now() + timedelta(days=2))
    monkeypatch.undo()
    assert ws.scratch.sweep(at=now() + timedelta(days=2)) == [item.id] and files_of(ws) == before


def test_what_is_imported_while_it_is_swept_keeps_its_file(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought(ws, png(), ONE)
    added: list[Item] = []
    thread = threading.Thread(
        target=lambda: added.append(ws.add_media("image", png(), "a.png", source="import"))
    )
    path = MediaStore.path

    def path_of_an_import(files: MediaStore, item_id: str, suffix: str) -> Path:
        if files.folder.name == "scratch" and not thread.ident:
            thread.start()
            thread.join(0.5)  # it is done by then, or waits for the sweep
        return path(files, item_id, suffix)

    monkeypatch.setattr(MediaStore, "path", path_of_an_import)
    ws.scratch.sweep(at=now() + timedelta(days=2))
    thread.join()
    assert added[0].listed and ws.media_path(added[0]).read_bytes() == png()
