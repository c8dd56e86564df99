"""What is exported comes back the same, and other tools are told what it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mmdemo.data.exporters.base import MEDIA, formats
from mmdemo.data.exporting import export_labels
from mmdemo.data.importing import import_source
from mmdemo.errors import UserError
from mmdemo.modality import MODALITIES, modality_of
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from mmdemo.store.labels import NewLabel
from mmdemo.store.tables import Pair
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK


@pytest.mark.parametrize("format", ["jsonl", "csv", "parquet", "datasets"])
def test_an_export_comes_back_the_same(
    ws: Workspace, folder: Path, tmp_path: Path, format: str, make_app: Callable[..., App]
) -> None:
    import_source(ws, str(folder), TASK)
    texts = ["=naïve, “quoted” text", "猫 🐈", "line; with, marks\tand tabs", "'-plain"]
    for i, item in enumerate(ws.items.listed("image")[:4]):
        new = NewLabel(
            ("match", "mismatch", "unsure")[i % 3],
            text="better" if i == 3 else "",
            annotator="Ada",
            comment="why, so",
        )
        ws.labels.add_on(TASK, item.id, texts[i], new, "t")
    done = export_labels(ws, tmp_path / "out", TASK, format)
    assert (done.pairs, done.labels) == (4, 4)
    other = make_app("other", samples=False).ws
    report = import_source(other, str(tmp_path / "out"), TASK)
    assert (report.pairs, report.labels, report.skipped) == (4, 4, [])

    def told(workspace: Workspace) -> set[tuple[object, ...]]:
        return {
            (p.item, p.text, p.verdict, p.corrected, p.split, p.annotator, p.comment)
            for p in workspace.pairs.browse(TASK, state="labelled")
        }

    assert told(other) == told(ws)


def test_no_cell_of_a_csv_is_a_formula_to_a_spreadsheet(ws: Workspace, folder: Path, tmp_path: Path) -> None:
    (folder / "metadata.csv").write_text('file_name,text,verdict\na.png,"=HYPERLINK(1)",match\n')
    import_source(ws, str(folder), TASK)
    table = export_labels(ws, tmp_path / "out", TASK, "csv").path.read_text()
    assert "'=HYPERLINK(1)" in table and ",=HYPERLINK" not in table


@pytest.mark.parametrize("format", ["coco", "label-studio", "argilla"])
def test_the_formats_of_other_tools_name_every_label_and_file(
    ws: Workspace, folder: Path, tmp_path: Path, format: str
) -> None:
    (folder / "metadata.csv").write_text("file_name,text,verdict\na.png,one,match\nb.png,two,mismatch\n")
    import_source(ws, str(folder), TASK)
    path = export_labels(ws, tmp_path / "out", TASK, format).path
    table = json.loads(path.read_text())
    files = {
        "coco": lambda: [i["file_name"] for i in table["images"]],
        "label-studio": lambda: [t["data"]["image"] for t in table],
        "argilla": lambda: [r["fields"]["image"] for r in table],
    }[format]()
    assert len(files) == 2 and all((path.parent / f).is_file() for f in files)
    assert "mismatch" in path.read_text()


SPEECH, VIDEO = ASSETS / "speech" / "samples", ASSETS / "video"
NEW = (("series", ""), ("print", "image"))  # modalities of packages, and what other tools call their files
OF_TASKS = {"image-text": "image", "speech-text": "audio", "video-text": "video"}


@pytest.fixture
def labelled(ws: Workspace, tmp_path: Path) -> Callable[[str], list[Path]]:
    """Label spans of two files of a task, and put one of them on each side."""

    def label(task: str) -> list[Path]:
        where = {"image-text": ASSETS / "photos", "speech-text": SPEECH, "video-text": VIDEO}[task]
        files = sorted(f for f in where.iterdir() if modality_of(task).claims(f))[:2]
        for i, file in enumerate(files):
            item = ws.add_media(modality_of(task).name, file, file.name, source="t")
            span = {} if task == "image-text" else {"start_s": 0.25, "end_s": 0.75 + i}
            with ws.database.write() as session:
                side = ("train", "validation")[i]
                pair, _ = ws.pairs.add(session, task, item.id, f"text {i}", source="t", split=side, **span)
                new = NewLabel(("match", "mismatch")[i], text="better" * i, annotator="Ada", comment="so")
                ws.labels.add_in(session, pair, new)
        return files

    return label


@pytest.mark.parametrize("format", ["datasets", "jsonl"])
@pytest.mark.parametrize("task", OF_TASKS)
def test_labels_of_spans_of_sound_and_video_come_back_from_an_export_with_nothing_lost(
    ws: Workspace,
    tmp_path: Path,
    labelled: Callable[[str], list[Path]],
    task: str,
    format: str,
    make_app: Callable[..., App],
) -> None:
    files = labelled(task)
    item = ws.add_media(OF_TASKS[task], files[0], files[0].name, source="t")
    with ws.database.write() as session:  # else the validation rows would be those to measure on
        pair, _ = ws.pairs.add(session, task, item.id, "held", source="t")
        session.get(Pair, pair.id).split = "held-out"  # type: ignore[union-attr]
        ws.labels.add_in(session, pair, NewLabel("match"))
    export_labels(ws, tmp_path / "out", task, format)
    other = make_app("other", samples=False).ws
    report = import_source(other, str(tmp_path / "out"), task)
    assert (report.pairs, report.labels, report.skipped) == (3, 3, [])

    def told(workspace: Workspace) -> set[tuple[object, ...]]:
        return {
            (p.item, p.text, p.verdict, p.corrected, p.start_s, p.end_s, p.annotator, p.comment)
            for p in workspace.pairs.browse(task)
        }

    assert told(other) == told(ws)
    sides = {p.text: p.split for p in other.pairs.browse(task)}
    assert (sides["text 0"], sides["text 1"]) == ("train", "validation")


@pytest.mark.parametrize("task", OF_TASKS)
def test_a_data_set_has_its_files_in_a_column_of_the_library_s_own_type(
    ws: Workspace, tmp_path: Path, labelled: Callable[[str], list[Path]], task: str
) -> None:
    import datasets

    files = labelled(task)
    export_labels(ws, tmp_path / "out", task, "datasets")
    table = datasets.load_from_disk(str(tmp_path / "out"))
    kind = OF_TASKS[task]
    assert type(table.features[kind]).__name__ == kind.capitalize()
    kept = table.cast_column(kind, type(table.features[kind])(decode=False))
    assert [row[kind]["bytes"] for row in kept] == [file.read_bytes() for file in files]


@pytest.mark.parametrize("task", OF_TASKS)
def test_other_tools_are_told_what_a_file_is(
    ws: Workspace, tmp_path: Path, labelled: Callable[[str], list[Path]], task: str
) -> None:
    kind, _ = OF_TASKS[task], labelled(task)
    done = export_labels(ws, tmp_path / "studio", task, "label-studio")
    for one in json.loads(done.path.read_text()):
        assert (tmp_path / "studio" / one["data"][kind]).is_file()
        assert {r["to_name"] for r in one["annotations"][0]["result"]} == {kind}
        assert one["data"].get("start") == (None if kind == "image" else 0.25)
    done = export_labels(ws, tmp_path / "argilla", task, "argilla")
    for one in json.loads(done.path.read_text()):
        medium = one["fields"][kind]
        assert (tmp_path / "argilla" / (medium if kind == "image" else medium["file"])).is_file()
        assert one["metadata"].get("start") == (None if kind == "image" else 0.25)


def test_a_format_that_has_no_place_for_a_task_s_files_is_refused_with_those_that_have(
    ws: Workspace, tmp_path: Path, labelled: Callable[[str], list[Path]]
) -> None:
    labelled("speech-text")
    with pytest.raises(UserError, match=r"coco has no place for recordings. Use one of: jsonl, csv, parquet"):
        export_labels(ws, tmp_path / "out", "speech-text", "coco")
    assert not (tmp_path / "out").exists()
    assert "coco" in formats(MODALITIES["image"]) and "coco" not in formats(MODALITIES["audio"])
    assert "label-studio" in formats(MODALITIES["video"])
    unknown, print_ = (replace(MODALITIES["image"], name=n, task=f"{n}-text", known_as=k) for n, k in NEW)
    assert {"coco", "label-studio"} <= set(formats(print_))
    assert not {"coco", "label-studio"} & set(formats(unknown))


def test_an_export_never_writes_over_anything(ws: Workspace, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no image-text labels"):
        export_labels(ws, tmp_path / "new", TASK, "csv")
    with pytest.raises(UserError, match="is not empty"):
        export_labels(ws, folder, TASK, "csv")
    with pytest.raises(UserError, match=r"no export format 'xml'.*jsonl"):
        export_labels(ws, tmp_path / "new", TASK, "xml")


def test_an_export_into_the_current_folder_holds_the_export_alone(
    ws: Workspace, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_source(ws, str(folder), TASK)
    ws.labels.add_on(TASK, ws.items.listed("image")[0].id, "a plain picture", NewLabel("match"), "t")
    out = tmp_path / "empty"
    out.mkdir()
    monkeypatch.chdir(out)
    found = export_labels(ws, Path(), TASK, "csv")
    assert sorted(path.name for path in out.iterdir()) == sorted({MEDIA, found.path.name})
