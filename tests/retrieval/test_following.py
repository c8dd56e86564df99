"""A page answers by the version that is active, whoever activated it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mmdemo.retrieval import serving
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from tests.conftest import TASK
from tests.training.test_training import label_samples, run


def found_by(app: App) -> str:
    return app.media.search(Query(text="a red apple", k=3), TASK).version


def test_a_promotion_by_another_process_is_followed(
    app: App, make_app: Callable[..., App], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, other = app, make_app(workspace=app.ws.folder)
    monkeypatch.setattr(serving, "FOLLOWED_EVERY_S", 0.0)
    base = page.settings.model
    assert found_by(page) == base
    label_samples(other, 20)
    done = run(other, "ask", epochs=2)
    assert done.version_id and found_by(page) == base
    other.ws.versions.activate(done.version_id)  # the page is told nothing
    assert found_by(page) == base and page.context.keeper.wait(60)  # the one before answers meanwhile
    assert found_by(page) == done.version_id
    other.ws.versions.activate(base)
    assert page.context.keeper.status.active == base and page.context.keeper.wait(60)
    assert found_by(page) == base


@pytest.mark.slow
def test_the_first_search_after_an_activation_answers_by_the_version_that_was_activated(
    app: App,
) -> None:
    base = found_by(app)
    label_samples(app, 20)
    done = run(app, "ask", epochs=2)
    for version in (str(done.version_id), base) * 3:
        app.versions.activate(version)
        assert found_by(app) == version


def test_a_version_that_cannot_be_served_is_tried_once(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    assert found_by(app) == app.settings.model
    label_samples(app, 20)
    done = run(app, "ask", epochs=2)
    (app.ws.version_folder(str(done.version_id)) / "head.safetensors").write_bytes(b"")
    app.ws.versions.activate(str(done.version_id))
    tried: list[int] = []
    update = app.context.keeper.update
    monkeypatch.setattr(app.context.keeper, "update", lambda: (tried.append(1), update())[1])
    for _ in range(3):
        assert app.context.keeper.status.version == app.settings.model
        assert app.context.keeper.wait(60)
    assert tried == [1]
