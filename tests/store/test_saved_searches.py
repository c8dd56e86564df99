"""Searches stand under a name for everybody here; whoever saved one, and the owner, may change it."""

from __future__ import annotations

import pytest

from mmdemo.asker import OWNER, Asker
from mmdemo.errors import UserError
from mmdemo.store import saved_searches
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK

VISITOR = Asker("viewer", session="one")
ANNA = Asker("annotator", session="two", name="Anna", by="grant 1")
BEN = Asker("annotator", session="three", name="Ben", by="grant 2")
STATE = "view=search&text=a+red+car&only=unlabelled"


def test_a_search_is_listed_for_all_and_changed_by_whoever_saved_it_and_the_owner(ws: Workspace) -> None:
    kept = ws.saved_searches.keep(TASK, "  red \n cars ", STATE, ANNA)
    assert (kept.name, kept.state, kept.person, kept.own) == ("red cars", STATE, "Anna", True)
    ws.saved_searches.keep(TASK, "Boats", "view=search&text=a+boat", OWNER)
    listed = ws.saved_searches.all(TASK, VISITOR)
    assert [(one.name, one.own) for one in listed] == [("Boats", False), ("red cars", False)]
    assert {one.person for one in listed} == {""}  # no stranger is told who works here
    assert [one.person for one in ws.saved_searches.all(TASK, BEN)] == ["", "Anna"]
    assert ws.saved_searches.all("speech-text", OWNER) == []
    again = Asker("annotator", session="four", name="Anna", by="grant 1")
    assert ws.saved_searches.keep(TASK, "red cars", f"{STATE}&sort=name", again).id == kept.id
    for act in (
        lambda: ws.saved_searches.keep(TASK, "red cars", STATE, BEN),
        lambda: ws.saved_searches.remove(kept.id, BEN),
    ):
        with pytest.raises(UserError, match="Somebody else"):
            act()
    assert ws.saved_searches.remove(kept.id, OWNER) and not ws.saved_searches.remove(kept.id, OWNER)


def test_what_is_no_search_or_has_no_name_is_refused_and_so_is_one_too_many(
    ws: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, state in (
        (" ", STATE),
        ("x" * 121, STATE),
        ("x", "<b>"),
        ("x", ""),
        ("x", f"a={'x' * 30_000}"),
    ):
        with pytest.raises(UserError):
            ws.saved_searches.keep(TASK, name, state, OWNER)
    monkeypatch.setattr(saved_searches, "MOST_OF_ONE", 1)
    ws.saved_searches.keep(TASK, "one of Anna's", STATE, ANNA)
    with pytest.raises(UserError, match="You have saved 1 searches already"):
        ws.saved_searches.keep(TASK, "another of hers", STATE, ANNA)
    ws.saved_searches.keep(TASK, "one of Ben's", STATE, BEN)
    monkeypatch.setattr(saved_searches, "MOST", 3)
    ws.saved_searches.keep(TASK, "one", STATE, OWNER)
    with pytest.raises(UserError, match="3 searches are saved already"):
        ws.saved_searches.keep(TASK, "two", STATE, OWNER)
    monkeypatch.setattr(saved_searches, "MOST", 2)  # as after a restore that brought more
    assert len(ws.saved_searches.all(TASK, OWNER)) == 2
