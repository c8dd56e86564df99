"""A long JSON of COCO's is known by the lists in it, a part at a time, whatever it is called."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from mmdemo.data import coco_lists, coco_outline
from mmdemo.data.coco_outline import outline_of
from mmdemo.data.importers.base import IMPORTERS, candidates
from mmdemo.data.source import Source
from mmdemo.errors import UserError
from tests.data.conftest import lay_out
from tests.data.test_coco_layouts import instances

CAPTIONS = {"images": [{"id": 1, "file_name": "1.png"}], "annotations": [{"image_id": 1, "caption": "a cat"}]}


def surest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The layout of a folder all of whose JSON is long and may not be read whole."""

    def refuse(*given: object) -> Any:
        raise AssertionError("it was read whole")

    monkeypatch.setattr(coco_outline, "SHORT", 10)
    monkeypatch.setattr("mmdemo.data.importers.manifests.SHORT", 10)
    monkeypatch.setattr(Source, "read_json", refuse)
    return next(c.importer.name for c in candidates(Source(folder)))


@pytest.mark.parametrize(
    ("name", "said", "layout"),
    [
        ("mine.json", json.dumps(CAPTIONS), "coco"),
        ("mine.json.gz", gzip.compress(json.dumps(CAPTIONS, indent=2).encode()), "coco"),
        ("mine.json", json.dumps(dict(reversed(CAPTIONS.items()))), "coco"),
        ("things.json", instances((1, "1.png", [1, 18])), "coco-categories"),
        ("things.json", json.dumps({"images": [], "annotations": [], "categories": [{"id": 1}]}), "folder"),
        (
            "other.json",
            json.dumps({"images": [], "note": '"annotations": [{"caption": "a"}]', "info": {}}),
            "folder",
        ),
    ],
)
def test_a_long_json_is_known_by_its_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str | bytes, layout: str
) -> None:
    assert surest(lay_out(tmp_path, {name: said, "1.png": ""}), monkeypatch) == layout


@pytest.mark.parametrize("length", [1, 7, 4096])
def test_lists_are_found_wherever_the_parts_of_a_file_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(CAPTIONS))
    monkeypatch.setattr(coco_outline, "READ_AT_ONCE", length)
    assert outline_of(path).is_captions and not outline_of(path).is_instances


def test_of_a_long_json_a_part_is_in_memory_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coco_outline, "READ_AT_ONCE", 500_000)
    path = tmp_path / "a.json"
    thing = b'{"segmentation": [[' + b"1.25, " * 200 + b'1]], "image_id": 1, "category_id": 1}'
    with path.open("wb") as f:
        f.write(b'{"info": {}, "images": [{"id": 1, "file_name": "1.png"}], "annotations": [')
        f.write(b", ".join([thing] * 8000))
        f.write(b'], "categories": [{"id": 1, "name": "a"}]}')
    tracemalloc.start()
    try:
        assert outline_of(path).is_instances
        assert tracemalloc.get_traced_memory()[1] < 6_000_000 < path.stat().st_size
    finally:
        tracemalloc.stop()


ODD_CAPTIONS = {
    "info": {"year": 2017},
    "images": [
        {"id": 1, "file_name": "1.png", "height": 3.5},
        {"id": "2", "file_name": "deep/é.png"},
        7,
        {"id": 3},
    ],
    "annotations": [
        {"image_id": 1, "caption": 'a "cat" \u732b', "id": 12345678901234567890123},
        {"image_id": 2, "caption": "two", "split": "val", "score": 0.25},
        {"image_id": 9, "caption": "nobody's"},
        {"image_id": 3, "caption": "no name"},
        None,
        {"image_id": 1},
    ],
}
LONG = {
    "captions": json.dumps(ODD_CAPTIONS),
    "annotations first": json.dumps(dict(reversed(ODD_CAPTIONS.items()))),
    "with a mark": "\ufeff" + json.dumps(ODD_CAPTIONS, ensure_ascii=False),
    "what only Python reads": json.dumps(ODD_CAPTIONS).replace("0.25", "NaN"),
    "half a character": json.dumps(ODD_CAPTIONS).replace("two", "\\ud83d two"),
    "things": instances((1, "1.png", [1, 18, 1]), (2, "2.png", []), (3, "3.png", [99])),
}


@pytest.mark.parametrize("said", LONG.values(), ids=LONG)
def test_of_a_long_json_each_row_is_as_of_a_short_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str | bytes
) -> None:
    folder = lay_out(tmp_path / "in", {"1.png": "", "2.png": "", "deep/é.png": ""})
    (folder / "x.json").write_bytes(said if isinstance(said, bytes) else said.encode())

    def rows() -> list[str]:
        source = Source(folder / "x.json")
        try:
            return [
                str(row) for name in ("coco", "coco-categories") for row in IMPORTERS.get(name).rows(source)
            ]
        except (UserError, ValueError) as e:
            return [str(e)]

    short = rows()
    monkeypatch.setattr(coco_outline, "SHORT", 10)
    assert short and rows() == short


@pytest.mark.parametrize("layout", ["coco", "coco-categories"])
def test_the_rows_of_a_long_json_are_read_in_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    monkeypatch.setattr(coco_outline, "SHORT", 10)
    for module in (coco_lists, coco_outline):
        monkeypatch.setattr(module, "READ_AT_ONCE", 100_000)
    said = '"caption": "a"' if layout == "coco" else '"category_id": 1'
    thing = '{"segmentation": {"counts": "' + "R5" * 3000 + '"}, "image_id": 1, ' + said + "}"
    whole = '{"images": [{"id": 1, "file_name": "1.png"}], "annotations": [' + ", ".join([thing] * 1000)
    path = lay_out(tmp_path, {"a.json": whole + '], "categories": [{"id": 1, "name": "a"}]}', "1.png": ""})
    source = Source(path / "a.json")
    tracemalloc.start()
    try:
        assert sum(1 for _ in IMPORTERS.get(layout).rows(source)) == (1000 if layout == "coco" else 1)
        assert tracemalloc.get_traced_memory()[1] < 4_000_000 < (path / "a.json").stat().st_size
    finally:
        tracemalloc.stop()


def test_a_long_json_that_was_cut_off_is_told_before_its_first_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coco_outline, "SHORT", 10)
    folder = lay_out(tmp_path, {"a.json": json.dumps(CAPTIONS)[:-2], "1.png": ""})
    with pytest.raises(UserError, match=r"a\.json is no JSON that can be read"):
        next(IMPORTERS.get("coco").rows(Source(folder / "a.json")))
