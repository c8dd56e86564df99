"""One package adds to ten tables of CONTRIBUTING.md, by one `register`, and each is used like what ships."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
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
from tests import checkpoints
from tests.conftest import drawing, png

ON_PICTURES, ON_PRINTS = {"task": "image-text"}, {"task": "print-text"}

PACKAGE = '''
from dataclasses import replace

from mmdemo.data.exporters.base import EXPORTERS, Exporter
from mmdemo.data.importers.base import IMPORTERS, NOT_MINE, Recognition
from mmdemo.label_kinds import LABEL_KINDS, LabelKind
from mmdemo.modality import MODALITIES
from mmdemo.models.presets import LOADERS, PRESETS, Loader
from mmdemo.service.app import App
from mmdemo.service.operations.requests import Answer, NothingRequest
from mmdemo.service.operations.table import operation
from mmdemo.ui.tabs.table import TABS, Tab


class Album:
    name, about = "album", "an album's index"

    def recognise(self, source):
        return Recognition(0.9, "It is an album.") if source.path.name == "album.csv" else NOT_MINE

    def rows(self, source):
        for number, line in enumerate(source.read_text(source.path).splitlines(), 1):
            name, text = line.split("=")
            yield source.row(number, name, text=text)


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
    from mmdemo.models.captioning.transformers import FAMILIES
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
    FAMILIES.add("scribe", FAMILIES["git"])
    IMPORTERS.add("album", Album())
    EXPORTERS.add("album", Exporter("an album", 90, write))
    TABS.add("albums", Tab("Albums", 150, build))
'''


@pytest.fixture
def package(plug_in: Callable[[str, str], Path]) -> None:
    plug_in("everything_added", PACKAGE)


def album(folder: Path, count: int = 8) -> Path:
    """A folder of drawings with an index of them."""
    pictures = sorted(drawing("x").parent.glob("*.jpg"))[:count]
    folder.mkdir()
    for path in pictures:
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "album.csv").write_text("".join(f"{p.name}={p.stem.replace('_', ' ')}\n" for p in pictures))
    return folder / "album.csv"


@pytest.fixture
def empty(package: None, make_app: Callable[..., App]) -> App:
    """A workspace without samples."""
    return make_app("empty", samples=False)


def test_an_importer_reads_what_none_of_ours_does(empty: App, tmp_path: Path) -> None:
    brought = ask(empty, "import", path=str(album(tmp_path / "album")), **ON_PICTURES)
    assert (brought["pairs"], brought["labels"]) == (8, 0)
    first = min(path.stem for path in (tmp_path / "album").glob("*.jpg"))
    assert first.replace("_", " ") in {p.text for p in empty.ws.pairs.browse("image-text")}


def test_a_label_kind_is_said_of_pairs_counted_and_learned_from(empty: App, tmp_path: Path) -> None:
    ask(empty, "import", path=str(album(tmp_path / "album")), verdict="surely", **ON_PICTURES)
    assert ask(empty, "label_counts", **ON_PICTURES)["surely"] == 8
    assert len(empty.ws.pairs.browse("image-text", training="positive")) == 8


def test_an_operation_is_asked_by_the_page_and_by_the_command_line(
    empty: App, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMDEMO_SAMPLES", "0")  # for the command line
    assert ask(empty, "count_all") == {"labels": 0}
    client = TestClient(Starlette(routes=page_routes(empty)))
    assert client.post("/mmdemo/api/count_all", json={}).json() == {"labels": 0}
    assert main(["count-all", "--json", "--workspace", str(empty.settings.workspace)]) == 0
    assert json.loads(capsys.readouterr().out) == {"labels": 0}


def test_a_loss_is_learned_by(empty: App, tmp_path: Path) -> None:
    import everything_added  # type: ignore[import-not-found]

    everything_added.USED.clear()
    ask(empty, "import", path=str(album(tmp_path / "album", 40)), verdict="match", **ON_PICTURES)
    done = ask(empty, "train", method="head", loss="counted", epochs=1, **ON_PICTURES)
    assert done["status"] == "done" and everything_added.USED


def test_a_model_and_a_way_to_load_it_answer(empty: App, tmp_path: Path) -> None:
    empty.versions.choose_model("image-text", "my-model")
    (tmp_path / "red.png").write_bytes(png())
    item = empty.media.keep(tmp_path / "red.png")
    scores = ask(empty, "align", item=item.id, texts=["a boy"], **ON_PICTURES)
    assert scores["model"] == "my-model" and len(scores["scores"]) == 1


def test_an_exporter_writes_what_none_of_ours_does(empty: App, tmp_path: Path) -> None:
    ask(empty, "import", path=str(album(tmp_path / "album")), verdict="match", **ON_PICTURES)
    out = ask(empty, "export", out=str(tmp_path / "out"), format="album", **ON_PICTURES)
    assert out["labels"] == 8 and Path(out["path"]).read_text().count("=match\n") == 8


def test_a_tab_is_drawn(empty: App) -> None:
    drawn = str(build_page(empty).get_config_file()["components"])
    assert "Albums are drawn here." in drawn and {"albums", "print-text"} <= set(tabs())


@pytest.mark.slow
def test_a_modality_is_imported_aligned_searched_and_trained_on(empty: App, tmp_path: Path) -> None:
    assert TASKS["print-text"] == "print"
    brought = ask(empty, "import", path=str(album(tmp_path / "prints", 40)), verdict="match", **ON_PRINTS)
    assert brought["labels"] == 40
    empty.context.keeper_of("print-text").update()
    one = empty.ws.items.listed("print")[0]
    said = ask(empty, "align", item=one.id, texts=["a boy", "a car"], **ON_PRINTS)
    assert said["model"] == "my-prints" and len(said["scores"]) == 2
    assert ask(empty, "search", query=one.name, k=3, everything=True, **ON_PRINTS)["results"]
    trained = ask(empty, "train", method="head", epochs=1, **ON_PRINTS)
    assert trained["status"] == "done", trained
    assert len(ask(empty, "versions", **ON_PRINTS)["versions"]) == 2


@pytest.fixture
def scribe(tmp_path: Path) -> Iterator[Path]:
    """A checkpoint of an architecture that the package has brought to transformers: GIT by another name."""
    from transformers import AutoConfig, AutoModelForImageTextToText, GitConfig, GitForCausalLM

    class ScribeConfig(GitConfig):  # type: ignore[misc]
        model_type = "scribe"

    class ScribeForCausalLM(GitForCausalLM):  # type: ignore[misc]
        config_class = ScribeConfig

    AutoConfig.register("scribe", ScribeConfig, exist_ok=True)
    AutoModelForImageTextToText.register(ScribeConfig, ScribeForCausalLM, exist_ok=True)
    folder = checkpoints.save_git(tmp_path / "scribe")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "scribe"}))
    yield folder


def test_a_family_of_captioners_writes(empty: App, scribe: Path, tmp_path: Path) -> None:
    from mmdemo.models.captioning.transformers import HubCaptioner
    from mmdemo.models.device import decide_compute

    empty.versions.choose_model("captioning", f"captioner:{scribe}")
    item = empty.media.keep(drawing("tiger"))
    written = [c["text"] for c in empty.caption(item)["captions"] if c["source"] == "written"]
    git = HubCaptioner(str(checkpoints.save_git(tmp_path / "git")), decide_compute("cpu"))
    assert written == [git.caption([empty.pictures.picture(item)])]


def guide_rows() -> list[tuple[str, str, str]]:
    """What can be added, what to write, and where its table is, of CONTRIBUTING.md."""
    guide = (ASSETS.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    rows = re.findall(r"(?m)^\| an? ([a-z ]+) \| (.+) \| ([^|]*) \|$", guide)
    assert {"model", "modality", "operation", "label kind", "loss", "importer", "exporter", "tab"} <= {
        what for what, _, _ in rows
    }
    return rows


@pytest.mark.parametrize(("what", "write", "where"), guide_rows(), ids=lambda text: text[:30])
def test_the_guide_names_files_that_are_there_and_the_tables_in_them(
    what: str, write: str, where: str
) -> None:
    package = ASSETS.parent / "mmdemo"
    named = re.findall(r"`((?:[a-z_]+/)*[a-z_]+(?:/|\.py|\.csv))`", f"{write} {where}")
    assert named and [name for name in named if not (package / name).exists()] == []
    code = "".join((package / name).read_text(encoding="utf-8") for name in named if name.endswith(".py"))
    for table in re.findall(r"([A-Z]+(?:_[A-Z]+)*)\.add", write):
        assert re.search(rf"(?m)^{table}(:| =)", code), table
    for decorator in re.findall(r"`@(\w+)`", write):
        assert re.search(rf"(?m)^def {decorator}\(", code), decorator
