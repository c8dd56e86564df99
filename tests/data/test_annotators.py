"""What annotation tools of pictures write: VIA, CVAT, and Label Studio's short JSON."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row
from mmdemo.errors import UserError
from tests.data.conftest import Files, lay_out, read_all

BOX = {"name": "rect", "x": 1, "y": 2, "width": 3, "height": 4}


def via_image(name: str, caption: str, *regions: dict[str, Any]) -> dict[str, Any]:
    told = [{"shape_attributes": BOX, "region_attributes": one} for one in regions]
    return {"filename": name, "size": 9, "regions": told, "file_attributes": {"caption": caption, "url": ""}}


IMAGES = {
    "1.png9": via_image(
        "1.png", "a swan", {"name": "Swan", "image_quality": {"good": True}}, {"name": "Swan"}
    ),
    "2.png9": via_image("2.png", "", {"breed": "beagle"}),
    "3.png9": via_image("3.png", ""),
    "4.png9": via_image("gone.png", "x"),
}
FOUND = {"1.png": (["a swan", "Swan"], ""), "2.png": (["beagle"], ""), "3.png": ([""], "")}
PICTURES: Files = {"1.png": "", "2.png": "", "3.png": ""}


def via_csv(mark: str) -> str:
    """The same as a CSV, as version 1 (with a mark before its first name) and version 2 write it."""
    columns = f"{mark}filename,file_size,file_attributes,region_count,region_id,region_shape_attributes"
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*columns.split(","), "region_attributes"])
    for image in IMAGES.values():
        own, regions = json.dumps(image["file_attributes"]), image["regions"]
        for i, region in enumerate(regions):
            cells = [json.dumps(region[f"{kind}_attributes"]) for kind in ("shape", "region")]
            writer.writerow([image["filename"], 9, own, len(regions), i, *cells])
        if not regions:
            writer.writerow([image["filename"], 9, own, 0, 0, "{}", "{}"])
    return out.getvalue()


VIA_1 = {k: v | {"regions": dict(enumerate(v["regions"])), "fileref": ""} for k, v in IMAGES.items()}
FORMS = {
    "a project": (
        "p.json",
        json.dumps({"_via_settings": {}, "_via_img_metadata": IMAGES, "_via_attributes": {}}),
    ),
    "annotations": ("via_region_data.json", json.dumps(IMAGES)),
    "annotations of version 1": ("via_region_data.json", json.dumps(VIA_1)),
    "a CSV": ("via_export_csv.csv", via_csv("")),
    "a CSV of version 1": ("via_region_data.csv", via_csv("#")),
}


@pytest.mark.parametrize("form", FORMS)
def test_via_says_texts_of_pictures_and_of_regions(tmp_path: Path, form: str) -> None:
    name, content = FORMS[form]
    folder = lay_out(tmp_path, {name: content, **PICTURES})
    assert read_all(folder, "image-text")[:3] == ("via", FOUND, ["gone.png is missing."])
    assert read_all(folder / name, "image-text")[:2] == ("via", FOUND)


def test_the_segments_of_vias_projects_are_spans(tmp_path: Path) -> None:
    project = {
        "project": {"pid": "__VIA_PROJECT_ID__", "vid_list": ["1"]},
        "attribute": {
            "1": {"aname": "said", "options": {}},
            "2": {"aname": "who", "options": {"0": "Ann", "1": "Bo"}},
        },
        "file": {"1": {"fid": "1", "fname": "a.wav", "type": 4, "loc": 1, "src": ""}},
        "metadata": {
            "1_a": {"vid": "1", "flg": 0, "z": [0.5, 2.25], "xy": [], "av": {"1": "hello"}},
            "1_b": {"vid": "1", "flg": 0, "z": [3, 4], "xy": [], "av": {"2": "1"}},
            "1_c": {"vid": "1", "flg": 0, "z": [3.5], "xy": [2, 1, 1, 1, 1], "av": {"1": "a frame"}},
        },
        "view": {"1": {"fid_list": ["1"]}},
    }
    folder = lay_out(tmp_path, {"p.json": json.dumps(project), "a.wav": b"x"})
    with open_source(str(folder), task="speech-text") as opened:
        *rows, last = opened.rows()
        assert opened.chosen.importer.name == "via"
    assert not isinstance(last, Row) and last.reason == "It says something of one moment, which is no span."
    spans = [(row.text, row.start_s, row.end_s) for row in rows if isinstance(row, Row)]
    assert spans == [("hello", 0.5, 2.25), ("Bo", 3.0, 4.0)]


VIA_3 = """# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)
# Notes:
# - temporal coordinate of [4.633] denotes a still video frame at 4.633 sec.
{0}# CSV_HEADER = metadata_id,file_list,{1},metadata
"1_a","[""a.wav""]",{2}
"1_b","[""a.wav"",""b.wav""]",{3}
"1_c","[]",{3}
"""
WHO = {"1": {"aname": "said", "options": {}}, "2": {"aname": "who", "options": {"0": "Ann", "1": "Bo"}}}
VIA_3_CSV = {
    "segments and regions": VIA_3.format(
        f"# SHAPE_ID = {{}}\n# ATTRIBUTE = {json.dumps(WHO)}\n",
        "flags,temporal_coordinates,spatial_coordinates",
        '0,"[0.5,2.25]","[]","{""1"":""hello, you""}"',
        '0,"[3,4]","[]","{""2"":""1""}"',
    ),
    "segments": VIA_3.format(
        "",
        "temporal_segment_start,temporal_segment_end",
        '0.5,2.25,"{""said"":""hello, you""}"',
        '3,4,"{""who"":""Bo""}"',
    ),
}


@pytest.mark.parametrize("form", VIA_3_CSV)
def test_the_csv_of_vias_third_version_has_segments_below_remarks(tmp_path: Path, form: str) -> None:
    folder = lay_out(tmp_path, {"p.csv": VIA_3_CSV[form], "a.wav": b"x", "b.wav": b"x"})
    with open_source(str(folder), task="speech-text") as opened:
        rows = [row for row in opened.rows() if isinstance(row, Row)]
        assert opened.chosen.importer.name == "via"
    assert [(row.name, row.text, row.start_s, row.end_s) for row in rows] == [
        ("a.wav", "hello, you", 0.5, 2.25),
        ("a.wav", "Bo", 3.0, 4.0),
        ("b.wav", "Bo", 3.0, 4.0),
    ]


def test_of_several_attributes_of_via_without_a_known_name_the_first_with_words_is_the_text(
    tmp_path: Path,
) -> None:
    images = {
        "1": via_image("1.png", "", {"size": "1", "shape": "a circle"}, {"size": "2", "shape": "a square"}),
        "2": via_image("2.png", "", {"kinds": {"old": True, "torn": True, "new": False}}),
    }
    folder = lay_out(tmp_path, {"a.json": json.dumps(images), "1.png": "", "2.png": ""})
    _, found, _, notes = read_all(folder, "image-text")
    assert found == {"1.png": (["a circle", "a square"], ""), "2.png": (["old, torn"], "")}
    assert notes == ["Texts are those of the attribute shape, as none is called like a text."]


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><name>t</name></task></meta>
<image id="0" name="1.png" subset="Train" width="9" height="9">
  <tag label="caption" source="manual"><attribute name="text">a cat &amp; a dog</attribute></tag>
  <box label="black_cat" occluded="0" xtl="1" ytl="2" xbr="3" ybr="4" z_order="0">
    <attribute name="gender">male</attribute></box>
  <polygon label="black_cat" points="1,2;3,4"></polygon>
</image>
<image id="1" name="2.png" subset="Validation" width="9" height="9"></image>
<image id="2" name="gone.png" subset="Test" width="9" height="9"><tag label="x"/></image>
</annotations>"""


@pytest.mark.parametrize("home", ["", "images/", "images/{}/"])
def test_cvats_tags_and_shapes_are_texts_of_their_pictures(tmp_path: Path, home: str) -> None:
    names = {f"{home.format('Train')}1.png": "", f"{home.format('Validation')}2.png": ""}
    layout, found, reasons, _ = read_all(lay_out(tmp_path, {"annotations.xml": CVAT, **names}), "image-text")
    assert (layout, reasons) == ("cvat", ["gone.png is missing."])
    assert list(found.values()) == [(["a cat & a dog", "black cat"], "train"), ([""], "validation")]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (
            '<!DOCTYPE a [<!ENTITY x "y">]><annotations><meta></meta></annotations>',
            "declares a document type",
        ),
        ("<annotations><meta></meta><image ", "It is no XML"),
        (
            '<annotations><meta></meta><track id="0" label="car"/></annotations>',
            "tracks of things in a video",
        ),
    ],
)
def test_an_xml_of_cvat_that_cannot_be_used_is_refused_in_a_sentence(
    tmp_path: Path, content: str, why: str
) -> None:
    path = lay_out(tmp_path, {"annotations.xml": content, "1.png": ""})
    with open_source(str(path)) as opened, pytest.raises(UserError, match=rf"annotations\.xml .*{why}"):
        list(opened.rows())


def short(**fields: Any) -> dict[str, Any]:
    """An object of Label Studio's JSON-MIN."""
    stamp = "2026-01-02T03:04:05.6Z"
    return (
        fields
        | {"id": 3, "annotator": 7, "annotation_id": 9, "created_at": stamp, "updated_at": stamp}
        | {"lead_time": 1.5}
    )


BOXES = [{"x": 1.0, "y": 2.0, "width": 3.0, "height": 4.0, "rotation": 0, "rectanglelabels": ["car"]}] * 2
SHORT: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    (short(image="/data/upload/1/0a1b2c3d-1.png", choice="cat", split="train"), [("cat", "")]),
    (
        short(image="/data/upload/1/0a1b2c3d-1.png", sentiment=[{"choices": ["cat", "pet"]}]),
        [("cat", ""), ("pet", "")],
    ),
    (short(image="1.png", caption="a cat", verdict="mismatch"), [("a cat", "mismatch")]),
    (short(image="1.png", text="a cat", label=BOXES), [("a cat", "")]),
    (short(image="1.png", label=BOXES), [("car", "")]),
    (short(image="s3://bucket/a/1.png", kinds=[["Animal", "Dog"], ["Pet"]]), [("Dog", ""), ("Pet", "")]),
]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_label_studios_short_exports_are_read(tmp_path: Path, form: str) -> None:
    for number, (task, expected) in enumerate(SHORT):
        cells = {k: json.dumps(v) if isinstance(v, list) else v for k, v in task.items()}
        out = io.StringIO()
        csv.writer(out).writerows([list(cells), list(cells.values())])
        content = json.dumps([task]) if form == "json" else out.getvalue()
        folder = lay_out(tmp_path / str(number), {f"project-1.{form}": content, "1.png": ""})
        with open_source(str(folder), task="image-text") as opened:
            rows = [row for row in opened.rows() if isinstance(row, Row)]
            assert opened.chosen.importer.name == "label-studio-min"
        assert [(row.text, row.verdict) for row in rows] == expected
        assert {(row.annotator, row.split) for row in rows} == {("7", "train" if number == 0 else "")}


def test_what_a_second_control_of_label_studio_says_is_told_to_be_left_out(tmp_path: Path) -> None:
    task = short(image="1.png", label=BOXES, choice="street", ref="a/b")
    folder = lay_out(tmp_path, {"project-1.json": json.dumps([task]), "1.png": ""})
    _, found, _, notes = read_all(folder, "image-text")
    assert found == {"1.png": (["car"], "")}
    assert notes == ["Texts are those of the control label: what choice says is left out."]


def test_regions_of_label_studios_short_export_are_spans_with_their_transcripts(tmp_path: Path) -> None:
    regions = [{"start": i, "end": i + 1.5, "channel": 0, "labels": ["Speech"]} for i in range(2)]
    tasks = [
        short(audio="/data/upload/1/0a1b2c3d-a.wav", label=regions, transcription=["hello", "bye"]),
        short(audio="a.wav", label=regions[:1]),
        short(audio="a.wav", transcription="all of it"),
        short(audio="gone.wav", transcription="x"),
    ]
    folder = lay_out(tmp_path, {"project-1.json": json.dumps(tasks), "a.wav": b"x"})
    with open_source(str(folder), task="speech-text") as opened:
        *rows, last = opened.rows()
    assert [(row.text, row.start_s, row.end_s) for row in rows if isinstance(row, Row)] == [
        ("hello", 0.0, 1.5),
        ("bye", 1.0, 2.5),
        ("Speech", 0.0, 1.5),
        ("all of it", None, None),
    ]
    assert not isinstance(last, Row) and last.reason == "gone.wav is missing."
