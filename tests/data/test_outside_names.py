"""What is uploaded may name any file of this machine: only what lies below the upload is imported."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mmdemo.data.importers.base import IMPORTERS, Recognition
from mmdemo.data.importing import import_source
from mmdemo.data.reading import open_source
from mmdemo.data.rows import Row, Skipped
from mmdemo.data.source import Source
from mmdemo.data.subtitles import read_cues
from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.service.exchange import batch_folder
from mmdemo.service.operations.table import ask
from mmdemo.settings import ASSETS
from mmdemo.store.tables import Item
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png
from tests.waiting import wait_for

VIDEO = next((ASSETS / "video").glob("*.mp4"))


def rows_of(source: Path, within: Path | None = None) -> list[Row | Skipped]:
    with open_source(str(source), within) as opened:
        return list(opened.rows())


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A picture of this machine that nobody has uploaded."""
    path = tmp_path / "private" / "secret.png"
    path.parent.mkdir()
    path.write_bytes(png((11, 22, 33)))
    return path


@pytest.fixture
def upload(request: pytest.FixtureRequest) -> Path:
    """The folder of an upload, as its files come in one by one."""
    folder = batch_folder(f"batch{time.monotonic_ns()}")
    (folder / "set").mkdir(parents=True)
    (folder / "set" / "own.png").write_bytes(png((9, 9, 9)))
    return folder / "set"


def data_set(folder: Path, secret: Path) -> None:
    import datasets

    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": None, "path": str(secret)}, {"bytes": png((9, 9, 9)), "path": "own.png"}]
    made = datasets.Dataset(pa.table({"image": pa.array(rows, kind), "text": ["stolen", "mine"]}))
    (folder / "own.png").unlink()
    made.save_to_disk(str(folder))


def manifest(folder: Path, secret: Path) -> None:
    climbs = f"../../../..{secret}"
    rows = [str(secret), climbs, climbs.replace("/", "\\\\"), "own.png", "link.png", "a\0b.png"]
    (folder / "link.png").symlink_to(secret)
    lines = [json.dumps({"file_name": name, "text": "x"}) for name in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines))


def parquet(folder: Path, secret: Path) -> None:
    names = [str(secret), f"../../../..{secret}", "own.png"]
    pq.write_table(pa.table({"file_name": names, "text": ["a", "b", "c"]}), folder / "metadata.parquet")


def coco(folder: Path, secret: Path) -> None:
    names = [str(secret), f"../../../..{secret}", "own.png"]
    table = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(names)],
        "annotations": [{"image_id": i, "caption": "x"} for i in range(3)],
    }
    (folder.parent / "captions.json").write_text(json.dumps(table))
    (folder / "own.png").replace(folder.parent / "own.png")
    folder.rmdir()


def class_tree(folder: Path, secret: Path) -> None:
    (folder / "cat").mkdir()
    (folder / "own.png").replace(folder / "cat" / "own.png")
    (folder / "cat" / "link.png").symlink_to(secret)
    (folder / "dog").symlink_to(secret.parent)


def plain_folder(folder: Path, secret: Path) -> None:
    (folder / "link.png").symlink_to(secret)
    (folder / "linked").symlink_to(secret.parent)


LAYOUTS = (data_set, manifest, parquet, coco, class_tree, plain_folder)


@pytest.mark.parametrize("lay_out", LAYOUTS)
def test_from_the_page_only_what_lies_below_the_upload_is_imported(
    app: App, upload: Path, secret: Path, lay_out: Callable[[Path, Path], None]
) -> None:
    lay_out(upload, secret)
    batch = upload.parent.name.removeprefix("batch-")
    told = json.dumps(ask(app, "import_preview", batch=batch))
    assert "own.png" in told and str(upload.parent.parent) not in told
    before = set(app.ws.items.ids("image"))
    ask(app, "import_start", batch=batch)
    wait_for(lambda: ask(app, "import_state")["status"] == "done")
    state = ask(app, "import_state")
    assert state["report"]["items"] == 1 and state["error"] == ""
    (new,) = set(app.ws.items.ids("image")) - before
    item = app.ws.items.get(new)
    assert isinstance(item, Item) and app.ws.media_path(item).read_bytes() == png((9, 9, 9))
    wait_for(lambda: not upload.parent.exists())
    wait_for(lambda: not any(thread.name == "mmdemo-queue" for thread in threading.enumerate()))


@pytest.mark.parametrize("lay_out", LAYOUTS)
def test_from_the_command_line_names_that_leave_the_folder_are_passed_over_and_links_are_followed(
    ws: Workspace, tmp_path: Path, secret: Path, lay_out: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "in" / "set").mkdir(parents=True)
    (tmp_path / "in" / "set" / "own.png").write_bytes(png((9, 9, 9)))
    lay_out(tmp_path / "in" / "set", secret)
    source = tmp_path / "in" / ("captions.json" if lay_out is coco else "set")
    report = import_source(ws, str(source), TASK)
    links = lay_out in (manifest, class_tree, plain_folder)  # as DVC and the Hub's cache lay data sets out
    assert report.items == 1 + links
    assert {item.name for item in ws.items.listed("image")} <= {"own.png", "link.png"}


def test_a_row_of_no_layout_reaches_beyond_an_upload(tmp_path: Path, secret: Path) -> None:
    """An importer of another package may follow any name."""

    class Follower:
        name, about = "follower", "what names files"

        def recognise(self, source: Source) -> Recognition:
            return Recognition(1.0 if source.path.suffix == ".follow" else 0.0)

        def rows(self, source: Source) -> Iterator[Row | Skipped]:
            yield Row(1, "secret.png", Path(source.path.read_text()))
            raise UserError(f"{source.path} ends here.")

    IMPORTERS.add("follower", Follower())
    try:
        (tmp_path / "up").mkdir()
        (tmp_path / "up" / "x.follow").write_text(str(secret))
        with open_source(str(tmp_path / "up" / "x.follow"), tmp_path / "up") as opened:
            assert list(opened.rows()) == [
                Skipped(1, "secret.png is none of the files that were uploaded.", "secret.png"),
                Skipped(2, "It cannot be read from here on. x.follow ends here."),
            ]
    finally:
        IMPORTERS.remove("follower")


@pytest.fixture
def mine(tmp_path: Path, secret: Path) -> Path:
    """A saved data set, beside somebody else's."""
    for name in ("mine", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.png").touch()
        data_set(tmp_path / name, secret)
    return tmp_path / "mine"


def name_theirs(state: Path) -> None:
    """Have a data set say that its table is the other's."""
    said = json.loads(state.read_text())
    said["_data_files"][0]["filename"] = "../theirs/data-00000-of-00001.arrow"
    state.write_text(json.dumps(said))


@pytest.mark.parametrize("where", ["state.json", "dataset_dict.json"])
def test_a_saved_data_set_whose_tables_lie_elsewhere_is_refused(mine: Path, where: str) -> None:
    if where == "state.json":
        name_theirs(mine / where)
    else:
        (mine / where).write_text(json.dumps({"splits": ["../theirs"]}))
    with pytest.raises(UserError, match="leads out of the folder mine"):
        rows_of(mine)


def test_a_saved_data_set_that_says_it_is_of_two_kinds_is_looked_at_as_both(mine: Path) -> None:
    (mine / "dataset_dict.json").write_text(json.dumps({"splits": []}))
    name_theirs(mine / "state.json")
    with pytest.raises(UserError, match="leads out of the folder mine"):
        rows_of(mine)


def test_of_a_saved_data_set_nothing_is_opened_but_the_file_of_a_row(tmp_path: Path, secret: Path) -> None:
    """The library decodes every column of files of its own accord."""
    import datasets

    picture = datasets.Image()
    features = datasets.Features(
        text=datasets.Value("string"), image=picture, other=picture, more=datasets.List(picture)
    )
    lies = {"bytes": None, "path": "/etc/hostname"}
    own = {"bytes": png(), "path": "own.png"}
    rows = {"text": ["a"], "image": [own], "other": [lies], "more": [[lies]]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "set")
    assert [(row.name, row.text) for row in rows_of(tmp_path / "set") if isinstance(row, Row)] == [
        ("own.png", "a")
    ]


def test_texts_beside_files_are_those_of_the_folder(tmp_path: Path, secret: Path) -> None:
    (secret.parent / "words.txt").write_text("a line nobody may read")
    (secret.parent / "cues.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\na line nobody may read\n")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(png())
    (folder / "a.txt").symlink_to(secret.parent / "words.txt")
    assert [row.text for row in rows_of(folder, folder) if isinstance(row, Row)] == [""]
    (folder / "v.mp4").write_bytes(VIDEO.read_bytes())
    (folder / "v.srt").symlink_to(secret.parent / "cues.srt")
    assert all("nobody may read" not in str(row) for row in rows_of(folder, folder))


DEEP = "[" * 100_000
ODD: dict[str, Any] = {
    "deep.json": DEEP,
    "deep.jsonl": f'{{"file_name": {DEEP}\n',
    "videos.json": '{"videos": [1, "a"], "sentences": [3]}',
    "sentences.json": '{"sentences": [null]}',
    "times.json": '{"v": {"timestamps": 3, "sentences": 4}}',
    "more times.json": '{"v": [], "timestamps": ""}',
    "highlights.jsonl": '{"vid": "a", "query": "b", "relevant_windows": 4}\n',
    "images.json": '{"images": {"id": 1}, "annotations": 3}',
}


@pytest.mark.parametrize("name", ODD)
def test_a_table_of_an_odd_form_is_refused_or_its_rows_are_in_a_sentence(
    ws: Workspace, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_text(ODD[name])
    try:
        report = import_source(ws, str(tmp_path / name), "video-text" if "deep" not in name else TASK)
    except UserError as e:
        assert name in str(e) or "rows" in str(e)
    else:
        assert report.skipped and not report.items


def test_a_parquet_file_that_unpacks_to_more_than_is_held_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmdemo.data.tables.TABLE_MB", 1)
    long = "a" * 3_000_000
    packed = io.BytesIO()
    pq.write_table(pa.table({"file_name": ["a.png"], "text": [long]}), packed, compression="zstd")
    assert packed.tell() < 20_000
    (tmp_path / "m.parquet").write_bytes(packed.getvalue())
    with pytest.raises(UserError, match=r"The column text of m.parquet is \d MB when it is unpacked"):
        rows_of(tmp_path / "m.parquet")


@pytest.mark.parametrize("line", ["1" * 200_000, "<" * 200_000, "{" * 200_000, "1:" * 100_000])
def test_subtitles_of_any_length_are_read_at_once(line: str) -> None:
    begun = time.process_time()
    list(read_cues(f"{line}\n00:00:00,000 --> 00:00:01,000\n{line}\n"))
    assert time.process_time() - begun < 2
