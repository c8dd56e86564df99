"""Importers and exporters that other packages bring, and what holds for all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mmdemo.command_line import main
from mmdemo.data.exporters.base import EXPORTERS, Exporter, formats
from mmdemo.data.exporting import export_labels
from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.importing import import_source
from mmdemo.data.reading import open_source, source_in
from mmdemo.errors import RegistryError
from mmdemo.store.workspace import Workspace
from mmdemo.ui import shell  # noqa: F401  with it every tab's actions
from mmdemo.ui.routes import page_routes
from tests.conftest import TASK, png

PlugIn = Callable[[str, str], Path]
ALBUMS = """
from mmdemo.data.exporters.base import EXPORTERS, Exporter
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition

class Album:
    name = "album"
    about = "an album's index"

    def recognise(self, source):
        return Recognition(0.9, "It is an album.") if source.path.name == "album.csv" else NOT_MINE

    def rows(self, source):
        for number, line in enumerate(source.read_text(source.path).splitlines(), 1):
            name, text = line.split("=")
            yield source.row(number, name, text=text)

def write(out, labels):
    path = out / "album.csv"
    path.write_text("".join(f"{label.file_name}={label.final_text}\\n" for label in labels))
    return path

def register():
    IMPORTERS.add("album", Album())
    EXPORTERS.add("album", Exporter("an album", 90, write))
"""


@pytest.fixture
def album(plug_in: PlugIn, tmp_path: Path) -> Path:
    plug_in("album_plug_in", ALBUMS)
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.png").write_bytes(png())
    (folder / "album.csv").write_text("a.png=one\nb.png=two\n")
    return folder / "album.csv"


def test_an_importer_of_another_package_is_asked_in_its_place_and_its_rows_come_in(
    ws: Workspace, album: Path, tmp_path: Path
) -> None:
    with open_source(str(album)) as opened:
        assert opened.chosen.importer.name == "album"
    report = import_source(ws, str(album), TASK, "match").as_json()
    assert (report["pairs"], report["labels"]) == (1, 1)
    assert report["skipped"] == [{"row": 2, "file": "b.png", "reason": "b.png is missing."}]
    done = export_labels(ws, tmp_path / "out", TASK, "album")
    assert done.path.read_text().endswith(".png=one\n") and done.path.name == "album.csv"
    assert import_source(ws, str(done.path), TASK).skipped == []


SMELLS = """
from dataclasses import replace
from mmdemo.modality import MODALITIES, Facts

def describe(source, settings):
    data = source if isinstance(source, bytes) else source.read_bytes()
    if data == b"none":
        return {}["no smell"]
    return Facts(".smell")

def register():
    own = {"default_model": "", "model_setting": "", "tab": "", "suffixes": frozenset([".smell"])}
    smell = replace(MODALITIES["image"], name="smell", task="smell-text", describe=describe, **own)
    MODALITIES.add("smell", smell)
"""


def test_a_file_at_which_another_package_fails_is_one_row_that_is_passed_over(
    ws: Workspace, plug_in: PlugIn, tmp_path: Path
) -> None:
    plug_in("smelling_plug_in", SMELLS)
    folder = tmp_path / "smells" / "flower"
    folder.mkdir(parents=True)
    for name, data in (("a", b"rose"), ("b", b"none"), ("c", b"hay")):
        (folder / f"{name}.smell").write_bytes(data)
    report = import_source(ws, str(folder.parent), "smell-text", "match").as_json()
    assert report["items"] == 2
    assert [row["reason"] for row in report["skipped"]] == [
        "b.smell cannot be read: KeyError: 'no smell'. Choose another file."
    ]


def test_the_data_tab_lists_what_another_package_brings(album: Path, make_app: Callable[..., object]) -> None:
    client = TestClient(Starlette(routes=page_routes(make_app("listed", samples=False))))
    told = client.post("/mmdemo/api/data", json={"task": TASK}).json()
    assert "an album's index" in told["kinds"] and told["formats"][:2] == ["album", "jsonl"]


def test_the_command_line_imports_and_exports_by_what_another_package_brings(
    album: Path, tmp_path: Path
) -> None:
    space = ["--workspace", str(tmp_path / "w"), "--json"]
    command = [sys.executable, "-m", "mmdemo", "import", str(album), "--verdict", "match", *space]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0 and json.loads(done.stdout)["pairs"] == 1, done.stderr
    assert main(["export", str(tmp_path / "out"), "--format", "album", *space]) == 0
    assert (tmp_path / "out" / "album.csv").is_file()


def test_a_name_that_is_taken_is_refused_with_those_there_are() -> None:
    with pytest.raises(RegistryError, match=r"importer named 'coco' already.*manifest"):
        IMPORTERS.add("coco", IMPORTERS["coco"])
    with pytest.raises(RegistryError, match=r"export format named 'csv' already.*jsonl"):
        EXPORTERS.add("csv", Exporter("", 0, EXPORTERS["csv"].write))


def test_importers_say_what_they_take() -> None:
    assert all(name == importer.name and importer.about for name, importer in IMPORTERS.items())
    assert next(iter(formats())) == "jsonl" and all(formats().values())


def test_of_uploaded_files_the_one_table_is_the_source_or_else_their_folder(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png())
    assert source_in(tmp_path) == tmp_path
    (tmp_path / "notes.odt").write_text("x")
    (tmp_path / "captions.csv").write_text("file_name,text\na.png,one\n")
    assert source_in(tmp_path) == tmp_path / "captions.csv"
    (tmp_path / "other.jsonl").write_text('{"file_name": "a.png"}\n')
    assert source_in(tmp_path) == tmp_path
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "one").mkdir()
    assert source_in(tmp_path / "folder") == tmp_path / "folder" / "one"


def test_the_rows_of_what_is_on_the_disk_are_counted_beforehand(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("file_name,text\na.png,one\nb.png,two\n")
    with open_source(str(tmp_path / "m.csv")) as opened:
        assert opened.survey().rows == 2
    with open_source("datasets:nobody/nothing") as opened:
        assert opened.survey().rows is None
