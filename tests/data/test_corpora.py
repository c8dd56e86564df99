"""Folders as corpora, tools and people lay them out: every file is found with its texts and its side."""

from __future__ import annotations

import json
import unicodedata
import zipfile
from pathlib import Path

import pytest

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.errors import UserError
from tests.conftest import png
from tests.data.conftest import Files, Found, lay_out, picture, read_all

TRAIN, VALIDATION, HELD_OUT = "train", "validation", "held-out"


def coco(number: int) -> str:
    images = [{"id": number, "file_name": f"{number}.png"}]
    return json.dumps({"images": images, "annotations": [{"image_id": number, "caption": f"c{number}"}]})


KARPATHY = {
    "images": [
        {"filename": "1.png", "split": "train", "sentences": [{"raw": "one a"}, {"raw": "one b"}]},
        {"filename": "2.png", "split": "restval", "sentences": [{"tokens": ["two"], "raw": "two"}]},
        {"filename": "3.png", "split": "test", "sentences": [{"raw": "three"}]},
    ],
    "dataset": "flickr8k",
}
LLAVA = {
    "image": "1.png",
    "conversations": [{"from": "human", "value": "What is it?"}, {"from": "gpt", "value": "a cat"}],
}
PICTURES: dict[str, tuple[Files, str, Found]] = {
    "a table at the top of the Hub's folders of splits": (
        {
            "metadata.csv": "file_name,text\ntrain/1.png,one\ntest/2.png,two",
            "train/1.png": "",
            "test/2.png": "",
        },
        "manifest",
        {"train/1.png": (["one"], TRAIN), "test/2.png": (["two"], HELD_OUT)},
    ),
    "COCO's pictures below images/": (
        {
            "annotations/captions_train2017.json": coco(1),
            "annotations/captions_val2017.json": coco(2),
            "images/train2017/1.png": "",
            "images/val2017/2.png": "",
        },
        "coco",
        {"images/train2017/1.png": (["c1"], TRAIN), "images/val2017/2.png": (["c2"], HELD_OUT)},
    ),
    "Karpathy's splits": (
        {"dataset_flickr8k.json": json.dumps(KARPATHY), **{f"Images/{i}.png": "" for i in (1, 2, 3)}},
        "karpathy",
        {
            "Images/1.png": (["one a", "one b"], TRAIN),
            "Images/2.png": (["two"], TRAIN),
            "Images/3.png": (["three"], HELD_OUT),
        },
    ),
    "Flickr30k's results.csv": (
        {
            "results.csv": "image_name| comment_number| comment\n1.png| 0| Guys, outside .\n1.png| 1| b\n",
            "flickr30k_images/1.png": "",
        },
        "manifest",
        {"flickr30k_images/1.png": (["Guys, outside .", "b"], "")},
    ),
    "Flickr8k as it is given away, with lists of its sides": (
        {
            "Flickr8k.token.txt": "1.png#0\tone a .\n1.png#1\tone b .\n2.png#0\ttwo .\n",
            "Flickr8k.lemma.token.txt": "1.png#0\tone be .\n",
            "Flickr_8k.trainImages.txt": "1.png\n",
            "Flickr_8k.testImages.txt": "2.png\n",
            "CrowdFlowerAnnotations.txt": "1.png\t2.png#2\t1\t0\t3\n",
            "readme.txt": "If you use 1.png, cite us",
            "Flicker8k_Dataset/1.png": "",
            "Flicker8k_Dataset/2.png": "",
        },
        "manifest",
        {
            "Flicker8k_Dataset/1.png": (["one a .", "one b ."], TRAIN),
            "Flicker8k_Dataset/2.png": (["two ."], HELD_OUT),
        },
    ),
    "a cell that holds several texts in brackets": (
        {
            "a.csv": 'raw,split,filename\n"[""one"", ""uno""]",train,1.png\n"[\'two\']",test,2.png\n',
            "flickr30k-images/1.png": "",
            "flickr30k-images/2.png": "",
        },
        "manifest",
        {
            "flickr30k-images/1.png": (["one", "uno"], TRAIN),
            "flickr30k-images/2.png": (["two"], HELD_OUT),
        },
    ),
    "a column for each caption": (
        {"m.csv": "image,caption_1,caption_2\n1.png,one,uno\n2.png,two,\n", "1.png": "", "2.png": ""},
        "manifest",
        {"1.png": (["one", "uno"], ""), "2.png": (["two"], "")},
    ),
    "numbers before the names of classes": (
        {"001.Black_footed_Albatross/1.png": "", "002.Laysan_Albatross/2.png": ""},
        "classes",
        {
            "001.Black_footed_Albatross/1.png": (["Black footed Albatross"], ""),
            "002.Laysan_Albatross/2.png": (["Laysan Albatross"], ""),
        },
    ),
    "captions in a folder of their own": (
        {"images/1.png": "", "images/2.png": "", "captions/1.txt": "one", "captions/2.txt": "two"},
        "captions",
        {"images/1.png": (["one"], ""), "images/2.png": (["two"], "")},
    ),
    "boxes beside pictures, which are no texts": (
        {"images/train/1.png": "", "images/val/2.png": "", "labels/train/1.txt": "0 0.5 0.5 0.1 0.1"},
        "folder",
        {"images/train/1.png": ([""], TRAIN), "images/val/2.png": ([""], HELD_OUT)},
    ),
    "a description beside a file's own name": (
        {"Photos/Trip/a.png": "", "Photos/Trip/a.png.json": '{"title": "a.png", "description": "A beach"}'},
        "captions",
        {"Photos/Trip/a.png": (["A beach"], "")},
    ),
    "a conversation about a picture": (
        {"llava.json": json.dumps([LLAVA]), "1.png": ""},
        "manifest",
        {"1.png": (["a cat"], "")},
    ),
    "texts by the names of files": (
        {"captions.json": '{"1.png": "one", "2.png": "two"}', "1.png": "", "2.png": ""},
        "manifest",
        {"1.png": (["one"], ""), "2.png": (["two"], "")},
    ),
    "lists of texts by the names of files": (
        {"captions.json": '{"1.png": ["one", "uno"], "2.png": ["two"]}', "1.png": "", "2.png": ""},
        "manifest",
        {"1.png": (["one", "uno"], ""), "2.png": (["two"], "")},
    ),
    "objects by numbers of their own": (
        {
            "all.json": json.dumps({i: {"file_name": f"{i}.png", "caption": f"c{i}"} for i in "12"}),
            "1.png": "",
            "2.png": "",
        },
        "manifest",
        {"1.png": (["c1"], ""), "2.png": (["c2"], "")},
    ),
    "a list for each split in one JSON": (
        {
            "data.json": json.dumps(
                {s: [{"image": f"{s}.png", "caption": s}] for s in ("train", "val", "test")}
            ),
            "train.png": "",
            "val.png": "",
            "test.png": "",
        },
        "manifest",
        {
            "train.png": (["train"], TRAIN),
            "val.png": (["val"], VALIDATION),
            "test.png": (["test"], HELD_OUT),
        },
    ),
    "a column that is called otherwise than split": (
        {"m.csv": "file,text,Subset\n1.png,one,train\n2.png,two,test\n", "1.png": "", "2.png": ""},
        "manifest",
        {"1.png": (["one"], TRAIN), "2.png": (["two"], HELD_OUT)},
    ),
    "blanks between a file and its text": (
        {"list.txt": "images/1.png a cat asleep\nimages/2.png two\n", "images/1.png": "", "images/2.png": ""},
        "manifest",
        {"images/1.png": (["a cat asleep"], ""), "images/2.png": (["two"], "")},
    ),
    "lists of the files of a side": (
        {"train.txt": "1\n", "val.txt": "2\n", "images/1.png": "", "images/2.png": ""},
        "folder",
        {"images/1.png": ([""], TRAIN), "images/2.png": ([""], HELD_OUT)},
    ),
    "numbers whose zeros a spreadsheet has left out": (
        {"m.csv": "id,label\n1,cat\n2,dog\n", "0001.png": "", "0002.png": ""},
        "manifest",
        {"0001.png": (["cat"], ""), "0002.png": (["dog"], "")},
    ),
    "remarks above the columns": (
        {"m.csv": "\n# exported by hand\nfile_name,text\n1.png,one\n", "1.png": ""},
        "manifest",
        {"1.png": (["one"], "")},
    ),
    "Excel's table with quotes and line breaks in cells": (
        {
            "L.csv": '\ufeffDatei;Text\r\n1.png;"Miau; ""ja""\r\nund"\r\n2.png;Zwei\r\n',
            "1.png": "",
            "2.png": "",
        },
        "manifest",
        {"1.png": (['Miau; "ja"\r\nund'], ""), "2.png": (["Zwei"], "")},
    ),
    "Windows' paths": (
        {"m.csv": "file_name,text\nimages\\1.png,one\nC:\\mine\\images\\2.png,two\n", "images/1.png": ""}
        | {"images/2.png": ""},
        "manifest",
        {"images/1.png": (["one"], ""), "images/2.png": (["two"], "")},
    ),
    "addresses whose files were saved": (
        {
            "m.csv": "url,caption\nhttps://example.org/images/1.png?size=large,one\nfile:///d/my%20cat.png,two\n",
            "images/1.png": "",
            "images/my cat.png": "",
        },
        "manifest",
        {"images/1.png": (["one"], ""), "images/my cat.png": (["two"], "")},
    ),
    "suffixes in capitals": (
        {"a.PNG": picture(1), "a.TXT": "one", "B.JPG": picture(2), "b.txt": "two"},
        "captions",
        {"a.PNG": (["one"], ""), "B.JPG": (["two"], "")},
    ),
    "what systems and editors leave behind": (
        {"cat.png": "", "cat.png:Zone.Identifier": "x", "cat.png~": "x", "~$notes.docx": "x"}
        | {".Trash-1000/x.png": "", "$RECYCLE.BIN/x.png": "", "._cat.png": "x", "Thumbs.db": "x"},
        "folder",
        {"cat.png": ([""], "")},
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_what_people_have_is_read_as_what_it_is(tmp_path: Path, name: str) -> None:
    files, layout, expected = PICTURES[name]
    assert read_all(lay_out(tmp_path, files), "image-text")[:2] == (layout, expected)


def test_texts_that_are_known_by_their_words_only_are_told(tmp_path: Path) -> None:
    files: Files = {"L.csv": "Bild;Beschreibung;Nr\n1.png;Eine Katze;1\n", "1.png": ""}
    layout, found, _, notes = read_all(lay_out(tmp_path, files), "image-text")
    assert (layout, found) == ("manifest", {"1.png": (["Eine Katze"], "")})
    assert notes == ["The texts of L.csv are those of its column Beschreibung."]


def test_who_took_a_picture_is_not_what_it_shows(tmp_path: Path) -> None:
    files: Files = {"m.csv": "file,photographer,width\n1.png,Jane Doe,640\n", "1.png": ""}
    assert read_all(lay_out(tmp_path, files) / "m.csv", "image-text")[1] == {"1.png": ([""], "")}


def test_a_table_beside_an_archive_names_the_files_in_it(tmp_path: Path) -> None:
    lay_out(tmp_path, {"metadata.csv": "file_name,text\n1.png,one\n", "notes.md": "x"})
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as zipped:
        zipped.writestr("1.png", picture(1))
    assert [texts for texts, _ in read_all(tmp_path, "image-text")[1].values()] == [["one"]]


def test_addresses_whose_files_are_not_here_are_told_what_to_do(tmp_path: Path) -> None:
    lay_out(tmp_path, {"m.csv": "URL,TEXT\nhttps://example.org/1.png,one\n"})
    with pytest.raises(UserError, match=r"m.csv names files on the network, in its column URL. Save them"):
        read_all(tmp_path / "m.csv", "image-text")
    lay_out(
        tmp_path,
        {"m.csv": "url,text\nhttps://far.example/1.png,one\nhttps://far.example/2.png,two\n", "2.png": ""},
    )
    _, found, reasons, _ = read_all(tmp_path, "image-text")
    assert list(found) == ["2.png"]
    assert reasons == ["https://far.example/1.png is on the network: save it beside the table first."]


def test_a_table_of_a_spreadsheet_is_told_how_it_can_be_read(tmp_path: Path) -> None:
    _, _, reasons, _ = read_all(lay_out(tmp_path, {"1.png": "", "list.ods": b"PK"}), "image-text")
    assert reasons == ["list.ods cannot be read as a table. Save it as .xlsx or .csv."]


def test_a_table_of_a_split_that_is_damaged_is_told(tmp_path: Path) -> None:
    files: Files = {"train.csv": "file,text\n1.png,one\n", "test.parquet": b"x", "1.png": ""}
    _, found, _, notes = read_all(lay_out(tmp_path, files), "image-text")
    assert found == {"1.png": (["one"], TRAIN)}
    assert notes[0].startswith("test.parquet was not read. test.parquet is not a Parquet file.")


def test_captions_and_pictures_whose_accents_are_written_otherwise_belong_together(tmp_path: Path) -> None:
    apart, composed = (unicodedata.normalize(form, "Café") for form in ("NFD", "NFC"))
    assert read_all(lay_out(tmp_path, {f"{apart}.png": "", f"{composed}.txt": "one"}), "image-text")[1] == {
        f"{apart}.png": (["one"], "")
    }


def test_a_text_that_is_called_like_a_file_is_a_text_beside_a_label_that_is_a_number(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "metadata.csv").write_text("file_name,text,label,verdict\na.png,x.png,1,match\n")
    with open_source(str(tmp_path)) as opened:
        assert [row.text for row in opened.rows() if isinstance(row, Row)] == ["x.png"]
