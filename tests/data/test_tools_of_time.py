"""ASS, SSA, ELAN and Audacity's labels beside recordings and videos."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmdemo.data.timed_texts import is_labels
from tests.data.conftest import Files, lay_out
from tests.data.test_timed_texts import Spans, read

ASS = r"""[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Comment: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,a note
Dialogue: 0,0:01:02.50,0:01:04.00,Default,Ann,0,0,0,,{\i1}bye{\i0}, all
Dialogue: 0,0:00:01.00,0:00:02.25,Default,,0,0,0,,hello\Nthere, you
Dialogue: 0,0:00:03.00,0:00:04.00,Default,,0,0,0,,{\an7\p1}m 0 0 l 100 0
"""
SSA = "[Events]\nFormat: Marked, Start, End, Text\nDialogue: Marked=0,0:00:01.00,0:00:02.00,one, two\n"


def elan(*tiers: str) -> str:
    slots = {"ts1": 500, "ts2": None, "ts3": 2000, "ts4": 3500}
    told = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="{name}"' + (f' TIME_VALUE="{time}"' if time is not None else "") + "/>"
        for name, time in slots.items()
    )
    head = '<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/a.wav"/></HEADER>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT AUTHOR="" VERSION="3.0">'
        f"{head}<TIME_ORDER>{told}</TIME_ORDER>{''.join(tiers)}</ANNOTATION_DOCUMENT>"
    )


def tier(name: str, *said: tuple[str, str, str, str], above: str = "") -> str:
    """A tier of annotations with an id, two slots and a text; or the id of another, nothing, and a text."""
    inside = ""
    for own, first, last, text in said:
        kind = "ALIGNABLE_ANNOTATION" if last else "REF_ANNOTATION"
        place = f'TIME_SLOT_REF1="{first}" TIME_SLOT_REF2="{last}"' if last else f'ANNOTATION_REF="{first}"'
        value = f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE>"
        inside += f'<ANNOTATION><{kind} ANNOTATION_ID="{own}" {place}>{value}</{kind}></ANNOTATION>'
    parent = f' PARENT_REF="{above}"' if above else ""
    return f'<TIER TIER_ID="{name}" LINGUISTIC_TYPE_REF="default-lt"{parent}>{inside}</TIER>'


ANN = tier("Ann", ("a1", "ts1", "ts3", "hello  there"), ("a2", "ts3", "ts4", ""))
BOB = tier("Bob", ("b1", "ts3", "ts4", "good &amp; well"))
WORDS = tier("Ann words", ("w1", "ts1", "ts2", "hello"), ("w2", "ts2", "ts3", "there"), above="Ann")
GLOSS = tier("Ann gloss", ("g1", "a1", "", "INTERJ"), above="Ann")
LABELS = "0.500000\t1.500000\thello\n\\\t100.0\t5000.0\n2,0\t3,5\tbye now\n4.0\t4.5\t\n"
FORMS: dict[str, tuple[Files, Spans]] = {
    "ASS": ({"a.mp4": "", "a.ass": ASS}, [("hello there, you", 1.0, 2.25), ("bye, all", 62.5, 64.0)]),
    "SSA of a language": ({"a.mp4": "", "a.en.ssa": SSA}, [("one, two", 1.0, 2.0)]),
    "ELAN of two speakers": (
        {"a.wav": b"x", "a.eaf": elan(ANN, WORDS, GLOSS, BOB)},
        [("hello there", 0.5, 2.0), ("good & well", 2.0, 3.5)],
    ),
    "ELAN with a tier of transcripts that hangs on another": (
        {
            "a.wav": b"x",
            "a.eaf": elan(ANN, tier("transcription", ("t1", "a1", "", "oh, hello"), above="Ann")),
        },
        [("oh, hello", 0.5, 2.0)],
    ),
    "ELAN of words, some of whose times only their neighbours have": (
        {"a.wav": b"x", "a.eaf": elan(WORDS)},
        [("hello", 0.5, 2.0), ("there", 0.5, 2.0)],
    ),
    "Audacity's labels": ({"a.wav": b"x", "a.txt": LABELS}, [("hello", 0.5, 1.5), ("bye now", 2.0, 3.5)]),
    "the label track of the only recording": (
        {"a.wav": b"x", "Label Track.txt": LABELS},
        [("hello", 0.5, 1.5), ("bye now", 2.0, 3.5)],
    ),
    "subtitles before a transcript without times": (
        {"a.wav": b"x", "a.txt": "hello", "a.srt": "1\n00:00:01,000 --> 00:00:02,000\nhello\n"},
        [("hello", 1.0, 2.0)],
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_what_tools_of_time_write_is_read_with_its_spans(tmp_path: Path, form: str) -> None:
    files, expected = FORMS[form]
    layout, spans, reasons, _ = read(lay_out(tmp_path, files))
    assert (layout, spans) == ("subtitles", expected)
    assert reasons == (
        ["a.txt is not named like a picture, a recording or a video."] if "a.srt" in files else []
    )


def test_the_tiers_of_elan_that_are_left_out_are_told(tmp_path: Path) -> None:
    notes = read(lay_out(tmp_path, {"a.wav": b"x", "a.eaf": elan(ANN, WORDS)}))[3]
    assert notes == ["Of a file of ELAN the tiers of phrases are read, or else those that hang on no other."]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('<!DOCTYPE a [<!ENTITY x "y">]><ANNOTATION_DOCUMENT/>', "declares a document type"),
        ("<ANNOTATION_DOCUMENT>", "no XML"),
        ("<tt/>", "It is no file of ELAN."),
        (elan(tier("t", ("a", "gone", "", "x"))), "annotations without times"),
    ],
)
def test_what_is_no_file_of_elan_is_told_and_the_recording_is_imported(
    tmp_path: Path, content: str, reason: str
) -> None:
    _, spans, reasons, _ = read(lay_out(tmp_path, {"a.wav": b"x", "a.eaf": content}))
    assert spans == [("", None, None)]
    assert len(reasons) == 1 and reasons[0].startswith("a.eaf cannot be read. ") and reason in reasons[0]


def test_a_transcript_is_no_label_file_though_it_has_numbers_and_tabs(tmp_path: Path) -> None:
    assert not is_labels("1.5\ttwo\n") and not is_labels("") and not is_labels("one\n1\t2\tthree\n")
    layout, spans, _, _ = read(lay_out(tmp_path, {"a.wav": b"x", "a.txt": "1.5 2.5 hello"}))
    assert (layout, spans) == ("captions", [("1.5 2.5 hello", None, None)])
