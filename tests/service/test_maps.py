"""The map of the collection: every item that answers may show has a place, and visitors may look."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from mmdemo.asker import Asker, asking
from mmdemo.errors import UserError
from mmdemo.retrieval.maps import keeper
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.service.operations.maps import PARTS
from mmdemo.service.operations.table import ask
from tests.conftest import TASK, png

VISITOR = Asker("viewer")


@pytest.fixture
def mapped(app: App, monkeypatch: pytest.MonkeyPatch) -> App:
    """The sample collection with its map. How points are laid out has tests of its own."""
    monkeypatch.setattr("mmdemo.retrieval.maps.making.laid_out", lambda vectors, start, stop: vectors[:, :2])
    made_now(app)
    return app


def made_now(app: App) -> None:
    app.maps.look(TASK, "", wait=True)


def ids_of(answer: dict[str, Any]) -> list[str]:
    packed = base64.b64decode(answer["points"]["ids"])
    return [packed[i : i + 32].hex() for i in range(0, len(packed), 32)]


def test_each_item_that_answers_may_show_has_a_place_with_its_answer_source_and_score(mapped: App) -> None:
    pair = next(p for p in mapped.ws.pairs.browse(TASK, state="unlabelled") if p.is_own)
    ask(mapped, "label", pair=pair.id, verdict="mismatch")
    words = "a musical instrument"
    told = ask(mapped, "map", query=words, limit=5000)
    assert told["state"] == "ready" and told["items"] == told["total"] == len(told["points"])
    points = {point["item"]: point for point in told["points"]}
    assert set(points) == set(mapped.ws.items.ids("image"))
    assert all(0 <= point[axis] <= 1 for point in points.values() for axis in ("x", "y"))
    assert points[pair.item]["answer"] == "mismatch" and points[pair.item]["source"] == "samples"
    found = mapped.media.search(Query(text=words, k=5, everything=True)).results
    assert [points[r.item]["score"] for r in found] == pytest.approx([r.probability for r in found], abs=1e-4)
    assert sum(group["items"] for group in told["groups"]) == told["total"]
    assert ask(mapped, "map", limit=3, offset=2)["points"][0]["item"] == told["points"][2]["item"]


def test_the_page_is_sent_the_points_once_and_then_what_has_changed(mapped: App) -> None:
    first = ask(mapped, "map_points")
    assert len(ids_of(first)) == first["items"] == first["points"]["count"]
    again = ask(mapped, "map_points", known=first["token"])
    assert again["points"] is None and again["answers"] == first["answers"]
    pair = next(p for p in mapped.ws.pairs.browse(TASK, state="unlabelled") if p.is_own)
    ask(mapped, "label", pair=pair.id, verdict="match")
    labelled = ask(mapped, "map_points", known=first["token"])
    assert labelled["points"] is None and labelled["answers"] != first["answers"]


def test_whoever_asks_for_the_points_is_sent_the_same_ones(mapped: App) -> None:
    first = ask(mapped, "map_points")["points"]
    pair = next(p for p in mapped.ws.pairs.browse(TASK, state="unlabelled") if p.is_own)
    ask(mapped, "label", pair=pair.id, verdict="match")
    with asking(VISITOR):
        assert ask(mapped, "map_points")["points"] is first


def test_what_is_hidden_removed_or_brought_by_a_visitor_is_on_no_map(mapped: App) -> None:
    before = ask(mapped, "map_points")
    hidden, removed = ids_of(before)[:2]
    own = mapped.ws.add_media("image", png((1, 200, 3)), "mine.png", source="upload", listed=False)
    ask(mapped, "hide", items=[hidden])
    ask(mapped, "remove", items=[removed])
    made_now(mapped)
    after = ask(mapped, "map_points", known=before["token"])
    assert {hidden, removed, own.id}.isdisjoint(ids_of(after)) and len(ids_of(after)) == before["items"] - 2
    assert ask(mapped, "map_items", items=[hidden, own.id]) == {"items": []}
    assert ask(mapped, "map_near", items=[hidden]) == {"model": before["model"], "items": []}


def test_the_words_of_what_is_hidden_or_removed_name_no_group_from_then_on(
    mapped: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper.Maps, "begin", lambda self, *key: None)  # it is not named anew yet
    for does in ("hide", "remove"):
        name = next(g["name"] for g in ask(mapped, "map")["groups"] if g["name"])
        pairs = mapped.ws.pairs.browse(TASK, contains=name, shown=True, limit=1000)
        ask(mapped, does, items=list({p.item for p in pairs}))
        assert not any(g["name"] for g in ask(mapped, "map_points")["points"]["named"])
        made_now(mapped)
        assert name not in {g["name"] for g in ask(mapped, "map")["groups"]}


def test_a_map_is_whole_though_an_item_cannot_be_read_and_not_whole_though_as_many_came_as_went(
    mapped: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (mapped.ws.add_media("image", png((9, i, 3)), f"{i}.png", source="x") for i in (1, 2))
    with monkeypatch.context() as patch:
        patch.setattr("mmdemo.retrieval.embed.project_items", lambda *_: None)  # neither is read
        made_now(mapped)
    assert ask(mapped, "map_points")["state"] == "ready"
    ask(mapped, "remove", items=[first.id])
    mapped.ws.add_media("image", png((9, 3, 3)), "3.png", source="x")
    assert mapped.context.once("maps", lambda: None).is_wanted(
        TASK, mapped.ws.versions.active(TASK), mapped.ws.items.count("image"), False
    )
    assert second.listed


def test_scores_come_a_byte_a_point_and_words_that_the_model_does_not_know_are_told(mapped: App) -> None:
    told = ask(mapped, "map_scores", query="the moon")
    parts = np.frombuffer(base64.b64decode(told["scores"]), np.uint8)
    points = ask(mapped, "map", query="the moon", limit=5000)["points"]
    assert told["measured"] and not told["note"]
    assert np.abs(parts / PARTS - [point["score"] for point in points]).max() < 1 / PARTS
    unknown = ask(mapped, "map_scores", query="一只狮子在草地上")
    assert not unknown["measured"] and "English" in unknown["note"]
    with pytest.raises(UserError, match="no text to look for"):
        ask(mapped, "map_scores", query=" ")


def test_the_most_alike_are_those_that_a_search_by_the_item_finds(mapped: App) -> None:
    item = ids_of(ask(mapped, "map_points"))[0]
    near = ask(mapped, "map_near", items=[item], k=5)["items"]
    likes = mapped.media.search(Query(item=item, k=5)).results
    assert [one["item"] for one in near] == [r.item for r in likes]


def test_visitors_look_and_have_the_active_versions_map_made_but_no_other(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, str]] = []
    monkeypatch.setattr(keeper.Maps, "begin", lambda self, *key: begun.append(key))
    with asking(VISITOR):
        assert ask(app, "map_points")["points"] is None
        assert begun == [(TASK, app.ws.versions.active(TASK))]
        app.ws.versions.add_base(TASK, "other", app.settings.model)
        with pytest.raises(UserError, match="The map of other is not made yet"):
            ask(app, "map_points", version="other")
    assert len(begun) == 1


def test_a_map_that_was_stopped_stays_so_until_somebody_asks_again(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper.Maps, "begin", lambda self, *key: self.make(*key, lambda: True))
    assert ask(app, "map_points")["state"] == "stopped"
    stopped = ask(app, "map_points")
    assert (
        stopped["state"] == "stopped" and stopped["points"]["count"] == stopped["items"]
    )  # its first places
    monkeypatch.setattr("mmdemo.retrieval.maps.making.laid_out", lambda vectors, start, stop: vectors[:, :2])
    monkeypatch.setattr(keeper.Maps, "begin", lambda self, *key: (self._stopped.clear(), self.make(*key)))
    ask(app, "stop_map")
    with asking(VISITOR):  # a visitor's wish does not undo that
        assert ask(app, "map_points", again=True)["state"] == "stopped"
    assert ask(app, "map_points", again=True)["state"] == "ready"


def test_of_a_collection_that_was_emptied_no_map_is_left(mapped: App) -> None:
    kept = list((mapped.ws.made.folder / "maps" / TASK).iterdir())
    mapped.context.sweep()
    assert kept and all(path.exists() for path in kept)
    ask(mapped, "remove", items=mapped.ws.items.ids("image"))
    mapped.context.sweep()
    assert not any(path.exists() for path in kept)


def test_an_empty_collection_has_an_empty_map(make_app: Any) -> None:
    app = make_app(samples=False)
    assert ask(app, "map_points")["state"] == "empty" and ask(app, "map")["points"] == []
