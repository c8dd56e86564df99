"""Archives in the folder of each split, each with the table of its files beside it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from tests.data.conftest import lay_out, picture, read_all


def packed(name: str, number: int) -> bytes:
    """A ZIP with one picture."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as zipped:
        zipped.writestr(name, picture(number))
    return into.getvalue()


def test_an_archive_in_the_folder_of_a_split_has_the_texts_of_the_table_beside_it_and_that_side(
    tmp_path: Path,
) -> None:
    files: dict[str, str | bytes] = {}
    for number, side in enumerate(("train", "val", "test")):
        files[f"{side}/images.zip"] = packed(f"{side}.png", number)
        files[f"{side}/metadata.csv"] = f"file_name,text\n{side}.png,a picture of {side}\n"
    layout, found, reasons, _ = read_all(lay_out(tmp_path, files), "image-text")
    assert (layout, reasons) == ("shards", [])
    assert found == {
        "train.png": (["a picture of train"], "train"),
        "val.png": (["a picture of val"], "validation"),
        "test.png": (["a picture of test"], "held-out"),
    }


def test_a_table_that_belongs_to_none_of_the_archives_is_named_with_its_folder(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {f"train/{n}.zip": packed(f"{n}.png", n) for n in range(2)}
    files["train/metadata.csv"] = "file_name,text\n0.png,a\n"
    _, _, _, notes = read_all(lay_out(tmp_path, files), "image-text")
    assert "Beside the archives train/metadata.csv was not read: unpack them to use it." in notes
