from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mmdemo.data.exporting import export_labels
from mmdemo.data.importing import NO_LABEL, import_source
from mmdemo.errors import RegistryError, UserError
from mmdemo.label_kinds import LABEL_KINDS, MATCH, UNDO, LabelKind, training_of
from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.service.app import App
from mmdemo.store.items import ITEM_STATES
from mmdemo.store.labels import NewLabel
from mmdemo.store.leases import Screen
from mmdemo.store.pairs import STATES
from mmdemo.store.splits import SPLIT_NAMES
from mmdemo.ui import shell  # noqa: F401  with it every tab's actions
from mmdemo.ui.routes import page_routes
from tests.conftest import TASK, png

PlugIn = Callable[[str, str], Path]
PARTLY = """
from mmdemo.label_kinds import LABEL_KINDS, LabelKind

def register():
    LABEL_KINDS.add("partly", LabelKind("partly", "Partly", "a part fits", ("KeyP",)))
    LABEL_KINDS.add("look-again", LabelKind("look-again", "Look again", "later", ("KeyL",), settles=False))
    LABEL_KINDS.add("exactly", LabelKind("exactly", "Exactly", "to a hair", ("KeyA",), training="positive"))
"""


@pytest.fixture
def client(plug_in: PlugIn, app: App) -> TestClient:
    plug_in("partly_kind", PARTLY)
    return TestClient(Starlette(routes=page_routes(app)))


def say(client: TestClient, pair: int, verdict: str) -> dict[str, object]:
    return client.post("/mmdemo/api/label", json={"pair": pair, "verdict": verdict}).json()


def queue(client: TestClient) -> dict[str, object]:
    return client.post("/mmdemo/api/queue", json={"task": TASK, "count": 1, "holder": "ada"}).json()


def test_a_kind_that_another_package_brings_is_stored_counted_and_filtered(
    client: TestClient, app: App
) -> None:
    app.context.queue.make()  # with all that it proposes, so that none comes between
    first = queue(client)
    pair = first["pairs"][0]["pair"]
    assert say(client, pair, "partly")["saved"] == "disk"
    after = queue(client)
    assert after["pairs"][0]["pair"] != pair
    assert list(after["counts"])[:6] == ["pairs", "match", "mismatch", "unsure", "train", "held_out"]
    assert after["counts"] == first["counts"] | {"partly": 1}
    assert [p.id for p in app.ws.pairs.browse(TASK, state="partly")] == [pair]
    assert app.ws.labels.counts(TASK).labelled == sum(first["counts"][k] for k in LABEL_KINDS) + 1


def test_what_a_kind_means_for_training_decides_and_not_its_name(client: TestClient, app: App) -> None:
    one, two = (p for p in app.ws.pairs.browse(TASK, state="unlabelled")[:2])
    before = take_snapshot(app.ws, TASK)
    say(client, one.id, "partly")
    say(client, two.id, "exactly")
    new = [e for e in take_snapshot(app.ws, TASK).examples if e not in before.examples]
    assert [(e.pair, e.match, e.agreement) for e in new] == [(two.id, True, 1.0)]
    assert two.id in {p.id for p in app.ws.pairs.browse(TASK, training="positive")}
    say(client, two.id, "match")  # the same thing in another word: no disagreement
    (agreed,) = [e for e in take_snapshot(app.ws, TASK).examples if e.pair == two.id]
    assert agreed.agreement == 1.0


def test_a_label_that_settles_nothing_leaves_its_pair_in_the_queue(client: TestClient, app: App) -> None:
    app.context.queue.make()
    pair = queue(client)["pairs"][0]["pair"]
    say(client, pair, "look-again")
    assert queue(client)["pairs"][0]["pair"] != pair  # the others have their turn first
    assert pair in {p.id for p in app.ws.pairs.browse(TASK, state="waiting")}
    app.context.queue.make()
    waiting = app.context.queue.ask(1000, Screen.of("", "ada", None)).pairs
    assert pair in {view.id for view, _ in waiting}


@pytest.mark.slow
@pytest.mark.parametrize("format", ["jsonl", "csv", "datasets", "coco"])
def test_labels_of_such_a_kind_come_back_from_an_export(
    client: TestClient, app: App, tmp_path: Path, format: str, make_app: Callable[..., App]
) -> None:
    pair = app.ws.pairs.browse(TASK, state="unlabelled")[0]
    say(client, pair.id, "partly")
    export_labels(app.ws, tmp_path / "out", TASK, format)
    other = make_app("other", samples=False).ws
    source = tmp_path / "out" / "captions.json" if format == "coco" else tmp_path / "out"
    report = import_source(other, str(source), TASK)
    assert not report.skipped
    assert [(p.item, p.text) for p in other.pairs.browse(TASK, state="partly")] == [(pair.item, pair.text)]


@pytest.mark.slow
def test_the_command_line_knows_such_a_kind(plug_in: PlugIn, tmp_path: Path) -> None:
    plug_in("partly_kind", PARTLY)
    (tmp_path / "a.png").write_bytes(png())
    (tmp_path / "m.csv").write_text("file_name,text\na.png,one\n")
    command = [sys.executable, "-m", "mmdemo", "import", str(tmp_path / "m.csv"), "--verdict", "partly"]
    done = subprocess.run(
        [*command, "--workspace", str(tmp_path / "w"), "--json"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    assert done.returncode == 0 and json.loads(done.stdout)["labels"] == 1, done.stderr


def test_a_label_whose_package_is_gone_is_kept_and_means_nothing(client: TestClient, app: App) -> None:
    pair = app.ws.pairs.browse(TASK, state="unlabelled")[0]
    say(client, pair.id, "exactly")
    LABEL_KINDS.remove("exactly")
    view = app.ws.pairs.get(pair.id)
    assert view is not None and (view.verdict, view.training) == ("exactly", "none")
    assert pair.id not in {p.id for p in app.ws.pairs.browse(TASK, state="waiting")}
    counts = app.ws.labels.counts(TASK)
    assert counts.labelled == sum(counts.of_kind.values()) + 1 and "exactly" not in app.labels.counts(TASK)
    with pytest.raises(UserError, match="no verdict 'exactly'"):
        app.ws.labels.add(pair.id, NewLabel("exactly"))


def test_names_and_keys_that_are_taken_are_refused_with_the_list() -> None:
    with pytest.raises(RegistryError, match=r"named 'match' already.*match, mismatch, unsure"):
        LABEL_KINDS.add("match", LabelKind("match", "M", "m"))
    for key, whose in (("KeyM", "match"), ("KeyZ", "the Label tab")):
        with pytest.raises(RegistryError, match=f"key {key}.*taken by {whose}"):
            LABEL_KINDS.add("new", LabelKind("new", "New", "n", (key,)))
    for name in ("undo", "held_out", "Two words", "x" * 33, ""):
        with pytest.raises(RegistryError):
            LabelKind(name, "T", "t")
    assert "new" not in LABEL_KINDS


def test_no_kind_can_have_the_name_of_a_state_a_side_or_a_count(app: App) -> None:
    counts = set(app.labels.counts("image-text")) - set(LABEL_KINDS)
    for name in counts | {*STATES, *ITEM_STATES, *SPLIT_NAMES.values(), NO_LABEL, UNDO}:
        with pytest.raises(RegistryError):
            LabelKind(name, "T", "t")


def test_what_nobody_said_means_nothing() -> None:
    assert [training_of(v) for v in (None, "", "gone", MATCH.name)] == ["none", "none", "none", "positive"]


def test_no_verdict_is_compared_by_its_word_outside_the_table_of_kinds() -> None:
    import re

    import mmdemo

    root = Path(mmdemo.__file__).parent
    word = re.compile(r"""(==|!=|\bin\b) *[\[{(]?["'](match|mismatch|unsure|undo)\b""")
    found = [
        f"{file.relative_to(root)}: {line.strip()}"
        for file in sorted([*root.rglob("*.py"), *root.rglob("*.js")])
        for line in file.read_text(encoding="utf-8").splitlines()
        if word.search(line)
    ]
    assert found == []
