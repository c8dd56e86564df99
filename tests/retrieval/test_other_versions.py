"""A search by a version that is not active answers by it, costs no more than it may, and leaves the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmdemo.asker import Asker, asking
from mmdemo.command_line import main
from mmdemo.errors import UserError
from mmdemo.models.protocols import Task
from mmdemo.retrieval import other_versions
from mmdemo.retrieval.embed import feature_file, version_file
from mmdemo.retrieval.query import Query
from mmdemo.retrieval.results import Results
from mmdemo.service.app import App
from mmdemo.service.operations.table import ask
from mmdemo.store.labels import NewLabel
from mmdemo.store.tables import Version
from tests.conftest import TASK, drawing, png
from tests.service.test_video import write_features
from tests.tuned import add_tuned

OTHER_BASE = "efficientnet-lite0-minilm"
VISITOR = Asker("viewer", "a visitor")
ASKED = {"image-text": "a red apple", "speech-text": "public transport", "video-text": "a harp"}


def found_by(app: App, task: Task, version: str = "", text: str = "") -> Results:
    return app.media.search(Query(text=text or ASKED[task], k=5, everything=True), task, version)


def mapped(app: App, version: str) -> bool:
    """Whether this process has the vectors of a version mapped."""
    name = str(app.ws.folder / "vectors" / f"version-{version}.f32")
    return name in Path("/proc/self/maps").read_text(encoding="utf-8")


@pytest.fixture
def few(make_app: Callable[..., App]) -> App:
    """Three pictures, and no samples."""
    app = make_app("few", samples=False)
    for name in ("apple", "banana", "acorn"):
        app.ws.add_media("image", drawing(name), f"{name}.jpg", source="here")
    return app


@pytest.mark.parametrize("task", list(ASKED))
def test_each_kind_of_media_is_searched_by_the_version_that_was_chosen(heard_app: App, task: Task) -> None:
    app = heard_app
    for number, item in enumerate(app.ws.items.listed("video")):
        write_features(app, item, number)
    before = found_by(app, task)
    served = app.context.keeper_of(task).serving()
    version = add_tuned(app, task)
    found = found_by(app, task, version)
    assert found.version == version and before.version == app.ws.versions.active(task) != version
    of_it = app.models.aligner(task, version)
    query = of_it.encode_text([ASKED[task]])[0]
    near = {r.item: r.score for r in found.results}
    if task != "video-text":  # whose score is that of a moment
        ids = list(near)
        own = version_file(app.ws, of_it).get(ids) @ query
        assert own == pytest.approx([near[i] for i in ids], abs=1e-4)
    assert [r.score for r in found.results] != pytest.approx([r.score for r in before.results], abs=1e-3)
    assert app.context.keeper_of(task).serving() is served
    assert found_by(app, task) == before


def test_probabilities_are_those_of_the_version_and_what_people_ticked_moves_its_answers(app: App) -> None:
    base = app.models.aligner(TASK).calibration
    version = add_tuned(app, TASK, own=base)
    doubtful = add_tuned(app, TASK, "doubtful", replace(base, bias=base.bias - 3.0))
    likely, unlikely = (
        {r.item: r.probability for r in found_by(app, TASK, v).results if not r.found_by}
        for v in (version, doubtful)
    )
    both = likely.keys() & unlikely.keys()
    assert both and all(unlikely[i] < likely[i] for i in both)  # type: ignore[operator]
    first = found_by(app, TASK, version).results[-1]
    app.labels.add_on(first.item, ASKED[TASK], NewLabel("match"))
    after = found_by(app, TASK, version)
    assert after.ticked == 1 and after.version == version
    assert next(r for r in after.results if r.item == first.item).score > first.score


def test_a_picture_is_searched_by_in_the_space_of_the_version(app: App, tmp_path: Path) -> None:
    version = add_tuned(app, TASK)
    item = app.ws.items.ids("image")[0]
    likes = ask(app, "search", item=item, version=version)
    assert likes["model"] == version and item not in {r["item"] for r in likes["results"]}
    brought = tmp_path / "red.png"
    brought.write_bytes(png())
    assert ask(app, "search", file=brought, version=version)["model"] == version
    texts = ask(app, "search", file=brought, version=version, target="text", everything=True)
    assert texts["model"] == version and texts["results"]


def test_what_comes_or_goes_is_followed(few: App) -> None:
    few.context.keeper.update()
    version = add_tuned(few, TASK)
    assert len(found_by(few, TASK, version).results) == 3
    item = few.ws.add_media("image", png(), "red.png", source="here")
    few.context.keeper.update()
    assert item.id in {r.item for r in found_by(few, TASK, version).results}
    ask(few, "remove", items=[item.id])
    assert item.id not in {r.item for r in found_by(few, TASK, version).results}


def test_few_versions_are_kept_and_the_files_of_the_others_are_closed(
    few: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(other_versions, "KEPT", 2)
    few.context.keeper.update()
    versions = [add_tuned(few, TASK, f"tuned-{i}") for i in range(3)]
    for version in versions:
        assert found_by(few, TASK, version).version == version
    assert [mapped(few, v) for v in versions] == [False, True, True]
    assert mapped(few, few.ws.versions.active(TASK))
    assert found_by(few, TASK, versions[0]).version == versions[0]
    assert [mapped(few, v) for v in versions] == [True, False, True]
    few.versions.remove(versions[2])
    assert found_by(few, TASK, versions[1]).version == versions[1]
    assert [mapped(few, v) for v in versions] == [True, True, False]


def test_a_version_that_has_not_read_the_collection_says_so_to_visitors_and_is_read_for_who_trains(
    few: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    few.context.keeper.update()
    few.ws.versions.add_base(TASK, OTHER_BASE, OTHER_BASE)
    with asking(VISITOR), pytest.raises(UserError, match=r"has read 0 of the 3 pictures here so far") as said:
        found_by(few, TASK, OTHER_BASE)
    assert "ask a trainer" in said.value.cure
    assert few.ws.vector_rows(f"{OTHER_BASE}-features") == 0
    go = threading.Event()
    read = other_versions.VersionKeeper.read

    def held(*given: object) -> int:
        assert go.wait(60)
        return read(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(other_versions.VersionKeeper, "read", held)
    monkeypatch.setattr(other_versions, "WAITED_S", 0.0)
    with pytest.raises(UserError, match="0 of the 3 pictures") as said:
        found_by(few, TASK, OTHER_BASE)
    assert "search again in a while" in said.value.cure
    go.set()
    monkeypatch.setattr(other_versions, "WAITED_S", 60.0)
    assert found_by(few, TASK, OTHER_BASE).version == OTHER_BASE
    with asking(VISITOR):
        assert found_by(few, TASK, OTHER_BASE).version == OTHER_BASE
    assert few.context.keeper.serving().version == few.ws.versions.active(TASK)


def test_what_nothing_can_be_made_of_does_not_keep_a_version_from_answering(few: App) -> None:
    few.context.keeper.update()
    gone = few.ws.items.ids("image")[0]
    few.ws.media_path(few.ws.items.get(gone)).unlink()  # type: ignore[arg-type]
    few.ws.versions.add_base(TASK, OTHER_BASE, OTHER_BASE)
    found = found_by(few, TASK, OTHER_BASE)
    assert len(found.results) == 2 and found.stale_share == pytest.approx(1 / 3)


def test_a_visitor_has_so_many_rows_carried_over_and_no_more(
    few: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    few.context.keeper.update()
    version = add_tuned(few, TASK)
    monkeypatch.setattr(other_versions, "CARRIED", 2)
    with asking(VISITOR), pytest.raises(UserError, match="tuned-1"):
        found_by(few, TASK, version)
    assert few.ws.vector_rows(f"version-{version}") == 0
    assert found_by(few, TASK, version).version == version
    with asking(VISITOR):
        assert found_by(few, TASK, version).version == version


def test_a_visitor_has_no_more_frames_of_videos_carried_over_than_rows(
    heard_app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, made = heard_app, []
    for number, item in enumerate(app.ws.items.listed("video")):
        write_features(app, item, number)
    app.context.keeper_of("video-text").update()
    version = add_tuned(app, "video-text")
    aligner = app.models.aligner("video-text", version)
    project = aligner.frame_vectors  # type: ignore[attr-defined]
    monkeypatch.setattr(aligner, "frame_vectors", lambda found: made.append(1) or project(found))
    monkeypatch.setattr(other_versions, "CARRIED", len(app.ws.items.ids("video")))  # a frame of each at most
    with asking(VISITOR), pytest.raises(UserError, match="tuned-1"):
        found_by(app, "video-text", version)
    assert not made
    assert found_by(app, "video-text", version).version == version and made
    with asking(VISITOR):
        assert found_by(app, "video-text", version).version == version


def test_towers_that_leave_the_memory_are_not_held(few: App) -> None:
    few.context.keeper.update()
    few.ws.versions.add_base(TASK, OTHER_BASE, OTHER_BASE)
    found_by(few, TASK, OTHER_BASE)
    others = few.context.once("other versions", lambda: None)
    (kept,) = others._kept.values()
    few.models._let_go_of(kept.keeper.towers)
    assert not others._kept


def test_a_version_answers_though_the_active_one_is_none_that_can_be_loaded(few: App) -> None:
    few.context.keeper.update()
    version = add_tuned(few, TASK)
    few.ws.named_models.begin([few.ws.versions.active(TASK)])
    few.ws.versions.add(Version(id="theirs", task=TASK, base="dual:them/theirs"))  # as a backup brings it
    few.ws.versions.activate("theirs")
    with pytest.raises(UserError, match="theirs stands on dual:them/theirs, a model that a backup names"):
        few.models.aligner(TASK)
    assert found_by(few, TASK, version).version == version


def test_an_unknown_version_and_one_of_another_task_are_refused(few: App) -> None:
    version = add_tuned(few, TASK)
    with pytest.raises(UserError, match="nope"):
        found_by(few, TASK, "nope")
    with pytest.raises(UserError, match="is a version of image-text"):
        found_by(few, "speech-text", version)


def test_the_version_before_is_not_what_answers_for_one_that_was_just_activated(few: App) -> None:
    base = few.context.keeper.update().version
    version = add_tuned(few, TASK)
    few.ws.versions.activate(version)  # as another process does
    assert found_by(few, TASK, version).version == version
    assert found_by(few, TASK, base).version == base


@pytest.mark.slow
def test_the_command_line_searches_by_a_version_and_reads_what_that_takes(
    few: App, capsys: pytest.CaptureFixture[str]
) -> None:
    few.ws.versions.add_base(TASK, OTHER_BASE, OTHER_BASE)
    folder = str(few.ws.folder)
    few.close()
    assert main(["search", "a red apple", "--version", OTHER_BASE, "--workspace", folder]) == 0
    assert f'"model": "{OTHER_BASE}"' in capsys.readouterr().out
    assert main(["search", "a red apple", "--version", "nope", "--workspace", folder]) == 2
    assert "nope" in capsys.readouterr().err


def test_vectors_of_features_are_those_that_an_activation_makes(few: App) -> None:
    version = add_tuned(few, TASK)
    found_by(few, TASK, version)
    aligner = few.models.aligner(TASK, version)
    ids = few.ws.items.ids("image")
    own = aligner.project_media(feature_file(few.ws, aligner.towers).get(ids))
    assert np.allclose(version_file(few.ws, aligner).get(ids), own)
