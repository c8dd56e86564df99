"""A text with four items or more is a class and stands on every side, by items of its own."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mmdemo.data.importing import import_source
from mmdemo.labeling.snapshot import LEAST_VALIDATION, take_snapshot
from mmdemo.store.labels import NewLabel
from mmdemo.store.pairs import PairView
from mmdemo.store.splits import HELD_OUT, TRAIN, VALIDATION
from mmdemo.store.tables import HARD_NEGATIVE
from mmdemo.store.texts import text_key
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png


def picture(number: int) -> bytes:
    return png((number % 251, number // 251, 77))


def tree(folder: Path, of_class: int, classes: str = "ant bee cow dog elk", splits: str = "") -> Path:
    number = 0
    for split in splits.split() or [""]:
        for name in classes.split():
            (folder / split / name).mkdir(parents=True)
            for _ in range(of_class):
                (folder / split / name / f"{number}.png").write_bytes(picture(number))
                number += 1
    return folder


def add(ws: Workspace, number: int, text: str, source: str = "t", split: str | None = None) -> PairView:
    item = ws.add_media("image", picture(number), f"{number}.png", source="t")
    with ws.database.write() as session:
        pair, _ = ws.pairs.add(session, TASK, item.id, text, source=source, split=split)
    found = ws.pairs.get(pair.id)
    assert found
    return found


def sides(ws: Workspace, text: str) -> list[str | None]:
    return [p.split for p in ws.pairs.browse(TASK) if p.text == text]


def test_of_each_class_two_fifths_are_held_out_and_every_side_has_some(ws: Workspace, tmp_path: Path) -> None:
    import_source(ws, str(tree(tmp_path / "in", 20)), TASK, "match")
    for name in ("ant", "bee", "cow", "dog", "elk"):
        assert sides(ws, name).count(HELD_OUT) == 8 and sides(ws, name).count(TRAIN) >= 6
    examples = take_snapshot(ws, TASK).examples
    assert len(examples) == 100 and all(e.closed for e in examples)
    by_item = {}
    for e in examples:
        assert by_item.setdefault(e.item, e.split) == e.split
    assert sum(e.split == VALIDATION for e in examples) >= LEAST_VALIDATION


def test_of_a_class_with_many_items_a_fourth_is_held_out(ws: Workspace, tmp_path: Path) -> None:
    import_source(ws, str(tree(tmp_path / "in", 90, "ant")), TASK)
    assert sides(ws, "ant").count(HELD_OUT) in (22, 23)


def test_a_class_tree_with_splits_stands_on_the_sides_that_it_names(ws: Workspace, tmp_path: Path) -> None:
    import_source(ws, str(tree(tmp_path / "in", 2, "cat dog", "train val")), TASK)
    pairs = ws.pairs.browse(TASK)
    assert [p.split for p in pairs] == [TRAIN] * 4 + [HELD_OUT] * 4
    assert {p.text for p in pairs if p.split == HELD_OUT} == {"cat", "dog"}


def test_a_text_of_three_items_is_on_one_side_and_opens_with_more(ws: Workspace) -> None:
    first = [add(ws, i, "one text") for i in range(3)]
    assert len({p.split for p in first}) == 1 and not ws.pairs.sides.closed([text_key("one text")])
    other = HELD_OUT if first[0].split == TRAIN else TRAIN
    add(ws, 50, "another text", split=other)
    across = add(ws, 50, "one text")
    assert across.split is None  # its item is of the other side
    more = [add(ws, 100 + i, "one text") for i in range(20)]
    assert ws.pairs.sides.closed([text_key("one text")]) and {p.split for p in more} >= {TRAIN, HELD_OUT}
    before = {p.id: p.split for p in (*first, across)}
    assert {p.id: p.split for p in ws.pairs.views(list(before))} == before  # none moves


def test_proposals_and_mismatches_make_no_class(ws: Workspace) -> None:
    own = add(ws, 0, "a caption")
    for i in range(1, 8):
        add(ws, i, "a caption", source=HARD_NEGATIVE)
        wrong = add(ws, 20 + i, "a caption")
        ws.labels.add(wrong.id, NewLabel("mismatch"))
    assert not ws.pairs.sides.closed([text_key("a caption")])
    assert {p.split for p in ws.pairs.browse(TASK) if p.split} == {own.split}


@pytest.mark.parametrize(("third", "expected"), [("", HELD_OUT), ("test", VALIDATION)])
def test_validation_is_a_side_of_its_own_where_a_source_holds_others_out(
    ws: Workspace, tmp_path: Path, third: str, expected: str
) -> None:
    with (tmp_path / "metadata.csv").open("w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["file_name", "text", "split"])
        for i, split in enumerate(["train", "validation", third or "train"]):
            (tmp_path / f"{i}.png").write_bytes(picture(i))
            rows.writerow([f"{i}.png", f"text {i}", split])
    import_source(ws, str(tmp_path), TASK)
    assert [p.split for p in ws.pairs.browse(TASK)] == [TRAIN, expected, HELD_OUT if third else TRAIN]
