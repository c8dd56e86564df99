"""Who goes next where many wait: by role, in turns within one, and never without an end."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmdemo.asker import OWNER, ROLES, Asker, Role, asking
from mmdemo.errors import BusyError
from mmdemo.places import MOST_PASSED, RANKS, Places, Ticket
from mmdemo.ui.turns import AT_ONCE, Turns
from tests.ui.conftest import awaited


def visitor(name: str = "a") -> Asker:
    return Asker("viewer", session=name)


ANNOTATOR = Asker("annotator", session="s", name="Ann")
TRAINER = Asker("trainer", session="t", name="Tom")


class Line:
    """Tickets of one `Places`, and who was woken in which order."""

    def __init__(self, at_once: int, most_waiting: int) -> None:
        self.places = Places(at_once, most_waiting)
        self.woken: list[str] = []

    def ask(self, asker: Asker, name: str = "") -> Ticket:
        return self.places.ask(asker, lambda: self.woken.append(name))


def test_the_owner_and_trainers_go_before_annotators_and_those_before_visitors() -> None:
    line = Line(1, 20)
    first = line.ask(visitor())
    asked = [("visitor", visitor()), ("annotator", ANNOTATOR), ("trainer", TRAINER), ("owner", OWNER)]
    tickets = {name: line.ask(asker, name) for name, asker in asked}
    first.leave()
    for name in ("trainer", "owner", "annotator"):
        tickets[name].leave()
    assert line.woken == ["trainer", "owner", "annotator", "visitor"]


def test_visitors_hold_all_places_but_one_and_the_only_one_where_there_is_no_other() -> None:
    line = Line(3, 20)
    held = [line.ask(visitor(name)) for name in "abc"]
    assert [ticket.state for ticket in held] == ["held", "held", "waiting"]
    assert line.ask(OWNER).state == "held"
    assert Line(1, 0).ask(visitor()).state == "held"
    among_them = Places(2, 0, of_visitors=True)
    assert {among_them.ask(visitor(name), str).state for name in "ab"} == {"held"}


def test_one_visitor_with_many_calls_and_one_with_a_single_call_take_turns() -> None:
    line = Line(2, 80)
    first = line.ask(visitor("greedy"))
    second = line.ask(visitor("greedy"), "greedy")
    for _ in range(29):
        line.ask(visitor("greedy"), "greedy")
    line.ask(visitor("single"), "single")
    first.leave()
    second.leave()
    assert line.woken == ["greedy", "single"]


def test_visitors_fill_half_of_the_room_to_wait_and_annotators_three_quarters_with_them() -> None:
    line = Line(1, 8)
    line.ask(OWNER)
    for asker, share in ((visitor(), 4), (ANNOTATOR, 2), (OWNER, 2)):
        for _ in range(share):
            line.ask(asker)
        with pytest.raises(BusyError, match="busy"):
            line.ask(asker)
    assert line.places.waiting == 8


def test_who_has_most_waiting_makes_room_for_who_has_less() -> None:
    line = Line(1, 8)
    line.ask(OWNER)
    mine = [line.ask(visitor("greedy"), f"greedy {i}") for i in range(4)]
    assert line.ask(visitor("single"), "single").state == "waiting"
    assert line.woken == ["greedy 3"]
    with pytest.raises(BusyError, match="busy"):
        mine[3].require_held()
    line.ask(visitor("another"))
    with pytest.raises(BusyError):
        line.ask(visitor("greedy"))  # two wait of them, and one of each other
    for ticket in mine:
        ticket.leave()
    assert line.places.waiting == 2


def test_who_is_passed_over_too_often_goes_although_others_would_be_before_them() -> None:
    line = Line(1, 400)
    held = line.ask(OWNER)
    line.ask(visitor(), "visitor")
    line.ask(ANNOTATOR, "annotator")
    for _ in range(30):
        following = line.ask(OWNER, "owner")
        held.leave()
        held = following
        if "visitor" in line.woken:
            break
    assert line.woken == ["owner"] * MOST_PASSED + ["annotator"]


def test_alone_at_this_machine_it_is_the_order_of_arrival() -> None:
    line = Line(2, 100)
    tickets = [line.ask(OWNER, str(i)) for i in range(102)]
    with pytest.raises(BusyError):
        line.ask(OWNER)
    for ticket in tickets:
        ticket.leave()
    assert line.woken == [str(i) for i in range(2, 102)]


def test_what_somebody_else_asks_for_too_waits_as_theirs_if_they_go_before() -> None:
    line = Line(1, 20)
    held = line.ask(ANNOTATOR)
    line.ask(visitor("a"), "first")
    second = line.ask(visitor("b"), "second")
    second.also_for(visitor("c"))
    second.also_for(TRAINER)
    second.also_for(ANNOTATOR)
    assert (second.rank, line.places.waiting) == (RANKS["trainer"], 2)
    held.leave()
    second.leave()
    assert line.woken == ["second", "first"]
    among = Line(2, 20)
    among.ask(visitor("a"))
    waits = among.ask(visitor("b"), "b")
    waits.also_for(OWNER)
    assert waits.state == "held" and among.woken == ["b"]


def test_a_message_of_an_agent_of_who_works_here_goes_before_those_of_visitors() -> None:
    async def ask_often() -> list[str]:
        turns, order, hung = Turns(), list[str](), asyncio.Event()

        async def message(asker: Asker, name: str) -> None:
            with asking(asker):
                async with turns.turn():
                    order.append(name)
                    await hung.wait()

        messages = [asyncio.ensure_future(message(visitor(str(i)), "visitor")) for i in range(40)]
        await asyncio.sleep(0)
        messages.append(asyncio.ensure_future(message(OWNER, "owner")))
        while len(order) < AT_ONCE:
            await asyncio.sleep(0)
        hung.set()
        await asyncio.gather(*messages)
        return order[:AT_ONCE]

    assert awaited(ask_often()) == ["visitor"] * (AT_ONCE - 1) + ["owner"]


def test_who_gives_up_while_waiting_or_just_when_let_in_keeps_no_place() -> None:
    places = Places(1, 10)

    async def give_up() -> str:
        held = await places.taken(OWNER)
        waits = [asyncio.ensure_future(places.taken(OWNER)) for _ in range(3)]
        await asyncio.sleep(0)
        waits[0].cancel()
        held.leave()  # the second or the first is let in, and told in the next round of the loop
        waits[1].cancel()
        last = await asyncio.wait_for(waits[2], 5)
        state = str(last.state)
        last.leave()
        return state

    assert awaited(give_up()) == "held"
    assert (places.held, places.waiting) == (0, 0)


@given(st.lists(st.tuples(st.sampled_from(ROLES), st.sampled_from("abc"), st.booleans()), max_size=60))
def test_whatever_comes_and_goes_no_place_is_lost_and_none_is_free_while_somebody_may_have_it(
    steps: list[tuple[Role, str, bool]],
) -> None:
    places, tickets = Places(3, 8), list[Ticket]()
    for role, name, comes in steps:
        if not comes and tickets:
            tickets.pop(len(name + role) % len(tickets)).leave()
        else:
            try:
                tickets.append(places.ask(Asker(role, session=name, name=name), str))
            except BusyError:
                assert places.waiting >= 4
        states = [ticket.state for ticket in tickets]
        held = [ticket for ticket in tickets if ticket.state == "held"]
        assert len(held) == places.held <= 3 and states.count("waiting") == places.waiting
        assert sum(ticket.rank == RANKS["viewer"] for ticket in held) <= 2
        if places.held < 3:
            assert all(t.rank == RANKS["viewer"] for t in tickets if t.state == "waiting")
            assert places.waiting == 0 or places.held >= 2
    for ticket in tickets:
        ticket.leave()
        ticket.leave()
    assert (places.held, places.waiting) == (0, 0)
