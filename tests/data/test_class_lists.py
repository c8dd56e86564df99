"""Lists that say the classes of files, as CUB, ImageNet and those who copy them have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data.conftest import Files, lay_out, read_all

CUB: Files = {
    "images.txt": "1 001.Black_footed_Albatross/a_1.png\n2 002.Laysan_Albatross/b_2.png\n"
    "3 002.Laysan_Albatross/gone.png\n4 002.Laysan_Albatross/c_4.png\n",
    "image_class_labels.txt": "1 1\n2 2\n3 2\n4 9\n",
    "classes.txt": "1 001.Black_footed_Albatross\n2 002.Laysan_Albatross\n",
    "train_test_split.txt": "1 1\n2 0\n3 1\n4 1\n",
    "bounding_boxes.txt": "1 60.0 27.0 325.0 304.0\n",
    "images/001.Black_footed_Albatross/a_1.png": "",
    "images/002.Laysan_Albatross/b_2.png": "",
    "images/002.Laysan_Albatross/c_4.png": "",
}
TENCH = "n01440764 tench, Tinca tinca\nn02971356 crane\nn02012849 crane, the bird\n"
INDEX = json.dumps({"0": ["n01440764", "tench"], "1": ["n02971356", "crane"], "2": ["n02012849", "crane"]})


@pytest.mark.parametrize("home", ["", "CUB_200_2011/"])
def test_cubs_lists_say_the_class_and_the_side_of_each_picture(tmp_path: Path, home: str) -> None:
    files: Files = {f"{home}{name}": content for name, content in CUB.items()} | {"readme.md": "x"}
    layout, found, reasons, notes = read_all(lay_out(tmp_path, files), "image-text")
    assert (layout, reasons) == (
        "cub",
        [
            "002.Laysan_Albatross/gone.png is missing.",
            "The class 9 of 002.Laysan_Albatross/c_4.png is not in classes.txt.",
        ],
    )
    assert found == {
        f"{home}images/001.Black_footed_Albatross/a_1.png": (["Black footed Albatross"], "train"),
        f"{home}images/002.Laysan_Albatross/b_2.png": (["Laysan Albatross"], "held-out"),
    }
    assert notes == ["1 file of the folder is in no row that can be read, and left out."]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("LOC_synset_mapping.txt", TENCH),
        ("synset_words.txt", TENCH),
        ("words.txt", TENCH.replace(" ", "\t", 1)),
        ("classes.txt", TENCH.replace(" ", ": ", 1)),
        ("imagenet_class_index.json", INDEX),
    ],
)
def test_folders_of_imagenet_are_called_by_the_names_of_their_codes(
    tmp_path: Path, name: str, content: str
) -> None:
    folder = lay_out(
        tmp_path, {name: content, "train/n01440764/n01440764_1.png": "", "val/n01440764/2.png": ""}
    )
    layout, found, reasons, _ = read_all(folder, "image-text")
    assert (layout, reasons) == ("class-names", [])
    assert found == {
        "train/n01440764/n01440764_1.png": (["tench"], "train"),
        "val/n01440764/2.png": (["tench"], "held-out"),
    }


def test_two_codes_of_one_name_are_called_by_all_their_names(tmp_path: Path) -> None:
    files = {"synset_words.txt": TENCH, **dict.fromkeys(("n02971356/1.png", "n02012849/2.png"), "")}
    _, found, _, _ = read_all(lay_out(tmp_path, files), "image-text")
    assert [texts for texts, _ in found.values()] == [["crane, the bird"], ["crane"]]


def test_what_a_solution_says_of_the_pictures_of_validation_is_their_class(tmp_path: Path) -> None:
    tiny = {
        "words.txt": TENCH.replace(" ", "\t", 1),
        "wnids.txt": "n01440764\n",
        "train/n01440764/images/n01440764_0.png": "",
        "train/n01440764/n01440764_boxes.txt": "n01440764_0.png\t0\t10\t63\t58\n",
        "val/images/val_0.png": "",
        "val/val_annotations.txt": "val_0.png\tn01440764\t0\t32\t44\t62\n",
    }
    layout, found, _, _ = read_all(lay_out(tmp_path / "tiny", tiny), "image-text")
    expected = {
        "train/n01440764/images/n01440764_0.png": (["tench"], "train"),
        "val/images/val_0.png": (["tench"], "held-out"),
    }
    assert (layout, found) == ("class-names", expected)
    kaggle = {
        "LOC_synset_mapping.txt": TENCH,
        "LOC_val_solution.csv": "ImageId,PredictionString\nILSVRC2012_val_00000001,n01440764 1 2 3 4 \n",
        "ILSVRC/Data/CLS-LOC/train/n01440764/n01440764_1.png": "",
        "ILSVRC/Data/CLS-LOC/val/ILSVRC2012_val_00000001.png": "",
    }
    layout, found, _, _ = read_all(lay_out(tmp_path / "kaggle", kaggle), "image-text")
    assert layout == "class-names" and [told for told in found.values()] == list(expected.values())


def test_folders_of_numbers_are_called_by_a_json_of_names(tmp_path: Path) -> None:
    files = {
        "cat_to_name.json": '{"21": "fire lily", "3": "rose"}',
        "train/21/1.png": "",
        "valid/3/2.png": "",
    }
    layout, found, _, _ = read_all(lay_out(tmp_path, files), "image-text")
    assert (layout, [texts for texts, _ in found.values()]) == ("class-names", [["fire lily"], ["rose"]])


def test_a_list_of_the_folders_own_names_changes_nothing(tmp_path: Path) -> None:
    files = {
        "classes.txt": "0 cat\n1 dog\n",
        "class_indices.json": '{"cat": 0}',
        "cat/1.png": "",
        "dog/2.png": "",
    }
    layout, found, _, _ = read_all(lay_out(tmp_path, files), "image-text")
    assert (layout, [texts for texts, _ in found.values()]) == ("classes", [["cat"], ["dog"]])
