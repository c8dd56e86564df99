"""A folder that is imported again: what is new comes, labels stay, what has changed or is gone is told."""

from __future__ import annotations

import csv
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mmdemo.data import import_report
from mmdemo.data.import_job import ImportJob
from mmdemo.data.importing import Order, import_source
from mmdemo.settings import Settings
from mmdemo.store.labels import NewLabel
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png


def test_what_is_new_comes_and_what_has_changed_was_renamed_or_is_gone_is_told(
    settings: Settings, database_url: str, folder: Path
) -> None:
    ws = Workspace(replace(settings, database_url=database_url))
    for name in "abcde":
        (folder / f"{name}.txt").write_text(f"the {name}")
    import_source(ws, str(folder), TASK)
    pairs = {pair.text: pair for pair in ws.pairs.browse(TASK)}
    ws.labels.add(pairs["the b"].id, NewLabel("match"))
    (folder / "f.png").write_bytes(png((7, 8, 9)))
    (folder / "b.png").write_bytes(png((1, 2, 3)))
    (folder / "c.png").rename(folder / "z.png")
    (folder / "d.png").unlink()
    report = import_source(ws, str(folder), TASK)
    assert (report.items, report.changed, report.renamed, report.gone) == (
        2,
        ["b.png"],
        [("c.png", "z.png")],
        ["d.png"],
    )
    told = " ".join(report.notes)
    assert "Changed since they were imported: b.png." in told and "Renamed: c.png is z.png now." in told
    assert "Gone from the folder: d.png." in told
    kept = ws.pairs.get(pairs["the b"].id)
    assert kept is not None and kept.verdict == "match"
    again = import_source(ws, str(folder), TASK)
    assert (again.items, again.changed, again.renamed, again.gone) == (0, [], [], ["d.png"])
    assert again.same == ["a.png", "b.png", "e.png", "f.png", "z.png"]
    ws.close()


def test_a_file_that_has_its_size_and_time_is_neither_read_nor_hashed(
    ws: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_source(ws, str(folder), TASK)

    def refuse(*given: object) -> str:
        raise AssertionError("it was hashed")

    monkeypatch.setattr("mmdemo.data.import_files.id_of", refuse)
    report = import_source(ws, str(folder), TASK)
    assert (report.rows, report.known) == (5, 5)


def test_files_are_counted_and_listed_as_left_out_the_same_changed_renamed_or_gone_and_all_of_them_as_a_csv(
    ws: Workspace, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "deep").mkdir()
    (folder / "deep" / "f.png").write_bytes(png((7, 8, 9)))
    names = ["a.png", "a.png", "b.png", "c.png", "d.png", "deep/f.png", "none.png"]
    table = folder / "metadata.csv"
    table.write_text("\n".join(["file_name,text", *(f"{name},text {i}" for i, name in enumerate(names))]))
    first = import_source(ws, str(folder), TASK)
    assert (first.left, first.same, first.files) == (["e.png"], [], {"left_out": 1})
    (folder / "b.png").write_bytes(png((1, 2, 3)))
    (folder / "c.png").rename(folder / "=1+1.png")
    (folder / "d.png").unlink()
    table.write_text(table.read_text().replace("c.png", "=1+1.png") + "\na.png,a new text")
    monkeypatch.setattr(import_report, "MOST_NAMED", 1)
    job = ImportJob(ws)
    report = job.run(Order(str(folder), TASK), lambda done, total: None)
    told = report.as_json()
    assert told["files"] == {"changed": 1, "renamed": 1, "gone": 1, "left_out": 1, "same": 2}
    assert (told["same"], told["left_out"], report.notes[-1][:28]) == (
        ["a.png"],
        ["e.png"],
        "Gone from the folder: d.png.",
    )
    with job.file_list().open(encoding="utf-8-sig", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [(row["what"], row["file"], row["now"], row["row"]) for row in rows] == [
        ("skipped", "d.png", "", "5"),
        ("skipped", "none.png", "", "7"),
        ("changed since it was imported", "b.png", "", ""),
        ("has another name now", "c.png", "'=1+1.png", ""),
        ("gone from the folder", "d.png", "", ""),
        ("in no row, and left out", "e.png", "", ""),
        ("here already, and the same", "a.png", "", ""),
        ("here already, and the same", "deep/f.png", "", ""),
    ]
    assert rows[1]["reason"] == "none.png is missing."


def test_what_is_packed_is_told_as_the_same_by_the_names_in_it(ws: Workspace, folder: Path) -> None:
    packed = shutil.make_archive(str(folder.parent / "packed"), "zip", folder)
    import_source(ws, packed, TASK)
    report = import_source(ws, packed, TASK)
    assert (report.known, report.same) == (5, [f"{name}.png" for name in "abcde"])


def test_a_file_that_was_only_touched_is_known_by_its_hash(ws: Workspace, folder: Path) -> None:
    import_source(ws, str(folder), TASK)
    os.utime(folder / "a.png", (1, 1))
    report = import_source(ws, str(folder), TASK)
    assert (report.known, report.changed) == (5, [])


def test_a_file_that_the_workspace_has_lost_is_brought_again(ws: Workspace, folder: Path) -> None:
    import_source(ws, str(folder), TASK)
    item = ws.items.listed("image")[0]
    ws.media_path(item).unlink()
    import_source(ws, str(folder), TASK)
    assert ws.media_path(item).is_file()


def test_new_texts_of_known_files_come(ws: Workspace, folder: Path) -> None:
    import_source(ws, str(folder), TASK)
    (folder / "a.txt").write_text("a text that was written later")
    report = import_source(ws, str(folder), TASK)
    assert (report.items, report.pairs, report.known) == (0, 1, 4)


def test_a_file_of_several_texts_is_read_once_and_told_once_where_it_has_changed(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png())
    lines = [f"a.png,text {n}" for n in range(5)]
    (tmp_path / "metadata.csv").write_text("\n".join(["file_name,text", *lines]))
    read, item_of = list[str](), ws.item_of
    monkeypatch.setattr(ws, "item_of", lambda *given: read.append(given[2]) or item_of(*given))
    report = import_source(ws, str(tmp_path), TASK)
    assert (read, report.items, report.pairs, report.imported) == (["a.png"], 1, 5, 5)
    (tmp_path / "a.png").write_bytes(png((9, 9, 9)))
    report = import_source(ws, str(tmp_path), TASK)
    assert (read, report.items, report.pairs, report.changed) == (["a.png"] * 2, 1, 5, ["a.png"])
    (tmp_path / "a.png").write_bytes(b"no picture")
    report = import_source(ws, str(tmp_path), TASK)
    assert [one.row for one in report.skipped] == [1, 2, 3, 4, 5]
    assert len({one.reason for one in report.skipped}) == 1
