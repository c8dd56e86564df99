"""Of several people's labels on a pair, an export tells which is in force, and an import finds the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from mmdemo.data.exporters.base import EXPORTERS, ExportedLabel
from mmdemo.data.exporting import export_labels
from mmdemo.data.importing import import_source
from mmdemo.data.outgoing import Outgoing
from mmdemo.store.labels import NewLabel
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png

OUTVOTED = (("ada", "match"), ("bob", "match"), ("cy", "mismatch"))


def say(ws: Workspace, *said: NewLabel) -> int:
    """Give labels on one pair, one after another; returns its number."""
    item = ws.add_media("image", png(), "square.png", source="here")
    with ws.database.write() as session:
        pair, _ = ws.pairs.add(session, TASK, item.id, "a red square", source="here", split="train")
        for label in said:
            ws.labels.add_in(session, pair, label)
        return pair.id


def leaving(ws: Workspace, out: Path) -> list[ExportedLabel]:
    return list(Outgoing(ws, TASK, True, EXPORTERS["jsonl"], out))


def test_the_label_that_stands_for_most_people_leaves_as_the_one_in_force(
    ws: Workspace, tmp_path: Path
) -> None:
    say(ws, *(NewLabel(verdict, annotator=who) for who, verdict in OUTVOTED))
    told = [(label.annotator, label.in_force) for label in leaving(ws, tmp_path / "out")]
    assert told == [("ada", False), ("bob", True), ("cy", False)]
    (record,) = json.loads(export_labels(ws, tmp_path / "a", TASK, "argilla", every=True).path.read_text())
    assert record["suggestions"] == {"verdict": {"value": "match", "type": "human", "agent": "bob"}}
    assert [one["value"] for one in record["responses"]["verdict"]] == ["match", "match", "mismatch"]
    (task,) = json.loads(export_labels(ws, tmp_path / "l", TASK, "label-studio", every=True).path.read_text())
    metas = [result["meta"] for one in task["annotations"] for result in one["result"]]
    told = [(meta["annotator"], meta["in_force"]) for meta in metas]
    assert told == [("ada", False), ("bob", True), ("cy", False)]


def test_argilla_has_the_span_and_the_correction_of_the_label_in_force(ws: Workspace, tmp_path: Path) -> None:
    say(
        ws,
        NewLabel("match", annotator="ada"),
        NewLabel("match", "a square", 1.0, 2.0, annotator="bob"),
        NewLabel("mismatch", "a circle", 3.0, 4.0, annotator="cy"),
    )
    (record,) = json.loads(export_labels(ws, tmp_path / "a", TASK, "argilla", every=True).path.read_text())
    assert record["suggestions"]["corrected_text"]["value"] == "a square"
    assert (record["metadata"]["start"], record["metadata"]["end"]) == (1.0, 2.0)


def test_of_labels_that_say_the_same_the_one_in_force_leaves(ws: Workspace, tmp_path: Path) -> None:
    one, other = "a" * 64, "b" * 64  # two sessions of people without a name
    pair = say(
        ws,
        NewLabel("match", annotator="ada"),
        NewLabel("match", session=one),
        NewLabel("match", session=other),
        NewLabel("mismatch", session=other),
    )
    found = leaving(ws, tmp_path / "out")
    assert [(label.annotator, label.verdict) for label in found] == [
        ("ada", "match"),
        ("", "match"),
        ("", "mismatch"),
    ]
    assert [label.label for label in found if label.in_force] == [ws.pairs.get(pair).label]


def test_the_verdict_of_most_people_is_in_force_again_after_an_import(ws: Workspace, tmp_path: Path) -> None:
    say(ws, *(NewLabel(verdict, annotator=who) for who, verdict in OUTVOTED))
    export_labels(ws, tmp_path / "out", TASK, "argilla", every=True)
    other = Workspace(replace(ws.settings, workspace=tmp_path / "back"))
    try:
        import_source(other, str(tmp_path / "out"), TASK)
        (back,) = other.pairs.browse(TASK)
    finally:
        other.close()
    assert (back.verdict, back.annotator) == ("match", "bob")
