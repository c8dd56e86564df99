"""A pair has the verdict that most people gave, and everybody's label stays their own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from mmdemo.labeling.snapshot import take_snapshot
from mmdemo.settings import Settings
from mmdemo.store.answers import consensus
from mmdemo.store.labels import NewLabel
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, labels_of, png


@pytest.fixture
def pair(ws: Workspace) -> int:
    item = ws.add_media("image", png(), "square.png", source="here")
    with ws.database.write() as session:
        return ws.pairs.add(session, TASK, item.id, "a red square", source="here", split="train")[0].id


def say(ws: Workspace, pair: int, who: str, verdict: str, text: str = "") -> int:
    return ws.labels.add(pair, NewLabel(verdict, annotator=who, text=text))


def test_what_most_people_say_is_in_force_and_nobodys_label_takes_anothers_place(
    ws: Workspace, pair: int
) -> None:
    ada, bob = say(ws, pair, "ada", "match"), say(ws, pair, "bob", "match", "a square")
    assert say(ws, pair, "cy", "mismatch") and ws.pairs.get(pair).label == bob
    assert ws.labels.counts(TASK).of_kind == {"match": 1, "mismatch": 0, "unsure": 0}
    assert ws.labels.opinions(TASK) == {pair: {"match": 2, "mismatch": 1}}
    (example,) = take_snapshot(ws, TASK).examples
    assert (example.label, example.match, example.text) == (bob, True, "a square")
    ws.labels.undo(bob)
    assert ws.pairs.get(pair).verdict == "mismatch"  # of as many, the last word
    assert [row.id for row in labels_of(ws, pair)][:2] == [ada, bob]


def test_ones_own_later_word_takes_the_place_of_the_one_before(ws: Workspace, pair: int) -> None:
    for who, verdict in (("ada", "match"), ("bob", "match"), ("cy", "match")):
        say(ws, pair, who, verdict)
    last = say(ws, pair, "ada", "mismatch")
    assert ws.pairs.get(pair).verdict == "match"
    say(ws, pair, "bob", "mismatch")
    assert ws.pairs.get(pair).verdict == "mismatch" and ws.pairs.get(pair).label > last
    assert ws.labels.opinions(TASK) == {pair: {"match": 1, "mismatch": 2}}


def test_people_without_a_name_are_told_apart_by_their_sessions(ws: Workspace, pair: int) -> None:
    for session in ("a" * 64, "b" * 64):
        ws.labels.add(pair, NewLabel("match", session=session))
    say(ws, pair, "", "mismatch")
    assert ws.pairs.get(pair).verdict == "match"
    assert ws.labels.opinions(TASK) == {pair: {"match": 2, "mismatch": 1}}


def test_whoever_is_unsure_votes_no_answer_down(ws: Workspace, pair: int) -> None:
    for who in ("ada", "bob"):
        say(ws, pair, who, "unsure")
    assert ws.pairs.get(pair).verdict == "unsure"
    answer = say(ws, pair, "cy", "match")
    assert ws.pairs.get(pair).label == answer and len(take_snapshot(ws, TASK).examples) == 1
    say(ws, pair, "dan", "unsure")
    assert ws.pairs.get(pair).label == answer
    ws.labels.undo(answer)
    assert ws.pairs.get(pair).verdict == "unsure"


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["match", "mismatch", "unsure"]))))
def test_the_verdict_in_force_has_as_many_people_as_any(said: list[tuple[str, str]]) -> None:
    labels = [(number, verdict, who) for number, (who, verdict) in enumerate(said, 1)]
    found = consensus(labels)
    last = {who: (number, verdict) for number, verdict, who in labels}
    of_kind = Counter(verdict for _, verdict in last.values())
    answers = {verdict: count for verdict, count in of_kind.items() if verdict != "unsure"} or of_kind
    most = [number for number, verdict in last.values() if answers.get(verdict) == max(answers.values())]
    assert found == max(most, default=None)


def test_a_workspace_of_before_gets_the_verdict_of_most_people(
    ws: Workspace, pair: int, settings: Settings
) -> None:
    said = [
        say(ws, pair, who, verdict)
        for who, verdict in zip("abc", ("match", "match", "mismatch"), strict=True)
    ]
    with ws.database.write() as session:
        session.execute(text("UPDATE pairs SET label_id = :last"), {"last": said[2]})
        session.execute(text("UPDATE alembic_version SET version_num = 'm025'"))
    again = Workspace(replace(settings))
    assert again.pairs.get(pair).label == said[1]
    again.close()
