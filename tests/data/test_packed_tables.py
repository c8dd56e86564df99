"""Tables that are packed by themselves, and spreadsheets."""

from __future__ import annotations

import bz2
import datetime
import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from mmdemo.data.packed import read_whole
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.errors import MediaError, UserError
from tests.data.conftest import Files, lay_out, read_all

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


def workbook(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    """An .xlsx with sheets of rows."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


ROWS: list[list[Any]] = [
    ["Image", "Caption", "Start", None, "Split"],
    ["1.png", " a cat ", 1.5, None, "train"],
    [None, None, None],
    ["2.png", 12, datetime.time(0, 1, 2), "x", "test", None, "a remark"],
    [3, "three", 4.0],
]


def test_the_sheet_of_excel_that_names_files_is_read(tmp_path: Path) -> None:
    folder = lay_out(tmp_path, {"1.png": "", "2.png": "", "3.png": ""})
    workbook(
        folder / "list.xlsx", {"Notes": [["How", "to label"], ["see", "there"]], "Data": ROWS, "Last": []}
    )
    with open_source(str(folder), task="image-text") as opened:
        rows = [row for row in opened.rows() if isinstance(row, Row)]
        assert opened.chosen.importer.name == "manifest"
        assert "Of list.xlsx the sheet Data is read." in opened.source.notes
    assert [(row.name, row.text, row.start_s, row.split) for row in rows] == [
        ("1.png", "a cat", 1.5, "train"),
        ("2.png", "12", 62.0, "held-out"),
        ("3.png", "three", 4.0, ""),
    ]


def test_a_workbook_without_files_says_so_with_the_names_of_its_sheets(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"One": [["a", "b"], ["c", "d"]], "Two": []})
    with (
        open_source(str(path)) as opened,
        pytest.raises(UserError, match=r"No sheet of a\.xlsx has a column of files: One, Two\."),
    ):
        list(opened.rows())


def damaged_workbook(path: Path, sheet: bytes) -> Path:
    """An .xlsx whose first sheet is other XML."""
    plain = workbook(path.with_suffix(".plain"), {"Data": ROWS})
    with zipfile.ZipFile(plain) as whole, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as changed:
        for name in whole.namelist():
            changed.writestr(name, sheet if name.endswith("sheet1.xml") else whole.read(name))
    return path


ENTITY = b'<!DOCTYPE a [<!ENTITY b "c">]><worksheet><sheetData><row><c><v>&b;</v></c></row></sheetData>'
BROKEN = {
    "a bomb": (bytes(40_000_000), r"is damaged, or no table of Excel: \d+ bytes of it would become \d+\."),
    "an entity": (ENTITY, "is no table of Excel that can be read"),
    "no XML": (b"<worksheet><sheetData>", "is no table of Excel that can be read"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_workbook_that_does_harm_or_is_damaged_is_refused_in_a_sentence(tmp_path: Path, case: str) -> None:
    sheet, why = BROKEN[case]
    path = damaged_workbook(tmp_path / "a.xlsx", sheet)
    with open_source(str(path)) as opened, pytest.raises(UserError, match=why):
        list(opened.rows())


@pytest.mark.parametrize(
    ("name", "begins"), [("a.xls", b"x"), ("a.ods", b"PK"), ("a.xlsx", b"\xd0\xcf\x11\xe0")]
)
def test_tables_that_are_not_read_say_as_what_to_save_them(tmp_path: Path, name: str, begins: bytes) -> None:
    (tmp_path / name).write_bytes(begins)
    with (
        open_source(str(tmp_path / name)) as opened,
        pytest.raises(UserError, match=r"a\..* Save it as \.xlsx or \.csv"),
    ):
        list(opened.rows())


VOICE = "path\tsentence\n{0}.mp3\tsaid {0}\n"
WHOLE: dict[str, Files] = {
    "common-voice": {
        **{f"{side}.tsv": VOICE.format(side) for side in ("train", "dev", "test")},
        **{f"clips/{side}.mp3": b"x" for side in ("train", "dev", "test")},
    },
    "ljspeech": {"metadata.csv": "a|1|one", "wavs/a.wav": b"x"},
    "librispeech": {"dev/1/2/1-2.trans.txt": "1-2-0 ONE", "dev/1/2/1-2-0.flac": b"x"},
    "mls": {"test/transcripts.txt": "1_2_0\tone", "test/audio/1/2/1_2_0.flac": b"x"},
    "kaldi": {"wav.scp": "a a.wav", "text": "a-1 one", "segments": "a-1 a 0 1", "a.wav": b"x"},
    "cub": {
        "images.txt": "1 001.Owl/1.png",
        "image_class_labels.txt": "1 1",
        "classes.txt": "1 001.Owl",
        "train_test_split.txt": "1 0",
        "images/001.Owl/1.png": "",
    },
    "class-names": {
        "synset_words.txt": "n01440764 tench, Tinca tinca",
        "LOC_val_solution.csv": "ImageId,PredictionString\n1,n01440764 1 2 3 4",
        "images/1.png": "",
    },
    "cvat": {
        "annotations.xml": '<annotations><meta/><image name="1.png"><tag label="owl"/></image></annotations>',
        "images/1.png": "",
    },
}


@pytest.mark.parametrize("layout", WHOLE)
def test_layouts_that_know_their_tables_by_name_know_them_packed(tmp_path: Path, layout: str) -> None:
    task = "image-text" if any(name.endswith(".png") for name in WHOLE[layout]) else "speech-text"
    plain = read_all(lay_out(tmp_path / "plain", WHOLE[layout]), task)
    assert plain[0] == layout and all(text for texts, _ in plain[1].values() for text in texts)
    for suffix, packed in ((".gz", gzip.compress), (".bz2", bz2.compress)):
        files: Files = {}
        for name, said in WHOLE[layout].items():
            is_table = isinstance(said, str) and said
            files[name + suffix if is_table else name] = packed(said.encode()) if is_table else said
        assert read_all(lay_out(tmp_path / suffix, files), task) == plain
