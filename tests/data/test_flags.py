"""What other tools say of a pair by yes and no, and Prodigy's answers."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from tests.data.conftest import lay_out, picture


def rows_of(folder: Path, task: str = "image-text") -> tuple[str, list[Row]]:
    with open_source(str(folder), task=task) as opened:
        rows = list(opened.rows())
        assert [row for row in rows if not isinstance(row, Row)] == []
        return opened.chosen.importer.name, [row for row in rows if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("columns", "cells", "sides"),
    [
        ("is_train,is_val,is_test", ["1,0,0", "0,1,0", "0,0,1"], ["train", "validation", "held-out"]),
        ("is_val,is_test", ["False,False", "True,False", "False,True"], ["train", "validation", "held-out"]),
        ("is_train", ["yes", "no", ""], ["train", "held-out", ""]),
        ("is_training_image", ["1", "0", "1"], ["train", "held-out", "train"]),
        ("Is Test", ["TRUE", "FALSE", "FALSE"], ["held-out", "train", "train"]),
        ("is_train,is_test", ["1,1", "0,0", "0,1"], ["", "", "held-out"]),
    ],
)
def test_columns_of_yes_and_no_say_the_side(
    tmp_path: Path, columns: str, cells: list[str], sides: list[str]
) -> None:
    lines = [f"file_name,text,{columns}", *(f"{i}.png,text {i},{cell}" for i, cell in enumerate(cells))]
    _, rows = rows_of(lay_out(tmp_path, {"m.csv": "\n".join(lines), "0.png": "", "1.png": "", "2.png": ""}))
    assert [(row.text, row.split) for row in rows] == [(f"text {i}", s) for i, s in enumerate(sides)]


def test_is_valid_is_a_side_in_the_tables_of_fastai_only(tmp_path: Path) -> None:
    for name, sides in (("fname", ["train", "held-out"]), ("image", ["", ""])):
        table = f"{name},labels,is_valid\n0.png,cat,False\n1.png,dog,True\n"
        _, rows = rows_of(lay_out(tmp_path / name, {"t.csv": table, "0.png": "", "1.png": ""}))
        assert [row.split for row in rows] == sides


@pytest.mark.parametrize(
    ("column", "cells", "verdicts"),
    [
        ("is_rejected", [True, False, None], ["mismatch", "", ""]),
        ("accepted", ["yes", "no", ""], ["match", "mismatch", ""]),
        ("answer", ["accept", "reject", "ignore"], ["match", "mismatch", "unsure"]),
        ("answer", ["two", "a cat", "accept"], ["", "", "match"]),
    ],
)
def test_columns_of_yes_and_no_say_the_verdict(
    tmp_path: Path, column: str, cells: list[Any], verdicts: list[str]
) -> None:
    lines = [{"image": f"{i}.png", "caption": "a cat", column: cell} for i, cell in enumerate(cells)]
    files = {"m.jsonl": "\n".join(map(json.dumps, lines)), "0.png": "", "1.png": "", "2.png": ""}
    _, rows = rows_of(lay_out(tmp_path, files))
    assert [(row.text, row.verdict) for row in rows] == [("a cat", verdict) for verdict in verdicts]


def test_captions_that_vizwiz_rejected_are_mismatches(tmp_path: Path) -> None:
    said = [("a cat", False), ("no picture", True)]
    table = {
        "images": [{"id": 1, "file_name": "1.png"}],
        "annotations": [{"image_id": 1, "caption": text, "is_rejected": yes} for text, yes in said],
    }
    name, rows = rows_of(lay_out(tmp_path, {"annotations/val.json": json.dumps(table), "1.png": ""}))
    assert (name, [(row.text, row.verdict) for row in rows]) == (
        "coco",
        [("a cat", ""), ("no picture", "mismatch")],
    )


def answer(word: str, **fields: Any) -> str:
    """A line as Prodigy's db-out writes it."""
    own = {"_input_hash": -1, "_task_hash": 7, "_session_id": "set-ann", "_view_id": "choice", "answer": word}
    return json.dumps(fields | own)


def test_prodigys_answers_are_read_with_what_was_asked(tmp_path: Path) -> None:
    url = "data:image/png;base64," + base64.b64encode(picture(3) + bytes(70_000)).decode()
    options = [{"id": "C", "text": "a cat"}, {"id": "D", "text": "a dog"}]
    lines = [
        answer("accept", image=url, text="far", path="/data/far.png", label="cat", meta={"file": "far.png"}),
        answer("reject", image="/data/1.png", label="dog", _annotator_id="bo"),
        answer("accept", image="/data/1.png", options=options, accept=["C", "D"], meta={"split": "test"}),
        answer("accept", image="/data/1.png", spans=[{"label": "tail", "points": []}] * 2),
        answer("ignore", image="1.png", text="1", caption="a tabby"),
    ]
    name, rows = rows_of(lay_out(tmp_path, {"set.jsonl": "\n".join(lines), "1.png": ""}))
    assert name == "prodigy"
    assert [(row.name, row.text, row.verdict, row.annotator, row.split) for row in rows] == [
        ("far.png", "cat", "match", "set-ann", ""),
        ("1.png", "dog", "mismatch", "bo", ""),
        ("1.png", "a cat", "match", "set-ann", "held-out"),
        ("1.png", "a dog", "match", "set-ann", "held-out"),
        ("1.png", "tail", "match", "set-ann", ""),
        ("1.png", "a tabby", "unsure", "set-ann", ""),
    ]
    assert rows[0].data == picture(3) + bytes(70_000)


def test_prodigys_regions_of_sound_are_spans_with_their_labels(tmp_path: Path) -> None:
    regions = [
        {"start": 0.5, "end": 2, "label": "ANN", "color": "x"},
        {"start": 2, "end": 3.5, "label": "BO"},
    ]
    lines = [
        answer("accept", audio="talk.wav", text="talk", path="rec/talk.wav", audio_spans=regions),
        answer("accept", audio="talk.wav", transcript="hello there"),
        answer(
            "accept",
            audio="data:audio/wav;base64,eHh4",
            path="rec/talk.wav",
            chunk={"start": 60, "end": 65},
            audio_spans=regions[:1],
        ),
        answer("accept", audio="talk.wav", audio_spans=["no"]),
    ]
    with open_source(str(lay_out(tmp_path, {"set.jsonl": "\n".join(lines), "talk.wav": b"x"}))) as opened:
        *rows, last = opened.rows()
    assert [(row.text, row.start_s, row.end_s) for row in rows if isinstance(row, Row)] == [
        ("ANN", 0.5, 2.0),
        ("BO", 2.0, 3.5),
        ("hello there", None, None),
        ("ANN", 60.5, 62.0),
    ]
    assert not isinstance(last, Row) and last.reason == "A span of the line is no JSON object."
