"""Texts with times beside recordings and videos: each form is read with its spans, or refused."""

from __future__ import annotations

import random
from pathlib import Path
from time import process_time

import pytest

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.data.timed_texts import TIMED_TEXTS, read_timed
from mmdemo.errors import UserError
from tests.damaged import damaged
from tests.data.conftest import Files, lay_out

Spans = list[tuple[str, float | None, float | None]]
SBV = "0:00:00.000,0:00:01.000\nhello\nthere\n\n0:00:01.000,0:01:02.500\nbye[br]now\n"
LRC = (
    "[ti:A song]\n[offset:+500]\n[00:12.00][00:02.50]again\n[00:05]<00:05.10>one <00:05.90>two\n[00:07.00]\n"
)
TTML = """<?xml version="1.0" encoding="utf-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" ttp:frameRate="25">
<head><metadata>a title</metadata></head><body><div begin="10s">
<p begin="00:00:00.000" end="00:00:01:05">hello<br/><span>there</span></p>
<p begin="1s" dur="500ms">bye &amp; so</p>
<p><span begin="2s" end="3s">one</span> <span begin="3s" end="4s">two</span></p>
</div></body></tt>"""
HEAD = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\n'
LONG = f"""{HEAD}xmin = 0
xmax = 2
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 2
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 2
            text = "h"
    item [2]:
        class = "TextTier"
        name = "words"
        xmin = 0
        xmax = 2
        points: size = 1
        points [1]:
            number = 0.1
            mark = "x"
    item [3]:
        class = "IntervalTier"
        name = "Ann - words"
        xmin = 0
        xmax = 2
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = ""
        intervals [2]:
            xmin = 0.5
            xmax = 1.5
            text = "he said ""hi"" 3 times"
        intervals [3]:
            xmin = 1.5
            xmax = 2
            text = "sil"
"""
SHORT = f'{HEAD}0\n2\n<exists>\n1\n"IntervalTier"\n"x"\n0\n2\n2\n0\n1\n"one"\n1\n2\n"two"\n'
FORMS: dict[str, tuple[Files, Spans]] = {
    "SBV": ({"a.wav": b"x", "a.sbv": SBV}, [("hello there", 0.0, 1.0), ("bye now", 1.0, 62.5)]),
    "LRC, whose last end is open": (
        {"a.wav": b"x", "a.lrc": LRC},
        [("again", 2.0, 4.5), ("one two", 4.5, 6.5), ("again", 11.5, None)],
    ),
    "TTML, with times from the start of its parts": (
        {"a.mp4": "", "a.ttml": TTML},
        [("hello there", 10.0, 11.2), ("bye & so", 11.0, 11.5), ("one", 12.0, 13.0), ("two", 13.0, 14.0)],
    ),
    "DFXP of a language": (
        {"a.mp4": "", "a.en.dfxp": '<tt><body><p begin="30f" end="2s">x</p></body></tt>'},
        [("x", 1.0, 2.0)],
    ),
    "a long TextGrid, of which the words' tier is read": (
        {"a.wav": b"x", "a.TextGrid": LONG},
        [('he said "hi" 3 times', 0.5, 1.5)],
    ),
    "a short TextGrid in UTF-16": (
        {"a.wav": b"x", "a.TextGrid": SHORT.encode("utf-16")},
        [("one", 0.0, 1.0), ("two", 1.0, 2.0)],
    ),
    "LRC of two languages": (
        {"a.wav": b"x", "a.de.lrc": "[00:01.00]hallo\n", "a.en.lrc": "[00:01.00]hello\n"},
        [("hallo", 1.0, None), ("hello", 1.0, None)],
    ),
}


def read(folder: Path) -> tuple[str, Spans, list[str], list[str]]:
    """The layout, the texts with their spans, why others were skipped, and the notes."""
    task = "video-text" if (folder / "a.mp4").exists() else "speech-text"
    with open_source(str(folder), task=task) as opened:
        rows = list(opened.rows())
        spans = [(row.text, row.start_s, row.end_s) for row in rows if isinstance(row, Row)]
        reasons = [row.reason for row in rows if not isinstance(row, Row)]
        return opened.chosen.importer.name, spans, reasons, opened.source.notes


@pytest.mark.parametrize("form", FORMS)
def test_timed_texts_beside_media_are_read_with_their_spans(tmp_path: Path, form: str) -> None:
    files, expected = FORMS[form]
    assert read(lay_out(tmp_path, files))[:3] == ("subtitles", expected, [])


def test_the_tier_that_is_read_is_that_of_phrases_and_the_others_are_told(tmp_path: Path) -> None:
    tiers = "".join(
        f'"IntervalTier"\n"{name}"\n0\n2\n1\n0\n2\n"of {name}"\n' for name in ("words", "utterances")
    )
    files: Files = {"a.wav": b"x", "a.TextGrid": f"{HEAD}0\n2\n<exists>\n2\n{tiers}"}
    _, spans, _, notes = read(lay_out(tmp_path, files))
    assert spans == [("of utterances", 0.0, 2.0)]
    assert notes == ["Of a TextGrid with several tiers one is read: that of phrases, or else of words."]


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.ttml", f'<!DOCTYPE tt [<!ENTITY x "y">]>{TTML[TTML.index("<tt") :]}', "declares a document type"),
        ("a.ttml", "<tt><body>", "no XML"),
        ("a.ttml", '<tt><body><p begin="soon">x</p></body></tt>', "'soon' is no time"),
        ("a.TextGrid", LONG[:-150], "ends too soon"),
        ("a.TextGrid", b"ooBinaryFile\x08TextGrid", "no TextGrid in Praat's text form"),
    ],
)
def test_what_is_no_file_of_its_kind_is_told_and_the_recording_is_imported(
    tmp_path: Path, name: str, content: str | bytes, reason: str
) -> None:
    _, spans, reasons, _ = read(lay_out(tmp_path, {"a.wav": b"x", name: content}))
    assert spans == [("", None, None)]
    assert len(reasons) == 1 and reasons[0].startswith(f"{name} cannot be read. ") and reason in reasons[0]


@pytest.mark.parametrize("suffix", TIMED_TEXTS)
def test_a_damaged_file_gives_texts_or_a_sentence(suffix: str) -> None:
    whole = {".sbv": SBV, ".lrc": LRC, ".textgrid": LONG}.get(suffix, TTML)
    chance = random.Random(7)
    for _ in range(100):
        text = damaged(whole.encode(), chance).decode("utf-8", "replace")
        try:
            list(read_timed(suffix, text, lambda _: None))
        except UserError as e:
            assert str(e).endswith(".")


@pytest.mark.parametrize("block", [r"\p1", "{", r"{\p1", "}{", r"\N"])
def test_a_line_of_subtitles_takes_no_square_of_its_length(block: str) -> None:
    line = f"Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,words {{{block * 8_000}"
    begun = process_time()
    found = list(read_timed(".ass", f"[Events]\n{line}\n", print))
    assert found and process_time() - begun < 0.5
