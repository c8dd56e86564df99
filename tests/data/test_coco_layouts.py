"""COCO, Flickr and what is written like them, in the folders that people have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmdemo.data.reading import open_source
from mmdemo.errors import UserError
from tests.data.conftest import lay_out, read_all

KINDS = [{"id": 1, "name": "person"}, {"id": 18, "name": "dining_table", "supercategory": "furniture"}]


def karpathy(*images: tuple[str, str, str, list[str]]) -> str:
    """A JSON as Karpathy's, of images with the name, the folder, the split and sentences."""
    told: list[dict[str, Any]] = []
    for number, (name, folder, split, sentences) in enumerate(images):
        said = [
            {"tokens": text.split(), "raw": text, "imgid": number, "sentid": i}
            for i, text in enumerate(sentences)
        ]
        where = {"filepath": folder} if folder else {}
        told.append(
            where | {"sentids": [0], "filename": name, "imgid": number, "split": split, "sentences": said}
        )
    return json.dumps({"images": told, "dataset": "coco"})


def instances(*images: tuple[int, str, list[int]]) -> str:
    """A JSON as COCO's instances, of images with the id, the name and the categories of things in them."""
    things = [
        {"image_id": i, "category_id": kind, "bbox": [1, 2, 3, 4]} for i, _, kinds in images for kind in kinds
    ]
    told = [{"id": i, "file_name": name} for i, name, _ in images]
    return json.dumps({"info": {}, "images": told, "annotations": things, "categories": KINDS})


@pytest.mark.parametrize("home", ["", "karpathy/", "annotations/"])
def test_karpathys_json_of_coco_says_texts_and_splits(tmp_path: Path, home: str) -> None:
    table = karpathy(
        ("a_1.png", "train2014", "train", ["one", "a cat"]),
        ("b_1.png", "val2014", "restval", ["two"]),
        ("b_2.png", "val2014", "val", ["three"]),
        ("b_3.png", "val2014", "test", ["four"]),
        ("b_4.png", "val2014", "test", ["five"]),
    )
    pictures = (
        "train2014/a_1.png",
        "val2014/b_1.png",
        "val2014/b_2.png",
        "val2014/b_3.png",
        "val2014/b_9.png",
    )
    files = dict.fromkeys(pictures, "") | {f"{home}dataset_coco.json": table}
    captions = {
        "images": [{"id": 1, "file_name": "b_9.png"}],
        "annotations": [{"image_id": 1, "caption": "x"}],
    }
    files["annotations/captions_val2014.json"] = json.dumps(captions)
    assert read_all(lay_out(tmp_path, files), "image-text") == (
        "karpathy",
        {
            "train2014/a_1.png": (["one", "a cat"], "train"),
            "val2014/b_1.png": (["two"], "train"),
            "val2014/b_2.png": (["three"], "validation"),
            "val2014/b_3.png": (["four"], "held-out"),
        },
        ["val2014/b_4.png is missing."],
        ["1 file of the folder is in no row that can be read, and left out."],
    )


def test_karpathys_json_of_flickr_finds_pictures_in_their_folder(tmp_path: Path) -> None:
    table = karpathy(("1.png", "", "train", ["one"]), ("2.png", "", "odd", ["two"]))
    layout, found, reasons, _ = read_all(
        lay_out(tmp_path, {"dataset_flickr8k.json": table, "Images/1.png": "", "Images/2.png": ""}),
        "image-text",
    )
    assert (layout, found) == ("karpathy", {"Images/1.png": (["one"], "train")})
    assert reasons == ["The split 'odd' is neither train, validation nor held-out."]


def test_flickr30ks_own_table_is_read(tmp_path: Path) -> None:
    table = "1.png#0\tA man .\n1.png#1\tSomebody .\n2.png#0\tTwo dogs .\n"
    files = {"results_20130124.token": table, "images/1.png": "", "images/2.png": ""}
    _, found, reasons, _ = read_all(lay_out(tmp_path, files), "image-text")
    assert found == {"images/1.png": (["A man .", "Somebody ."], ""), "images/2.png": (["Two dogs ."], "")}
    assert reasons == []


def test_coco_folders_alone_are_sides_and_no_classes(tmp_path: Path) -> None:
    names = ["train2017/1.png", "val2017/2.png", "test2017/3.png", "ILSVRC2012_img_val/4.png"]
    layout, found, _, _ = read_all(lay_out(tmp_path / "all", dict.fromkeys(names, "")), "image-text")
    assert layout == "folder"
    sides = ["train", "validation", "held-out", "validation"]
    assert found == {name: ([""], side) for name, side in zip(names, sides, strict=True)}
    alone = lay_out(tmp_path / "one", {"val2014/1.png": ""})
    assert read_all(alone, "image-text")[:2] == ("folder", {"val2014/1.png": ([""], "held-out")})


def test_the_categories_of_cocos_instances_are_texts_once_each(tmp_path: Path) -> None:
    files = {
        "annotations/instances_train2017.json": instances((1, "1.png", [18, 1, 18]), (2, "2.png", [])),
        "annotations/instances_val2017.json": instances((1, "1.png", [1]), (3, "3.png", [7])),
        **dict.fromkeys(("train2017/1.png", "train2017/2.png", "val2017/1.png", "val2017/3.png"), ""),
    }
    assert read_all(lay_out(tmp_path, files), "image-text") == (
        "coco-categories",
        {
            "train2017/1.png": (["dining table", "person"], "train"),
            "train2017/2.png": ([""], "train"),
            "val2017/1.png": (["person"], "held-out"),
        },
        ["The category 7 of 3.png has no name."],
        ["1 file of the folder is in no row that can be read, and left out."],
    )


def test_roboflows_folders_are_read_with_their_sides(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {}
    for side in ("train", "valid", "test"):
        files |= {f"{side}/_annotations.coco.json": instances((0, "1.png", [1])), f"{side}/1.png": ""}
    layout, found, reasons, _ = read_all(lay_out(tmp_path, files), "image-text")
    assert (layout, reasons) == ("coco-categories", [])
    assert {name: side for name, (_, side) in found.items()} == {
        "train/1.png": "train",
        "valid/1.png": "validation",
        "test/1.png": "held-out",
    }


def test_instances_can_be_chosen_beside_captions_and_are_told_when_they_are_none(tmp_path: Path) -> None:
    captions = {
        "images": [{"id": 1, "file_name": "1.png"}],
        "annotations": [{"image_id": 1, "caption": "a cat"}],
    }
    files = {
        "annotations/captions_val2017.json": json.dumps(captions),
        "annotations/instances_val2017.json": instances((1, "1.png", [1])),
        "val2017/1.png": "",
        "broken/instances_x.json": '{"images": [], "annotations": 7}',
    }
    folder = lay_out(tmp_path, files)
    assert read_all(folder, "image-text")[:2] == ("coco", {"val2017/1.png": (["a cat"], "held-out")})
    chosen = folder / "annotations" / "instances_val2017.json"
    assert read_all(chosen, "image-text")[:2] == (
        "coco-categories",
        {"val2017/1.png": (["person"], "held-out")},
    )
    with (
        open_source(str(folder / "broken" / "instances_x.json"), layout="coco-categories") as opened,
        pytest.raises(UserError, match=r"instances_x\.json is not COCO's JSON of instances"),
    ):
        list(opened.rows())
