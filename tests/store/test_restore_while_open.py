"""A restore under processes that have the workspace open, and one that is killed at any step of it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from mmdemo.errors import StorageError, UnavailableError
from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.service import labels
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.settings import ASSETS, Settings, load_settings
from mmdemo.store.backup import back_up, replace
from mmdemo.store.labels import NewLabel
from mmdemo.store.swap import NOTE, PARTS, lock
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png

DATABASE = "mmdemo.sqlite3"
SIDES = ("train", "validation", "held_out")
BEGIN_WITH = {
    "image": "efficientnet-lite2-devise",
    "audio": "whisper-tiny-en-minilm",
    "video": "efficientnet-lite0-minilm-video",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """These are about the file that SQLite keeps in the workspace."""
    return load_settings({}, workspace=tmp_path / "workspace", samples=False, device="cpu")


def fill(ws: Workspace, pictures: int, colour: int) -> list[int]:
    """Pairs of pictures, each with a word."""
    pairs = []
    for i in range(pictures):
        item = ws.add_media("image", png((colour, i, 0)), f"{colour}-{i}.png", source="t")
        with ws.database.write() as session:
            pairs.append(ws.pairs.add(session, TASK, item.id, f"word {i}", source="t")[0].id)
    return pairs


def label_in_another_process(folder: str, pairs: list[int], told, go) -> None:  # type: ignore[no-untyped-def]
    """Open the workspace, label one pair, wait for the restore, label the others."""
    ws = Workspace(load_settings({}, workspace=Path(folder), samples=False))
    told.put(ws.labels.add(pairs[0], NewLabel("match", annotator="other")))
    go.wait(60)
    for pair in pairs[1:]:
        told.put(ws.labels.add(pair, NewLabel("match", annotator="other")))
    told.put(None)


@pytest.mark.slow
def test_what_another_process_labels_after_a_restore_is_in_the_restored_workspace(
    ws: Workspace, tmp_path: Path
) -> None:
    pairs = fill(ws, 6, 1)
    archive = back_up(ws, tmp_path / "b.zip")
    spawn = multiprocessing.get_context("spawn")
    told, go = spawn.Queue(), spawn.Event()
    other = spawn.Process(target=label_in_another_process, args=(str(ws.folder), pairs, told, go))
    other.start()
    first = told.get(timeout=60)
    kept = replace(ws, archive).kept
    go.set()
    acknowledged = [one for one in iter(lambda: told.get(timeout=60), None)]
    other.join(60)
    assert len(acknowledged) == 5
    here, before = (labels_in(folder) for folder in (ws.folder, kept))
    assert set(acknowledged) <= here and before == {first}
    later = Workspace(ws.settings)  # whoever opens it afterwards finds them as well
    assert later.labels.total() == 5
    later.close()


def labels_in(folder: Path) -> set[int]:
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        return {row[0] for row in database.execute("SELECT id FROM labels")}


@pytest.mark.slow
def test_every_label_acknowledged_during_a_restore_is_before_it_or_after_it(
    ws: Workspace, tmp_path: Path
) -> None:
    pairs = fill(ws, 400, 1)
    archive = back_up(ws, tmp_path / "b.zip")
    other = Workspace(ws.settings)
    acknowledged: list[str] = []
    over = threading.Event()

    def label() -> None:
        for i, pair in enumerate(pairs * 5):
            if over.is_set():
                return
            other.labels.add(pair, NewLabel("match", comment=f"c{i}"))
            acknowledged.append(f"c{i}")

    thread = threading.Thread(target=label)
    thread.start()
    while len(acknowledged) < 20:
        over.wait(0.001)
    kept = replace(ws, archive).kept
    seen = len(acknowledged)
    while len(acknowledged) < seen + 20:
        over.wait(0.001)
    over.set()
    thread.join()
    other.close()
    found: set[str] = set()
    for folder in (kept, ws.folder):
        with closing(sqlite3.connect(folder / DATABASE)) as database:
            found |= {row[0] for row in database.execute("SELECT comment FROM labels")}
    assert set(acknowledged) == found


def test_a_page_whose_workspace_another_process_has_restored_answers_by_what_is_there_now(
    app: App, tmp_path: Path
) -> None:
    archive = back_up(app.ws, tmp_path / "b.zip")
    app.ws.add_media("image", png((1, 1, 1)), "later.png", source="t")
    app.context.keeper.update()
    keeper, count = app.context.keeper, app.ws.items.count("image")
    other = Workspace(app.settings)
    replace(other, archive)
    other.close()
    assert ask(app, "data", task=TASK)["items"] == count - 1
    assert app.context.keeper is not keeper
    assert len(app.context.keeper.update().index) == count - 1


def test_what_a_page_knew_of_a_workspace_is_forgotten_with_it(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "SOON_S", 0.0)
    monkeypatch.setattr(labels, "COUNTING_SHARE", 1e-9)  # counted once
    archive = back_up(app.ws, tmp_path / "b.zip")
    before = len(take_snapshot(app.ws, TASK).examples)
    for pair in app.ws.pairs.browse(TASK, state="unlabelled")[:5]:
        app.ws.labels.add(pair.id, NewLabel("match"))
    assert sum(app.labels.counts(TASK)[side] for side in SIDES) == before + 5
    other = Workspace(app.settings)
    replace(other, archive)
    other.close()
    counts = ask(app, "label_counts", task=TASK)
    assert sum(counts[side] for side in SIDES) == before


def test_a_page_has_the_models_of_the_workspace_that_was_restored(
    make_app: Callable[..., App], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = make_app("begun", samples=False)
    archive = back_up(begun.ws, tmp_path / "b.zip")
    with monkeypatch.context() as patch:
        patch.setattr("mmdemo.service.context.begin_with", lambda modality, *_: BEGIN_WITH[modality.name])
        app = make_app("page", samples=False)
    assert app.settings.model == BEGIN_WITH["image"] != begun.settings.model
    other = Workspace(app.settings)
    replace(other, archive)
    other.close()
    assert ask(app, "data", task=TASK)["items"] == 0
    assert app.settings.model == app.context.settings.model == begun.settings.model
    assert not app.context._begun_now


def test_a_label_is_answered_though_a_backup_without_its_pair_is_restored_meanwhile(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = back_up(app.ws, tmp_path / "b.zip")
    (pair,) = fill(app.ws, 1, 1)
    other, add = Workspace(app.settings), app.ws.labels.add

    def add_before_a_restore(*args: Any, **more: Any) -> int:
        label = add(*args, **more)
        kept.append(replace(other, archive).kept)
        return label

    kept: list[Path] = []
    monkeypatch.setattr(app.ws.labels, "add", add_before_a_restore)
    answer = app.labels.add(pair, NewLabel("match"))
    assert answer["saved"] == "disk" and answer["label"] in labels_in(kept[0])
    other.close()


def test_a_picture_added_while_its_folder_is_replaced_has_its_file_in_the_new_one(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = back_up(ws, tmp_path / "b.zip")
    other, add = Workspace(ws.settings), ws.items.add

    def add_after_a_restore(item):  # type: ignore[no-untyped-def]
        replace(other, archive)
        return add(item)

    monkeypatch.setattr(ws.items, "add", add_after_a_restore)
    item = ws.add_media("image", png((5, 5, 5)), "a.png", source="t")
    assert ws.media_path(item).read_bytes() == png((5, 5, 5))
    other.close()


@pytest.mark.parametrize("how", ["deleted", "moved", "only its database"])
def test_a_label_for_a_workspace_that_is_gone_is_refused_and_none_is_begun_in_its_place(
    ws: Workspace, how: str
) -> None:
    pairs = fill(ws, 2, 1)
    ws.labels.add(pairs[0], NewLabel("match"))
    if how == "deleted":
        shutil.rmtree(ws.folder)
    elif how == "moved":
        ws.folder.rename(ws.folder.with_name("elsewhere"))
    else:
        for file in ws.folder.glob(f"{DATABASE}*"):
            file.unlink()
    for _ in range(3):
        with pytest.raises(StorageError, match=r"The workspace .* is gone: somebody has moved or deleted it"):
            ws.labels.add(pairs[1], NewLabel("match"))
    with pytest.raises(StorageError, match="is gone"):
        ws.follow()
    assert not (ws.folder / DATABASE).exists()


def test_a_workspace_that_was_put_back_or_begun_anew_is_gone_on_with(ws: Workspace) -> None:
    pairs = fill(ws, 1, 1)
    ws.folder.rename(ws.folder.with_name("elsewhere"))
    with pytest.raises(StorageError, match="is gone"):
        ws.labels.add(pairs[0], NewLabel("match"))
    ws.folder.with_name("elsewhere").rename(ws.folder)
    assert ws.labels.add(pairs[0], NewLabel("match"))
    shutil.rmtree(ws.folder)
    anew = Workspace(ws.settings)
    with pytest.raises(StorageError, match="another one by now"):
        ws.labels.total()
    assert ws.labels.total() == 0
    anew.close()


def test_one_restore_at_a_time(ws: Workspace, tmp_path: Path) -> None:
    archive = back_up(ws, tmp_path / "b.zip")
    with lock(ws.folder), pytest.raises(UnavailableError, match="being restored already"):
        replace(ws, archive)


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from mmdemo.settings import load_settings
from mmdemo.store import swap
from mmdemo.store.backup import replace
from mmdemo.store.workspace import Workspace

folder, archive, first, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
COUNTED = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "sqlite3.connect", "open", "shutil.rmtree"}
counted, at = -1, 0

def count(event, arguments):
    global counted
    if event in COUNTED and counted >= 0:
        if event == "open" and "restore" not in str(arguments[0]):
            return
        if counted == at:
            os.kill(os.getpid(), signal.SIGKILL)
        counted += 1

sys.addaudithook(count)
swap_in = swap.swap

def counting(*given):
    global counted
    counted = 0
    swap_in(*given)
    counted = -1

import mmdemo.store.backup as backup
backup.swap = counting
for at in range(first, last):
    child = os.fork()
    if child == 0:
        ws = Workspace(load_settings({}, workspace=folder / f"{at}", samples=False))
        replace(ws, archive)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_the_old_workspace_or_the_new_one_whole(
    ws: Workspace, tmp_path: Path
) -> None:
    fill(ws, 3, 1)
    archive = back_up(ws, tmp_path / "b.zip")
    shutil.rmtree(ws.folder / "media")
    (ws.folder / "media").mkdir()
    with ws.database.write() as session:
        for table in ("searchable_texts", "pairs", "items"):
            session.connection().exec_driver_sql(f"DELETE FROM {table}")
    (own,) = fill(ws, 1, 2)
    ws.labels.add(own, NewLabel("match"))
    for part in PARTS:
        (ws.folder / part / "old").write_text("old")
    ws.close()
    steps, found = 60, {"old": 0, "new": 0}
    for at in range(steps):
        shutil.copytree(ws.folder, tmp_path / "killed" / f"{at}")
    command = [sys.executable, "-c", KILLED_AT, str(tmp_path / "killed"), str(archive), "0", str(steps)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ASSETS.parent)
    codes = [int(code) for code in done.stdout.split()]
    assert len(codes) == steps and set(codes) == {0, -signal.SIGKILL}, done.stderr
    assert codes[-1] == 0 and codes.count(-signal.SIGKILL) > 15  # every step was reached
    for at in range(steps):
        again = Workspace(load_settings({}, workspace=tmp_path / "killed" / f"{at}", samples=False))
        names = {item.name for item in again.items.listed("image")}
        side = "old" if names == {"2-0.png"} else "new"
        found[side] += 1
        assert side == "old" or names == {"1-0.png", "1-1.png", "1-2.png"}
        assert all(again.media_path(item).is_file() for item in again.items.listed("image"))
        assert all((again.folder / part / "old").exists() == (side == "old") for part in PARTS)
        assert again.labels.total() == (1 if side == "old" else 0)
        assert not (again.folder / NOTE).exists() and not list(again.folder.glob(".mmdemo-part-*"))
        if side == "new":
            (kept,) = (again.folder / "backups").iterdir()
            before = Workspace(load_settings({}, workspace=kept, samples=False))
            assert before.labels.total() == 1 and (kept / "media" / "old").exists()
            before.close()
        again.close()
    assert min(found.values()) > 3


@pytest.mark.parametrize("note", ["", "{}", "[1]", '{"kept": "../../..", "generation": 9}', "\0"])
def test_a_note_that_is_none_changes_nothing(ws: Workspace, note: str) -> None:
    fill(ws, 1, 1)
    ws.close()
    (ws.folder / NOTE).write_text(note)
    again = Workspace(ws.settings)
    assert again.items.count("image") == 1 and not (ws.folder / NOTE).exists()
    again.close()


def test_a_restore_that_fails_in_its_middle_takes_everything_back(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(ws, 1, 1)
    archive = back_up(ws, tmp_path / "b.zip")
    (own,) = fill(ws, 1, 2)
    move = Path.replace

    def fail_at_versions(self: Path, target: Path) -> Path:
        if self.name == "versions" and "fresh" not in str(self) and self.parent.name == "workspace":
            raise OSError(28, os.strerror(28))
        return move(self, target)

    monkeypatch.setattr(Path, "replace", fail_at_versions)
    with pytest.raises(StorageError, match=r"could not be restored into .*: No space left"):
        replace(ws, archive)
    monkeypatch.undo()
    assert ws.items.count("image") == 2 and not (ws.folder / NOTE).exists()
    assert all(ws.media_path(item).is_file() for item in ws.items.listed("image"))
    assert ws.labels.add(own, NewLabel("match")) and ws.labels.total() == 1
