from __future__ import annotations

from collections.abc import Callable

from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from tests.conftest import TASK


def test_a_labelled_pair_never_comes_again_and_an_undone_one_comes_next(app: App) -> None:
    app.context.queue.make()
    (first, _), (second, _) = app.context.queue.next(2, "ada")
    receipt = app.labels.add(first.id, NewLabel("match"))
    assert app.context.queue.next(1, "ada")[0][0].id == second.id
    app.labels.undo(receipt["label"])
    assert app.context.queue.next(1, "ada")[0][0].id == first.id


def test_two_people_never_get_the_same_pair(app: App) -> None:
    app.context.queue.make()
    ada, bob = ({v.id for v, _ in app.context.queue.next(20, who)} for who in ("ada", "bob"))
    assert len(ada) == len(bob) == 20 and not ada & bob


def test_the_queue_mixes_what_teaches_with_random_pairs_and_proposals(app: App) -> None:
    app.context.queue.make()
    whys = [why for _, why in app.context.queue.next(50, "ada")]
    assert whys.count("hard-negative") == whys.count("random") == 10 and whys.count("undecided") == 30


def test_a_proposal_joins_a_picture_with_anothers_text_on_the_same_side(app: App) -> None:
    app.context.queue.make()
    for pair, why in app.context.queue.next(60, "ada"):
        if why == "hard-negative":
            own = [p.text for p in app.ws.pairs.browse(TASK, item=pair.item) if p.source != "hard-negative"]
            assert pair.text not in own and pair.split == "train"


def test_the_first_pairs_are_those_the_model_is_least_decided_on(app: App) -> None:
    import numpy as np

    app.context.queue.make()
    pairs = [p for p in app.ws.pairs.browse(TASK, state="unlabelled") if p.source != "hard-negative"]
    _, margin = app.context.queue._margins(pairs, app.models.aligner(TASK))
    doubt = dict(zip([p.id for p in pairs], np.abs(margin), strict=True))
    first = [doubt[v.id] for v, why in app.context.queue.next(40, "ada") if why == "undecided"]
    assert np.mean(first) < np.mean(list(doubt.values())) / 2


def test_there_is_a_queue_before_the_model_is_loaded(make_app: Callable[..., App]) -> None:
    app = make_app("cold")
    app.models._towers = {}
    app.models.towers = lambda preset: (_ for _ in ()).throw(AssertionError("the queue must not wait"))  # type: ignore[method-assign]
    assert len(app.context.queue.next(10, "ada")) == 10


def test_an_empty_queue_says_what_to_do(make_app: Callable[..., App]) -> None:
    answer = make_app("empty", samples=False).labels.next_pair(TASK)
    assert answer["pair"] is None and "Import" in answer["reason"]


def test_recordings_that_the_recogniser_hears_otherwise_come_early(app: App) -> None:
    task = "speech-text"
    app.context.keeper_of(task).update()
    item = app.ws.items.listed("audio")[1]
    with app.ws.database.write() as session:
        wrong, _ = app.ws.pairs.add(session, task, item.id, "Zebras yodel.", source="x", split="train")
    queue = app.context.queue_of(task)
    queue.make()
    first = queue.next(8)
    assert (wrong.id, "misheard") in [(view.id, why) for view, why in first]
