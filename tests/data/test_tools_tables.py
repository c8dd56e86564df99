"""What tools write about parts of files, and folders that are called like sides with a word beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from tests.data.conftest import lay_out, read_all

VOICE = "0.wav"  # no recording: rows are looked at before their files are
Span = tuple[float | None, float | None]


def rows_of(folder: Path) -> list[Row]:
    with open_source(str(folder), task="speech-text") as opened:
        return [row for row in opened.rows() if isinstance(row, Row)]


def region(name: str, start: float, text: str) -> list[dict[str, Any]]:
    """A region of Label Studio with a transcript of its own, which has its id."""
    where = {"start": start, "end": start + 1}
    typed = {"id": name, "type": "textarea", "from_name": "transcription", "value": where | {"text": [text]}}
    return [typed, {"id": name, "type": "labels", "from_name": "l", "value": where | {"labels": ["Speech"]}}]


def test_each_region_of_label_studio_has_the_text_that_was_typed_for_it(tmp_path: Path) -> None:
    result = region("a", 0.0, "hello") + region("b", 1.0, "bye")
    tasks = [{"data": {"audio": VOICE}, "annotations": [{"completed_by": 7, "result": result}]}]
    lay_out(tmp_path, {"tasks.json": json.dumps(tasks), VOICE: b"x"})
    found = [(row.text, row.start_s, row.end_s, row.annotator) for row in rows_of(tmp_path)]
    assert found == [("hello", 0.0, 1.0, "7"), ("bye", 1.0, 2.0, "7")]


@pytest.mark.parametrize(
    ("columns", "cells", "span"),
    [
        ("start,end", "0:01.5,00:00:02", (1.5, 2.0)),
        ("start,duration", "1.5,2", (1.5, 3.5)),
        ("start_ms,end_ms", "50,1500", (0.05, 1.5)),
        ("startTime,endTime", "1,2.5", (1.0, 2.5)),
        ("slice_file_name,start,end", f"{VOICE},58.5,62.5", (None, None)),
    ],
)
def test_spans_are_read_as_tools_write_them(tmp_path: Path, columns: str, cells: str, span: Span) -> None:
    table = f"file_name,text,{columns}\n{VOICE},hello there,{cells}\n"
    (row,) = rows_of(lay_out(tmp_path, {"t.csv": table, VOICE: b"x"}))
    assert (row.text, row.start_s, row.end_s) == ("hello there", *span)


def test_folders_that_are_called_like_a_side_with_a_word_beside_it_are_that_side(tmp_path: Path) -> None:
    names = ("training_set/cats/1.png", "test_set/cats/2.png", "seg_train/seg_train/dogs/3.png")
    _, found, _, _ = read_all(lay_out(tmp_path, dict.fromkeys(names, "")), "image-text")
    assert found == {
        names[0]: (["cats"], "train"),
        names[1]: (["cats"], "held-out"),
        names[2]: (["dogs"], "train"),
    }
