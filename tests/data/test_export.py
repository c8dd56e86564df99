"""What is exported comes back the same, and other tools are told what it is."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from mmdemo.data.data_urls import data_of
from mmdemo.data.exporters import data_urls, webdataset
from mmdemo.data.exporters.base import EXPORTERS, MEDIA, formats
from mmdemo.data.exporting import export_labels, foresee_export
from mmdemo.data.importing import import_source
from mmdemo.data.outgoing import Names
from mmdemo.errors import UserError
from mmdemo.modality import MODALITIES, modality_of
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
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
    chosen = [item.id for item in ws.items.listed("image")[:2]]
    assert export_labels(ws, tmp_path / "some", TASK, format, items=chosen).pairs == 2
    with pytest.raises(UserError, match="no image-text labels on these items"):
        export_labels(ws, tmp_path / "none", TASK, format, items=["gone"])
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


def test_coco_names_every_label_and_file(ws: Workspace, folder: Path, tmp_path: Path) -> None:
    (folder / "metadata.csv").write_text("file_name,text,verdict\na.png,one,match\nb.png,two,mismatch\n")
    import_source(ws, str(folder), TASK)
    path = export_labels(ws, tmp_path / "out", TASK, "coco").path
    table = json.loads(path.read_text())
    files = [image["file_name"] for image in table["images"]]
    assert files == ["media/a.png", "media/b.png"] and all((path.parent / f).is_file() for f in files)
    assert [a["verdict"] for a in table["annotations"]] == ["match", "mismatch"]


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
def test_other_tools_are_told_what_a_file_is_and_where_a_span_lies(
    ws: Workspace, tmp_path: Path, labelled: Callable[[str], list[Path]], task: str
) -> None:
    kind, files = OF_TASKS[task], labelled(task)
    done = export_labels(ws, tmp_path / "studio", task, "label-studio")
    regions = {"image": [], "audio": ["labels"], "video": ["timelinelabels"]}[kind]
    for one, file in zip(json.loads(done.path.read_text()), files, strict=True):
        address = one["data"][kind]
        if kind == "audio":  # which Label Studio plays of a file that it serves only
            assert address == f"/data/local-files/?d={MEDIA}/{file.name}"
            assert (done.path.parent / MEDIA / file.name).read_bytes() == file.read_bytes()
        else:
            assert data_of(address) == file.read_bytes()
        (annotation,) = one["annotations"]
        assert "completed_by" not in annotation
        results = annotation["result"]
        assert {r["to_name"] for r in results} == {kind} and {r["meta"]["annotator"] for r in results} == {
            "Ada"
        }
        assert [r["type"] for r in results if r["from_name"] == "span"] == regions
        assert one["data"].get("start") == (None if kind == "image" else 0.25)
    done = export_labels(ws, tmp_path / "argilla", task, "argilla")
    (ada,) = json.loads((done.path.parent / "users.json").read_text())
    for one, file in zip(json.loads(done.path.read_text()), files, strict=True):
        medium = one["fields"][kind]
        assert data_of(medium if kind == "image" else medium["file"]) == file.read_bytes()
        assert one["metadata"].get("start") == (None if kind == "image" else 0.25)
        assert {a["user_id"] for answers in one["responses"].values() for a in answers} == {ada["id"]}
        assert one["suggestions"]["verdict"]["agent"] == ada["username"] == "Ada"


def test_a_file_that_is_too_large_for_a_json_lies_beside_it_and_is_named(
    ws: Workspace, tmp_path: Path, labelled: Callable[[str], list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_urls, "INLINE", 10)
    files = labelled("image-text")
    done = export_labels(ws, tmp_path / "out", TASK, "label-studio")
    addresses = [one["data"]["image"] for one in json.loads(done.path.read_text())]
    assert addresses == [f"/data/local-files/?d=media/{file.name}" for file in files]
    assert all((tmp_path / "out" / MEDIA / file.name).read_bytes() == file.read_bytes() for file in files)


def test_a_data_set_in_parquet_is_one_of_the_hub_s_with_pictures_in_it(
    ws: Workspace, tmp_path: Path, labelled: Callable[[str], list[Path]]
) -> None:
    import datasets

    files = labelled("image-text")
    export_labels(ws, tmp_path / "out", TASK, "parquet")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(table) for split, table in loaded.items()} == {"train": 1, "validation": 1}
    row = loaded["validation"][0]
    with Image.open(files[1]) as picture:
        assert row["image"].size == picture.size and row["corrected_text"] == "better"


def test_shards_have_a_sample_for_each_label_and_no_more_bytes_than_are_wanted(
    ws: Workspace, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = "".join(f"{name}.png,text {name},match,train\n" for name in "abcde")
    (folder / "metadata.csv").write_text(f"file_name,text,verdict,split\n{rows}")
    import_source(ws, str(folder), TASK)
    monkeypatch.setattr(webdataset, "SHARD", 12_000)
    export_labels(ws, tmp_path / "out", TASK, "webdataset")
    shards = sorted((tmp_path / "out").iterdir())
    assert [shard.name for shard in shards] == [f"train-{i:06}.tar" for i in range(len(shards))]
    assert len(shards) > 1
    members = []
    for shard in shards:
        with tarfile.open(shard) as tar:
            members += tar.getnames()
    assert members == [f"{i:09}.{suffix}" for i in range(5) for suffix in ("png", "txt", "json")]


def test_pairs_for_training_hold_what_fits_as_it_was_corrected(
    ws: Workspace, tmp_path: Path, folder: Path
) -> None:
    (folder / "metadata.csv").write_text(
        "file_name,text,verdict,corrected_text,split\na.png,one,match,better,train\n"
        "b.png,two,mismatch,,train\nc.png,three,unsure,,train\nd.png,=four,match,,held-out\n"
        "e.png,five,mismatch,six,train\ne.png,five,match,six,train\n"
    )
    import_source(ws, str(folder), TASK)
    assert export_labels(ws, tmp_path / "clip", TASK, "open-clip", every=True).labels == 4
    tables = {path.name: path.read_text().splitlines() for path in (tmp_path / "clip").glob("*.tsv")}
    assert tables == {
        "train.tsv": ["filepath\ttitle", "media/a.png\tbetter", "media/e.png\tsix"],
        "test.tsv": ["filepath\ttitle", "media/d.png\t=four"],
    }
    export_labels(ws, tmp_path / "st", TASK, "sentence-transformers", every=True)
    lines = [json.loads(line) for line in (tmp_path / "st" / "train.jsonl").read_text().splitlines()]
    assert lines == [
        {"anchor": "media/a.png", "positive": "better", "label": 1.0},
        {"anchor": "media/b.png", "positive": "two", "label": 0.0},
        {"anchor": "media/e.png", "positive": "six", "label": 1.0},  # a corrected text fits, and stands once
    ]


def test_what_lies_across_the_sides_leaves_last_so_that_the_sides_are_known_before(
    ws: Workspace, folder: Path, tmp_path: Path
) -> None:
    a, b = (ws.add_media("image", folder / f"{name}.png", name, source="t") for name in "ab")
    placed = ((a, "one", "train"), (b, "two", "held-out"), (b, "one", None), (a, "three", "train"))
    for item, text, side in placed:
        with ws.database.write() as session:
            pair, _ = ws.pairs.add(session, TASK, item.id, text, source="t", split=side)
            ws.labels.add_in(session, pair, NewLabel("match"))
    done = export_labels(ws, tmp_path / "out", TASK, "jsonl")
    rows = [json.loads(line) for line in done.path.read_text().splitlines()]
    assert [row["split"] for row in rows] == ["train", "held-out", "train", ""]


def test_who_has_no_name_and_who_is_called_annotator_are_one_user_of_argilla(
    ws: Workspace, folder: Path, tmp_path: Path
) -> None:
    item = ws.add_media("image", folder / "a.png", "a.png", source="t")
    for name in ("", "annotator"):
        ws.labels.add_on(TASK, item.id, "one", NewLabel("match", annotator=name), "t")
    (record,) = json.loads(export_labels(ws, tmp_path / "out", TASK, "argilla", every=True).path.read_text())
    assert len(record["responses"]["verdict"]) == 1


def test_a_comment_in_the_words_of_a_verdict_is_none(
    ws: Workspace, folder: Path, tmp_path: Path, make_app: Callable[..., App]
) -> None:
    item = ws.add_media("image", folder / "a.png", "a.png", source="t")
    ws.labels.add_on(TASK, item.id, "one", NewLabel("unsure", text="mismatch", comment="match"), "t")
    export_labels(ws, tmp_path / "out", TASK, "argilla")
    other = make_app("other", samples=False).ws
    import_source(other, str(tmp_path / "out"), TASK)
    (pair,) = other.pairs.browse(TASK)
    assert (pair.verdict, pair.corrected, pair.comment) == ("unsure", "mismatch", "match")


@pytest.fixture
def judged(ws: Workspace, folder: Path) -> None:
    """A pair on which Ada and Bo differ, with a word that Bo took back, and another file of that name."""
    item = ws.add_media("image", folder / "a.png", "a.png", source="t")
    other = ws.add_media("image", folder / "b.png", "../A.png", source="t")
    with ws.database.write() as session:
        pair, _ = ws.pairs.add(session, TASK, item.id, "one", source="t")
        ws.labels.add_in(session, pair, NewLabel("mismatch", annotator="Ada", comment="no"))
        wrong = ws.labels.add_in(session, pair, NewLabel("unsure", annotator="Bo"))
        ws.labels.add_in(session, pair, NewLabel("match", annotator="Bo"))
        pair, _ = ws.pairs.add(session, TASK, other.id, "two", source="t")
        ws.labels.add_in(session, pair, NewLabel("match"))
    ws.labels.undo(wrong)


@pytest.mark.parametrize("every", [False, True])
def test_every_label_that_nobody_took_back_leaves_when_it_is_asked_for(
    ws: Workspace, judged: None, tmp_path: Path, every: bool
) -> None:
    done = export_labels(ws, tmp_path / "out", TASK, "jsonl", every)
    rows = [json.loads(line) for line in done.path.read_text().splitlines()]
    told = [(r["verdict"], r["annotator"], r["comment"], r["in_force"]) for r in rows[:-1]]
    earlier = [("mismatch", "Ada", "no", False)]
    assert told == [*(earlier if every else []), ("match", "Bo", "", True)]
    assert (done.pairs, done.labels) == (2, len(rows))
    foreseen = foresee_export(ws, TASK, "jsonl", every)
    assert (foreseen.pairs, foreseen.labels, foreseen.leaves_out) == (2, len(rows), ())


def test_files_leave_under_their_names_and_two_of_a_name_stay_apart(
    ws: Workspace, judged: None, tmp_path: Path
) -> None:
    done = export_labels(ws, tmp_path / "out", TASK, "jsonl")
    names = [json.loads(line)["file_name"] for line in done.path.read_text().splitlines()]
    assert names[0] == "media/a.png" and names[1].startswith("media/") and names[1].endswith("/A.png")
    assert len({(tmp_path / "out" / name).read_bytes() for name in names}) == 2


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("..", "image.png"), ("a/b\\c.png", "a_b_c.png"), (".hidden.png", "_.hidden.png"),
        ("con.png", "_con.png"),
        ("  x.png ", "x.png"), ("cat", "cat.png"), ("a:b?.JPG", "a_b_.JPG"), ("\u732b.png", "\u732b.png"),
    ],
)  # fmt: skip
def test_a_name_is_one_that_every_file_system_takes(name: str, safe: str) -> None:
    assert Names(MODALITIES["image"]).safe(name, ".png") == safe


def test_what_a_format_leaves_out_is_told_before(make_app: Callable[..., App]) -> None:
    app = make_app("told")
    for format in formats(MODALITIES["image"]):
        told = ask(app, "export_preview", format=format)
        assert told["leaves_out"] == list(EXPORTERS[format].leaves_out) and told["about"]
    assert "comments" in ask(app, "export_preview", format="open-clip")["leaves_out"]
    with pytest.raises(UserError, match="has no place for recordings"):
        ask(app, "export_preview", task="speech-text", format="coco")


def test_every_format_has_its_section_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")][1:] == [
        *(name for name in formats()),
    ]


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
