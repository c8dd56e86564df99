"""What a table or a folder says of splits is the side of its rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.data.importers import manifests
from mmdemo.data.importing import import_source, source_rows
from mmdemo.data.rows import Row
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


def test_a_manifest_with_splits_is_read_once_and_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["train", "val", "", "train", "test", "val"]
    for i in range(len(names)):
        (tmp_path / f"{i}.png").write_bytes(png((40 * i, 9, 9)))
    lines = [f"{i}.png,text {i},{name}" for i, name in enumerate(names)]
    (tmp_path / "m.csv").write_text("\n".join(["file_name,text,split", *lines]))
    read: list[Path] = []
    monkeypatch.setattr(manifests, "read_text", lambda path: read.append(path) or path.read_text())
    rows = list(source_rows(str(tmp_path / "m.csv"))[1])
    assert len(read) == 1 and [r.number for r in rows if isinstance(r, Row)] == [1, 2, 3, 4, 5, 6]
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
