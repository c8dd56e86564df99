"""Tables that are packed by themselves, and spreadsheets."""

from __future__ import annotations

import bz2
import gzip
import json
from pathlib import Path

import pytest

from mmdemo.data.packed import read_whole
from mmdemo.data.reading import open_source
from mmdemo.errors import MediaError, UserError
from tests.data.conftest import lay_out, read_all

LINES = [{"file_name": "1.png", "text": "one"}, {"file_name": "2.png", "text": "two"}]
COCO = {
    "images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "2.png"}],
    "annotations": [{"image_id": 1, "caption": "one"}, {"image_id": 2, "caption": "two"}],
}
TABLES = {
    "metadata.csv": "file_name,text\n1.png,one\n2.png,two\n",
    "my list.tsv": "file_name\ttext\n1.png\tone\n2.png\ttwo\n",
    "train.jsonl": "\n".join(map(json.dumps, LINES)),
    "data.json": json.dumps(LINES),
    "captions_val2017.json": json.dumps(COCO),
    "results.txt": "1.png|one\n2.png|two\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_packed_is_read_as_the_plain_one(tmp_path: Path, name: str) -> None:
    pictures = {"1.png": "", "2.png": ""}
    plain = read_all(lay_out(tmp_path / "plain", {name: TABLES[name]} | pictures), "image-text")
    assert [texts for texts, _ in plain[1].values()] == [["one"], ["two"]]
    for suffix, packed in ((".gz", gzip.compress), (".bz2", bz2.compress)):
        files = {name + suffix: packed(TABLES[name].encode())} | pictures
        folder = lay_out(tmp_path / suffix, files)
        assert read_all(folder, "image-text") == plain
        assert read_all(folder / (name + suffix), "image-text")[1] == plain[1]


def test_a_packed_table_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv.gz"
    path.write_bytes(gzip.compress(b"file_name,text\n" + bytes(11_000_000)))
    with pytest.raises(MediaError, match=r"metadata\.csv\.gz is damaged, or no table: \d+ bytes of it would"):
        read_whole(path)


@pytest.mark.parametrize(
    "damaged", [gzip.compress(b"file_name,text\n" * 99)[:-9], b"no gzip"], ids=["cut", "other"]
)
def test_a_packed_table_that_is_damaged_is_refused_in_a_sentence(tmp_path: Path, damaged: bytes) -> None:
    lay_out(tmp_path, {"metadata.csv.gz": damaged, "1.png": ""})
    with (
        open_source(str(tmp_path / "metadata.csv.gz")) as opened,
        pytest.raises(UserError, match=r"metadata\.csv\.gz does not unpack: it is damaged or cut off"),
    ):
        list(opened.rows())
