"""What is removed, hidden or edited is so at once: in search, captions, queues, runs and checks, in every
process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mmdemo.asker import Asker, asking
from mmdemo.errors import DataError, UserError
from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.models.aligner import Towers
from mmdemo.retrieval.confirmed import ConfirmedTexts
from mmdemo.retrieval.query import Query
from mmdemo.service.app import App
from mmdemo.service.checking import check
from mmdemo.service.operations.table import ask
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.training.config import TrainSettings
from mmdemo.training.runs import create_run
from tests.conftest import TASK
from tests.service.conftest import over_both

WORDS = "a rocket"


def found(app: App, **query: Any) -> list[str]:
    return [r.item for r in app.media.search(Query(text=WORDS, k=12, everything=True, **query)).results]


@pytest.fixture
def other(app: App, loaded: dict[str, Towers]) -> Any:
    """Another process with the same workspace open: nothing but the disk and the database between them."""
    opened = App(load_settings({}, workspace=app.settings.workspace, device="cpu"), loaded)
    yield opened
    opened.close()


def test_what_is_removed_is_found_by_no_search_in_any_process(app: App, other: App) -> None:
    before = found(app)
    assert found(other) == before
    told = ask(app, "remove", items=before[:1], dry_run=True)
    assert told["items"] == 1 and told["pairs"] and not told["change"] and found(app) == before
    done = ask(app, "remove", items=before[:1])
    assert done["done"] and {k: done[k] for k in ("items", "pairs", "labels")} == {
        k: told[k] for k in ("items", "pairs", "labels")
    }
    for process in (app, other):
        now = found(process)
        assert len(now) == 12 and before[0] not in now and now[:11] == before[1:]
        assert before[0] not in [r.item for r in process.media.search(Query(item=before[1])).results]
        with pytest.raises(UserError, match="removed from the collection"):
            process.media.item(before[0])
    report = check(app.context)
    assert report.faults == [] and report.notes == []


@over_both("app")
def test_what_is_hidden_trains_and_is_shown_nowhere(app: App) -> None:
    before = found(app)
    pair = next(p for p in app.ws.pairs.of_items(TASK, before[:1])[before[0]] if p.is_own)
    label = ask(app, "label", pair=pair.id, verdict="match")["label"]
    assert ask(app, "hide", items=before[:1])["items"] == 1
    assert before[0] not in found(app)
    texts = app.media.search(Query(item=before[1], target="text", k=200, everything=True)).results
    assert pair.text not in [r.text for r in texts]
    aligner = app.models.aligner(TASK)
    vector = aligner.project_text(aligner.text_vectors([pair.text]))[0]
    assert pair.text not in ConfirmedTexts(app.ws, aligner, before[1]).near(vector, 50).nearest
    assert label in {example.label for example in take_snapshot(app.ws, TASK).examples}
    assert before[0] not in {one["item"] for one in ask(app, "samples")["samples"]}
    shown = {one["item"]: one["hidden"] for one in ask(app, "items", state="hidden")["items"]}
    assert shown == {before[0]: True}
    ask(app, "show", items=before[:1])
    assert found(app) == before


def test_a_removed_or_hidden_pair_is_offered_to_nobody(app: App) -> None:
    offered = {one["pair"] for one in app.labels.next_pairs(TASK, 6, "ada")["pairs"]}
    first, second, third = sorted(offered)[:3]
    ask(app, "remove", pairs=[first])
    ask(app, "hide", pairs=[second])
    ask(app, "edit_pair", pair=third, text="something else altogether")
    app.context.queue.make()
    waiting = {w.pair for w in app.context.queue._order}
    assert waiting and not waiting & {first, second, third}
    with pytest.raises(UserError, match=f"The pair {first} was removed"):
        ask(app, "label", pair=first, verdict="match")


def test_an_edit_says_what_becomes_of_the_labels(app: App) -> None:
    pair = app.ws.pairs.browse(TASK, state="unlabelled", limit=1)[0]
    ask(app, "label", pair=pair.id, verdict="match")
    told = ask(app, "edit_pair", pair=pair.id, text="a thing that nobody drew")
    assert (told["was"], told["labels"], told["text"]) == (pair.id, 1, "a thing that nobody drew")
    assert app.ws.pairs.views([told["pair"]])[0].verdict is None
    with pytest.raises(UserError, match="has no span in seconds"):
        ask(app, "edit_pair", pair=told["pair"], start=1.0, end=2.0)
    item = ask(app, "edit_item", item=pair.item, name="thing.jpg")
    assert (item["name"], item["source"]) == ("thing.jpg", "samples")
    edits = [c for c in ask(app, "changes")["changes"] if c["action"] == "edit"]
    assert [c["details"].get("labels") for c in edits] == [None, 1]


def test_what_a_run_learns_from_is_not_taken_away_under_it(app: App) -> None:
    pairs = app.ws.pairs.browse(TASK, state="unlabelled", limit=40)
    for pair in pairs:
        app.ws.labels.add(pair.id, NewLabel("match"))
    run = create_run(app.ws, TASK, "head", TrainSettings(), "ask")
    used = next(e.pair for e in take_snapshot(app.ws, TASK).examples)
    for name, values in (("remove", {"pairs": [used]}), ("edit_pair", {"pair": used, "text": "other"})):
        with pytest.raises(DataError, match=f"The run {run} learns from it"):
            ask(app, name, **values)
    app.ws.runs.update(run, status="stopped")
    ask(app, "remove", pairs=[used])
    with pytest.raises(UserError, match=f"1 of the pairs that {run} learned from were removed"):
        app.context.jobs.resume(run)


def test_nothing_named_is_refused_and_too_much_too(app: App) -> None:
    for name in ("remove", "hide", "show"):
        with pytest.raises(UserError, match="Nothing is named"):
            ask(app, name)
        with pytest.raises(UserError, match="501 entries, over the limit of 500"):
            ask(app, name, pairs=list(range(1, 502)))
    with pytest.raises(UserError, match="Nothing is to be changed"):
        ask(app, "edit_item", item="0" * 64)


def test_removed_samples_stay_away(app: App, make_app: Callable[..., App]) -> None:
    (samples,) = ask(app, "imports", task="video-text")["imports"]
    assert (samples["name"], samples["items"] > 3) == ("samples", True)
    assert ask(app, "remove", import_id=samples["id"])["done"]
    again = App(app.settings)
    assert again.ws.items.count("video") == 0 and ask(again, "imports", task="video-text")["imports"] == []
    again.close()


def test_a_change_bears_the_name_of_who_signed_in(app: App) -> None:
    with asking(Asker("owner", session="one", name="Ada")):
        ask(app, "hide", pairs=[app.ws.pairs.browse(TASK, limit=1)[0].id])
    assert ask(app, "changes", limit=1)["changes"][0]["person"] == "Ada"
