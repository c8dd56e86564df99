"""Folders as corpora, tools and people lay them out: every file is found with its texts and its side."""

from __future__ import annotations

import json
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.errors import UserError
from tests.data.conftest import CUE, Files, lay_out, picture

WAV = b"x"
TRAIN, VALIDATION, HELD_OUT = "train", "validation", "held-out"
Found = dict[str, tuple[list[str], str]]  # by the path of a file: its texts, and its side


def read(folder: Path, task: str) -> tuple[str, Found, list[str], list[str]]:
    """The layout, what is found, the reasons of what was skipped, and the notes."""
    with open_source(str(folder), task=task) as opened:
        rows = list(opened.rows())
        root = opened.source.root
        found: Found = {}
        for row in (row for row in rows if isinstance(row, Row)):
            assert row.file is not None
            path = str(row.file.relative_to(root)) if row.file.is_relative_to(root) else row.name
            found.setdefault(path, ([], row.split))[0].append(row.text)
        reasons = [row.reason for row in rows if not isinstance(row, Row)]
        return opened.chosen.importer.name, found, reasons, opened.source.notes


def lines(*rows: dict[str, Any]) -> str:
    return "\n".join(map(json.dumps, rows))


def coco(number: int) -> str:
    images = [{"id": number, "file_name": f"{number}.png"}]
    return json.dumps({"images": images, "annotations": [{"image_id": number, "caption": f"c{number}"}]})


VOICE = "client_id\tpath\tsentence\tlocale\n"
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
MSR_VTT = {
    "videos": [{"video_id": "video0", "split": "train"}, {"video_id": "video1", "split": "validate"}],
    "sentences": [{"video_id": "video0", "caption": "a"}, {"video_id": "video1", "caption": "b"}],
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
        "manifest",
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
SOUND: dict[str, tuple[Files, str, Found]] = {
    "Common Voice below the folder of its version": (
        {
            "cv/en/train.tsv": f'{VOICE}x\ta.mp3\tHe said "no".\ten\n',
            "cv/en/dev.tsv": f"{VOICE}x\tb.mp3\tTwo\ten\n",
            "cv/en/test.tsv": f"{VOICE}x\tc.mp3\tThree\ten\n",
            "cv/en/clip_durations.tsv": "clip\tduration[ms]\na.mp3\t3000\n",
            **{f"cv/en/clips/{name}.mp3": WAV for name in "abc"},
        },
        "common-voice",
        {
            "cv/en/clips/a.mp3": (['He said "no".'], TRAIN),
            "cv/en/clips/b.mp3": (["Two"], VALIDATION),
            "cv/en/clips/c.mp3": (["Three"], HELD_OUT),
        },
    ),
    "NeMo's manifests": (
        {
            "train_manifest.json": lines({"audio_filepath": "/d/wavs/a.wav", "duration": 1, "text": "one"}),
            "val_manifest.json": lines({"audio_filepath": "wavs/b.wav", "duration": 1, "text": "two"}),
            "wavs/a.wav": WAV,
            "wavs/b.wav": WAV,
        },
        "manifest",
        {"wavs/a.wav": (["one"], TRAIN), "wavs/b.wav": (["two"], HELD_OUT)},
    ),
    "LJSpeech in the folder that its archive makes": (
        {"LJSpeech-1.1/metadata.csv": 'a|"Print" 1|"Print" one\n', "LJSpeech-1.1/wavs/a.flac": WAV},
        "ljspeech",
        {"LJSpeech-1.1/wavs/a.flac": (['"Print" one'], "")},
    ),
    "LJSpeech's layout with names of columns": (
        {"metadata.csv": "audio_file|text|speaker_name\nwavs/a.wav|one|x\n", "wavs/a.wav": WAV},
        "manifest",
        {"wavs/a.wav": (["one"], "")},
    ),
    "VCTK": (
        {
            "txt/p225/p225_001.txt": "Please call Stella.\n",
            "wav48/p225/p225_001_mic1.flac": WAV,
            "wav48/p225/p225_001_mic2.flac": WAV,
        },
        "captions",
        {f"wav48/p225/p225_001_mic{i}.flac": (["Please call Stella."], "") for i in (1, 2)},
    ),
    "LibriTTS": (
        {"1/2/1_2_0.wav": WAV, "1/2/1_2_0.normalized.txt": "one", "1/2/1_2_0.original.txt": "1"},
        "captions",
        {"1/2/1_2_0.wav": (["one"], "")},
    ),
    "AISHELL's transcripts": (
        {"transcript/t_v0.8.txt": "B02 而 对 楼市\n", "wav/train/S1/B02.wav": WAV},
        "manifest",
        {"wav/train/S1/B02.wav": (["而 对 楼市"], TRAIN)},
    ),
    "Kaldi's text": (
        {"text": "a one two\nb three\n", "utt2spk": "a s\nb s\n", "wavs/a.wav": WAV, "wavs/b.wav": WAV},
        "manifest",
        {"wavs/a.wav": (["one two"], ""), "wavs/b.wav": (["three"], "")},
    ),
    "Speech Commands, whose lists hold files out": (
        {"yes/a.wav": WAV, "no/b.wav": WAV, "no/c.wav": WAV, "testing_list.txt": "no/b.wav\n"}
        | {"validation_list.txt": "no/c.wav\n"},
        "classes",
        {
            "yes/a.wav": (["yes"], TRAIN),
            "no/b.wav": (["no"], HELD_OUT),
            "no/c.wav": (["no"], VALIDATION),
        },
    ),
    "Clotho": (
        {"clotho_captions_evaluation.csv": "file_name,caption_1,caption_2\nb.wav,e1,e2\n"}
        | {"evaluation/b.wav": WAV},
        "manifest",
        {"evaluation/b.wav": (["e1", "e2"], HELD_OUT)},
    ),
}
VIDEOS: dict[str, tuple[Files, str, Found]] = {
    "MSR-VTT's folder": (
        {"info.json": json.dumps(MSR_VTT), "TrainValVideo/video0.mp4": "", "TrainValVideo/video1.mp4": ""},
        "msr-vtt",
        {"TrainValVideo/video0.mp4": (["a"], TRAIN), "TrainValVideo/video1.mp4": (["b"], HELD_OUT)},
    ),
    "ActivityNet's folder": (
        {
            "train.json": '{"v_a": {"timestamps": [[0, 1], [1, 2]], "sentences": ["A", "B"]}}',
            "val_1.json": '{"v_b": {"timestamps": [[0, 1]], "sentences": ["C"]}}',
            "videos/v_a.mp4": "",
            "videos/v_b.mkv": b"x",
        },
        "activitynet-captions",
        {"videos/v_a.mp4": (["A", "B"], TRAIN), "videos/v_b.mkv": (["C"], HELD_OUT)},
    ),
    "Charades-STA": (
        {"charades_sta_train.txt": "AO8RW 0.0 6.9##a person sits.\n", "Charades_v1/AO8RW.mp4": ""},
        "manifest",
        {"Charades_v1/AO8RW.mp4": (["a person sits."], TRAIN)},
    ),
    "subtitles in a folder of their own": (
        {"talk.mp4": "", "subs/talk.srt": CUE.format("hello")},
        "subtitles",
        {"talk.mp4": (["hello"], "")},
    ),
    "subtitles of two languages, and a name with dots": (
        {"a.v1.mp4": "", "a.v1.en-US.vtt": "WEBVTT\n\n00:00.500 --> 00:02.000\nhello\n"}
        | {"a.v1.de.srt": CUE.format("hallo")},
        "subtitles",
        {"a.v1.mp4": (["hallo", "hello"], "")},
    ),
    "recordings' transcripts with times before those without": (
        {"a.wav": WAV, "a.srt": CUE.format("hello")},
        "subtitles",
        {"a.wav": (["hello"], "")},
    ),
}
CORPORA = {"image-text": PICTURES, "speech-text": SOUND, "video-text": VIDEOS}


@pytest.mark.parametrize(
    ("task", "name"), [(task, name) for task, found in CORPORA.items() for name in found]
)
def test_what_people_have_is_read_as_what_it_is(tmp_path: Path, task: str, name: str) -> None:
    files, layout, expected = CORPORA[task][name]
    found = read(lay_out(tmp_path, files), task)
    assert found[:2] == (layout, expected)


def test_texts_that_are_known_by_their_words_only_are_told(tmp_path: Path) -> None:
    files: Files = {"L.csv": "Bild;Beschreibung;Nr\n1.png;Eine Katze;1\n", "1.png": ""}
    layout, found, _, notes = read(lay_out(tmp_path, files), "image-text")
    assert (layout, found) == ("manifest", {"1.png": (["Eine Katze"], "")})
    assert notes == ["The texts of L.csv are those of its column Beschreibung."]


def test_who_took_a_picture_is_not_what_it_shows(tmp_path: Path) -> None:
    files: Files = {"m.csv": "file,photographer,width\n1.png,Jane Doe,640\n", "1.png": ""}
    assert read(lay_out(tmp_path, files) / "m.csv", "image-text")[1] == {"1.png": ([""], "")}


def test_a_table_beside_an_archive_names_the_files_in_it(tmp_path: Path) -> None:
    lay_out(tmp_path, {"metadata.csv": "file_name,text\n1.png,one\n", "notes.md": "x"})
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as zipped:
        zipped.writestr("1.png", picture(1))
    assert [texts for texts, _ in read(tmp_path, "image-text")[1].values()] == [["one"]]


def test_addresses_whose_files_are_not_here_are_told_what_to_do(tmp_path: Path) -> None:
    lay_out(tmp_path, {"m.csv": "URL,TEXT\nhttps://example.org/1.png,one\n"})
    with pytest.raises(UserError, match=r"m.csv names files on the network, in its column URL. Save them"):
        read(tmp_path / "m.csv", "image-text")
    lay_out(
        tmp_path,
        {"m.csv": "url,text\nhttps://far.example/1.png,one\nhttps://far.example/2.png,two\n", "2.png": ""},
    )
    _, found, reasons, _ = read(tmp_path, "image-text")
    assert list(found) == ["2.png"]
    assert reasons == ["https://far.example/1.png is on the network: save it beside the table first."]


def test_a_table_of_a_spreadsheet_is_told_how_it_can_be_read(tmp_path: Path) -> None:
    _, _, reasons, _ = read(lay_out(tmp_path, {"1.png": "", "list.xlsx": b"PK"}), "image-text")
    assert reasons == ["list.xlsx cannot be read as a table. Save it as CSV."]


def test_a_table_of_a_split_that_is_damaged_is_told(tmp_path: Path) -> None:
    files: Files = {"train.csv": "file,text\n1.png,one\n", "test.parquet": b"x", "1.png": ""}
    _, found, _, notes = read(lay_out(tmp_path, files), "image-text")
    assert found == {"1.png": (["one"], TRAIN)}
    assert notes[0].startswith("test.parquet was not read. test.parquet is not a Parquet file.")


def test_captions_and_pictures_whose_accents_are_written_otherwise_belong_together(tmp_path: Path) -> None:
    apart, composed = (unicodedata.normalize(form, "Café") for form in ("NFD", "NFC"))
    assert read(lay_out(tmp_path, {f"{apart}.png": "", f"{composed}.txt": "one"}), "image-text")[1] == {
        f"{apart}.png": (["one"], "")
    }
