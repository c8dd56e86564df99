"""Short links: kept for whoever shares, within a share, and read by their id alone."""

from __future__ import annotations

import pytest

from mmdemo.asker import OWNER, Asker
from mmdemo.errors import UserError
from mmdemo.store import short_links
from mmdemo.store.workspace import Workspace

VISITOR, ANNA = Asker("viewer", session="one"), Asker("annotator", session="two", name="Anna", by="grant 1")


def state(number: int) -> str:
    return f"view=align&text=a+cat+{number}"


def test_a_link_says_what_was_shared_and_sharing_it_again_makes_no_other(ws: Workspace) -> None:
    link = ws.short_links.keep(state(1), ANNA)
    assert short_links.ID.fullmatch(link) and ws.short_links.state(link) == state(1)
    later = Asker("annotator", session="three", name="Anna", by="grant 1")
    assert ws.short_links.keep(state(1), later) == link
    assert ws.short_links.keep(state(1), VISITOR) != link
    for other in (link[:-1], link.swapcase(), f"../{link}", "%", "x" * 16, "", "é" * 16):
        assert ws.short_links.state(other) is None


@pytest.mark.parametrize(
    "odd",
    ["", "x", "view", "A=1", "a=1&a=2", "_theme=dark", "a=%ff", "a=ü", f"text={'x' * short_links.LONGEST}",
     "&".join(f"a{'b' * i}=1" for i in range(31)) + "&" + "&".join(f"c{'b' * i}=1" for i in range(31))],
)  # fmt: skip
def test_what_no_address_says_or_is_too_long_is_refused(ws: Workspace, odd: str) -> None:
    with pytest.raises(UserError):
        ws.short_links.keep(odd, OWNER)


def test_each_has_a_share_and_visitors_have_one_together(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_links, "MOST_OF_ONE", 3)
    monkeypatch.setattr(short_links, "MOST_OF_VISITORS", 4)
    monkeypatch.setattr(short_links, "MOST", 5)
    kept, links = ws.short_links.keep(state(0), OWNER), []
    links = [ws.short_links.keep(state(i), VISITOR) for i in range(5)]
    assert [ws.short_links.state(link) is None for link in links] == [True, True, False, False, False]
    others = [ws.short_links.keep(state(i), Asker("viewer", session=f"s{i}")) for i in range(4)]
    assert all(ws.short_links.state(link) is None for link in links)
    assert all(map(ws.short_links.state, others)) and ws.short_links.state(kept) == state(0)
    for i in range(5):  # who makes many loses their own
        many = ws.short_links.keep(state(i), VISITOR)
    assert [ws.short_links.state(link) is None for link in (*others, many)] == [
        True,
        False,
        False,
        False,
        False,
    ]
    others = others[1:]
    for i in range(3):
        ws.short_links.keep(state(i), ANNA)
    newest = ws.short_links.keep(state(9), ANNA)  # in the place of her own oldest
    ws.short_links.keep(state(1), OWNER)
    last = ws.short_links.keep(state(2), OWNER)  # those who are let in have as many together: an oldest goes
    assert ws.short_links.state(kept) is None and ws.short_links.state(last) == state(2)
    assert ws.short_links.state(newest) == state(9) and all(map(ws.short_links.state, others))


def test_a_stranger_with_many_sessions_pushes_out_no_link_of_another_network(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_links, "MOST_OF_VISITORS", 8)
    ours = [Asker("viewer", session=f"v{i}", address=f"203.0.113.{i}") for i in range(2)]
    links = [ws.short_links.keep(state(i), asker) for asker in ours for i in range(2)]
    for i in range(12):
        last = ws.short_links.keep(state(i), Asker("viewer", session=f"s{i}", address="198.51.100.7"))
    assert all(map(ws.short_links.state, (*links, last)))
