"""Nobody labels under a name that is another's, however it is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mmdemo.asker import OWNER, Asker
from mmdemo.service.app import App
from mmdemo.service.names import Names, name_key, shown_name
from mmdemo.store.labels import NewLabel
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


def test_a_label_of_an_unnamed_invitation_does_not_bear_the_name_of_another(app: App) -> None:
    app.access.grant("invitation", "annotator", "Anna", 1, 1)
    client = gated(app)
    sign_in(client, app.access.grant("invitation", "annotator", "", 1, 1)[1])
    pair = app.ws.pairs.browse("image-text", limit=1)[0].id
    body = {"pair": pair, "verdict": "match", "annotator": "\u202aanna", "key": "k"}
    assert client.post("/mmdemo/api/label", json=body).status_code == 200
    assert app.ws.pairs.browse("image-text", limit=1)[0].annotator == "anna (2)"
    assert client.post("/mmdemo/api/label", json=body | {"annotator": 5}).status_code == 400
