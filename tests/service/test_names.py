"""Nobody labels under a name that is another's, however it is written."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from mmdemo.asker import OWNER, Asker
from mmdemo.errors import NameTakenError
from mmdemo.service.app import App
from mmdemo.service.names import Names
from mmdemo.store.labels import NewLabel
from mmdemo.store.names import name_key, shown_name
from mmdemo.ui.gate import ask
from tests.ui.conftest import gated
from tests.ui.test_who_is_asking import sign_in

ANN, BEN = (Asker("annotator", f"{one}'s session") for one in "ab")
OF_ANNA = (
    "Anna",
    " anna ",
    "ANNA",
    "An\u200bna",
    "\u202eAnna",
    "\uff21nna",
    "Anna\ufe0f",
    "An\u00adna\u3164",
)


@pytest.fixture
def app(make_app: Callable[..., App]) -> App:
    return make_app("named", server_name="0.0.0.0")


@pytest.mark.parametrize("written", OF_ANNA)
def test_a_name_that_reads_the_same_is_the_same(written: str) -> None:
    assert name_key(written) == "anna"


def test_what_is_not_seen_of_a_name_is_not_kept_and_what_is_stays() -> None:
    assert shown_name("  Zoë\u200b \u202e van\tDijk ") == "Zoë van Dijk"
    assert shown_name("李雷") == "李雷" and shown_name("\u200b\u3164") == ""


@pytest.mark.parametrize("written", OF_ANNA)
def test_the_name_of_an_invitation_is_nobody_else_s(app: App, written: str) -> None:
    app.access.grant("invitation", "annotator", "Anna", 1, 5)
    assert app.names.of(ANN, written).endswith(" (2)")
    assert app.names.of(ANN, f"{written} 3").endswith(" (2)")  # as its third guest is called
    assert app.names.of(Asker("annotator", "x", "Anna"), "Ben") == "Anna"
    assert app.names.of(OWNER, "Anna") == "Anna"


def test_who_says_a_name_first_has_it_and_others_get_a_number_also_after_a_restart(app: App) -> None:
    assert [app.names.of(one, "Sam") for one in (ANN, BEN, ANN, BEN)] == ["Sam", "Sam (2)"] * 2
    pair = app.ws.pairs.browse("image-text", limit=1)[0].id
    app.ws.labels.add(pair, NewLabel("match", annotator="Sam", session=ANN.mark))
    app.ws.labels.add(pair, NewLabel("match", annotator="At home"))
    again = Names(app.ws)
    assert [again.of(one, "sam") for one in (BEN, ANN)] == ["sam (2)", "sam"]
    assert again.of(Asker("viewer", "c"), "Kim") == "Kim" and again.of(BEN, "Kim") == "Kim"
    assert again.of(BEN, "At Home") == "At Home (2)" and again.of(BEN, "") == ""


def test_a_name_that_another_process_gives_in_the_same_moment_is_settled_where_the_label_is_stored(
    app: App,
) -> None:
    pairs = [pair.id for pair in app.ws.pairs.browse("image-text", limit=2)]
    assert app.names.of(ANN, "Sam") == "Sam"
    app.ws.labels.add(pairs[1], NewLabel("match", annotator="Sam", session=BEN.mark, own_name=True))
    answer = ask(app, "label", {"pair": pairs[0], "verdict": "match", "annotator": "Sam"}, "page", ANN)
    assert app.ws.labels.get(answer["label"]).annotator == "Sam (2)"  # type: ignore[union-attr]
    with pytest.raises(NameTakenError, match="sam is another's name"):
        app.ws.labels.add(pairs[0], NewLabel("match", annotator="sam", session=ANN.mark, own_name=True))
    undo = ask(app, "undo", {"label": answer["label"], "annotator": "Sam"}, "page", ANN)
    assert app.ws.labels.get(undo["label"]).annotator == "Sam (2)"  # type: ignore[union-attr]


def test_a_label_of_an_unnamed_invitation_does_not_bear_the_name_of_another(app: App) -> None:
    app.access.grant("invitation", "annotator", "Anna", 1, 1)
    client = gated(app)
    sign_in(client, app.access.grant("invitation", "annotator", "", 1, 1)[1])
    pair = app.ws.pairs.browse("image-text", limit=1)[0].id
    body = {"pair": pair, "verdict": "match", "annotator": "\u202aanna", "key": "k"}
    assert client.post("/mmdemo/api/label", json=body).status_code == 200
    assert app.ws.pairs.browse("image-text", limit=1)[0].annotator == "anna (2)"
    assert client.post("/mmdemo/api/label", json=body | {"annotator": 5}).status_code == 400


def unnamed(app: App) -> str:
    """The key of an invitation that says no name."""
    return app.access.grant("invitation", "annotator", "", 1, 9)[1]


def labelled(app: App, client: TestClient, name: str) -> tuple[str, int]:
    """Label a pair under a name; the name that the label bears, and its number."""
    pair = app.ws.pairs.browse("image-text", limit=1)[0].id
    body = {"pair": pair, "verdict": "match", "annotator": name}
    answer = client.post("/mmdemo/api/label", json=body)
    assert answer.status_code == 200, answer.text
    found = app.ws.labels.get(answer.json()["label"])
    assert found is not None
    return found.annotator, found.id


def takes_back(client: TestClient, label: int) -> bool:
    return client.post("/mmdemo/api/undo", json={"label": label}).status_code == 200


def test_who_signs_in_again_at_the_same_browser_is_the_same_and_takes_back_what_they_made(app: App) -> None:
    sam, other = gated(app), gated(app)
    sign_in(sam, unnamed(app))
    name, first = labelled(app, sam, "Sam")
    sam.post("/mmdemo/sign-out", json={})
    sign_in(sam, unnamed(app))
    assert (name, labelled(app, sam, "Sam")[0]) == ("Sam", "Sam")
    app.ws.sessions.end_all_of("")  # as an upgrade does, or 30 days
    app.access.recent.forget()
    sign_in(sam, unnamed(app))
    sign_in(other, unnamed(app))
    assert (labelled(app, sam, "Sam")[0], labelled(app, other, "Sam")[0]) == ("Sam", "Sam (2)")
    assert not takes_back(other, first) and takes_back(sam, first)


def test_what_a_named_one_labelled_is_not_of_who_comes_after_without_a_name(app: App) -> None:
    client = gated(app)
    sign_in(client, unnamed(app))
    sign_in(client, app.access.grant("invitation", "annotator", "Anna", 1, 1)[1])
    name, label = labelled(app, client, "Ben")
    sign_in(client, unnamed(app))
    assert name == "Anna" and not takes_back(client, label)
    assert labelled(app, client, "Anna")[0] == "Anna (2)"


def test_the_guest_of_an_invitation_is_the_same_after_a_sign_out(app: App) -> None:
    one, other = gated(app), gated(app)
    key = app.access.grant("invitation", "annotator", "Class", 1, 9)[1]
    for client in (one, other):
        sign_in(client, key)
    one.post("/mmdemo/sign-out", json={})
    assert sign_in(one, key).json()["name"] == "Class 1"
    assert labelled(app, other, "")[0] == "Class 2"


def test_many_labels_under_a_name_that_is_taken_ask_once_whose_it_is_and_never_read_the_log(app: App) -> None:
    pair = app.ws.pairs.browse("image-text", limit=1)[0].id
    for number in range(3):
        name = "Sam" if not number else f"Sam ({number + 1})"
        app.ws.labels.add(pair, NewLabel("match", annotator=name, session=str(number)))
    asked: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        asked.append(statement)

    names = Names(app.ws)
    event.listen(app.ws.database.engine, "before_cursor_execute", note)
    assert {names.of(ANN, "Sam") for _ in range(20)} == {"Sam (4)"}
    event.remove(app.ws.database.engine, "before_cursor_execute", note)
    selects = [one for one in asked if one.startswith("SELECT")]
    assert 4 <= len(selects) <= 12 and not any("FROM labels" in one for one in selects)


def test_nobody_waits_while_the_database_is_asked_whose_a_name_is(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, is_anothers = Names(app.ws), app.ws.names.is_anothers
    found: list[str] = []

    def slow(name: str, mark: str) -> bool:
        if name == "Slow":
            other = Thread(target=lambda: found.append(names.of(BEN, "Ben")))
            other.start()
            other.join(5)
        return is_anothers(name, mark)

    monkeypatch.setattr(app.ws.names, "is_anothers", slow)
    assert names.of(ANN, "Slow") == "Slow" and found == ["Ben"]


def test_names_that_somebody_only_says_are_not_kept_from_others_for_ever(app: App) -> None:
    names = Names(app.ws)
    for number in range(20):
        names.of(ANN, f"name {number}")
    assert names.of(BEN, "name 0") == "name 0" and names.of(BEN, "name 19") == "name 19 (2)"
