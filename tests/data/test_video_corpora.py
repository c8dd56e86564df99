from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mmdemo.data.importing import import_source
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row, Skipped
from mmdemo.data.subtitles import read_cues
from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.settings import ASSETS

TASK = "video-text"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two videos below it, and a third that is named but missing."""
    (tmp_path / "videos").mkdir()
    for name in ("one", "v_two"):
        shutil.copyfile(
            ASSETS / "video" / f"drawings-{len(name) % 3 + 2}.mp4", tmp_path / "videos" / f"{name}.mp4"
        )
    return tmp_path


def told(path: Path) -> list[tuple[str, str, float | None, float | None, str] | str]:
    with open_source(str(path)) as opened:
        return [
            (r.name, r.text, r.start_s, r.end_s, r.split) if isinstance(r, Row) else r.reason
            for r in opened.rows()
            if isinstance(r, Row | Skipped)
        ]


def test_msr_vtt_gives_a_row_a_sentence(folder: Path) -> None:
    table = {
        "videos": [{"video_id": "one", "split": "validate"}, {"video_id": "v_two", "split": "train"}],
        "sentences": [
            {"caption": "a man sings", "video_id": "one"},
            {"caption": "a dog runs", "video_id": "v_two"},
            {"caption": "lost", "video_id": "three"},
        ],
    }
    (folder / "train_val_videodatainfo.json").write_text(json.dumps(table))
    found = told(folder / "train_val_videodatainfo.json")
    assert found[1] == ("v_two.mp4", "a dog runs", None, None, "train")
    assert found[0][:2] == ("one.mp4", "a man sings") and found[2] == "The video three is missing."


def test_qvhighlights_gives_a_row_a_window(folder: Path) -> None:
    lines = [
        {"qid": 1, "query": "a cat", "duration": 150, "vid": "one", "relevant_windows": [[0, 2.5], [4, 6]]},
        {"qid": 2, "query": "a dog", "duration": 150, "vid": "v_two"},
    ]
    path = folder / "highlight_val_release.jsonl"
    path.write_text("\n".join([*map(json.dumps, lines), "{}"]))
    assert told(path) == [
        ("one.mp4", "a cat", 0.0, 2.5, "held-out"),
        ("one.mp4", "a cat", 4.0, 6.0, "held-out"),
        ("v_two.mp4", "a dog", None, None, "held-out"),
        "The line is no JSON with a vid and a query.",
    ]


def test_activitynet_captions_give_spans_and_enter_the_workspace(
    folder: Path, make_app: Callable[..., App]
) -> None:
    entry = {"duration": 17, "timestamps": [[0.83, 5], [5, 12.25], "x"], "sentences": ["A.", "B.", "C."]}
    (folder / "train.json").write_text(json.dumps({"v_two": entry}))
    app = make_app(samples=False)
    report = import_source(app.ws, str(folder / "train.json"), TASK, "match")
    assert report.pairs == 2 and "no pair of numbers" in report.skipped[0].reason
    found = sorted((p.start_s, p.end_s, p.text, p.verdict) for p in app.ws.pairs.browse(TASK))
    assert found == [(0.83, 5.0, "A.", "match"), (5.0, 12.25, "B.", "match")]
    assert app.ws.items.count("video") == 1
    (folder / "train.json").write_text('{"v_two": {"timestamps": ')
    with pytest.raises(UserError, match="no JSON that can be read"):
        import_source(app.ws, str(folder / "train.json"), TASK, "match")


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_subtitles_beside_a_video_are_its_texts(folder: Path, suffix: str) -> None:
    mark = "," if suffix == ".srt" else "."
    head = "" if suffix == ".srt" else "WEBVTT\n\n"
    first = f"1\n00:00:01{mark}500 --> 00:00:03{mark}000\n<i>Hello</i>\nthere\n"
    cues = f"{first}\n2\n00:00:04{mark}000 --> 00:01:05{mark}250\nBye\n"
    (folder / "videos" / f"one{suffix}").write_text(head + cues)
    assert told(folder) == [
        ("one.mp4", "Hello there", 1.5, 3.0, ""),
        ("one.mp4", "Bye", 4.0, 65.25, ""),
        ("v_two.mp4", "", None, None, ""),
    ]


def test_no_line_of_subtitles_is_lost_by_how_they_are_spaced() -> None:
    srt = """1
00:00:01,000 --> 00:00:02,000
one

and more of it

2
00:00:02,000 --> 00:00:03,000
two
3
00:00:03,000 --> 00:00:04,000
42
"""
    wanted = [(1.0, 2.0, "one and more of it"), (2.0, 3.0, "two"), (3.0, 4.0, "42")]
    for end in ("\n", "\r\n", "\r"):
        assert list(read_cues(srt.replace("\n", end))) == wanted
    vtt = "WEBVTT\n\nNOTE a note\nof two lines\n\nfirst\n00:01.000 --> 00:02.000 align:start\n<v Ann>one\n"
    assert list(read_cues(vtt + "\nsecond\n00:02.000 --> 00:03.000\ntwo\n")) == [
        (1.0, 2.0, "one"),
        (2.0, 3.0, "two"),
    ]
