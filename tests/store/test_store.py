from __future__ import annotations

import dataclasses
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from mmdemo.data.importing import import_source
from mmdemo.errors import LostError, MmdemoError, StorageError, UserError
from mmdemo.service.app import App
from mmdemo.settings import Settings, load_settings
from mmdemo.store.backup import back_up, replace, restore
from mmdemo.store.labels import NewLabel
from mmdemo.store.texts import clean_text, text_key
from mmdemo.store.vectors import VectorFile
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png
from tests.full_disk import full_disk


def key(i: int) -> str:
    return f"{i:064x}"


def test_the_bytes_of_all_files_are_summed_by_the_database_and_no_file_is_looked_at(ws: Workspace) -> None:
    assert ws.items.bytes() == 0
    for n in range(3):
        ws.media_path(ws.add_media("image", png((n, 0, 0)), f"{n}.png", source="t")).unlink()
    assert ws.items.bytes() == sum(len(png((n, 0, 0))) for n in range(3))


def test_opening_a_workspace_again_changes_nothing(ws: Workspace, settings: Settings) -> None:
    item = ws.add_media("image", png(), "a.png", source="t")
    again = Workspace(settings)
    assert again.items.get(item.id).name == "a.png"
    again.close()


def test_a_state_that_there_is_not_is_refused_with_those_there_are(ws: Workspace) -> None:
    with pytest.raises(UserError, match=r"no verdict 'perhaps'.*match, mismatch, unsure"):
        ws.pairs.browse(TASK, state="perhaps")
    with pytest.raises(UserError, match=r"'match'.*labelled, unlabelled, unpaired"):
        ws.items.browse("image", TASK, state="match")


def test_the_same_bytes_are_one_item_whatever_they_are_called(ws: Workspace) -> None:
    one, two = (
        ws.add_media("image", png(), "a.png", source="t"),
        ws.add_media("image", png(), "b.jpg", source="u"),
    )
    assert one.id == two.id and ws.items.count("image") == 1
    assert ws.media_path(two).suffix == ".png" and ws.media_path(two).is_file()


def test_an_import_on_a_full_disk_names_the_file_as_it_is_called_there(ws: Workspace, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), np.uint8)
    folder = tmp_path / "pictures"
    folder.mkdir()
    Image.fromarray(noise).save(folder / "lake.png")
    with full_disk(1_000_000), pytest.raises(StorageError, match=r"^lake\.png could not be saved: "):
        import_source(ws, str(folder), TASK)
    assert ws.items.count("image") == 0 and not list(ws.media.folder.rglob("*.p*"))


def test_what_is_drawn_of_a_file_on_a_full_disk_names_the_file(ws: Workspace) -> None:
    item = ws.add_media("image", png(), "lake.png", source="t")
    with (
        full_disk(20),
        pytest.raises(StorageError, match=r"^The thumbnail of lake\.png could not be saved: "),
    ):
        ws.thumbnail(item, 96)


def test_a_picture_that_is_only_looked_at_is_not_part_of_the_collection_until_it_is_labelled(
    ws: Workspace,
) -> None:
    item = ws.add_media("image", png(), "a.png", source="upload", listed=False)
    assert ws.items.count("image") == 0
    ws.labels.add_on(TASK, item.id, "red", NewLabel("match"), "align")
    assert ws.items.count("image") == 1


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=25))
def test_a_split_never_moves_and_never_leaks(ws: Workspace, rows: list[tuple[int, int]]) -> None:
    first: dict[str, str | None] = {}
    for picture, words in rows:
        item = ws.add_media("image", png((picture * 20, 1, 1)), "a.png", source="t")
        with ws.database.write() as session:
            ws.pairs.add(session, TASK, item.id, f"text {words}", source="t")
        for seen in ws.pairs.browse(TASK):
            assert first.setdefault(f"pair {seen.id}", seen.split) == seen.split
    pairs = [p for p in ws.pairs.browse(TASK) if p.split]
    classes = ws.pairs.sides.closed(text_key(f"text {words}") for words in range(10))
    for side in (lambda p: p.item, lambda p: text_key(p.text)):
        sides: dict[str, set[str | None]] = {}
        for p in pairs:
            sides.setdefault(side(p), set()).add(p.split)
        assert all(len(s) == 1 or key in classes for key, s in sides.items())
    for key in classes:
        assert len({p.item for p in ws.pairs.browse(TASK) if text_key(p.text) == key}) > 4


def test_copies_of_a_text_are_one_whatever_their_case_and_blanks() -> None:
    assert text_key("A  Cat") == text_key("a cat") != text_key("a cats")


@pytest.mark.parametrize(
    "words", ["猫が座っている", "قطة", "🐈‍⬛ cat", "a\u0301 b", "line\nbreak", "<b>bold</b>"]
)
def test_any_script_is_kept(words: str) -> None:
    assert clean_text(words)


def test_an_empty_and_an_overlong_text_are_refused() -> None:
    with pytest.raises(UserError, match="empty"):
        clean_text(" \n\t\x00")
    assert len(clean_text("x" * 10_000)) == 10_000
    with pytest.raises(UserError, match="10,001 characters"):
        clean_text("x" * 10_001)


def test_vectors_come_back_by_key_and_are_appended_once(tmp_path: Path) -> None:
    file = VectorFile(tmp_path / "v", 4)
    file.append([key(1), key(2)], np.eye(2, 4))
    file.append([key(2), key(3)], np.full((2, 4), 7.0))
    assert len(file) == 3 and file.keys() == [key(1), key(2), key(3)]
    assert file.get([key(3), key(2)]).tolist() == [[7, 7, 7, 7], [0, 1, 0, 0]]
    assert file.missing([key(9), key(1)]) == [key(9)]
    assert VectorFile(tmp_path / "v", 4).keys_at(np.array([1])) == [key(2)]
    with pytest.raises(LostError):
        file.get([key(9)])


@pytest.mark.parametrize("suffix", ["f32", "keys"])
def test_an_append_cut_off_by_a_kill_loses_itself_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    VectorFile(tmp_path / "v", 4).append([key(1), key(2)], np.ones((2, 4)))
    path = tmp_path / f"v.{suffix}"
    path.write_bytes(path.read_bytes()[:-5])
    file = VectorFile(tmp_path / "v", 4)
    assert file.keys() == [key(1)]
    file.append([key(3)], np.full((1, 4), 3.0))
    assert file.get([key(1), key(3)]).tolist() == [[1] * 4, [3] * 4]


def test_one_process_sees_what_another_appended(tmp_path: Path) -> None:
    mine, other = VectorFile(tmp_path / "v", 4), VectorFile(tmp_path / "v", 4)
    other.append([key(5)], np.ones((1, 4)))
    mine.append([key(6), key(5)], np.zeros((2, 4)))
    assert mine.keys() == [key(5), key(6)] and other.refresh() == 2


def test_a_backup_restores_everything_that_was_labelled(app: App, tmp_path: Path) -> None:
    pair = app.ws.pairs.browse(TASK, state="unlabelled")[0]
    app.ws.labels.add(pair.id, NewLabel("mismatch", comment="no"))
    archive = back_up(app.ws, tmp_path / "b.zip")
    restore(archive, tmp_path / "restored")
    ws = Workspace(load_settings({}, workspace=tmp_path / "restored"))
    assert ws.labels.counts(TASK) == app.ws.labels.counts(TASK)
    assert ws.pairs.get(pair.id) == app.ws.pairs.get(pair.id)
    assert all(ws.media_path(i).is_file() for i in ws.items.listed("image"))
    ws.close()


def test_restoring_over_a_workspace_keeps_what_was_there_as_a_workspace_of_its_own(
    app: App, tmp_path: Path
) -> None:
    archive = back_up(app.ws, tmp_path / "b.zip")
    pair = app.ws.pairs.browse(TASK, state="unlabelled")[0]
    app.ws.labels.add(pair.id, NewLabel("match"))
    kept = replace(app.ws, archive).kept
    assert app.ws.pairs.get(pair.id).verdict is None
    before = Workspace(load_settings({}, workspace=kept))
    assert before.pairs.get(pair.id).verdict == "match"
    assert all(before.media_path(i).is_file() for i in before.items.listed("image"))
    restore(back_up(before, tmp_path / "k.zip"), tmp_path / "again")
    before.close()


@pytest.mark.usefixtures("only_sqlite")
def test_a_backup_takes_the_place_of_an_earlier_one_and_of_nothing_else(
    ws: Workspace, tmp_path: Path
) -> None:
    earlier = back_up(ws, tmp_path / "b.zip")
    assert back_up(ws, earlier) == earlier
    (tmp_path / "precious.txt").write_text("precious")
    (tmp_path / "link.zip").symlink_to(earlier)
    os.mkfifo(tmp_path / "pipe")
    for taken in (
        ws.folder / "mmdemo.sqlite3",
        *(tmp_path / name for name in ("precious.txt", "link.zip", "pipe")),
        Path("/dev/null"),
    ):
        with pytest.raises(UserError, match="is there already and is no backup"):
            back_up(ws, taken)
    assert (tmp_path / "precious.txt").read_text() == "precious" and Path("/dev/null").is_char_device()
    with pytest.raises(MmdemoError, match="could not be written"):
        back_up(ws, tmp_path / ("n" * 300))
    ws.add_media("image", png(), "still works.png", source="t")


@pytest.mark.usefixtures("only_sqlite")
def test_what_is_no_backup_changes_nothing(ws: Workspace, tmp_path: Path) -> None:
    (tmp_path / "no.zip").write_bytes(b"not a zip")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("hello.txt", "hi")
    with zipfile.ZipFile(tmp_path / "climbs.zip", "w") as archive:
        archive.writestr("mmdemo.sqlite3", "x")
        archive.writestr("../evil.txt", "x")
    for name, says in (("no", "not a zip"), ("other", "not a backup"), ("climbs", "no name of a file")):
        with pytest.raises(UserError, match=says):
            replace(ws, tmp_path / f"{name}.zip")
    assert not (tmp_path / "evil.txt").exists() and not (ws.folder.parent / "evil.txt").exists()
    ws.add_media("image", png(), "still works.png", source="t")


@pytest.mark.usefixtures("only_sqlite")
def test_an_emptied_database_beside_its_files_is_refused_and_not_begun_anew(ws: Workspace) -> None:
    ws.close()
    Workspace(ws.settings).close()
    database = ws.folder / "mmdemo.sqlite3"
    whole = database.read_bytes()
    database.write_bytes(b"")
    Workspace(ws.settings).close()  # nothing is in it, so nothing is lost
    database.write_bytes(whole)
    with_picture = Workspace(ws.settings)
    with_picture.add_media("image", png(), "a.png", source="t")
    with_picture.close()
    database.write_bytes(b"")
    with pytest.raises(StorageError, match=r"is empty, and there are files in .*media"):
        Workspace(ws.settings)
    assert database.read_bytes() == b""


def test_a_workspace_that_cannot_be_made_is_said_to_be_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot be used: .*file is not a folder"):
        load_settings({}, workspace=tmp_path / "file" / "below")
    with pytest.raises(UserError, match=r"cannot be used: Not a directory\. A part of the path is a file"):
        Workspace(dataclasses.replace(load_settings({}), workspace=tmp_path / "file" / "below"))


def test_a_new_workspace_starts_with_samples_labels_to_measure_on_and_pairs_to_label(app: App) -> None:
    counts = app.labels.counts(TASK)
    assert counts["pairs"] > 300 and counts["held_out"] > 100 and counts["train"] == 0
    assert app.context.keeper.status.served == app.ws.items.count("image") == counts["pairs"]


def test_the_samples_come_only_once(app: App) -> None:
    from mmdemo.data.samples import seed_samples

    assert seed_samples(app.ws) == 0
