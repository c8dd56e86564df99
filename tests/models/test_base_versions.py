"""A base is a version too: workspaces that were made with the base of before keep it and stay usable.

workspace_of_conse.zip is the backup of one, written when `efficientnet-lite0-minilm` was the default: sixteen
drawings with their titles, twelve of them for training, and a head of hidden 4 tuned on those for three
epochs, activated by a person.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from assets.build_devise import fit_devise
from mmdemo.evaluation.evaluate import evaluate_workspace
from mmdemo.media.image import decode_image
from mmdemo.media.reading import READING
from mmdemo.models.encoders.devise import load_devise
from mmdemo.models.encoders.efficientnet_minilm import load_class_vectors
from mmdemo.models.presets import PRESETS
from mmdemo.retrieval.embed import feature_file
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.settings import ASSETS
from mmdemo.store.workspace import Workspace
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests.conftest import TASK, execute_run

OLD, NEW = "efficientnet-lite0-minilm", "efficientnet-lite0-devise"
TUNED = "tuned-20261125-140956-9c04"
ARCHIVE = Path(__file__).parent / "workspace_of_conse.zip"


@pytest.fixture
def old(make_app: Callable[..., App], tmp_path: Path) -> App:
    """The workspace of before, opened by the code of now."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path / "old")
    # its drawings are read as they were then: their vectors are of the reading of now
    (tmp_path / "old" / "vectors" / "reading.json").write_text(json.dumps({"reading": READING}))
    return make_app("old", samples=False)


def rows_of(app: App, name: str) -> int:
    return len(app.ws.vectors(f"{name}-features", 1664, np.float16))


def test_an_old_workspace_answers_by_its_tuned_version_and_from_the_vectors_it_has(old: App) -> None:
    assert old.ws.versions.active(TASK) == TUNED
    old.context.keeper.update()
    found = old.context.searcher.search(Query(text="a red apple", k=3))
    assert found.version == TUNED
    assert [r.name for r in found.results] == ["green_pear.jpg", "little_boy_atomic_bomb.jpg", "mascot.jpg"]
    assert [r.score for r in found.results] == pytest.approx([0.1201, 0.1196, 0.1557], abs=2e-3)
    assert rows_of(old, OLD) == 16 and rows_of(old, NEW) == 0  # nothing was embedded anew


def test_the_old_base_is_measured_by_its_own_vectors(old: App) -> None:
    found = evaluate_workspace(old.ws, old.models.aligner(TASK, OLD)).as_json()
    assert found["text_to_media"]["R@1"] == 50.0 and found["media_to_text"]["mAP"] == 75.0


def test_an_old_workspace_is_offered_the_new_base_and_its_vectors_never_mix(old: App) -> None:
    listed = {v["id"]: v["active"] for v in old.versions.listed(TASK)["versions"]}
    assert listed == {OLD: False, TUNED: True, NEW: False}
    old.versions.activate(NEW)
    assert old.context.keeper.wait(60) and old.context.keeper.serving().version == NEW
    assert rows_of(old, OLD) == 16 == rows_of(old, NEW)
    of_old, of_new = (feature_file(old.ws, old.models.aligner(TASK, v).towers) for v in (TUNED, NEW))
    ids = of_old.keys()
    before, now = of_old.get(ids), of_new.get(ids)
    assert np.abs(before[:, 384:] - now[:, 384:]).max() < 0.02  # what the network sees is the same
    assert (before[:, :384] * now[:, :384]).sum(1).max() < 0.99  # what becomes of it is not
    old.versions.activate(TUNED)
    assert old.context.keeper.wait(60) and rows_of(old, OLD) == 16


def test_what_is_trained_next_stands_on_the_version_that_is_active(old: App) -> None:
    for parent, base in ((TUNED, OLD), (NEW, NEW)):
        old.ws.versions.activate(parent)
        run = create_run(old.ws, TASK, "head", TrainSettings(epochs=1, hidden=4), "ask")
        done = execute_run(old, run)
        assert done.version_id and old.ws.versions.get(done.version_id).base == base
        assert old.models.aligner(TASK, done.version_id).towers.version == base


def test_a_base_that_somebody_names_replaces_one_that_nobody_chose_and_auto_replaces_none(
    ws: Workspace,
) -> None:
    other = "another-task"  # in which nothing is active yet
    ws.versions.ensure_base(other, "a", "a", asked=False)
    ws.versions.ensure_base(other, "b", "b", asked=False)
    assert ws.versions.active(other) == "a" and [v.id for v in ws.versions.of_task(other)] == ["a", "b"]
    ws.versions.ensure_base(other, "c", "c")
    assert ws.versions.active(other) == "c"
    ws.versions.ensure_base(other, "a", "a", asked=False)
    assert ws.versions.active(other) == "c"
    ws.versions.activate("b", "ada")
    ws.versions.ensure_base(other, "c", "c")
    assert ws.versions.active(other) == "b"  # as a person chose it


def test_a_new_workspace_begins_with_the_new_base(app: App) -> None:
    assert app.ws.versions.active(TASK) == app.settings.model == NEW
    assert rows_of(app, NEW) and not rows_of(app, OLD)


@pytest.mark.parametrize("preset", [p.id for p in PRESETS.values() if p.devise])
def test_the_map_that_ships_is_that_of_the_weights_in_the_wheel(preset: str, app: App) -> None:
    tower = app.models.towers(preset).media
    shipped = load_devise(PRESETS[preset].media_tower)
    fitted = fit_devise(tower.classifier, torch.from_numpy(load_class_vectors().vectors))
    torch.testing.assert_close(shipped.weight, fitted, rtol=0, atol=2e-4)


def test_the_vector_is_half_conse_and_half_devise(app: App) -> None:
    picture = [decode_image(ASSETS / "photos" / "chelsea.jpg")]
    conse = app.models.towers(OLD).media.encode(picture)
    both = app.models.towers(NEW).media.encode(picture)
    mapped = load_devise("tf_efficientnet_lite0").vectors(torch.from_numpy(conse[:, 384:])).numpy()
    total = conse[:, :384] + mapped
    np.testing.assert_allclose(both[:, :384], total / np.linalg.norm(total), atol=1e-5)
    np.testing.assert_array_equal(both[:, 384:], conse[:, 384:])
    assert app.models.towers(OLD).text is app.models.towers(NEW).text
