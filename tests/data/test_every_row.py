"""What an import cannot read costs the rows that it is about and is told: every row of a
source ends as imported, as known already, or as skipped with its reason.
"""

from __future__ import annotations

import json
import shutil
import struct
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mmdemo.data.columns import OWN
from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.importing import ImportReport, import_source
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.errors import StorageError, UserError
from mmdemo.media import image
from mmdemo.store.media_store import MediaStore
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK
from tests.data.conftest import CUE, Files, lay_out, picture
from tests.data.odd_layouts import ODD_LAYOUTS

COCO = {
    "images": [{"id": 1, "file_name": "1.png"}, {"id": 2, "file_name": "2.png"}],
    "annotations": [{"image_id": 1, "caption": "one"}, {"image_id": 2, "caption": "two"}],
}


def whole(report: ImportReport) -> bool:
    return report.rows == report.imported + report.known + len(report.skipped)


ODD: Files = {
    "cat/1.png": "",
    "cat/notes.odt": "x",
    "cat/2.png": b"no picture",
    "dog/deeper/1.png": "",
    "dog/1.gif.part": "x",
    "metadata.csv": 'file_name,text,verdict\ncat/1.png,"a cat,\nbroken\ncat/1.png,x,maybe\n',
    "captions.json": json.dumps(COCO),
    "v.mp4": b"no video",
    "v.srt": CUE.format("one"),
    "1.png": "",
    "1.txt": "one",
}


@pytest.mark.parametrize("layout", sorted(IMPORTERS))
def test_every_row_of_every_layout_is_imported_known_or_skipped(
    ws: Workspace, tmp_path: Path, layout: str
) -> None:
    source = lay_out(tmp_path / "in", ODD)
    if layout in SPECIAL:
        source = SPECIAL[layout](tmp_path)
    elif layout in ODD_LAYOUTS:
        source = lay_out(tmp_path / layout, ODD_LAYOUTS[layout])
    for _ in range(2):
        report = import_source(ws, str(source), TASK, "match", layout=layout)
        assert report.rows and whole(report) and report.layout == layout
        assert all(s.reason.endswith(".") for s in report.skipped)
    assert report.imported == 0


def _ljspeech(tmp: Path) -> Path:
    return lay_out(tmp / "lj", {"metadata.csv": "a|one|one\nb|two\nc", "wavs/a.wav": b"x"})


def _common_voice(tmp: Path) -> Path:
    return lay_out(tmp / "cv", {"train.tsv": 'path\tsentence\na.mp3\t"one\nb.mp3\ttwo', "clips/a.mp3": b"x"})


def _librispeech(tmp: Path) -> Path:
    return lay_out(tmp / "ls", {"1/2/1-2.trans.txt": "1-2-0 ONE\n1-2-1 TWO", "1/2/1-2-0.flac": b"x"})


def _mls(tmp: Path) -> Path:
    return lay_out(tmp / "ml", {"transcripts.txt": "1_2_0\tone\n1_2_1\ttwo", "audio/1/2/1_2_0.flac": b"x"})


def _kaldi(tmp: Path) -> Path:
    files: Files = {"wav.scp": "a a.wav\nb sox b.wav |\n", "text": "a one\nb two\nc three", "a.wav": b"x"}
    return lay_out(tmp / "ka", files)


def _qv(tmp: Path) -> Path:
    return (
        lay_out(tmp / "qv", {"h.jsonl": '{"vid": "v", "query": "q", "relevant_windows": 4}\n[]'}) / "h.jsonl"
    )


def _activitynet(tmp: Path) -> Path:
    told = {"v": {"timestamps": [[0, 1], [1, 2]], "sentences": ["one"]}, "w": 3}
    return lay_out(tmp / "an", {"a.json": json.dumps(told)}) / "a.json"


def _msr_vtt(tmp: Path) -> Path:
    told = {"videos": [3], "sentences": [{"video_id": "v", "caption": "one"}, 4]}
    return lay_out(tmp / "mv", {"a.json": json.dumps(told)}) / "a.json"


def _data_set(tmp: Path) -> Path:
    import datasets

    cells = [{"bytes": picture(1), "path": None}, {"bytes": b"x", "path": None}]
    made = datasets.Dataset.from_dict({"image": cells, "text": ["one", "two"]})
    made.cast_column("image", datasets.Image(decode=False)).save_to_disk(str(tmp / "ds"))
    return tmp / "ds"


def _shards(tmp: Path) -> Path:
    (tmp / "sh").mkdir(exist_ok=True)
    with tarfile.open(tmp / "sh" / "0.tar", "w") as tape:
        tape.add(lay_out(tmp / "in", ODD), "in")
    return tmp / "sh"


def _argilla(tmp: Path) -> Path:
    answered = {"responses": {"fits": [{"user_id": "1", "value": "match"}]}, "suggestions": {}}
    records = [
        {"fields": {"image": "1.png", "text": "one"}, **answered},
        {"fields": {"image": "no.png", "text": 3}, **answered},
        {"fields": 4, "responses": {}, "suggestions": {}},
    ]
    return lay_out(tmp / "ar", {"records.json": json.dumps(records), "1.png": ""}) / "records.json"


def _label_studio(tmp: Path) -> Path:
    said = [{"result": [{"type": "choices", "value": {"choices": ["match"]}}, 3]}]
    tasks = [
        {"data": {"image": "1.png", "text": "one"}, "annotations": said},
        {"data": {"image": "http://far.example/2.png", "text": "two"}, "annotations": said},
        {"data": 4, "annotations": []},
    ]
    return lay_out(tmp / "st", {"tasks.json": json.dumps(tasks), "1.png": ""}) / "tasks.json"


def _samples(tmp: Path) -> Path:
    said = dict.fromkeys(OWN) | {"text": "one"}
    files: Files = {"1.png": "", "1.json": json.dumps(said), "2.png": b"x", "2.json": json.dumps(said)}
    return lay_out(tmp / "sa", files)


def _training_pairs(tmp: Path) -> Path:
    lines = ['{"anchor": "1.png", "positive": "one", "label": 1}', '{"anchor": "no.png", "positive": 4}', "["]
    return lay_out(tmp / "tp", {"train.jsonl": "\n".join(lines), "1.png": ""})


SPECIAL: dict[str, Callable[[Path], Path]] = {
    "ljspeech": _ljspeech,
    "common-voice": _common_voice,
    "librispeech": _librispeech,
    "mls": _mls,
    "kaldi": _kaldi,
    "qvhighlights": _qv,
    "activitynet-captions": _activitynet,
    "msr-vtt": _msr_vtt,
    "datasets": _data_set,
    "shards": _shards,
    "argilla": _argilla,
    "label-studio": _label_studio,
    "samples": _samples,
    "training-pairs": _training_pairs,
}


def test_a_json_that_is_somebody_elses_is_told_in_one_sentence(ws: Workspace, tmp_path: Path) -> None:
    for number, text in enumerate(
        ('{"a": 1}', "[1, 2]", "[]", '{"images": 3, "annotations": [{"caption": 1}]}', "x")
    ):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        with pytest.raises(UserError, match=rf"{number}.json"):
            import_source(ws, str(path), TASK)


@pytest.mark.parametrize("label", ["[]", "{}", '"x"', "NaN"])
def test_a_label_that_is_no_number_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, label: str
) -> None:
    line = '{"anchor": "1.png", "positive": "one", "label": 1}\n'
    lay_out(tmp_path, {"train.jsonl": line + line.replace("1}", f"{label}}}"), "1.png": ""})
    with open_source(str(tmp_path), layout="training-pairs") as opened:
        _, told = opened.rows()
    assert not isinstance(told, Row) and "is no number: 1 is a match, 0 is none." in told.reason
    assert not caplog.records


@pytest.mark.parametrize("layout", ["argilla", "label-studio"])
def test_a_json_that_was_cut_off_is_told_without_a_traceback(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, layout: str
) -> None:
    (tmp_path / "t.json").write_text(json.dumps([RECORDS[layout](0), RECORDS[layout](1)])[:-9])
    with pytest.raises(UserError, match=r"t\.json is no JSON that can be read: .* Save it again\."):
        import_from(tmp_path / "t.json")
    assert not caplog.records


def import_from(path: Path) -> list[Any]:
    with open_source(str(path)) as opened:
        return list(opened.rows())


def test_a_full_disk_ends_an_import_and_is_no_row_that_was_skipped(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise StorageError("The disk is full.", "Free some disk space.")

    monkeypatch.setattr(MediaStore, "add_all", full)
    with pytest.raises(StorageError, match="The disk is full"):
        import_source(ws, str(lay_out(tmp_path / "in", {"1.png": ""})), TASK)


def test_a_decoder_that_fails_in_any_way_costs_one_row(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = image.probe_image
    raised = iter(
        [struct.error("unpack"), OSError("broken data stream"), UnicodeDecodeError("utf-8", b"x", 0, 1, "x")]
    )

    def failing(data: bytes | Path, most: float) -> object:
        if isinstance(data, Path) and data.name.startswith("bad"):
            raise next(raised)
        return known(data, most)

    monkeypatch.setattr(image, "probe_image", failing)
    lay_out(tmp_path / "in", {"a.png": "", "bad1.png": "", "bad2.png": "", "bad3.png": "", "c.png": ""})
    report = import_source(ws, str(tmp_path / "in"), TASK)
    assert report.items == 2 and [s.file for s in report.skipped] == ["bad1.png", "bad2.png", "bad3.png"]
    assert all(s.file in s.reason for s in report.skipped)


def test_what_a_layout_can_no_longer_read_leaves_what_came_before(ws: Workspace, tmp_path: Path) -> None:
    folder = lay_out(
        tmp_path / "in",
        {"a/m.csv": "file,text\n1.png,one", "a/1.png": "", "b/m.csv": "file,text\n2.png,two", "b/2.png": ""},
    )
    with open_source(str(folder)) as opened:
        rows = opened.rows()
        assert isinstance(next(rows), Row)
        shutil.rmtree(folder / "b")
        (last,) = rows
    assert not isinstance(last, Row) and last.reason.startswith("It cannot be read from here on.")


def _paths(whole: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all values in a JSON."""
    yield at
    for key in whole if isinstance(whole, dict) else range(len(whole)) if isinstance(whole, list) else ():
        yield from _paths(whole[key], (*at, key))


def _with(whole: Any, at: tuple[Any, ...], value: Any) -> Any:
    """A JSON with another value in a place."""
    if not at:
        return value
    keys = whole if isinstance(whole, dict) else range(len(whole))
    changed = [_with(whole[k], at[1:], value) if k == at[0] else whole[k] for k in keys]
    return dict(zip(keys, changed, strict=True)) if isinstance(whole, dict) else changed


SAID = {"type": "choices", "value": {"choices": ["match"]}, "meta": {"annotator": "Ann"}}
HEARD = {"type": "labels", "value": {"start": 0.1, "end": 0.4, "labels": ["match"]}}
SHOWN = {"type": "timelinelabels", "value": {"ranges": [{"start": 1, "end": 3}], "timelinelabels": ["match"]}}
RECORDS: dict[str, Callable[[int], Any]] = {
    "label-studio": lambda i: {
        "data": {"image": f"{i}.png", "text": f"text {i}", "split": "train", "fps": 25.0},
        "annotations": [{"result": [SAID, HEARD, SHOWN], "completed_by": {"email": "ann@example.org"}}],
    },
    "argilla": lambda i: {
        "fields": {"image": f"{i}.png", "text": f"text {i}"},
        "responses": {"verdict": [{"user_id": "1", "value": "match", "status": "submitted"}]},
        "suggestions": {},
        "metadata": {"split": "train", "file_name": f"{i}.png"},
    },
    "manifest": lambda i: {
        "image": f"{i}.png",
        "captions": [f"text {i}"],
        "start": 0.1,
        "split": "train",
        "conversations": [{"from": "gpt", "value": "a cat"}],
    },
}


@pytest.mark.parametrize("layout", RECORDS)
def test_whatever_stands_in_a_record_the_others_are_read(tmp_path: Path, layout: str) -> None:
    lay_out(tmp_path, {f"{i}.png": "" for i in range(3)})
    table, made = tmp_path / "t.json", RECORDS[layout]
    for at in _paths(made(1)):
        for value in (None, 3, "x", [], [3], {"a": 1}, float("inf")):
            table.write_text(json.dumps([made(0), _with(made(1), at, value), made(2)]))
            with open_source(str(table), layout=layout) as opened:
                texts = {row.text for row in opened.rows() if isinstance(row, Row)}
            assert {"text 0", "text 2"} <= texts, (at, value)


def test_a_row_that_fails_where_nobody_counts_on_it_is_one_row(
    ws: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = ws.item_of

    def failing(modality: str, data: bytes | Path, name: str, *more: Any) -> Any:
        if name == "b.png":
            raise KeyError("nobody counts on it")
        return known(modality, data, name, *more)

    monkeypatch.setattr(ws, "item_of", failing)
    report = import_source(ws, str(lay_out(tmp_path / "in", {"a.png": "", "b.png": "", "c.png": ""})), TASK)
    assert report.items == 2 and whole(report)
    assert [s.reason for s in report.skipped] == ["b.png cannot be read: 'nobody counts on it'."]


@pytest.mark.parametrize(
    ("layout", "make"), [("ljspeech", _ljspeech), ("librispeech", _librispeech), ("mls", _mls)]
)
def test_files_that_no_row_of_a_layout_names_are_told(
    tmp_path: Path, layout: str, make: Callable[[Path], Path]
) -> None:
    source = lay_out(make(tmp_path), {"more/y.mp3": b"x", "more/z.mp3": b"x"})
    with open_source(str(source), layout=layout) as opened:
        assert len(list(opened.rows())) >= 2
    assert [f.name for f in opened.source.left] == ["y.mp3", "z.mp3"]
    assert opened.source.notes == ["2 files of the folder are in no row that can be read, and left out."]
