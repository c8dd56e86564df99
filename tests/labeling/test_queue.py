from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mmdemo.asker import Asker, asking
from mmdemo.label_kinds import LABEL_KINDS, LabelKind
from mmdemo.labeling.queue import Asked
from mmdemo.service.app import App
from mmdemo.store.labels import NewLabel
from mmdemo.store.leases import Screen
from tests.conftest import TASK


def at(who: str) -> Screen:
    return Screen.of(f"screen of {who}", who, None)


def test_a_labelled_pair_never_comes_again_and_an_undone_one_comes_next(app: App) -> None:
    app.context.queue.make()
    (first, _), (second, _) = app.context.queue.ask(2, at("ada")).pairs
    receipt = app.labels.add(first.id, NewLabel("match"))
    assert app.context.queue.ask(1, at("ada")).pairs[0][0].id == second.id
    app.labels.undo(receipt["label"])
    assert app.context.queue.ask(1, at("ada")).pairs[0][0].id == first.id


@pytest.fixture
def later() -> Iterator[str]:
    """A kind of label after which a pair's turn is still to come."""
    LABEL_KINDS.add("later", LabelKind("later", "Later", "somebody looks again", settles=False))
    yield "later"
    LABEL_KINDS.remove("later")


def test_what_is_said_while_an_order_is_made_holds_in_it(
    app: App, later: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = app.context.queue
    queue.make()
    undone, again, passed, settled = (view.id for view, _ in queue.ask(4, at("ada")).pairs)
    before = app.labels.add(undone, NewLabel("match"))["label"]
    order = queue._ranking.order

    def slowly(*of: Any) -> Any:
        made = order(*of)  # of the pairs as they were before all this
        monkeypatch.undo()
        app.labels.undo(before)
        app.labels.undo(app.labels.add(again, NewLabel("mismatch"))["label"])
        app.labels.add(passed, NewLabel(later))
        app.labels.add(settled, NewLabel("match"))
        return made

    monkeypatch.setattr(queue._ranking, "order", slowly)
    queue.make()
    pairs = [waiting.pair for waiting in queue.waiting()]
    assert pairs[:2] == [again, undone] and pairs[-1] == passed and settled not in pairs
    assert len(pairs) == len(set(pairs))


def test_an_undone_pair_comes_first_and_one_that_is_passed_on_last_in_later_orders_too(
    app: App, later: str
) -> None:
    queue = app.context.queue
    queue.make()
    pair = queue.ask(1, at("ada")).pairs[0][0].id
    app.labels.undo(app.labels.add(pair, NewLabel("match"))["label"])
    queue.make()
    queue.make()
    assert queue.ask(1, at("ada")).pairs[0][0].id == pair
    app.labels.add(pair, NewLabel(later))
    queue.make()
    queue.make()
    assert list(queue.waiting())[-1].pair == pair


def test_a_label_and_its_undo_reach_the_queue_in_their_order(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, labels, undone = app.context.queue, app.labels, threading.Event()
    queue.make()
    pair = queue.ask(1, at("ada")).pairs[0][0].id
    labelled = queue.labelled

    def late(*of: Any) -> None:
        undoing.start()
        undone.wait(0.3)  # the undo comes to the queue first, or has to wait for the label
        labelled(*of)

    def undo() -> None:
        labels.undo(app.ws.labels.sent_as("k").id)  # type: ignore[union-attr]
        undone.set()

    undoing = threading.Thread(target=undo)
    monkeypatch.setattr(queue, "labelled", late)
    labels.add(pair, NewLabel("match", key="k"))
    undoing.join()
    assert queue.ask(1, at("ada")).pairs[0][0].id == pair


def test_what_an_order_is_wanted_for_while_one_is_made_is_in_the_next(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, both = app.context.queue, threading.Event()
    queue.make()
    wanted: list[int] = []

    def order(unlabelled: Any, proposals: int) -> Any:
        wanted.append(proposals)
        if len(wanted) == 1:
            queue.ask(1, at("ada"), mismatches=True)
        else:
            both.set()
        return [], queue._made_for[0]  # type: ignore[index]

    monkeypatch.setattr(queue._ranking, "order", order)
    queue.request()
    assert both.wait(30) and wanted[:2] == [12, 60]


def test_two_people_never_get_the_same_pair(app: App) -> None:
    app.context.queue.make()
    ada, bob = ({v.id for v, _ in app.context.queue.ask(20, at(who)).pairs} for who in ("ada", "bob"))
    assert len(ada) == len(bob) == 20 and not ada & bob


def test_two_who_ask_at_the_same_moment_are_looked_up_beside_each_other_and_get_different_pairs(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, both = app.context.queue, threading.Barrier(2)
    queue.make()
    views = app.ws.pairs.views

    def together(*pairs: Any) -> Any:
        both.wait(30)  # neither waits for the other, or this breaks
        return views(*pairs)

    monkeypatch.setattr(app.ws.pairs, "views", together)
    with ThreadPoolExecutor(2) as pool:
        ada, bob = (
            {v.id for v, _ in got}
            for got in pool.map(lambda who: queue.ask(20, at(who)).pairs, ("ada", "bob"))
        )
    assert len(ada) == len(bob) == 20 and not ada & bob


def test_what_is_on_a_screen_is_nobody_elses_until_it_is_left(app: App) -> None:
    queue = app.context.queue
    queue.make()
    ada = {v.id for v, _ in queue.ask(len(queue._order) - 10, at("ada")).pairs}
    bob = {v.id for v, _ in queue.ask(20, at("bob")).pairs}
    assert len(bob) == 10 and not ada & bob
    assert queue.ask(20, at("cy")) == Asked([], lent=True)
    assert {v.id for v, _ in queue.ask(10, at("bob")).pairs} == bob  # on whose screen they still are
    app.ws.leases.leave(at("ada"))
    assert {v.id for v, _ in queue.ask(1000, at("cy")).pairs} == ada


def test_who_asks_by_api_and_is_handed_nothing_is_told_that_others_have_what_is_left(app: App) -> None:
    app.context.queue.make()
    app.context.queue.ask(1000, at("ada"))
    told = app.labels.next_pair(TASK, annotator="bob")
    assert told["pair"] is None and "on the screens of others" in told["reason"]
    app.ws.leases.leave(at("ada"))
    got = [app.labels.next_pair(TASK)["pair"] for _ in range(5)]  # of nobody who has a name
    assert None not in got and len(set(got)) == 5


def test_a_batch_at_the_end_of_the_queue_is_found_without_looking_at_all_before_it(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, item = app.context.queue, app.ws.items.listed("image")[0]
    with app.ws.database.write() as session:
        late, _ = app.ws.pairs.add(session, TASK, item.id, "A late one.", source="late", split="train")
        wanted = late.id
    queue.make()
    queue._order.sort(key=lambda waiting: waiting.pair == wanted)
    looked: list[int] = []
    views = app.ws.pairs.views
    monkeypatch.setattr(app.ws.pairs, "views", lambda ids: looked.extend(ids) or views(ids))  # type: ignore[func-returns-value]
    assert [v.id for v, _ in queue.ask(5, at("ada"), batch="late").pairs] == [wanted]
    assert looked == [wanted]


def whys(app: App, count: int, **how: bool) -> list[str]:
    return [why for _, why in app.context.queue.ask(count, at("ada"), **how).pairs]


def label_train(app: App, count: int) -> None:
    train = [p for p in app.ws.pairs.browse(TASK, state="unlabelled") if p.split == "train"]
    for pair in train[:count]:
        app.ws.labels.add(pair.id, NewLabel("match"))


def test_up_to_a_hundred_and_fifty_labels_the_order_is_random_and_proposals_are_few(app: App) -> None:
    label_train(app, 149)  # besides those of the samples, which are held out and taught nothing
    app.context.queue.make()
    found = whys(app, 40)
    assert found.count("hard-negative") == 2 and found.count("random") == 38
    pairs = [view.id for view, _ in app.context.queue.ask(40, at("ada")).pairs]
    assert pairs != sorted(pairs)


def test_after_that_the_least_decided_come_first_and_every_fifth_is_random(app: App) -> None:
    label_train(app, 150)
    app.context.queue.make()
    found = whys(app, 40)
    assert found.count("hard-negative") == 2 and 6 <= found.count("random") <= 8
    assert found.count("undecided") == 40 - 2 - found.count("random")


def test_no_pair_is_in_the_queue_twice(app: App) -> None:
    label_train(app, 150)
    app.context.queue.make()
    pairs = [view.id for view, _ in app.context.queue.ask(1000, at("ada")).pairs]
    assert len(pairs) == len(set(pairs)) >= len(app.ws.pairs.browse(TASK, state="waiting"))


def test_who_checks_mismatches_gets_proposals_first(app: App) -> None:
    queue = app.context.queue
    queue.make()
    assert set(whys(app, 5, mismatches=True)) == {"hard-negative"}
    queue.make()  # as is done behind the page once somebody checks
    found = whys(app, 60, mismatches=True)
    assert found.count("hard-negative") > 12 and found == sorted(found, key="hard-negative".__ne__)
    app.ws.leases.leave(at("ada"))
    asked = app.labels.next_pair(TASK, "", "ada", True)
    assert app.ws.pairs.get(asked["pair"]).source == "hard-negative"  # type: ignore[union-attr]


def test_a_proposal_joins_a_picture_with_anothers_text_on_the_same_side(app: App) -> None:
    app.context.queue.make()
    for pair, why in app.context.queue.ask(60, at("ada")).pairs:
        if why == "hard-negative":
            own = [p.text for p in app.ws.pairs.browse(TASK, item=pair.item) if p.source != "hard-negative"]
            assert pair.text not in own and pair.split == "train"


def test_the_first_pairs_are_those_the_model_is_least_decided_on(app: App) -> None:
    import numpy as np

    label_train(app, 150)
    app.context.queue.make()
    pairs = [p for p in app.ws.pairs.browse(TASK, state="unlabelled") if p.source != "hard-negative"]
    _, margin = app.context.queue._ranking._margins(pairs, app.models.aligner(TASK))
    doubt = dict(zip([p.id for p in pairs], np.abs(margin), strict=True))
    first = [doubt[v.id] for v, why in app.context.queue.ask(20, at("ada")).pairs if why == "undecided"]
    assert np.mean(first) < np.mean(list(doubt.values())) / 2


def test_there_is_a_queue_before_the_model_is_loaded(make_app: Callable[..., App]) -> None:
    app = make_app("cold")
    app.models._towers = {}
    app.models.towers = lambda preset: (_ for _ in ()).throw(AssertionError("the queue must not wait"))  # type: ignore[method-assign]
    assert len(app.context.queue.ask(10, at("ada")).pairs) == 10


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
    first = queue.ask(8).pairs
    assert (wrong.id, "misheard") in [(view.id, why) for view, why in first]


def test_an_order_that_is_begun_as_the_workspace_closes_is_not_made(make_app: Callable[..., App]) -> None:
    app = make_app("closing")
    queue = app.context.queue_of(TASK)
    queue.make()
    made, queue._order = queue._order, []
    app.close()
    queue.make()  # by a thread that was started before
    assert made and queue._order == []


def test_who_only_looks_keeps_no_pair_from_who_labels_and_sees_those_of_others(app: App) -> None:
    def asked(who: str) -> list[int]:
        told = app.labels.next_pairs(TASK, 20, f"screen of {who}", who, mismatches=True)
        return [p["pair"] for p in told["pairs"]]

    app.context.queue.make()
    with asking(Asker("viewer", "a visitor")):
        seen, one = asked("ada"), app.labels.next_pair(TASK, annotator="ada")["pair"]
    assert not app.ws.leases.held(TASK)
    with asking(Asker("annotator", "bob's")):
        mine = asked("bob")
    assert mine == seen and one is not None
    with asking(Asker("viewer", "a visitor")):
        assert asked("ada") == mine and set(app.ws.leases.held(TASK)) == set(mine)
