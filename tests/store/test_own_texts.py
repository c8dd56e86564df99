from __future__ import annotations

from mmdemo.store.labels import NewLabel
from mmdemo.store.tables import HARD_NEGATIVE
from mmdemo.store.workspace import Workspace
from tests.conftest import TASK, png


def test_a_proposal_is_an_items_own_text_only_once_it_is_confirmed(ws: Workspace) -> None:
    item = ws.add_media("image", png(), "a.png", source="t")
    with ws.database.write() as session:
        pair, _ = ws.pairs.add(session, TASK, item.id, "another's text", source=HARD_NEGATIVE)
    assert [p.is_own for p in ws.pairs.of_items(TASK, [item.id])[item.id]] == [False]
    wrong = ws.labels.add(pair.id, NewLabel("mismatch"))
    assert not ws.pairs.get(pair.id).is_own  # type: ignore[union-attr]
    ws.labels.undo(wrong)
    ws.labels.add(pair.id, NewLabel("match"))
    assert ws.pairs.get(pair.id).is_own  # type: ignore[union-attr]
