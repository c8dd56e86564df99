"""What somebody brings to look at is theirs for a while, and then there is nothing left of it."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import delete, event, func, select

from assets.sounds import wav_bytes
from mmdemo.asker import Asker, asking
from mmdemo.bounds import MOST_FILES
from mmdemo.errors import BusyError, UserError
from mmdemo.settings import DATABASE, load_settings
from mmdemo.store.backup import back_up
from mmdemo.store.labels import NewLabel
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
    added, new = ws.add_listed("image", png(), "imported.png", "an import")
    assert new and added.id == item.id and sees(ws, added, OTHER)
    assert ws.scratch.sweep(at=now() + timedelta(days=9)) == [] and ws.media_path(added).is_file()
    again = brought(ws, png(), OTHER)
    assert again.listed and not any(f.is_file() for f in (ws.folder / "scratch").rglob("*"))


@pytest.fixture
def small(tmp_path: Path) -> Workspace:
    return Workspace(load_settings({}, workspace=tmp_path / "s", samples=False, visitor_mb=1, visitors_mb=2))


def noise(seed: int, kb: int) -> bytes:
    """A recording of so many kilobytes."""
    rng = np.random.default_rng(seed)
    return wav_bytes(rng.uniform(-0.5, 0.5, kb * 500).astype(np.float32))


def test_a_visitor_has_a_quota_and_the_oldest_go_first(small: Workspace) -> None:
    items = [brought(small, noise(i, 300), ONE, f"{i}.wav", "audio") for i in range(5)]
    assert [sees(small, item, ONE) for item in items] == [False, False, True, True, True]
    assert not small.media_path(items[0]).exists()
    with pytest.raises(UserError, match="over a visitor's limit of 1 MB"):
        brought(small, noise(9, 1200), ONE, "large.wav", "audio")
    assert all(sees(small, item, ONE) for item in items[2:])
    brought(small, noise(10, 1200), HERE, "large.wav", "audio")  # whoever works here has none
    small.close()


def test_all_visitors_together_have_one_too(small: Workspace) -> None:
    for i in range(2):
        brought(small, noise(i, 900), Asker("viewer", session=f"s{i}"), "a.wav", "audio")
    newest = Asker("viewer", session="s7")
    assert sees(small, brought(small, noise(7, 900), newest, "a.wav", "audio"), newest)
    with small.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Scratch)) == 2
    small.close()


def test_a_few_sessions_do_not_keep_other_visitors_out_and_whoever_has_most_gives_way(
    small: Workspace,
) -> None:
    """However often they look at what they have."""
    greedy = [Asker("viewer", session=f"g{i}") for i in range(3)]
    held = [brought(small, noise(i, 600), who, "a.wav", "audio") for i, who in enumerate(greedy)]
    modest = brought(small, noise(8, 100), ONE, "m.wav", "audio")
    assert all(sees(small, item, who) for item, who in zip(held, greedy, strict=True))
    other = Asker("viewer", session="other")
    late = brought(small, noise(9, 500), other, "late.wav", "audio")
    assert sees(small, late, other) and sees(small, modest, ONE)
    assert sum(sees(small, item, who) for item, who in zip(held, greedy, strict=True)) == 2
    small.close()


def test_whose_own_oldest_file_goes_takes_no_more_than_all_may_bring(
    small: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MOST_FILES, "viewer", 1)
    for i in range(2):
        brought(small, noise(i, 900), Asker("viewer", session=f"s{i}"), "a.wav", "audio")
    tiny = brought(small, noise(3, 10), ONE, "tiny.wav", "audio")
    brought(small, noise(4, 900), ONE, "a.wav", "audio")
    assert not sees(small, tiny, ONE) and not small.media_path(tiny).is_file()
    small.close()


def test_what_others_look_at_takes_no_room_from_visitors(small: Workspace) -> None:
    for i, who in enumerate((HERE, Asker("annotator", session="a"), Asker("trainer", session="t"))):
        brought(small, noise(i, 900), who, "a.wav", "audio")
    item = brought(small, noise(4, 900), ONE, "b.wav", "audio")
    assert sees(small, item, ONE)
    small.close()


def test_everybody_but_the_owner_has_a_quota_of_their_own(tmp_path: Path) -> None:
    """What is over it takes the place of their own oldest file, and of nobody else's."""
    settings = load_settings({}, workspace=tmp_path / "q", samples=False, annotator_mb=1, trainer_mb=2)
    ws = Workspace(settings)
    anna, berta = (Asker("annotator", session=name) for name in ("anna", "berta"))
    trainer, owner = Asker("trainer", session="t"), Asker("owner", session="o")
    theirs = brought(ws, noise(1, 900), berta, "b.wav", "audio")
    items = [brought(ws, noise(seed, 600), anna, "a.wav", "audio") for seed in (2, 3)]
    assert [sees(ws, item, anna) for item in items] == [False, True] and sees(ws, theirs, berta)
    with pytest.raises(UserError, match="over an annotator's limit of 1 MB"):
        brought(ws, noise(4, 1200), anna, "large.wav", "audio")
    brought(ws, noise(5, 1200), trainer, "large.wav", "audio")
    with pytest.raises(UserError, match="over a trainer's limit of 2 MB"):
        brought(ws, noise(6, 2200), trainer, "large.wav", "audio")
    brought(ws, noise(6, 2200), owner, "large.wav", "audio")
    for number in range(3):  # all annotators together have five times what one has
        brought(ws, noise(10 + number, 900), Asker("annotator", session=f"s{number}"), "a.wav", "audio")
    with pytest.raises(BusyError, match="The space for annotators' files is used up"):
        brought(ws, noise(20, 900), Asker("annotator", session="s9"), "a.wav", "audio")
    brought(ws, noise(21, 900), ONE, "v.wav", "audio")  # which takes nothing of visitors
    ws.close()


def test_of_visitors_who_come_at_once_no_more_is_kept_than_there_is_room_for(
    small: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, add, together = threading.local(), MediaStore.add, threading.Barrier(3)

    def add_together(*given: Any) -> None:
        if not hasattr(here, "came"):
            here.came = together.wait(30)
        add(*given)

    monkeypatch.setattr(MediaStore, "add", add_together)

    def bring(seed: int) -> Item:
        return brought(small, noise(seed, 900), Asker("viewer", session=f"s{seed}"), "a.wav", "audio")

    with ThreadPoolExecutor(3) as pool:
        items = list(pool.map(bring, range(3)))
    assert sum(small.media_path(item).is_file() for item in items) == 2
    assert len([f for f in (small.folder / "scratch").rglob("*") if f.is_file()]) == 2
    small.close()


def test_requests_without_a_session_share_the_quota_of_their_network(small: Workspace) -> None:
    def nobody(session: str, network: str) -> Asker:
        return Asker("viewer", session=session, network=network)

    askers = [nobody(f"new {i}", "192.0.2.1") for i in range(5)]
    items = [brought(small, noise(i, 300), who, f"{i}.wav", "audio") for i, who in enumerate(askers)]
    there = [sees(small, item, who) for item, who in zip(items, askers, strict=True)]
    assert there == [False, False, True, True, True]
    brought(small, noise(9, 900), nobody("new", "192.0.2.2"), "9.wav", "audio")
    assert sees(small, items[2], askers[2])
    small.close()


def test_no_address_of_a_network_is_in_the_database(ws: Workspace) -> None:
    brought(ws, png(), Asker("viewer", session="new", network="192.0.2.1"))
    with ws.database.read() as session:
        (quota,) = session.scalars(select(Scratch.quota))
    assert len(quota) == 64 and quota != hashlib.sha256(b"192.0.2.1").hexdigest()


def test_a_visitor_has_so_many_files(ws: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_FILES["viewer"] == 100
    monkeypatch.setitem(MOST_FILES, "viewer", 3)
    items = [brought(ws, png((i, 0, 0)), ONE) for i in range(5)]
    assert [sees(ws, item, ONE) for item in items] == [False, False, True, True, True]


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

    def killed(cache: Path, item_id: str) -> list[Path]:
        raise KeyboardInterrupt

    monkeypatch.setattr("mmdemo.store.scratch.made_of", killed)
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
