"""What is sent to the page's routes never makes a fault of ours, whichever database keeps the labels."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.testclient import TestClient

from mmdemo.service.app import App
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.ui.routes import page_routes
from tests.conftest import BASE

anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**31), 10**31) | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
SLOW = {"warm_up", "import_start", "import_preview", "start_training", "try_model", "offered_model", "hub"}
LOOKING = sorted(  # what is answered without a model, so that hundreds of calls are quick
    name for name, o in OPERATIONS.items() if o.quick and "page" in o.surfaces and name not in SLOW
)


@pytest.fixture
def client(app_over_each: App) -> TestClient:
    """The page's own routes over each database."""
    return TestClient(Starlette(routes=page_routes(app_over_each)))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(LOOKING), data=st.data())
def test_no_value_of_any_field_is_a_fault_of_ours(client: TestClient, name: str, data: st.DataObject) -> None:
    fields = list(OPERATIONS.get(name).fields)
    body = {field: data.draw(anything) for field in fields if data.draw(st.booleans())}
    sent = json.dumps(body)  # NaN, infinity and lone surrogates as JSON carries them
    got = client.post(f"/mmdemo/api/{name}", content=sent, headers={"content-type": "application/json"})
    assert got.status_code in {200, 400}, (name, body, got.text)
    assert "Traceback" not in got.text


UNSTORABLE = [  # what one of the databases would take, or neither
    ("label", "annotator", "x" * 121, "annotator has 121 characters, over the limit of 120."),
    ("label", "annotator", "a\0b", "annotator holds a character that cannot be stored."),
    ("label", "comment", "\ud800", "comment holds a character that cannot be stored."),
    ("label", "text", "\0", "text holds a character that cannot be stored."),
    ("label", "key", "k" * 65, "key has 65 characters, over the limit of 64."),
    ("label", "pair", 2**31, "pair is 2147483648."),
    ("label", "pair", 2**64, "pair is 18446744073709551616."),
    ("label", "version", "v" * 65, "There is no version"),
    ("label_result", "rank", 2**31, "rank is 2147483648."),
    ("label_result", "query", "a\0b", "query holds a character that cannot be stored."),
    ("label_result", "item", "\udfff", "item holds a character that cannot be stored."),
    ("label_result", "item", "f" * 1000, "There is no"),
    ("undo", "label", 2**40, "label is 1099511627776."),
    ("undo", "annotator", "x" * 121, "annotator has 121 characters"),
    ("activate", "annotator", "x" * 121, "annotator has 121 characters"),
    ("activate", "version", "v" * 900, "There is no version"),
    ("roll_back", "annotator", "a\0b", "annotator holds a character that cannot be stored."),
    ("choose_model", "annotator", "\ud800", "annotator holds a character that cannot be stored."),
    ("choose_model", "model", "m" * 900, ""),
    ("queue", "holder", "h\0", "holder holds a character that cannot be stored."),
]  # fmt: skip


def test_what_a_database_could_not_keep_is_refused_at_the_door_of_both(
    client: TestClient, app_over_each: App
) -> None:
    pair, labels = app_over_each.ws.pairs.browse("image-text", limit=1)[0], app_over_each.ws.labels.total()
    whole = {
        "label": {"pair": pair.id, "verdict": "match"},
        "label_result": {"item": pair.item, "text": "words", "verdict": "match"},
        "undo": {"label": 1},
        "activate": {"version": BASE},
    }
    for name, field, value, says in UNSTORABLE:
        body = json.dumps(whole.get(name, {}) | {field: value})
        headers = {"content-type": "application/json"}
        got = client.post(f"/mmdemo/api/{name}", content=body, headers=headers)
        assert got.status_code == 400 and says in got.json()["error"], (name, field, value, got.text)
    assert app_over_each.ws.labels.total() == labels
