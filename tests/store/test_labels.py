from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from mmdemo.errors import StorageError, UserError
from mmdemo.settings import load_settings
from mmdemo.store.answers import label_in_force
from mmdemo.store.labels import NewLabel, Sender
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, labels_of, png

ROOT = Path(__file__).resolve().parents[2]


def pair(ws: Workspace, words: str = "a red square", colour: int = 200) -> int:
    item = ws.add_media("image", png((colour, 30, 30)), "square.png", source="test")
    with ws.database.write() as session:
        return ws.pairs.add(session, TASK, item.id, words, source="test")[0].id


def test_a_label_is_counted_once_it_is_acknowledged(ws: Workspace) -> None:
    ws.labels.add(pair(ws), NewLabel("match"))
    counts = ws.labels.counts(TASK)
    assert (counts.pairs, counts.of_kind["match"], counts.usable) == (1, 1, 1)


def test_the_same_key_twice_is_one_label(ws: Workspace) -> None:
    at = pair(ws)
    first = ws.labels.add(at, NewLabel("match", key="k"))
    assert ws.labels.add(at, NewLabel("match", key="k")) == first
    undo, of = ws.labels.undo(first, key="u")
    assert ws.labels.undo(first, key="u") == (undo, of)
    assert ws.labels.total() == 2


def test_a_key_that_comes_back_with_another_word_is_refused_and_that_word_is_not_taken_for_stored(
    ws: Workspace,
) -> None:
    at = pair(ws)
    first = ws.labels.add(at, NewLabel("match", key="k"))
    others = (NewLabel("mismatch", key="k"), NewLabel("match", text="a blue square", key="k"))
    for label in others:
        with pytest.raises(UserError, match="belongs to another label"):
            ws.labels.add(at, label)
    with pytest.raises(UserError, match="belongs to another label"):
        ws.labels.add(pair(ws, "something else"), NewLabel("match", key="k"))
    with pytest.raises(UserError, match="belongs to another label"):
        ws.labels.undo(first, key="k")
    assert ws.labels.total() == 1 and ws.pairs.get(at).verdict == "match"


def test_labels_can_be_neither_changed_nor_deleted(ws: Workspace) -> None:
    ws.labels.add(pair(ws), NewLabel("match"))
    for change in ("DELETE FROM labels", "UPDATE labels SET verdict = 'mismatch'"):
        with pytest.raises(DBAPIError, match="only ever added"), ws.database.write() as session:
            session.execute(text(change))


def test_an_undo_is_a_label_and_brings_the_one_before_back(ws: Workspace) -> None:
    at = pair(ws)
    ws.labels.add(at, NewLabel("match"))
    second = ws.labels.add(at, NewLabel("mismatch"))
    ws.labels.undo(second)
    assert ws.pairs.get(at).verdict == "match"
    assert [label.verdict for label in labels_of(ws, at)] == ["match", "mismatch", "undo"]
    with pytest.raises(UserError, match="undone already"):
        ws.labels.undo(second)


def test_the_last_labels_of_somebody_are_theirs_alone_newest_first_without_what_was_taken_back(
    ws: Workspace,
) -> None:
    at, here = pair(ws), "label"
    ann = ws.labels.add(at, NewLabel("match", annotator="Ann", session="a" * 64, origin=here))
    ben = ws.labels.add(at, NewLabel("match", annotator="Ben", session="b" * 64, origin=here))
    phone = ws.labels.add(at, NewLabel("mismatch", annotator="Ann", session="c" * 64, origin=here))
    local = ws.labels.add(at, NewLabel("unsure", origin=here))
    ws.labels.add(at, NewLabel("match", annotator="Ann", session="a" * 64, origin="search"))
    ws.labels.undo(ws.labels.add(at, NewLabel("match", annotator="Ann", session="a" * 64, origin=here)))
    for sender, own in (
        (Sender("Ann", signed_in=True), [phone, ann]),
        (Sender(session="a" * 64), [ann]),
        (Sender("Ben", session="a" * 64), [ben, ann]),
        (Sender(), [local]),
        (Sender(session=""), []),
    ):
        assert [label.id for label in ws.labels.last_of(TASK, here, sender, 9)] == own
        for other in {phone, ben, ann, local} - set(own):
            with pytest.raises(UserError, match="is not yours"):
                ws.labels.undo(other, whose=sender)
    assert ws.labels.last_of("speech-text", here, Sender(), 9) == []
    assert [label.id for label in ws.labels.last_of(TASK, here, Sender("Ann", signed_in=True), 1)] == [phone]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["match", "mismatch", "unsure", "undo"]), max_size=12))
def test_the_label_in_force_is_always_what_the_log_says(ws: Workspace, acts: list[str]) -> None:
    at = pair(ws, words=f"words {os.urandom(4).hex()}")
    alive: list[int] = []
    before = ws.labels.total()
    for act in acts:
        if act != "undo":
            alive.append(ws.labels.add(at, NewLabel(act)))
        elif alive:
            ws.labels.undo(alive.pop())
    with ws.database.read() as session:
        assert label_in_force(session, at) == (alive[-1] if alive else None) == ws.pairs.get(at).label
    assert ws.labels.total() >= before


def test_a_wrong_verdict_pair_span_or_text_is_named_and_nothing_is_stored(ws: Workspace) -> None:
    at = pair(ws)
    for label, says in (
        (NewLabel("yes"), "no verdict 'yes'.*match, mismatch, unsure"),
        (NewLabel("undo"), "no verdict 'undo'"),
        (NewLabel("match", start_s=3.0, end_s=1.0), "does not run forward"),
        (NewLabel("match", text="x" * 10_001), "over the limit of 10,000"),
    ):
        with pytest.raises(UserError, match=says):
            ws.labels.add(at, label)
    with pytest.raises(UserError, match="no pair 999"):
        ws.labels.add(999, NewLabel("match"))
    assert ws.labels.total() == 0


def test_many_people_at_once_lose_nothing(ws: Workspace) -> None:
    places = [pair(ws, f"words {i}") for i in range(4)]

    def work(who: int) -> None:
        for i in range(20):
            ws.labels.add(places[i % 4], NewLabel("match", annotator=str(who), key=f"{who}-{i}"))

    threads = [threading.Thread(target=work, args=(who,)) for who in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ws.labels.total() == 100


@pytest.mark.usefixtures("only_sqlite")
def test_a_full_disk_refuses_with_a_sentence_and_keeps_what_was_there(ws: Workspace) -> None:
    at = pair(ws)
    ws.labels.add(at, NewLabel("match"))
    with ws.database.read() as session:
        pages = session.execute(text("PRAGMA page_count")).scalar()
    ws.database.engine.dispose()

    from sqlalchemy import event

    def no_room(connection: object, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    event.listen(ws.database.engine, "connect", no_room)
    with pytest.raises(StorageError, match=r"Nothing was saved.*full"):
        for i in range(200):
            ws.labels.add(at, NewLabel("match", comment="long " * 300, key=str(i)))
    assert ws.pairs.get(at).verdict == "match"


def test_killing_the_process_while_it_labels_loses_no_acknowledged_label(tmp_path: Path) -> None:
    script = f"""
import sys
from mmdemo.settings import load_settings
from mmdemo.store.labels import NewLabel
from mmdemo.store.workspace import Workspace
ws = Workspace(load_settings({{}}, workspace={str(tmp_path / "w")!r}))
item = ws.add_media("image", sys.stdin.buffer.read(), "a.png", source="t")
with ws.database.write() as s:
    at = ws.pairs.add(s, "image-text", item.id, "words", source="t")[0].id
while True:
    print(ws.labels.add(at, NewLabel("match")), flush=True)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(png())
    process.stdin.close()
    seen = [int(process.stdout.readline()) for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    seen += [int(line) for line in process.stdout.read().split() if line.isdigit()]
    process.wait()
    process.stdout.close()
    ws = Workspace(load_settings({}, workspace=tmp_path / "w"))
    assert ws.labels.total() in (len(seen), len(seen) + 1)  # one may be on disk and not yet said
    ws.close()
