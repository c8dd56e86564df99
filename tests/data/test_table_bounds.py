"""What tables cost is bounded by what they hold, not by how it is written."""

from __future__ import annotations

import json
import time
import zipfile
from pathlib import Path

import pytest

from mmdemo.data.columns import _listed
from mmdemo.data.delimited import Table
from mmdemo.data.elan import read_elan
from mmdemo.data.importers import subtitled_videos
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Skipped
from mmdemo.data.source import Source, same_name
from mmdemo.data.xml_text import MOST_TAGS, read_xml
from mmdemo.errors import UserError
from tests.conftest import png


@pytest.mark.parametrize("rows", [1000, 4000])
def test_lines_of_which_each_opens_a_quote_are_not_read_with_a_thousand_others_each(rows: int) -> None:
    text = "\n".join(["a,b", *(['aaaaa","'] * rows)])
    begun_s = time.process_time()
    records = list(Table(text, ",").records(lambda cell: cell.endswith(".png")))
    assert time.process_time() - begun_s < 5  # 23 s and 90 s, where each could be read a thousand times
    assert len(records) == rows + 1


def test_a_text_of_several_lines_is_one_field_still() -> None:
    said = "\n".join(f"line {i}" for i in range(300))
    text = "\n".join(["file_name,text", *(f'{i}.png,"{said}"' for i in range(20))])
    records = list(Table(text, ",").records(lambda cell: cell.endswith(".png")))
    assert records[1:] == [[f"{i}.png", said] for i in range(20)]


def test_a_workbook_whose_styles_are_larger_than_any_are_is_refused(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.append(["file_name", "text"])
    book.active.append(["1.png", "one"])
    book.save(tmp_path / "plain.xlsx")
    (tmp_path / "1.png").write_bytes(png())
    with zipfile.ZipFile(tmp_path / "plain.xlsx") as plain:
        parts = {name: plain.read(name) for name in plain.namelist()}
    parts["xl/styles.xml"] = b"<s>" + b"<a/>" * 2_000_000 + b"</s>"
    (tmp_path / "plain.xlsx").unlink()
    with zipfile.ZipFile(tmp_path / "t.xlsx", "w", zipfile.ZIP_DEFLATED) as hostile:
        for name, data in parts.items():
            hostile.writestr(name, data)
    with (
        pytest.raises(UserError, match=r"t.xlsx holds 8 MB of styles.xml; at most 5 are read"),
        open_source(str(tmp_path / "t.xlsx")) as opened,
    ):
        list(opened.rows())
    with open_source(str(tmp_path)) as opened:  # of a folder too it is told what it is
        told = [row.reason for row in opened.rows() if isinstance(row, Skipped)]
    assert len(told) == 1 and told[0].startswith("t.xlsx holds 8 MB of styles.xml; at most 5 are read")


def test_a_list_in_python_s_words_is_read_up_to_a_length_and_one_of_json_beyond() -> None:
    assert _listed("['a', 'b']") == ["a", "b"]
    long = "[" + ", ".join(["'a'"] * 50_000) + "]"
    assert _listed(long) == long
    assert len(_listed(long.replace("'", '"'))) == 50_000


def test_xml_of_more_tags_than_are_read_at_once_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match="more than 2,000,000 tags"):
        read_xml("<a>" + "<b/>" * MOST_TAGS + "</a>")


def test_tiers_of_elan_that_lie_in_one_another_are_not_read_once_for_each_around_them() -> None:
    deep = 3000
    at = 'ANNOTATION_ID="a" TIME_SLOT_REF1="t" TIME_SLOT_REF2="t"'
    slots = '<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="t" TIME_VALUE="0"/></TIME_ORDER>'
    tier = f'<TIER TIER_ID="x"><ANNOTATION><ALIGNABLE_ANNOTATION {at}/></ANNOTATION>'
    text = f"<ANNOTATION_DOCUMENT>{slots}{tier * deep}{'</TIER>' * deep}</ANNOTATION_DOCUMENT>"
    begun_s = time.process_time()
    assert list(read_elan(text, lambda _: None)) == []
    assert time.process_time() - begun_s < 1  # 2.3 s, where each was read with all that lie in it


def test_subtitles_of_languages_are_looked_for_by_name_and_not_among_all_of_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, asked = 60, 0
    for i in range(count):
        (tmp_path / f"{i}.mp4").touch()
        (tmp_path / f"{i}.en.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
        (tmp_path / f"{i}.en.cc.srt").touch()

    def counted(name: str) -> str:
        nonlocal asked
        asked += 1
        return same_name(name)

    monkeypatch.setattr(subtitled_videos, "same_name", counted)
    subtitles = subtitled_videos.Subtitles(Source(tmp_path))
    found = [subtitles.of(tmp_path / f"{i}.mp4") for i in range(count)]
    assert found[7] == [tmp_path / "7.en.cc.srt", tmp_path / "7.en.srt"] and all(
        len(own) == 2 for own in found
    )
    assert asked <= 4 * count  # 7,200 where each asks all


def test_what_a_project_of_via_refers_to_is_not_written_out_for_each_that_refers_to_it(
    tmp_path: Path,
) -> None:
    files = {str(i): {"fid": str(i), "fname": f"{i}.png", "src": ""} for i in range(300)}
    segments = {f"s{i}": {"vid": "1", "z": [], "av": {"1": "0," * 500}} for i in range(20)}
    project = {
        "project": {"vid_list": ["1"]},
        "attribute": {"1": {"options": {"0": "word " * 1000}}},
        "file": files,
        "metadata": segments,
        "view": {"1": {"fid_list": list(files)}},
    }
    (tmp_path / "via.json").write_text(json.dumps(project))
    (tmp_path / "0.png").write_bytes(png())
    with open_source(str(tmp_path / "via.json")) as opened:
        count = sum(1 for _ in opened.rows())
    assert count == 20 * 100 + 200  # of 6,000 that it refers to
