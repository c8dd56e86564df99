"""Labels are counted at once, the sides that a run would take them on as often as that costs little; what
comes twice is one label, and each takes back their own.
"""

from __future__ import annotations

import pytest

from mmdemo.asker import Asker, asking
from mmdemo.errors import UserError
from mmdemo.labeling.snapshot import FEW, LEAST_MATCHES, take_snapshot
from mmdemo.service import labels
from mmdemo.service.app import App
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.store.labels import NewLabel
from mmdemo.store.splits import HELD_OUT, TRAIN, VALIDATION
from tests.conftest import TASK, labels_of


@pytest.fixture
def app(app_over_each: App, monkeypatch: pytest.MonkeyPatch) -> App:
    """A workspace with the sample collection, indexed, over each database, whose sides are counted at every
    change though other work makes that slow.
    """
    monkeypatch.setattr(labels, "SOON_S", 60.0)
    return app_over_each


def sides(app: App) -> list[int]:
    counts = app.labels.counts(TASK)
    return [counts[side] for side in ("train", "validation", "held_out")]


def label(app: App, count: int) -> None:
    for pair in app.ws.pairs.browse(TASK, state="unlabelled")[:count]:
        app.ws.labels.add(pair.id, NewLabel("match"))


def test_sides_are_those_of_the_snapshot_that_a_run_would_take(app: App) -> None:
    for _ in range(3):
        label(app, 7)
        taken = take_snapshot(app.ws, TASK)
        assert sides(app) == [len(taken.of(side)) for side in (TRAIN, VALIDATION, HELD_OUT)]


def test_what_is_counted_while_labelling_is_what_the_training_data_says_by_meaning(app: App) -> None:
    label(app, 9)
    told = app.training.data(TASK)
    for side, count in zip(("train", "validation", "held_out"), sides(app), strict=True):
        assert told[side]["match"] + told[side]["mismatch"] == count


def test_where_sides_take_long_to_count_labels_are_counted_at_once_all_the_same(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "SOON_S", 0.0)
    monkeypatch.setattr(labels, "COUNTING_SHARE", 1e-9)
    before, known = sides(app), app.labels.counts(TASK)["match"]
    label(app, 5)
    assert app.labels.counts(TASK)["match"] == known + 5 and sides(app) == before
    monkeypatch.setattr(labels, "COUNTING_SHARE", 1e9)
    app.context.counted_sides.clear()
    assert sum(sides(app)) == sum(before) + 5


def ask(app: App, name: str, **values: object) -> dict:
    operation = OPERATIONS.get(name)
    return operation(app, operation.parse(values, "page"))


def first_pair(app: App) -> int:
    return app.ws.pairs.browse(TASK, state="unlabelled")[0].id


def test_a_label_that_comes_again_has_the_same_answer_whatever_has_happened_since(app: App) -> None:
    at = first_pair(app)
    sent = {"pair": at, "verdict": "match", "key": "k", "version": app.ws.versions.active(TASK)}
    receipt, log = ask(app, "label", **sent), app.ws.labels.total()
    assert ask(app, "label", **sent) == receipt
    ask(app, "take_back", of="k", key="u")
    ask(app, "label", pair=at, verdict="mismatch", key="k2")
    assert ask(app, "label", **sent) == receipt and app.ws.labels.total() == log + 2
    assert app.ws.pairs.get(at).verdict == "mismatch"
    answer = {"item": app.ws.pairs.get(at).item, "text": "anything", "verdict": "match", "key": "k3"}
    assert ask(app, "label_result", **answer) == ask(app, "label_result", **answer)


def test_a_label_that_comes_again_after_it_was_taken_back_leaves_the_pair_in_the_queue(app: App) -> None:
    at = int(ask(app, "next_pair")["pair"])
    sent = {"pair": at, "verdict": "match", "key": "k"}
    ask(app, "label", **sent)
    ask(app, "take_back", of="k", key="u")
    ask(app, "label", **sent)
    ask(app, "take_back", of="k", key="u")
    queued = [p["pair"] for p in ask(app, "queue", count=100, holder="api")["pairs"]]
    assert queued.count(at) == 1


def test_a_label_is_taken_back_by_its_key_once_and_one_that_never_arrived_needs_nothing(app: App) -> None:
    at = first_pair(app)
    never = {"label": None, "undone": None, "pair": None}
    assert ask(app, "take_back", of="k", key="u0") == never
    receipt = ask(app, "label", pair=at, verdict="match", key="k")
    back = ask(app, "take_back", of="k", key="u")
    assert back["undone"] == receipt["label"] and back["pair"] == at
    assert ask(app, "take_back", of="k", key="u") == ask(app, "take_back", of="k", key="other") == back
    assert ask(app, "take_back", label=receipt["label"], key="third") == back
    assert [label.verdict for label in labels_of(app.ws, at)] == ["match", "undo"]
    with pytest.raises(UserError, match="No label is named"):
        ask(app, "take_back", key="u")


def test_a_label_that_waited_for_another_workspace_is_refused_by_its_item(app: App) -> None:
    at = app.ws.pairs.get(first_pair(app))
    with pytest.raises(UserError, match=f"The pair {at.id} is not of the item 0000"):
        ask(app, "label", pair=at.id, verdict="match", item="0" * 64)
    assert ask(app, "label", pair=at.id, verdict="match", item=at.item)["pair"] == at.id


def test_an_annotator_takes_back_their_own_labels_and_the_owner_any(app: App) -> None:
    at = first_pair(app)
    ann = Asker("annotator", session="s1", name="Ann")
    phone = Asker("annotator", session="s2", name="Ann")
    ben, nameless, other = (
        Asker("annotator", session=s, name=n) for s, n in (("s3", "Ben"), ("s4", ""), ("s5", ""))
    )

    def label_by(asker: Asker, key: str) -> int:
        with asking(asker):
            sent = {"pair": at, "verdict": "match", "key": key, "origin": "label"}
            return ask(app, "label", **sent, annotator=asker.name or "me")["label"]

    anns, bens, no_ones = label_by(ann, "a"), label_by(ben, "b"), label_by(nameless, "n")
    for asker, own, others in ((phone, anns, bens), (nameless, no_ones, anns), (other, None, no_ones)):
        with asking(asker):
            told = ask(app, "last_labels", annotator="Ben")["labels"]
            assert [label["label"] for label in told] == ([own] if own else [])
            for way in ({"label": others}, {"label": others, "key": "x"}):
                with pytest.raises(UserError, match=f"Label {others} is not yours"):
                    ask(app, "undo", **way)
            if own:
                assert ask(app, "take_back", label=own, key=f"u{own}")["undone"] == own
                assert ask(app, "last_labels")["labels"] == []
    with asking(ben), pytest.raises(UserError, match="is not yours"):
        ask(app, "take_back", of="a")
    assert ask(app, "undo", label=bens)["pair"] == at  # the owner, at this machine
    assert app.ws.pairs.get(at).verdict is None


def test_the_goal_counts_what_can_be_learned_from_and_no_sample(app: App) -> None:
    assert app.labels.progress(TASK)["goal"] == {"have": 0, "need": FEW}
    told = app.training.data(TASK)
    assert told["goal"]["have"] == 0 and told["samples"] == told["held_out"]["match"] > 0
    waiting = app.ws.pairs.browse(TASK, state="unlabelled", limit=500)
    app.labels.add(waiting[0].id, NewLabel("unsure"))
    assert app.labels.progress(TASK)["goal"]["have"] == 0
    to_learn = [p.id for p in waiting[1:] if p.split == TRAIN][:FEW]
    for pair in to_learn:
        app.labels.add(pair, NewLabel("mismatch"))
    goal = app.labels.progress(TASK)["goal"]
    assert goal == {"have": FEW, "need": FEW + LEAST_MATCHES}  # of these alone nothing is learned
    for pair in to_learn[:LEAST_MATCHES]:
        app.labels.add(pair, NewLabel("match"))
    assert app.labels.progress(TASK)["goal"] == {"have": FEW, "need": FEW}


def test_what_the_page_takes_back_it_can_show_again(app: App) -> None:
    at = first_pair(app)
    ask(app, "label", pair=at, verdict="match", text="other words", key="k", origin="label", annotator="me")
    (told,) = ask(app, "last_labels", annotator="me")["labels"]
    assert (told["key"], told["verdict"], told["pair"]["pair"]) == ("k", "match", at)
    assert told["pair"]["text"] == app.ws.pairs.get(at).text
    assert ask(app, "last_labels", annotator="somebody else")["labels"] == []


def test_a_backup_that_is_restored_between_two_reads_is_no_fault(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = app.ws.pairs.browse(TASK, state="unlabelled")[0].id
    with asking(Asker("annotator", "ann's", "Ann")):
        given = app.labels.add(at, NewLabel("match", annotator="Ann", origin="label"))["label"]
        with monkeypatch.context() as restored:
            restored.setattr(app.ws.pairs, "views", lambda ids: [])
            assert app.labels.last(TASK, "", 5) == []
        assert [row["label"] for row in app.labels.last(TASK, "", 5)] == [given]
        with monkeypatch.context() as restored:
            restored.setattr(app.ws.labels, "get", lambda label: None)
            assert app.labels.undo(given)["pair"] == at
    given = app.labels.add(at, NewLabel("match", annotator="Ann", origin="label"))["label"]
    with asking(Asker("annotator", "bob's", "Bob")), monkeypatch.context() as restored:
        restored.setattr(app.ws.labels, "get", lambda label: None)
        with pytest.raises(UserError, match="is not yours"):
            app.labels.undo(given)
