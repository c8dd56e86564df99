"""Which layout a folder is recognised as, and that everything in it is found where it belongs."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest

from mmdemo.data.importing import import_source
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK
from tests.data.conftest import CUE, Files, lay_out, picture


def read(folder: Path, layout: str = "") -> tuple[str, dict[str, str], list[str]]:
    """The layout's name, the texts by the path of their file, and the reasons of what was skipped."""
    with open_source(str(folder), layout=layout) as opened:
        rows = list(opened.rows())
        root = opened.source.root
    texts = {
        str(row.file.relative_to(root)) if row.file else row.name: row.text
        for row in rows
        if isinstance(row, Row)
    }
    return opened.chosen.importer.name, texts, [row.reason for row in rows if not isinstance(row, Row)]


COCO = {
    "images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "2.png"}],
    "annotations": [{"image_id": 1, "caption": "one"}, {"image_id": 2, "caption": "two"}],
}
LAYOUTS: dict[str, tuple[Files, str, dict[str, str]]] = {
    "captions in .txt before class folders": (
        {"30_cat/1.png": "", "30_cat/1.txt": "a cat asleep", "30_dog/1.png": "", "30_dog/1.txt": "a dog"},
        "captions",
        {"30_cat/1.png": "a cat asleep", "30_dog/1.png": "a dog"},
    ),
    "captions beside files in the folders of splits": (
        {"train/1.png": "", "train/1.txt": "one", "val/1.png": "", "val/1.png.txt": "two"},
        "captions",
        {"train/1.png": "one", "val/1.png": "two"},
    ),
    "img2dataset's files": (
        {"00000/000.png": "", "00000/000.json": '{"caption": "one", "url": "x"}'},
        "captions",
        {"00000/000.png": "one"},
    ),
    "metadata in the folder of each split": (
        {
            "train/metadata.csv": "file_name,text\n1.png,one",
            "train/1.png": "",
            "validation/metadata.jsonl": '{"file_name": "1.png", "text": "two"}',
            "validation/1.png": "",
        },
        "manifest",
        {"train/1.png": "one", "validation/1.png": "two"},
    ),
    "COCO's own folder": (
        {
            "annotations/captions_val2017.json": json.dumps(COCO),
            "annotations/instances_val2017.json": "{}",
            "train2017/1.png": "",
            "val2017/1.png": "",
            "val2017/2.png": "",
        },
        "coco",
        {"val2017/1.png": "one", "val2017/2.png": "two"},
    ),
    "classes below folders that only say what lies in them": (
        {"train/cat/images/1.png": "", "train/dog/images/a/../1.png": "", "val/sea_lion/001/1.png": ""},
        "classes",
        {
            "train/cat/images/1.png": "cat",
            "train/dog/images/1.png": "dog",
            "val/sea_lion/001/1.png": "sea lion",
        },
    ),
    "pictures below the second level": (
        {"1.png": "", "a/b/c/2.png": "", "a/b/c/2.txt": "deep"},
        "captions",
        {"1.png": "", "a/b/c/2.png": "deep"},
    ),
    "a table of one's own name": (
        {
            "my list.csv": "sep=;\nfile;words\nimages/1.png;one\n2.png;two",
            "images/1.png": "",
            "images/2.png": "",
        },
        "manifest",
        {"images/1.png": "one", "images/2.png": "two"},
    ),
    "names without suffixes and a class column": (
        {"train.csv": "id,breed\n0a,beagle\n0b,pug", "train/0a.png": "", "train/0b.png": ""},
        "manifest",
        {"train/0a.png": "beagle", "train/0b.png": "pug"},
    ),
    "OpenCLIP's columns": (
        {"train.csv": "filepath\ttitle\n/data/mine/1.png\tone", "1.png": ""},
        "manifest",
        {"1.png": "one"},
    ),
    "JSON lines that are called JSON": (
        {"data.json": '{"image": "1.png", "caption": "one"}\n{"image": "2.png", "caption": "two"}\n'}
        | {"1.png": "", "2.png": ""},
        "manifest",
        {"1.png": "one", "2.png": "two"},
    ),
    "Flickr's token file": (
        {"Flickr8k.token.txt": "1.png#0\tone\n2.png#0\ttwo", "Images/1.png": "", "Images/2.png": ""},
        "manifest",
        {"Images/1.png": "one", "Images/2.png": "two"},
    ),
    "a table without a line that names its columns": (
        {"list.csv": "1.png,640,a cat asleep\n2.png,480,two", "1.png": "", "2.png": "", "notes.txt": "x, y"},
        "manifest",
        {"1.png": "a cat asleep", "2.png": "two"},
    ),
    "lines as they were ended before Unix": (
        {"m.csv": "file,text\r1.png,one\r2.png,two\r", "1.png": "", "2.png": ""},
        "manifest",
        {"1.png": "one", "2.png": "two"},
    ),
    "captions whose names differ in capitals": (
        {"a.png": "", "a.txt": "small", "A.png": "", "A.txt": "large"},
        "captions",
        {"a.png": "small", "A.png": "large"},
    ),
    "a list of objects": (
        {"data.json": '[{"image": "1.png", "caption": "one"}]', "1.png": ""},
        "manifest",
        {"1.png": "one"},
    ),
    "hidden folders and those of systems": (
        {"cat.png": "", ".ipynb_checkpoints/cat.png": "", "@eaDir/cat.png": "", "__MACOSX/._cat.png": b"x"}
        | {".DS_Store": "x", "Thumbs.db": "x"},
        "folder",
        {"cat.png": ""},
    ),
    "one video's name in two folders": (
        {
            "day1/G.MP4": "",
            "day1/G.srt": CUE.format("one"),
            "day2/G.MP4": "",
            "day2/G.srt": CUE.format("two"),
        },
        "subtitles",
        {"day1/G.MP4": "one", "day2/G.MP4": "two"},
    ),
    "subtitles by language": (
        {"talk.mp4": "", "talk.en.srt": CUE.format("hello"), "talk two.mp4": ""},
        "subtitles",
        {"talk.mp4": "hello", "talk two.mp4": ""},
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_surest_layout_reads_every_file_with_its_text(tmp_path: Path, name: str) -> None:
    files, layout, texts = LAYOUTS[name]
    assert read(lay_out(tmp_path, files)) == (layout, texts, [])


def test_another_layout_can_be_chosen_among_those_it_may_be(tmp_path: Path) -> None:
    folder = lay_out(tmp_path, {"cat/1.png": "", "cat/1.txt": "a cat asleep"})
    with open_source(str(folder)) as opened:
        assert [c.importer.name for c in opened.others] == ["captions", "classes", "folder"]
        assert all(c.why.endswith(".") and 0 < c.sure <= 1 for c in opened.others)
    assert read(folder, "classes")[1] == {"cat/1.png": "cat"}
    with pytest.raises(UserError, match=r"is not a COCO .* It may be read as: captions, classes, folder"):
        read(folder, "coco")
    with pytest.raises(UserError, match="There is no importer 'cocoa'"):
        read(folder, "cocoa")


def test_the_preview_names_the_layout_why_and_what_else_it_may_be(app: App, tmp_path: Path) -> None:
    files: Files = {"cat/1.png": "", "cat/1.txt": "a cat asleep", "cat/2.png": b"no picture"}
    folder = lay_out(tmp_path / "in", files)
    shown = ask(app, "import_preview", source=str(folder), task=TASK)
    assert shown["importer"] == "captions"
    assert shown["why"] == "1 of 2 files have a text file of the same name beside them."
    assert [c["name"] for c in shown["candidates"]] == ["captions", "classes", "folder"]
    assert [row["file"] for row in shown["rows"]] == ["cat/1.png", "cat/2.png"]
    assert shown["rows"][0]["text"] == "a cat asleep" and "2.png" in shown["rows"][1]["reason"]
    other = ask(app, "import_preview", source=str(folder), task=TASK, layout="classes")
    assert other["importer"] == "classes" and other["rows"][0]["text"] == "cat"


def test_a_name_is_found_however_its_accents_and_capitals_are_written(tmp_path: Path) -> None:
    composed, apart = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    lay_out(tmp_path, {f"{apart}.png": "", "b.PNG": picture(7), f"{composed} 2.png": ""})
    (tmp_path / "m.csv").write_text(f"file_name,text\n{composed}.png,one\nB.png,two\n{apart} 2.png,three\n")
    assert list(read(tmp_path / "m.csv")[1].values()) == ["one", "two", "three"]


def test_a_name_that_several_files_have_is_not_guessed(tmp_path: Path) -> None:
    files: Files = {"m.csv": "file_name,text\n1.png,one\nb/1.png,two", "x/a/1.png": "", "x/b/1.png": ""}
    _, texts, reasons = read(lay_out(tmp_path, files) / "m.csv")
    assert texts == {"x/b/1.png": "two"}
    assert reasons == ["1.png is not one file: there are several, in x/a, x/b."]


def test_two_names_that_can_only_mean_one_file_are_not_both_it(tmp_path: Path) -> None:
    files: Files = {"m.csv": "file_name,text\n/d/one/1.png,one\n/d/two/1.png,two", "1.png": ""}
    _, texts, reasons = read(lay_out(tmp_path, files) / "m.csv")
    assert texts == {"1.png": "one"} and reasons == ["/d/two/1.png lies outside the folder of the manifest."]


@pytest.mark.parametrize("linked", ["file", "folder", "circle"])
def test_a_folder_of_links_is_read_through_them(tmp_path: Path, linked: str) -> None:
    kept = lay_out(tmp_path / "cache", {"ab/cdef.png": ""}) / "ab"
    folder = lay_out(tmp_path / "in", {"metadata.csv": "file_name,text\nset/1.png,one\n"})
    if linked == "file":
        (folder / "set").mkdir()
        (folder / "set" / "1.png").symlink_to(kept / "cdef.png")
    else:
        (kept / "cdef.png").rename(kept / "1.png")
        (folder / "set").symlink_to(kept)
    if linked == "circle":
        (folder / "again").symlink_to(folder)
    assert read(folder)[1] == {"set/1.png": "one"}


COLUMNS = [
    ("audio_filepath", "text", "speech-text"),  # NeMo
    ("path", "sentence", "speech-text"),  # Common Voice
    ("audio", "transcription", "speech-text"),  # the Hub
    ("video", "caption", "video-text"),
    ("filepath", "title", "image-text"),  # OpenCLIP
    ("key", "caption", "image-text"),  # img2dataset
    ("Image Path", "Description", "image-text"),
]


@pytest.mark.parametrize(("file", "text", "task"), COLUMNS)
def test_columns_are_known_by_what_others_call_them(tmp_path: Path, file: str, text: str, task: str) -> None:
    suffix = {"speech-text": "ogg", "video-text": "mp4", "image-text": "png"}[task]
    name = "a" if file == "key" else f"a.{suffix}"
    lay_out(
        tmp_path, {f"a.{suffix}": b"x", "m.jsonl": json.dumps({"duration": 1.5, file: name, text: "one"})}
    )
    with open_source(str(tmp_path), task=task) as opened:
        assert [(r.name, r.text) for r in opened.rows() if isinstance(r, Row)] == [(f"a.{suffix}", "one")]


def test_of_a_table_with_several_columns_of_files_that_of_the_wanted_modality_is_read(tmp_path: Path) -> None:
    line = {"image": "a.png", "audio": "a.ogg", "text": "one"}
    lay_out(tmp_path, {"a.png": "", "a.ogg": b"x", "m.jsonl": json.dumps(line)})
    for task, name in (("image-text", "a.png"), ("speech-text", "a.ogg")):
        with open_source(str(tmp_path / "m.jsonl"), task=task) as opened:
            assert [row.name for row in opened.rows() if isinstance(row, Row)] == [name]


def test_each_table_of_a_split_sets_it_and_one_of_all_rows_says_no_more(
    ws: Workspace, tmp_path: Path
) -> None:
    rows = {"train": "1.png,one\n", "val": "2.png,two\n", "test": "3.png,three\n"}
    tables: Files = {f"{name}.csv": f"image,label\n{line}" for name, line in rows.items()}
    pictures: Files = {f"images/{i}.png": "" for i in range(1, 4)}
    lay_out(tmp_path / "in", tables | {"all.csv": "image,label\n" + "".join(rows.values())} | pictures)
    report = import_source(ws, str(tmp_path / "in"), TASK)
    assert {p.text: p.split for p in ws.pairs.browse(TASK)} == {
        "one": "train",
        "two": "validation",
        "three": "held-out",
    }
    assert [s.reason[:28] for s in report.skipped] == ["The row says no more than ro"] * 3


def test_several_captions_of_a_row_are_a_row_each(tmp_path: Path) -> None:
    line = json.dumps({"image": "1.png", "caption": ["one", "two"]})
    with open_source(str(lay_out(tmp_path, {"m.jsonl": line, "1.png": ""}))) as opened:
        assert [row.text for row in opened.rows() if isinstance(row, Row)] == ["one", "two"]


def test_pictures_that_no_row_names_are_told(ws: Workspace, tmp_path: Path) -> None:
    report = import_source(
        ws, str(lay_out(tmp_path, {"m.csv": "file,text\n1.png,one", "1.png": "", "2.png": ""})), TASK
    )
    assert report.items == 1
    assert report.notes == ["1 file of the folder is in no row that can be read, and left out."]
    assert report.file_notes == {"left_out": report.notes[0]}  # so that who shows the names says it once


def parquet(folder: Path, names: bool = False) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    cells = [{"bytes": picture(i), "path": f"{i}.png"} for i in range(3)]
    table = pa.table(
        {"image": pa.array(cells, kind), "label" if names else "text": [0, 1, 0] if names else list("abc")}
    )
    if names:
        facts = {"info": {"features": {"label": {"names": ["sea_lion", "cat"], "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(facts)})
    folder.mkdir(exist_ok=True)
    pq.write_table(table, folder / "train-00000-of-00001.parquet", row_group_size=1)
    return folder


@pytest.mark.parametrize("names", [False, True])
def test_the_hubs_parquet_brings_the_media_inside_it(ws: Workspace, tmp_path: Path, names: bool) -> None:
    report = import_source(ws, str(parquet(tmp_path / "in", names)), TASK)
    assert (report.layout, report.items, report.skipped) == ("manifest", 3, [])
    texts = ["sea lion", "cat", "sea lion"] if names else ["a", "b", "c"]
    assert [p.text for p in ws.pairs.browse(TASK)] == texts


def test_a_parquet_file_that_is_damaged_loses_the_group_of_rows_that_is(
    ws: Workspace, tmp_path: Path
) -> None:
    import pyarrow.parquet as pq

    path = parquet(tmp_path / "in") / "train-00000-of-00001.parquet"
    column = pq.ParquetFile(path).metadata.row_group(1).column(0)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset : column.data_page_offset + 8] = b"\xff" * 8
    path.write_bytes(data)
    report = import_source(ws, str(path), TASK)
    assert report.items == 2 and report.rows == 3
    assert "group 2 cannot be read" in report.skipped[0].reason
