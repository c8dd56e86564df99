"""What an import costs: few transactions, no memory that grows with its rows, and no wait for labels."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from PIL import Image
from sqlalchemy import event

from mmdemo.data.importers.folders import CaptionFiles
from mmdemo.data.importing import LEAST_WRITTEN, Order, Pace, Watch, carry_out
from mmdemo.data.source import Source
from mmdemo.store.labels import NewLabel
from mmdemo.store.pairs import NewPair
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png


def tiny(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        colour = (number % 256, number // 256, 77)
        Image.new("RGB", (8, 8), colour).save(folder / f"{number:05}.bmp")
    lines = "".join(f"{number:05}.bmp,picture number {number}\n" for number in range(count))
    (folder / "metadata.csv").write_text(f"file_name,text\n{lines}")
    return folder


def test_many_rows_share_a_transaction_and_a_label_comes_in_between(ws: Workspace, tmp_path: Path) -> None:
    item = ws.add_media("image", png(), "a.png", source="upload")
    with ws.database.write() as session:
        pair, _ = ws.pairs.add(session, TASK, item.id, "a colour", source="upload")
    commits: list[int] = []
    event.listen(ws.database.engine, "commit", lambda connection: commits.append(1))
    labels: list[int] = []

    def progress(done: int, total: int | None) -> None:
        labels.append(ws.labels.add(pair.id, NewLabel("match")))

    report = carry_out(ws, Order(str(tiny(tmp_path / "in", 300)), TASK), Watch(progress))
    assert report.items == 300 and len(labels) > 3
    assert len(commits) - len(labels) < 300 / 8


def test_pairs_that_are_new_together_take_a_statement_each_and_a_few_between_them(ws: Workspace) -> None:
    ids = [ws.add_media("image", png((i, 9, 9)), f"{i}.png", source="test").id for i in range(50)]
    told: list[str] = []
    event.listen(ws.database.engine, "before_cursor_execute", lambda *_: told.append(str(_[2])))
    with ws.database.write() as session:
        new = [NewPair(one, f"picture {one[:9]}", "test") for one in ids]
        assert all(is_new for _, is_new in ws.pairs.add_all(session, TASK, new))
    assert len(told) < len(ids) + 15, told  # SQLite gives one number a statement
    assert [hit.item for hit in ws.words.find(ids[30][:9], "image", 2)] == [ids[30]]


class Counting(Source):
    """A source that counts how often it is asked of its files."""

    asked = 0

    def is_inside(self, path: Path) -> bool:
        self.asked += 1
        return super().is_inside(path)


def test_a_folder_is_gone_through_a_few_times_until_its_layout_is_known(tmp_path: Path) -> None:
    source = Counting(tiny(tmp_path / "in", 100))
    assert CaptionFiles().recognise(source).sure == 0
    assert source.asked <= 3 * len(source.files)


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(ws: Workspace, tmp_path: Path) -> None:
    held: dict[int, int] = {}

    def progress(done: int, total: int | None) -> None:
        held[done] = tracemalloc.get_traced_memory()[0]

    order = Order(str(tiny(tmp_path / "in", 4000)), TASK)
    tracemalloc.start()
    try:
        carry_out(ws, order, Watch(progress, ledgers=ws.folder / "imports"))
    finally:
        tracemalloc.stop()
    first = next(size for done, size in sorted(held.items()) if done > 1000)
    last = held[max(held)]
    assert last - first < 3000 * 100, (
        first,
        last,
    )  # bytes: each row has its number in a set of what is named


def test_rows_are_taken_together_as_far_as_they_are_quick() -> None:
    quick, slow, huge = Pace(), Pace(), Pace()
    for _ in range(9):
        quick.took(quick.rows, 0.01, 0.001)
        slow.took(slow.rows, 0.01, 5.0)
        huge.took(huge.rows, 20.0, 0.001)
    assert (quick.rows, slow.rows, huge.rows) == (400, LEAST_WRITTEN, 1)
