"""What comes in of manifests, folders and data sets, and what is said of the rows that do not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmdemo.asker import OWNER, Asker
from mmdemo.data.exporters.base import EXPORTERS
from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.importing import ImportReport, import_source
from mmdemo.data.reading import open_source
from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.settings import Settings
from mmdemo.store.workspace import Workspace
from mmdemo.ui import gate
from tests.conftest import TASK, labels_of, png
from tests.waiting import wait_for


def reasons(report: ImportReport) -> dict[int, str]:
    return {s.row: s.reason for s in report.skipped}


def test_a_csv_manifest_brings_pictures_pairs_and_labels(
    settings: Settings, database_url: str, folder: Path
) -> None:
    ws = Workspace(replace(settings, database_url=database_url))
    (folder / "metadata.csv").write_text(
        "file_name,text,verdict,split\na.png,one,match,train\nb.png,two,,test\nc.png,,,\n"
    )
    report = import_source(ws, str(folder), TASK)
    assert (report.items, report.pairs, report.labels, report.skipped) == (3, 2, 1, [])
    assert {(p.text, p.verdict, p.split) for p in ws.pairs.browse(TASK)} == {
        ("one", "match", "train"),
        ("two", None, "held-out"),
    }
    again = import_source(ws, str(folder), TASK)
    assert (again.rows, again.known, again.imported, again.skipped) == (3, 3, 0, [])
    ws.close()


@pytest.mark.parametrize("kind", ["tsv", "jsonl", "parquet", "semicolons", "utf-16", "windows-1252"])
def test_every_kind_of_manifest_says_the_same(ws: Workspace, folder: Path, kind: str) -> None:
    rows = [{"file_name": "a.png", "text": "café crème"}, {"file_name": "b.png", "text": "two"}]
    lines = "\n".join(["file_name;text", *(f"{r['file_name']};{r['text']}" for r in rows)])
    path = folder / {"tsv": "m.tsv", "jsonl": "m.jsonl", "parquet": "m.parquet"}.get(kind, "m.csv")
    if kind == "parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif kind == "jsonl":
        path.write_text("\n".join(json.dumps(r) for r in rows))
    elif kind == "tsv":
        path.write_text(lines.replace(";", "\t"))
    else:
        path.write_bytes(lines.encode({"utf-16": "utf-16", "windows-1252": "cp1252"}.get(kind, "utf-8")))
    report = import_source(ws, str(path), TASK, verdict="match")
    assert (report.pairs, report.labels, report.skipped) == (2, 2, [])
    assert [p.text for p in ws.pairs.browse(TASK)] == ["café crème", "two"]


def test_bad_rows_are_listed_with_their_reason_and_the_others_come_in(
    ws: Workspace, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    (folder / "broken.png").write_bytes(png()[:60])
    (folder / "fake.png").write_bytes(b"%PDF-1.7")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "m.csv").write_text(
        "file_name,text,verdict\na.png,one,\nnone.png,x,\n../secret.png,x,\n/etc/passwd,x,\nlink.png,x,\n"
        f"broken.png,x,\nfake.png,x,\na.png,ONE,\nb.png,2,maybe\nc.png,{'long ' * 3000},\nd.png,four,match\n"
    )
    report = import_source(ws, str(folder / "m.csv"), TASK)
    why = reasons(report)
    named = {s["row"]: s["file"] for s in report.as_json()["skipped"]}
    assert [named[row] for row in (2, 3, 6, 8, 9)] == [
        "none.png",
        "../secret.png",
        "broken.png",
        "a.png",
        "b.png",
    ]
    assert report.pairs == 3 and sorted(why) == [2, 3, 4, 6, 7, 8, 9, 10]
    for row, says in {
        2: "none.png is missing",
        3: "outside the folder",
        4: "outside the folder",
        6: "cut off or damaged",
        7: "not a picture",
        8: "no more than row 1",
        9: "'maybe' is none of",
        10: "over the limit of 10,000",
    }.items():
        assert says in why[row], (row, why[row])


def test_a_preview_says_of_a_row_what_the_import_will_say(app: App, folder: Path) -> None:
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "metadata.csv").write_text(
        "file_name,text,verdict\na.png,one,match\nbroken.png,two,\nc.png,,match\nd.png,,\n"
    )
    found = ask(app, "import_preview", source=str(folder), task=TASK)
    shown = found["rows"]
    assert (found["ready"], found["skipped"], [row["row"] for row in found["told"]]) == (2, 2, [2, 3])
    told = {row["row"]: row["reason"] for row in shown if "reason" in row}
    assert told == {
        r: s.split(" The file was")[0] for r, s in reasons(import_source(app.ws, str(folder), TASK)).items()
    }
    assert "broken.png" in told[2] and told[3] == "The row has a verdict but no text."
    assert shown[0]["text"] == "one" and shown[3]["text"] == ""


def test_a_preview_counts_all_rows_where_that_is_quick(app: App, folder: Path) -> None:
    rows = "".join(f"{'abcd'[i % 4]}.png,text {i}\n" for i in range(40))
    (folder / "metadata.csv").write_text(f"file_name,text\n{rows}gone.png,x\n")
    told = ask(app, "import_preview", source=str(folder), task=TASK)
    assert (told["ready"], told["skipped"], told["is_whole"], len(told["rows"])) == (40, 1, True, 8)
    assert told["told"] == [{"row": 41, "file": "gone.png", "reason": "gone.png is missing."}]
    with open_source(str(folder)) as opened:
        shown = opened.preview(8, counted_s=0)
    assert (shown.ready, shown.skipped, shown.is_whole) == (8, 0, False)


def test_a_preview_shows_what_is_said_of_a_pair_and_by_whom(app: App, folder: Path) -> None:
    (folder / "metadata.csv").write_text(
        "file_name,text,start,end,annotator,comment,corrected_text\na.png,one\u0085line,0.25,1.5,Ada,so,two\nb.png,one,1,,,,\n"
    )
    first, second = ask(app, "import_preview", source=str(folder), task=TASK)["rows"]
    assert first["text"] == "one line"
    said = ("span", "annotator", "comment", "corrected")
    assert [first[name] for name in said] == ["0.25 to 1.5 s", "Ada", "so", "two"]
    assert [second[name] for name in said] == ["1 to its end", "", "", ""]


def test_the_state_of_an_import_names_its_task(app: App, folder: Path) -> None:
    ask(app, "import_start", source=str(folder), task=TASK)
    wait_for(lambda: ask(app, "import_state")["status"] == "done")
    assert ask(app, "import_state")["task"] == TASK


def test_what_came_of_an_import_is_told_to_trainers_and_where_folders_lie_to_the_owner(app: App) -> None:
    state = {"id": "1", "name": "photos", "task": TASK, "phase": "Importing", "done": 2, "total": 9}
    failed = f"{app.settings.workspace}/media cannot be written."
    app.context.imports._state = state | {"status": "done", "error": failed, "report": {}}

    def told(asker: Asker) -> dict[str, Any]:
        return dict(gate.ask(app, "import_state", {}, "page", asker))

    assert told(OWNER)["error"] == failed
    assert told(Asker("trainer", "t"))["error"] == "the workspace/media cannot be written."
    for asker in (Asker("annotator", "a"), Asker("viewer", "v")):
        assert (told(asker)["status"], told(asker)["error"], told(asker)["report"]) == ("over", "", None)
    app.context.imports._state["status"] = "running"
    known = told(Asker("viewer", "v"))
    assert (known["done"], known["total"], known["name"], known["report"]) == (2, 9, "", None)


def test_wrong_columns_are_named_with_those_that_are_there(ws: Workspace, folder: Path) -> None:
    (folder / "m.csv").write_text("picture_id,words\n1,x\n")
    with pytest.raises(UserError, match="no column file_name; its columns are picture_id, words"):
        import_source(ws, str(folder / "m.csv"), TASK)


def test_class_folders_become_texts_and_train_and_val_become_splits(
    ws: Workspace, folder: Path, tmp_path: Path
) -> None:
    for split, kind, name in (("train", "tabby_cat", "a"), ("train", "dog", "b"), ("val", "red_fox", "c")):
        target = tmp_path / "tree" / split / kind
        target.mkdir(parents=True, exist_ok=True)
        (target / "x.png").write_bytes((folder / f"{name}.png").read_bytes())
    report = import_source(ws, str(tmp_path / "tree"), TASK)
    assert report.pairs == 3
    assert {(p.text, p.split) for p in ws.pairs.browse(TASK)} == {
        ("dog", "train"),
        ("tabby cat", "train"),
        ("red fox", "held-out"),
    }


def test_coco_captions_find_their_pictures_beside_the_json(ws: Workspace, folder: Path) -> None:
    (folder.parent / "captions.json").write_text(
        json.dumps(
            {
                "images": [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "gone.png"}],
                "annotations": [
                    {"image_id": 7, "caption": "first"},
                    {"image_id": 7, "caption": "second"},
                    {"image_id": 8, "caption": "x"},
                    {"image_id": 99, "caption": "x"},
                ],
            }
        )
    )
    report = import_source(ws, str(folder.parent / "captions.json"), TASK)
    assert (report.items, report.pairs, sorted(reasons(report))) == (1, 2, [3, 4])
    assert [s.file for s in report.skipped] == ["gone.png", ""]


def test_a_saved_data_set_comes_in_with_its_class_names(ws: Workspace, folder: Path, tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "sea_lion"])}
    )
    rows = {"image": [str(folder / "a.png"), str(folder / "b.png")], "label": [1, 0]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "ds"))
    report = import_source(ws, str(tmp_path / "ds"), TASK)
    assert report.pairs == 2 and {p.text for p in ws.pairs.browse(TASK)} == {"cat", "sea lion"}


def test_a_plain_folder_takes_texts_from_files_beside_the_pictures(ws: Workspace, folder: Path) -> None:
    (folder / "a.txt").write_text("the first")
    (folder / "notes.doc").write_text("x")
    report = import_source(ws, str(folder), TASK)
    assert (report.items, report.pairs) == (5, 1) and "not named like a picture" in report.skipped[0].reason


def test_what_is_not_there_or_empty_is_said_to_be(ws: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        import_source(ws, str(tmp_path / "nowhere"), TASK)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no rows"):
        import_source(ws, str(tmp_path / "empty"), TASK)
    with pytest.raises(UserError, match="could not be loaded"):
        import_source(ws, "datasets:nobody/nothing-of-that-name", TASK)


def test_importing_twice_adds_nothing_and_a_stopped_import_keeps_what_it_had(
    ws: Workspace, folder: Path
) -> None:
    done: list[int] = []
    report = import_source(ws, str(folder), TASK, stopped=lambda: len(done) >= 2 or done.append(1) or False)
    assert report.stopped and report.items == 2
    assert import_source(ws, str(folder), TASK).items == 3
    assert import_source(ws, str(folder), TASK).items == 0


def test_rows_that_contradict_each_other_are_both_labels_and_the_last_is_in_force(
    ws: Workspace, folder: Path
) -> None:
    (folder / "m.csv").write_text(
        "file_name,text,verdict,annotator,comment,corrected_text\na.png,one,match,,,\na.png,one,mismatch,,,\n"
        "a.png,one,match,,,\na.png,one,,,,\nb.png,two,,,,\nb.png,two,match,,,\nc.png,three,match,Ann,,\n"
        "c.png,three,match,Bo,,\nd.png,four,match,,,\nd.png,four,match,,,fore\n"
    )
    report = import_source(ws, str(folder / "m.csv"), TASK)
    assert reasons(report) == {
        3: "The row says no more than row 1.",
        4: "The row says no more than row 1.",
    }
    history = {p.text: [label.verdict for label in labels_of(ws, p.id)] for p in ws.pairs.browse(TASK)}
    assert history == {
        "one": ["match", "mismatch"],
        "two": ["match"],
        "three": ["match", "match"],
        "four": ["match", "match"],
    }
    assert {p.final_text: p.verdict for p in ws.pairs.browse(TASK)} == {
        "one": "mismatch",
        "two": "match",
        "three": "match",
        "fore": "match",
    }
    assert report.labels == 7 and import_source(ws, str(folder / "m.csv"), TASK).labels == 0


def test_what_an_import_says_of_a_labelled_pair_is_kept_once_and_never_brings_back_what_was_replaced(
    ws: Workspace, folder: Path
) -> None:
    (folder / "m.csv").write_text(
        "file_name,text,verdict,annotator\na.png,one,match,Ann\nb.png,two,match,Ann\n"
    )
    (folder / "n.csv").write_text(
        "file_name,text,verdict,annotator\na.png,one,mismatch,Bo\nb.png,two,match,\n"
    )
    import_source(ws, str(folder / "m.csv"), TASK)
    assert import_source(ws, str(folder / "n.csv"), TASK).labels == 1
    one = ws.pairs.browse(TASK, contains="one")[0]
    assert (one.verdict, one.annotator) == ("mismatch", "Bo")
    assert ws.labels.opinions(TASK) == {one.id: {"match": 1, "mismatch": 1}}
    for again in ("m.csv", "n.csv"):
        assert import_source(ws, str(folder / again), TASK).labels == 0
    assert import_source(ws, str(folder / "m.csv"), TASK, verdict="mismatch").labels == 0
    assert ws.pairs.browse(TASK, contains="one")[0].verdict == "mismatch"


def test_every_importer_and_format_is_in_the_readme() -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    assert all(name in readme for name in (*IMPORTERS, *EXPORTERS))


def test_a_value_that_is_no_text_is_never_made_one(ws: Workspace, folder: Path) -> None:
    rows: list[dict[str, object]] = [
        {"file_name": "a.png", "text": {"en": "a cat"}},
        {"file_name": "b.png", "text": ["a cat", "a dog"]},
        {"file_name": "c.png", "text": 5},
        {"file_name": "d.png", "text": True},
        {"file_name": "e.png", "text": "one\u2028line", "annotator": 7},
        {"file_name": "a.png", "text": "good", "corrected_text": [1]},
        {"file_name": "b.png", "text": "a\x00cat"},
        {"file_name": "b.png", "text": "a\ud800cat"},
        {"file_name": "c.png", "text": "late", "start": "nan"},
    ]
    (folder / "m.jsonl").write_text("\n".join(json.dumps(row) for row in rows[:4]))
    with (folder / "m.jsonl").open("a", encoding="utf-8", errors="surrogatepass") as file:
        file.write("\n" + json.dumps(rows[4], ensure_ascii=False) + "\n")
        file.write("\n".join(json.dumps(row) for row in rows[5:]) + "\n")
    report = import_source(ws, str(folder / "m.jsonl"), TASK)
    assert reasons(report) == {
        1: "text is an object, not a text.",
        2: "text is a list, not a text.",
        3: "text is a number, not a text.",
        4: "text is true or false, not a text.",
        6: "corrected_text is a list, not a text.",
        7: "The text holds a character that cannot be stored: 'a\\x00cat'.",
        8: "The text holds a character that cannot be stored: 'a\\ud800cat'.",
        9: "start is 'nan', which is not a number of seconds.",
    }
    assert [p.text for p in ws.pairs.browse(TASK)] == ["one line"]


def test_a_zero_byte_in_a_table_is_told_and_not_left_out(ws: Workspace, folder: Path) -> None:
    (folder / "m.csv").write_bytes(b"file_name,text\na.png,a c\x00at\nb.png,good\n")
    assert reasons(import_source(ws, str(folder / "m.csv"), TASK)) == {
        1: "The text holds a character that cannot be stored: 'a c\\x00at'."
    }
    (folder / "wide.csv").write_bytes("file_name,text\na.png,wide\n".encode("utf-16-le"))
    assert import_source(ws, str(folder / "wide.csv"), TASK).notes == [
        "wide.csv was read as UTF-16 without a mark."
    ]
    (folder / "odd.csv").write_bytes(b"file_name,text\na.png,\x81\xfe\n")
    with pytest.raises(UserError, match=r"odd.csv is in no encoding that is known"):
        import_source(ws, str(folder / "odd.csv"), TASK)


def test_a_caption_of_coco_that_is_no_text_is_passed_over_with_its_reason(
    ws: Workspace, folder: Path
) -> None:
    images = [{"id": i, "file_name": f"{name}.png"} for i, name in enumerate("ab")]
    texts = [{"image_id": 0, "caption": {"en": "x"}}, {"image_id": 1, "caption": "good"}]
    (folder / "c.json").write_text(json.dumps({"images": images, "annotations": texts}))
    report = import_source(ws, str(folder / "c.json"), TASK)
    assert reasons(report) == {1: "caption is an object, not a text."} and report.pairs == 1


def test_a_file_whose_name_is_no_text_is_passed_over(ws: Workspace, folder: Path) -> None:
    (folder / "a.png").rename(folder / "bad\udcff.png")
    report = import_source(ws, str(folder), TASK)
    assert len(report.skipped) == 1 and "The name holds a character" in report.skipped[0].reason
    json.dumps(report.as_json(), ensure_ascii=False).encode()
    assert ws.add_media("image", folder / "bad\udcff.png", "bad\udcff.png", source="upload").name.startswith(
        "bad\\udcff"
    )


def test_a_data_set_without_files_is_refused_with_its_columns(ws: Workspace, tmp_path: Path) -> None:
    import datasets

    datasets.Dataset.from_dict({"text": ["a"]}).save_to_disk(str(tmp_path / "in"))
    with pytest.raises(UserError, match=r"has no column of files; it has text. Choose one with a column"):
        import_source(ws, str(tmp_path / "in"), TASK)
