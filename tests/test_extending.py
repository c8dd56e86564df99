"""One package adds to nine of the tables of CONTRIBUTING.md, by one `register`, and each is used."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mmdemo.command_line import main
from mmdemo.modality import TASKS
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.settings import ASSETS
from mmdemo.ui.routes import page_routes
from mmdemo.ui.shell import build_page
from mmdemo.ui.tabs.table import tabs
from tests.conftest import drawing

PACKAGE = '''
from dataclasses import replace

from mmdemo.data.exporters.base import EXPORTERS, Exporter
from mmdemo.data.importers.base import IMPORTERS
from mmdemo.data.rows import file_row
from mmdemo.label_kinds import LABEL_KINDS, LabelKind
from mmdemo.modality import MODALITIES
from mmdemo.models.presets import LOADERS, PRESETS, Loader
from mmdemo.service.app import App
from mmdemo.service.operations.requests import Answer, NothingRequest
from mmdemo.service.operations.table import operation
from mmdemo.ui.tabs.table import TABS, Tab


class Album:
    name, about, order = "album", "an album's index", 450

    def accepts(self, path):
        return path.name == "album.csv"

    def rows(self, path):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            name, text = line.split("=")
            yield file_row(number, path.parent, name, text=text)


def write(out, labels):
    lines = (f"{label.file_name}={label.final_text}={label.verdict}\\n" for label in labels)
    (out / "album.csv").write_text("".join(lines))
    return out / "album.csv"


class LabelsAnswer(Answer):
    """How many labels there are."""

    labels: int


def count_all(app: App, request: NothingRequest) -> LabelsAnswer:
    """Count every label."""
    return LabelsAnswer(labels=app.ws.labels.total())


USED = []


def build():
    import gradio

    gradio.Markdown("Albums are drawn here.")


def register():
    from mmdemo.models.load import load_towers
    from mmdemo.training.losses import LOSSES, InfoNCE

    class Counted(InfoNCE):
        def forward(self, batch, scale, bias):
            USED.append(len(batch.match))
            return super().forward(batch, scale, bias)

    base = PRESETS["efficientnet-lite0-devise"]

    def load(preset, settings):
        towers, device = load_towers(base, settings)
        towers.media.id = preset.media_features
        return towers, device

    LOADERS.add("mine", Loader("mine", "image-text", load))
    PRESETS.add("my-model", replace(base, id="my-model", loader="mine"))
    here = replace(base, id="my-prints", task="print-text", loader="prints")
    LOADERS.add("prints", replace(LOADERS["mine"], name="prints", task="print-text"))
    PRESETS.add("my-prints", here)
    own = {"default_model": "my-prints", "model_setting": "", "tab": ""}
    picture = MODALITIES["image"]
    MODALITIES.add("print", replace(picture, name="print", task="print-text", **own))
    operation("count_all", role="viewer", public=True, quick=True)(count_all)
    LABEL_KINDS.add("surely", LabelKind("surely", "Surely", "no doubt", ("KeyY",), training="positive"))
    LOSSES.add("counted", Counted)
    IMPORTERS.add("album", Album())
    EXPORTERS.add("album", Exporter("an album", 90, write))
    TABS.add("albums", Tab("Albums", 150, build))
'''


@pytest.fixture
def package(plug_in: Callable[[str, str], Path]) -> None:
    plug_in("everything_added", PACKAGE)


def album(folder: Path, pictures: list[Path]) -> Path:
    """A folder of pictures with an index of them."""
    folder.mkdir()
    for path in pictures:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "album.csv").write_text("".join(f"{p.name}={p.stem.replace('_', ' ')}\n" for p in pictures))
    return folder


@pytest.mark.usefixtures("package")
def test_a_package_adds_to_each_table_and_what_it_adds_is_used_like_what_ships(
    make_app: Callable[..., App],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import everything_added  # type: ignore[import-not-found]

    pictures = sorted(drawing("x").parent.glob("*.jpg"))
    folder, more = album(tmp_path / "album", pictures[:40]), album(tmp_path / "prints", pictures[40:80])
    monkeypatch.setenv("MMDEMO_SAMPLES", "0")  # for the command line
    app = make_app("all", samples=False)
    known = {"task": "image-text"}
    brought = ask(app, "import", path=str(folder / "album.csv"), verdict="surely", **known)
    assert (brought["pairs"], brought["labels"]) == (40, 40)
    assert ask(app, "label_counts", **known)["surely"] == 40
    assert ask(app, "count_all") == {"labels": 40}
    client = TestClient(Starlette(routes=page_routes(app)))
    assert client.post("/mmdemo/api/count_all", json={}).json() == {"labels": 40}
    assert main(["count-all", "--json", "--workspace", str(app.settings.workspace)]) == 0
    assert json.loads(capsys.readouterr().out) == {"labels": 40}
    done = ask(app, "train", method="head", loss="counted", epochs=1, **known)
    assert done["status"] == "done" and everything_added.USED
    app.versions.choose_model("image-text", "my-model")
    scores = ask(app, "align", item=app.ws.items.listed("image")[0].id, texts=["a boy"], **known)
    assert scores["model"] == "my-model"
    out = ask(app, "export", out=str(tmp_path / "out"), format="album", **known)
    assert out["labels"] == 40 and "=surely\n" in Path(out["path"]).read_text()
    drawn = str(build_page(app).get_config_file()["components"])
    assert "Albums are drawn here." in drawn and {"albums", "print-text"} <= set(tabs())

    prints = {"task": "print-text"}
    assert TASKS["print-text"] == "print"
    assert ask(app, "import", path=str(more / "album.csv"), verdict="match", **prints)["labels"] == 40
    app.context.keeper_of("print-text").update()
    one = app.ws.items.listed("print")[0]
    said = ask(app, "align", item=one.id, texts=["a boy", "a car"], **prints)
    assert said["model"] == "my-prints" and len(said["scores"]) == 2
    assert ask(app, "search", query=one.name, k=3, everything=True, **prints)["results"]
    trained = ask(app, "train", method="head", epochs=1, **prints)
    assert trained["status"] == "done", trained
    assert len(ask(app, "versions", **prints)["versions"]) == 2


def test_contributing_says_of_each_thing_that_can_be_added_which_one_file_it_is() -> None:
    guide = (ASSETS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"(?m)^\| an? ([a-z ]+) \| (.+) \| [^|]+ \|$", guide))
    for what in ("model", "modality", "operation", "label kind", "loss", "importer", "exporter", "tab"):
        assert re.search(r"file|row|function|class|`[A-Z_]+\.add", rows[what]), what
    tables = re.findall(r"`((?:[a-z_]+/)*[a-z_]+\.(?:py|csv))`", guide)
    package = ASSETS.parent / "mmdemo"
    found = [t for t in tables if not (package / t).is_file() and not (ASSETS.parent / t).is_file()]
    assert found == []
