"""A long JSON of COCO's is known by the lists in it, a part at a time, whatever it is called."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from mmdemo.data import coco_outline
from mmdemo.data.coco_outline import outline_of
from mmdemo.data.importers.base import candidates
from mmdemo.data.source import Source
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
