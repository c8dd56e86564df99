"""Removing, hiding and editing: labels stay in the log, and nothing else of what is removed stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmdemo.asker import Asker, asking
from mmdemo.data.exporting import REMOVED, export_labels, foresee_export
from mmdemo.data.importing import import_source
from mmdemo.errors import UserError
from mmdemo.settings import Settings
from mmdemo.store.backup import back_up, restore
from mmdemo.store.changes import HIDE, REMOVE, SHOW, Target
from mmdemo.store.labels import NewLabel
from mmdemo.store.soundness import media_faults
from mmdemo.store.tables import Item, Pair, now
from mmdemo.store.texts import text_id
from mmdemo.store.vectors import VectorFile, take_out
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, labels_of, png


def imported(ws: Workspace, folder: Path, names: str, start: int = 0) -> str:
    """A folder of pictures with a caption each, imported; returns the import's id."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(names.split(), start):
        (folder / f"{name}.png").write_bytes(png((i * 20, 60, 90)))
        (folder / f"{name}.txt").write_text(f"a {name}")
    import_source(ws, str(folder), TASK)
    return ws.imports.listed(TASK, 9)[0].id


def pair_of(ws: Workspace, text: str) -> int:
    return next(p.id for p in ws.pairs.browse(TASK) if p.text == text)


def item_of(ws: Workspace, name: str) -> Item:
    return next(item for item in ws.items.listed("image") if item.name == name)


def files_of(ws: Workspace) -> list[str]:
    return sorted(f.name for part in ("media", "cache") for f in (ws.folder / part).rglob("*") if f.is_file())


def faults(ws: Workspace) -> list[str]:
    items = [(i.id, i.suffix, i.bytes, i.name) for i in ws.items.listed("image")]
    return [what for _, what, _ in media_faults(items, ws.media.folder)]


def remove(ws: Workspace, **target: object) -> None:
    ws.changes.make(REMOVE, Target(**target), "Ada")  # type: ignore[arg-type]
    assert ws.removals.finish()


def test_an_import_is_known_by_what_it_brought_and_goes_as_a_whole(ws: Workspace, tmp_path: Path) -> None:
    first = imported(ws, tmp_path / "zoo", "cat dog")
    second = imported(ws, tmp_path / "farm", "cow", 9)
    ws.labels.add(pair_of(ws, "a cat"), NewLabel("match"))
    shown = {one.name: (one.items, one.pairs, one.labelled) for one in ws.imports.listed(TASK, 9)}
    assert shown == {"zoo": (2, 2, 1), "farm": (1, 1, 0)} and first != second
    amount = ws.changes.amount(REMOVE, Target(import_id=first))
    assert (amount.items, amount.pairs, amount.labels) == (2, 2, 1)
    assert ws.items.count("image") == 3  # it was only asked
    remove(ws, import_id=first)
    assert [one.name for one in ws.imports.listed(TASK, 9)] == ["farm"]
    assert [item.name for item in ws.items.listed("image")] == ["cow.png"]
    assert len(files_of(ws)) == 1 and faults(ws) == []
    change = ws.changes.last(1)[0]
    assert (change.action, change.person, change.done) == ("remove", "Ada", True)
    assert change.details["name"] == "zoo" and change.details["amount"]["labels"] == 1


def test_a_picture_of_which_another_import_has_texts_stays_with_these(ws: Workspace, tmp_path: Path) -> None:
    first = imported(ws, tmp_path / "zoo", "cat dog")
    (tmp_path / "zoo" / "cat.txt").write_text("a tabby")
    import_source(ws, str(tmp_path / "zoo"), TASK)
    remove(ws, import_id=first)
    assert [(p.name, p.text) for p in ws.pairs.browse(TASK)] == [("cat.png", "a tabby")]


def test_a_picture_on_which_somebody_labelled_words_of_their_own_stays_with_these(
    ws: Workspace, tmp_path: Path
) -> None:
    brought = imported(ws, tmp_path / "zoo", "cat dog")
    ws.labels.add_on(TASK, item_of(ws, "cat.png").id, "a tabby", NewLabel("match"), "search")
    assert ws.changes.amount(REMOVE, Target(import_id=brought)).labels == 0
    remove(ws, import_id=brought)
    assert [(p.name, p.text) for p in ws.pairs.browse(TASK)] == [("cat.png", "a tabby")]


def test_labels_stay_in_the_log_and_count_for_nothing(ws: Workspace, tmp_path: Path) -> None:
    imported(ws, tmp_path / "zoo", "cat dog")
    pair = pair_of(ws, "a cat")
    label = ws.labels.add(pair, NewLabel("match", key="k1", annotator="Ada", text="a tabby"))
    remove(ws, items=(item_of(ws, "cat.png").id,))
    assert [one.id for one in labels_of(ws, pair)] == [label] and ws.labels.total(TASK) == 1
    counts = ws.labels.counts(TASK)
    assert (counts.pairs, counts.labelled) == (1, 0)
    assert ws.pairs.item_states(TASK).keys() == {item_of(ws, "dog.png").id}
    assert pair not in {view.id for view in ws.pairs.browse(TASK, state="waiting")}
    assert ws.words.find("cat tabby", "image", 9) == []
    with pytest.raises(UserError, match=f"The pair {pair} was removed from the collection"):
        ws.labels.add(pair, NewLabel("mismatch"))
    assert ws.labels.add(pair, NewLabel("match", key="k1", text="a tabby")) == label  # sent again
    ws.labels.add(pair_of(ws, "a dog"), NewLabel("match"))
    told = foresee_export(ws, TASK, "jsonl", every=True)
    assert (told.pairs, told.labels, told.removed) == (1, 1, 1)
    export_labels(ws, tmp_path / "out", TASK, "jsonl", every=True)
    kept = [json.loads(line) for line in (tmp_path / "out" / REMOVED).read_text().splitlines()]
    assert [(k["name"], k["text"], k["corrected_text"], k["verdict"]) for k in kept] == [
        ("cat.png", "a cat", "a tabby", "match")
    ]
    assert len((tmp_path / "out" / "metadata.jsonl").read_text().splitlines()) == 1
    export_labels(ws, tmp_path / "in force", TASK, "jsonl")
    assert not (tmp_path / "in force" / REMOVED).exists()


def test_of_a_pair_that_nobody_labelled_nothing_stays_but_its_number(ws: Workspace, tmp_path: Path) -> None:
    imported(ws, tmp_path / "zoo", "cat dog")
    pair = pair_of(ws, "a dog")
    texts = ws.vectors("texts", 2)
    texts.append([text_id("a cat"), text_id("a dog")], np.eye(2))
    remove(ws, items=(item_of(ws, "dog.png").id,))
    with ws.database.read() as session:
        row = session.get_one(Pair, pair)
        assert (row.text, session.get_one(Item, row.item_id).name) == ("", "")
    assert texts.missing([text_id("a cat"), text_id("a dog")]) == [text_id("a dog")]
    made = ws.labels.add_on(TASK, item_of(ws, "cat.png").id, "a new one", NewLabel("match"), "search")[1]
    assert made > pair  # no number comes twice: a page of before labels no other pair


def test_the_words_of_a_pair_stay_findable_while_another_has_them(ws: Workspace, tmp_path: Path) -> None:
    imported(ws, tmp_path / "zoo", "cat dog")
    (tmp_path / "zoo" / "dog.txt").write_text("a cat")
    import_source(ws, str(tmp_path / "zoo"), TASK)
    texts = ws.vectors("texts", 2)
    texts.append([text_id("a cat")], np.ones((1, 2)))
    remove(ws, items=(item_of(ws, "cat.png").id,))
    assert texts.missing([text_id("a cat")]) == []


def test_the_same_file_and_words_come_back_with_their_side_and_labels(ws: Workspace, tmp_path: Path) -> None:
    imported(ws, tmp_path / "zoo", "cat dog")
    cat, pair = item_of(ws, "cat.png"), pair_of(ws, "a cat")
    label = ws.labels.add(pair, NewLabel("mismatch"))
    remove(ws, items=(cat.id,))
    report = import_source(ws, str(tmp_path / "zoo"), TASK)
    assert (report.items, report.pairs) == (1, 1)
    back = ws.pairs.views([pair])[0]
    assert (back.removed, back.label, back.split) == (False, label, cat.split)
    assert [hit.item for hit in ws.words.find("cat", "image", 9)] == [cat.id] and faults(ws) == []


def test_what_was_made_of_it_goes_and_no_row_of_others_moves(ws: Workspace, tmp_path: Path) -> None:
    imported(ws, tmp_path / "zoo", "cat dog cow")
    items = {item.name: item for item in ws.items.listed("image")}
    ids = [items[f"{name}.png"].id for name in ("cat", "dog", "cow")]
    features = ws.vectors("tower", 3, np.float16)
    features.append(ids, np.arange(1, 10).reshape(3, 3))
    reader = VectorFile(ws.folder / "vectors" / "tower", 3, np.float16)  # of another process
    held = reader.matrix()
    assert reader.rows_of(ids).tolist() == [0, 1, 2]
    ws.thumbnail(items["dog.png"], 320)
    remove(ws, items=(ids[1],))
    assert held.tolist() == [[1, 2, 3], [0, 0, 0], [7, 8, 9]]
    for file in (features, reader):
        assert file.rows_of(ids).tolist() == [0, -1, 2] and file.without_key().tolist() == [1]
    assert not [name for name in files_of(ws) if name.startswith(ids[1][2:])]
    reader.append([ids[1]], np.ones((1, 3)))
    features.refresh()
    assert features.rows_of(ids).tolist() == [0, 3, 2]


def test_vectors_of_before_are_as_wide_as_their_file_says_and_damaged_ones_are_made_anew(
    ws: Workspace,
) -> None:
    ws.vectors("old", 3).append(["ab" * 32, "cd" * 32], np.ones((2, 3)))
    (ws.folder / "vectors" / "old.dim").unlink()
    assert take_out(ws.folder / "vectors", ["ef" * 32]) == 0
    assert take_out(ws.folder / "vectors", ["ab" * 32]) == 1
    assert ws.vectors("old", 3).missing(["ab" * 32, "cd" * 32]) == ["ab" * 32]
    (ws.folder / "vectors" / "old.dim").unlink(missing_ok=True)
    (rows,) = ws.folder.glob("vectors/old.f*")
    rows.write_bytes(rows.read_bytes()[:-2])
    assert take_out(ws.folder / "vectors", ["cd" * 32]) == 1 and not list(ws.folder.glob("vectors/old.[fk]*"))


def test_hidden_items_and_pairs_are_found_by_no_words_and_count_all_the_same(
    ws: Workspace, tmp_path: Path
) -> None:
    imported(ws, tmp_path / "zoo", "cat dog")
    cat, pair = item_of(ws, "cat.png").id, pair_of(ws, "a cat")
    ws.labels.add(pair, NewLabel("match"))
    change, amount = ws.changes.make(HIDE, Target(items=(cat,), pairs=(pair_of(ws, "a dog"),)))
    assert change and (amount.items, amount.pairs) == (1, 1)
    assert ws.words.find("cat", "image", 9) == [] and ws.items.out_of_sight("image") == {cat}
    assert [p.text for p in ws.pairs.browse(TASK, shown=True)] == []
    assert {p.text for p in ws.pairs.browse(TASK, state="hidden")} == {"a cat", "a dog"}
    assert ws.pairs.browse(TASK, state="waiting") == []  # nobody is asked about what is hidden
    assert ws.labels.counts(TASK).labelled == 1 and ws.media_path(item_of(ws, "cat.png")).is_file()
    assert [i.name for i, _, _ in ws.items.browse("image", TASK, state="hidden")] == ["cat.png"]
    assert ws.changes.make(HIDE, Target(items=(cat,)))[0] == 0  # it is hidden already
    ws.changes.make(SHOW, Target(items=(cat,)))
    assert [hit.item for hit in ws.words.find("cat", "image", 9)] == [cat]


def test_an_edited_text_is_another_pair_and_the_old_words_keep_their_label(
    ws: Workspace, tmp_path: Path
) -> None:
    imported(ws, tmp_path / "zoo", "cat")
    pair = pair_of(ws, "a cat")
    label = ws.labels.add(pair, NewLabel("match"))
    made, labels = ws.changes.edit_pair(pair, "a tabby cat", person="Ada")
    assert ws.removals.finish() and (labels, made) == (1, pair + 1)
    assert [(p.id, p.text, p.verdict) for p in ws.pairs.browse(TASK)] == [(made, "a tabby cat", None)]
    assert [one.id for one in labels_of(ws, pair)] == [label]
    assert ws.changes.edit_pair(made, "A tabby  CAT") == (made, 0)  # the same words
    assert ws.changes.edit_pair(made, "a cat")[0] == pair  # back again, with what was said of it
    assert ws.removals.finish() and ws.pairs.views([pair])[0].label == label
    assert [p.id for p in ws.pairs.browse(TASK)] == [pair]
    assert len(ws.words.find("cat", "image", 9)) == 1
    item = item_of(ws, "cat.png")
    ws.changes.edit_item(item.id, "tabby.png", "", "Ada")
    assert (item_of(ws, "tabby.png").source, ws.changes.last(1)[0].details["was"]["name"]) == (
        "zoo",
        "cat.png",
    )


def test_what_is_not_there_is_refused_and_nothing_changes(ws: Workspace, tmp_path: Path) -> None:
    imported(ws, tmp_path / "zoo", "cat")
    cat, pair = item_of(ws, "cat.png").id, pair_of(ws, "a cat")
    for wrong in (Target(items=(cat, "0" * 64)), Target(pairs=(pair, 99)), Target(import_id="none")):
        with pytest.raises(UserError, match="There is no"):
            ws.changes.make(REMOVE, wrong)
    assert ws.items.count("image") == 1 and ws.changes.latest() == 0
    remove(ws, pairs=(pair,))
    assert ws.items.count("image") == 1 and ws.pairs.browse(TASK) == []  # the picture stays
    with pytest.raises(UserError, match=f"There is no pair {pair}"):
        ws.changes.edit_pair(pair, "a tabby")


KILLED = """
import os, signal, sys
from pathlib import Path
from typing import Any
from mmdemo.settings import load_settings
from mmdemo.store import removal
from mmdemo.store.changes import REMOVE, Target
from mmdemo.store.workspace import Workspace
ws = Workspace(load_settings({}, workspace=Path(sys.argv[1]), samples=False, database_url=sys.argv[2]))
unlinked = removal._unlinked
def killed(paths):
    unlinked(paths)
    os.kill(os.getpid(), signal.SIGKILL)
removal._unlinked = killed
ws.changes.make(REMOVE, Target(import_id=sys.argv[3]))
ws.removals.finish()
"""


def test_a_kill_in_the_middle_leaves_nothing_that_is_half_removed(
    ws: Workspace, settings: Settings, tmp_path: Path
) -> None:
    """Killed when the first file was deleted, in the transaction that says so."""
    one = imported(ws, tmp_path / "zoo", "cat dog")
    arguments = [sys.executable, "-c", KILLED, str(ws.folder), settings.database_url, one]
    done = subprocess.run(arguments, env=os.environ | {"PYTHONPATH": str(Path.cwd())}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert ws.items.count("image") == 0 and faults(ws) == []  # out, and some files are there yet
    assert not ws.changes.last(1)[0].done
    assert ws.removals.finish() and files_of(ws) == [] and ws.changes.last(1)[0].done
    report = import_source(ws, str(tmp_path / "zoo"), TASK)
    assert report.items == 2 and faults(ws) == []


def test_a_file_that_comes_again_while_it_is_removed_stays(ws: Workspace, tmp_path: Path) -> None:
    imported(ws, tmp_path / "zoo", "cat")
    ws.changes.make(REMOVE, Target(items=(item_of(ws, "cat.png").id,)))
    import_source(ws, str(tmp_path / "zoo"), TASK)  # before its files are gone
    assert ws.removals.finish() and faults(ws) == [] and len(files_of(ws)) == 1
    assert [p.text for p in ws.pairs.browse(TASK)] == ["a cat"]


def test_who_brings_a_removed_file_to_look_at_has_it_for_a_while(ws: Workspace, tmp_path: Path) -> None:
    imported(ws, tmp_path / "zoo", "cat")
    cat = item_of(ws, "cat.png")
    ws.labels.add(pair_of(ws, "a cat"), NewLabel("match"))
    remove(ws, items=(cat.id,))
    with asking(Asker("viewer", session="one")):
        mine = ws.add_media("image", png((0, 60, 90)), "mine.png", source="upload", listed=False)
        assert mine.id == cat.id and ws.visible(cat.id) and ws.media_path(mine).is_file()
    ws.scratch.remove_strays(older_s=-1)
    assert ws.media_path(mine).is_file()
    assert ws.scratch.sweep(at=now() + timedelta(days=2)) == [cat.id]
    assert not list((ws.folder / "scratch").rglob("*.png")) and ws.labels.total(TASK) == 1


def test_a_backup_has_what_was_there_when_it_was_made(
    ws: Workspace, tmp_path: Path, only_sqlite: None
) -> None:
    imported(ws, tmp_path / "zoo", "cat dog")
    ws.labels.add(pair_of(ws, "a cat"), NewLabel("match"))
    before = back_up(ws, tmp_path / "before.zip")
    remove(ws, items=(item_of(ws, "cat.png").id,))
    after = back_up(ws, tmp_path / "after.zip")
    for archive, names in ((before, {"cat.png", "dog.png"}), (after, {"dog.png"})):
        folder = tmp_path / archive.stem
        assert restore(archive, folder).files == 0  # no item lacks its file
        found = Workspace(ws.settings.__class__(**{**vars(ws.settings), "workspace": folder}))
        assert {item.name for item in found.items.listed("image")} == names and faults(found) == []
        assert found.labels.total(TASK) == 1
        found.close()


def test_what_is_removed_while_a_backup_is_written_is_in_none(
    ws: Workspace, tmp_path: Path, only_sqlite: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmdemo.store import backup

    imported(ws, tmp_path / "zoo", "cat dog")
    pack, tries = backup._pack, []

    def packed(*where: Any) -> None:
        if not tries:
            remove(ws, items=(item_of(ws, "cat.png").id,))
        tries.append(where)
        pack(*where)

    monkeypatch.setattr(backup, "_pack", packed)
    assert restore(back_up(ws, tmp_path / "b.zip"), tmp_path / "again").files == 0 and len(tries) == 2
