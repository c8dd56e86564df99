"""What a table or a folder says of splits is the side of its rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.data.importing import FIRST, Before, Order, Watch, carry_out, import_source
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.data.said_sides import SaidSides
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png


def splits_of(ws: Workspace) -> dict[str, str]:
    return {pair.text: pair.split for pair in ws.pairs.browse(TASK, limit=100)}


@pytest.mark.parametrize(
    ("names", "sides"),
    [
        ("train validation test", "train validation held-out"),
        ("train val held-out", "train validation held-out"),
        ("train validation", "train held-out"),
    ],
)
def test_validation_rows_choose_epochs_where_a_table_has_test_rows_and_are_measured_on_where_it_has_none(
    ws: Workspace, tmp_path: Path, names: str, sides: str
) -> None:
    lines = ["file_name,text,split"]
    for number, name in enumerate(names.split()):
        (tmp_path / f"{number}.png").write_bytes(png((40 * number, 9, 9)))
        lines.append(f"{number}.png,text {number},{name}")
    (tmp_path / "metadata.csv").write_text("\n".join(lines), encoding="utf-8")
    import_source(ws, str(tmp_path), TASK)
    found = splits_of(ws)
    assert [found[f"text {number}"] for number in range(len(found))] == sides.split()


SIDES = {"train": "train", "validation": "validation", "test": "held-out"}


def test_a_manifest_with_splits_is_read_in_its_order(tmp_path: Path) -> None:
    names = ["train", "val", "", "train", "test", "val"]
    for i in range(len(names)):
        (tmp_path / f"{i}.png").write_bytes(png((40 * i, 9, 9)))
    lines = [f"{i}.png,text {i},{name}" for i, name in enumerate(names)]
    (tmp_path / "m.csv").write_text("\n".join(["file_name,text,split", *lines]))
    with open_source(str(tmp_path / "m.csv")) as opened:
        rows = list(opened.rows())
    assert [r.number for r in rows if isinstance(r, Row)] == [1, 2, 3, 4, 5, 6]
    sides = ["train", "validation", "", "train", "held-out", "validation"]
    assert [r.split for r in rows if isinstance(r, Row)] == sides


@pytest.mark.parametrize("classes", [True, False])
def test_folders_of_splits_set_the_split_with_classes_in_them_or_without(
    ws: Workspace, tmp_path: Path, classes: bool
) -> None:
    for i, name in enumerate(SIDES):
        folder = tmp_path / "in" / name / f"class_{i}" if classes else tmp_path / "in" / name
        folder.mkdir(parents=True)
        (folder / f"{i}.png").write_bytes(png((40 * i, 9, 9)))
        (folder / f"{i}.txt").write_text(f"class {i}")
    import_source(ws, str(tmp_path / "in"), TASK)
    assert splits_of(ws) == {f"class {i}": side for i, side in enumerate(SIDES.values())}


@pytest.mark.parametrize("column", [True, False])
def test_the_parts_of_a_data_set_or_its_column_of_splits_set_the_split(
    ws: Workspace, tmp_path: Path, column: bool
) -> None:
    import datasets

    def part(*rows: tuple[int, str]) -> datasets.Dataset:
        columns = {
            "image": [{"bytes": png((40 * i, 9, 9)), "path": None} for i, _ in rows],
            "text": [f"text {i}" for i, _ in rows],
        }
        named = {"split": [name for _, name in rows]} if column else {}
        return datasets.Dataset.from_dict(columns | named).cast_column("image", datasets.Image())

    rows = list(enumerate(SIDES))
    whole = part(*rows) if column else datasets.DatasetDict({row[1]: part(row) for row in rows})
    whole.save_to_disk(str(tmp_path / "in"))
    import_source(ws, str(tmp_path / "in"), TASK)
    assert splits_of(ws) == {f"text {i}": side for i, side in enumerate(SIDES.values())}


def manifest(folder: Path, rows: list[tuple[str, str]], first: int = 0) -> Path:
    """A folder of pictures with texts and splits."""
    folder.mkdir(exist_ok=True)
    lines = ["file_name,text,split"]
    for number, (text, split) in enumerate(rows, first):
        (folder / f"{number}.png").write_bytes(png((number, 99, 9)))
        lines.append(f"{number}.png,{text},{split}")
    (folder / "metadata.csv").write_text("\n".join(lines))
    return folder


def test_an_item_has_the_side_that_its_source_says_though_its_text_is_on_both_which_is_told(
    ws: Workspace, tmp_path: Path
) -> None:
    rows = [("one", "train"), ("one", "test"), ("two", "test"), ("two", "train"), ("one", "val")]
    report = import_source(ws, str(manifest(tmp_path / "in", rows)), TASK)
    assert [p.split for p in ws.pairs.browse(TASK)] == [
        "train",
        "held-out",
        "held-out",
        "train",
        "validation",
    ]
    assert report.notes == [
        "2 texts are on several sides, as the source has it: what is learned with a text on some files is "
        "measured with it on others."
    ]
    later = import_source(ws, str(manifest(tmp_path / "more", [("one", ""), ("two", "")], 10)), TASK)
    assert later.pairs == 2 and all(p.split for p in ws.pairs.browse(TASK))


def test_a_side_that_a_file_has_already_is_kept_and_told(ws: Workspace, tmp_path: Path) -> None:
    import_source(ws, str(manifest(tmp_path / "in", [("one", "train"), ("two", "test")])), TASK)
    report = import_source(ws, str(manifest(tmp_path / "again", [("one", "test"), ("two", "test")])), TASK)
    assert [p.split for p in ws.pairs.browse(TASK)] == ["train", "held-out"]
    assert report.notes == ["1 row says another split than the file has: it keeps that, as it is given once."]


def test_a_source_that_holds_nothing_out_is_told(ws: Workspace, tmp_path: Path) -> None:
    report = import_source(ws, str(manifest(tmp_path / "in", [("one", "train"), ("two", "train")])), TASK)
    assert report.notes == ["The source holds nothing out: there is nothing of it to measure on."]


def test_of_a_caption_of_twenty_pictures_each_side_has_its_share(ws: Workspace, tmp_path: Path) -> None:
    for number in range(40):
        name = ["ant", "bee"][number % 2]
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / f"{number}.png").write_bytes(png((number, 99, 9)))
        (tmp_path / "in" / f"{number}.txt").write_text(f"a photo of an {name}")
    assert import_source(ws, str(tmp_path / "in"), TASK).layout == "captions"
    for name in ("ant", "bee"):
        own = [p.split for p in ws.pairs.browse(TASK, contains=name)]
        assert len(own) == 20 and own.count("held-out") == 8


@pytest.mark.parametrize("apart", [False, True])
def test_a_side_that_one_row_says_of_a_file_holds_for_the_rows_before_it_that_say_none(
    ws: Workspace, tmp_path: Path, apart: bool
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    first, second = [], []
    for number in range(FIRST + 4):  # by their hashes some would be held out
        (folder / f"{number}.png").write_bytes(png((number, 99, 9)))
        first.append(f"{number}.png,first of {number},")
        second.append(f"{number}.png,second of {number},train")
    rows = [*first, *second] if apart else [row for both in zip(first, second, strict=True) for row in both]
    (folder / "metadata.csv").write_text("\n".join(["file_name,text,split", *rows]))
    report = import_source(ws, str(folder), TASK)
    assert {p.split for p in ws.pairs.browse(TASK)} == {"train"}
    assert not [note for note in report.notes if "another split" in note]


def test_a_side_that_is_said_of_a_file_holds_for_its_rows_that_say_none_though_their_text_is_on_another(
    ws: Workspace, tmp_path: Path
) -> None:
    others = [(f"{number}", "train") for number in range(2 * FIRST)]
    rows = [("a cat", "train"), *others, ("a cat", ""), *others[:FIRST], ("a dog", "test")]
    folder = manifest(tmp_path / "in", rows)
    table = (folder / "metadata.csv").read_text()
    (folder / "metadata.csv").write_text(table.replace(f"{len(rows) - 1}.png", f"{2 * FIRST + 1}.png"))
    import_source(ws, str(folder), TASK)
    assert [p.split for p in ws.pairs.browse(TASK, contains="a ")] == ["train", "held-out", "held-out"]


def test_a_side_of_later_rows_holds_for_rows_that_are_imported_after_a_kill(
    ws: Workspace, tmp_path: Path
) -> None:
    silent = [(f"first of {number}", "") for number in range(3 * FIRST)]
    folder = manifest(tmp_path / "in", silent)
    with (folder / "metadata.csv").open("a") as table:
        table.writelines(f"\n{number}.png,second of {number},test" for number in range(3 * FIRST))
    begun: list[str] = []
    done = [0]
    watch = Watch(
        lambda rows, total: done.append(rows),
        lambda: done[-1] >= FIRST,
        lambda import_id, total: begun.append(import_id),
        ws.folder / "imports",
    )
    assert carry_out(ws, Order(str(folder), TASK), watch).stopped
    broken_off = ws.imports.get(begun[0])
    assert broken_off is not None and 0 < broken_off.done < 3 * FIRST
    carry_out(ws, Order(str(folder), TASK), Watch(ledgers=ws.folder / "imports"), Before(begun[0]))
    assert {p.split for p in ws.pairs.browse(TASK)} == {"held-out"}


def test_what_is_kept_of_the_sides_of_a_source_is_of_files_that_have_rows_of_both_kinds() -> None:
    sides = SaidSides()
    for key in range(1, 1000):
        sides.hear(key, "")
    for key, side in [(1000, "train"), (7, "held-out"), (7, "train"), (9, "validation"), (9, "")]:
        sides.hear(key, side)
    assert sides.of_both() == {7: "held-out", 9: "validation"}
