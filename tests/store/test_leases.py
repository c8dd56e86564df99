"""No pair is handed out to more people than its answers are wanted of, by whichever process, and no label is
lost for that.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from mmdemo.settings import Settings
from mmdemo.store import leases
from mmdemo.store.answers import person_of
from mmdemo.store.changes import HIDE, Target
from mmdemo.store.labels import NewLabel
from mmdemo.store.leases import Handed, Screen
from mmdemo.store.tables import now
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png

Open = Callable[..., Workspace]


@pytest.fixture
def open_it(settings: Settings) -> Iterator[Open]:
    """Open the workspace once more, as another process would, which has read nothing of what others keep."""
    opened: list[Workspace] = []

    def open_one(answers: int = 1) -> Workspace:
        opened.append(Workspace(replace(settings, answers=answers)))
        return opened[-1]

    yield open_one
    for ws in opened:
        ws.close()


def add_pairs(ws: Workspace, count: int) -> list[int]:
    item = ws.add_media("image", png(), "square.png", source="here")
    with ws.database.write() as session:
        return [ws.pairs.add(session, TASK, item.id, f"text {i}", source="here")[0].id for i in range(count)]


def at(who: str, screen: str = "one") -> Screen:
    return Screen.of(f"{screen} of {who}", who, None)


def ask(
    ws: Workspace, who: str, order: list[int], count: int = 1, screen: str = "one", **how: object
) -> Handed:
    return ws.leases.take(at(who, screen), TASK, order, count, **how)  # type: ignore[arg-type]


def label(ws: Workspace, who: str, pair: int, verdict: str = "match") -> int:
    return ws.labels.add(pair, NewLabel(verdict, annotator=who))


@pytest.mark.parametrize(("people", "answers", "pairs"), [(50, 1, 50), (6, 3, 12)])
def test_people_who_ask_two_processes_at_once_answer_each_pair_just_as_often_as_is_wanted(
    open_it: Open, people: int, answers: int, pairs: int
) -> None:
    both = open_it(answers), open_it(answers)
    order = add_pairs(both[0], pairs)
    each = pairs * answers // people

    def work(person: int) -> list[int]:
        ws, who, own = both[person % 2], f"person {person}", list(order)
        random.Random(person).shuffle(own)  # each process has an order of its own
        said: list[int] = []
        while len(said) < each and (pair := ask(ws, who, own).pairs):
            label(ws, who, pair[0])
            said += pair
        return said

    with ThreadPoolExecutor(people) as pool:
        said = list(pool.map(work, range(people)))
    assert all(len(one) == len(set(one)) for one in said)
    given = Counter(pair for one in said for pair in one)
    assert max(given.values()) == answers
    if answers == 1:  # else the last ones may have answered all that is left themselves
        assert set(given.values()) == {1} and len(given) == pairs


def test_each_pair_is_answered_by_three_and_by_none_of_them_twice(open_it: Open) -> None:
    ws = open_it(3)
    order = add_pairs(ws, 7)
    said: list[tuple[str, int]] = []
    for who in ("ada", "bob", "cy", "dee"):
        while pairs := ask(ws, who, order, 2).pairs:
            said += [(who, pair) for pair in pairs]
            for pair in pairs:
                label(ws, who, pair)
    assert len(said) == len(set(said)) == 3 * 7
    assert set(Counter(pair for _, pair in said).values()) == {3} and "dee" not in {who for who, _ in said}
    assert ws.pairs.browse(TASK, state="waiting") == []


def test_a_pair_that_two_of_three_have_answered_waits_and_is_lent_to_one(open_it: Open) -> None:
    ws = open_it(3)
    order = add_pairs(ws, 1)
    for who in ("ada", "bob"):
        label(ws, who, order[0])
    assert [view.id for view in ws.pairs.browse(TASK, state="waiting")] == order
    assert ask(ws, "ada", order) == Handed(answered={order[0]})
    assert ask(ws, "cy", order).pairs == order
    assert ask(ws, "dee", order) == Handed(lent=True)
    back = label(ws, "cy", order[0])
    assert ask(ws, "dee", order) == Handed(settled={order[0]})
    ws.labels.undo(back)
    assert ask(ws, "dee", order).pairs == order


def test_what_somebody_leaves_is_had_by_others_and_what_they_keep_is_not(open_it: Open) -> None:
    ws = open_it()
    order = add_pairs(ws, 4)
    assert ask(ws, "ada", order, 3).pairs == order[:3]
    assert ask(ws, "ada", order, 0, held=order[1:3]).pairs == []  # the first was skipped
    assert ask(ws, "bob", order, 4).pairs == [order[0], order[3]]
    ws.leases.leave(at("ada"))
    assert ask(ws, "cy", order, 4).pairs == order[1:3]
    assert ask(ws, "ada", order, 4, held=order) == Handed(lost=order, lent=True)
    label(ws, "cy", order[1])
    assert ask(ws, "cy", order, 4, held=order[1:3]) == Handed(lost=order[1:2], lent=True, settled={order[1]})


def test_a_filter_that_matches_nothing_takes_nothing_from_anybody(open_it: Open) -> None:
    ws = open_it()
    order = add_pairs(ws, 3)
    assert ask(ws, "ada", order, 3).pairs == order
    assert ask(ws, "bob", [], 5) == Handed()
    assert ask(ws, "cy", order, 5) == Handed(lent=True)


def test_the_label_of_somebody_whose_time_is_over_is_stored_and_the_pair_was_had_by_another(
    open_it: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = open_it()
    order = add_pairs(ws, 1)
    assert ask(ws, "ada", order).pairs == order  # whose process is killed
    later = now() + timedelta(seconds=leases.LEASE_S + 1)
    monkeypatch.setattr(leases, "clock", lambda session: later)
    assert ask(open_it(), "bob", order).pairs == order
    given = label(ws, "ada", order[0]), label(ws, "bob", order[0], "mismatch")
    assert [ws.labels.get(one).annotator for one in given] == ["ada", "bob"]  # type: ignore[union-attr]
    assert ws.leases.held(TASK) == {}


def test_a_clock_that_is_set_back_keeps_nothing_from_anybody(
    open_it: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = open_it()
    order = add_pairs(ws, 1)
    assert ask(ws, "ada", order).pairs == order
    monkeypatch.setattr(leases, "clock", lambda session: now() - timedelta(days=1))
    assert ask(ws, "bob", order).pairs == order


def test_what_is_on_another_screen_of_ones_own_comes_last_and_only_to_who_has_a_name(open_it: Open) -> None:
    ws = open_it()
    order = add_pairs(ws, 2)
    assert ask(ws, "ada", order).pairs == order[:1]
    assert ask(ws, "ada", order, screen="two", again=True).pairs == order[1:]
    assert ask(ws, "ada", order, screen="three").pairs == []
    assert ask(ws, "bob", order, again=True) == Handed(lent=True)
    got = ask(ws, "ada", order, 5, screen="three", again=True)
    assert got.pairs == order and ws.leases.held(TASK) == {pair: {person_of("ada", None)} for pair in order}


def test_who_asks_and_never_answers_holds_no_more_than_a_hundred(
    open_it: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "MOST_OF_ONE", 4)
    ws = open_it()
    order = add_pairs(ws, 8)
    for i in range(8):
        assert ask(ws, "script", order, screen=str(i)).pairs
    assert len(ws.leases.held(TASK)) <= 5


def test_hidden_pairs_are_handed_to_nobody_and_shown_to_none_who_looks(open_it: Open) -> None:
    ws = open_it()
    order = add_pairs(ws, 3)
    ws.changes.make(HIDE, Target(pairs=(order[0],)))
    assert ask(ws, "ada", order, 3).pairs == order[1:] == ws.leases.look(order, 3)
