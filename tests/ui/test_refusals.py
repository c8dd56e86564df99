"""A bad request is one sentence and never a 500: on the page's route, on all of Gradio's, for agents."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdemo.service.app import App
from mmdemo.service.operations.table import OPERATIONS
from tests.ui.conftest import agent

Served = tuple[App, Any, str]
PUBLIC = [o.name for o in OPERATIONS.values() if "api" in o.surfaces]
TRAINS = {"start_training": {"epochs": -1}}  # what would begin if all its values happened to be good
NESTED = b"[" * 20_000 + b"]" * 20_000
BODIES = [
    *(b"", b"{", b"[]", b"5", b"null", b"\xff\xfe", NESTED, b'{"data":5}', b'{"data":[1e999]}'),
    *(b'{"data":[],"fn_index":99999}', b'{"data":[],"fn_index":-1,"session_hash":"x"}', b'{"zz":1}'),
    *(b'{"data":["\\ud800"],"session_hash":"x","fn_index":1}', b'{"data":[{"path":5}],"session_hash":"x"}'),
    b'{"event_id":"x","component_id":1,"fn_name":"x","session_hash":"x","data":{}}',
]
IN_A_PATH = ["x", "../../etc/passwd", "%00", "9" * 40, "label_counts"]
BAD = st.sampled_from(
    [
        *(
            None,
            True,
            -1,
            0,
            10**30,
            math.inf,
            -math.inf,
            math.nan,
            1e308,
            "",
            "\x00",
            "\ud800",
            "a" * 200_000,
        ),
        *("<script>", [], {}, [[]], {"path": "/etc/passwd"}, {"path": 5}, {"url": "http://127.0.0.1:1/x"}),
        *("0", "1e999", "image-text", ["\ud800"], "data:;base64,!", "9" * 5000),
    ]
)
VALUE = BAD | st.text(max_size=20) | st.integers() | st.floats()


@pytest.fixture(scope="module")
def http(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served[2], timeout=60) as client:
        yield client


def sent(http: httpx.Client, path: str, body: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http.post(path, content=content, headers={"Content-Type": "application/json"})


def told(answer: httpx.Response) -> str:
    """The sentence of a refusal."""
    assert 400 <= answer.status_code < 500, answer.text
    return str(answer.json()["detail"])


def routes(found: Any) -> Iterator[Any]:
    for route in found:
        inner = getattr(route, "original_router", None)
        yield from routes(inner.routes) if inner is not None else [route]


def test_an_endpoint_that_there_is_not_is_refused_with_the_list(http: httpx.Client) -> None:
    for way in ("run", "api", "call", "call/v2"):
        sentence = told(sent(http, f"gradio_api/{way}/nope", {"data": []}))
        assert sentence.startswith("There is no endpoint 'nope'. Use one of: align, ")
    assert told(sent(http, "gradio_api/run/predict", {"data": []})).startswith("The request cannot be used.")


def test_the_page_asks_its_own_functions_by_their_number(served: Served, http: httpx.Client) -> None:
    loads = next(number for number, f in served[1].fns.items() if f.name == "_tab_of_link")
    body = {"data": [], "fn_index": loads, "session_hash": "x", "trigger_id": None}
    assert sent(http, "gradio_api/run/predict", body).status_code == 200


def test_a_value_that_an_operation_refuses_is_its_sentence_on_a_direct_call_too(http: httpx.Client) -> None:
    assert told(sent(http, "gradio_api/run/label_counts", {"data": ["nope"]})).startswith(
        "There is no task 'nope'."
    )
    assert sent(http, "gradio_api/run/label_counts", {"data": ["image-text"]}).json()["data"][0]["pairs"] > 0


def test_a_call_by_names_is_refused_for_a_name_too_many_or_too_few(http: httpx.Client) -> None:
    assert (
        told(sent(http, "gradio_api/call/v2/label_counts", {"zz": 1}))
        == "label_counts takes no 'zz'. It takes task."
    )
    assert told(sent(http, "gradio_api/call/v2/label", {"verdict": "match"})).startswith("pair is missing.")
    begun = sent(http, "gradio_api/call/v2/label_counts", {"task": "image-text"}).json()["event_id"]
    assert "event: complete" in http.get(f"gradio_api/call/label_counts/{begun}").text


def test_a_call_cannot_ask_another_function_than_the_one_it_names(http: httpx.Client) -> None:
    body = {"data": [], "fn_index": 0, "session_hash": "x"}
    assert told(sent(http, "gradio_api/call/label_counts", body)).startswith("A call takes no 'fn_index'.")


def test_a_fault_of_ours_is_a_500_without_a_word_of_the_code(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(app: App, request: Any) -> None:
        raise RuntimeError("secret")

    operation = replace(OPERATIONS.get("label_counts"), run=broken)
    monkeypatch.setitem(OPERATIONS._entries, "label_counts", operation)
    answer = sent(http, "gradio_api/run/label_counts", {"data": ["image-text"]})
    assert answer.status_code == 500 and answer.json()["error"] == "Something went wrong in mmdemo."


def test_no_route_answers_500_whatever_is_sent_to_it(served: Served, http: httpx.Client) -> None:
    asked = 0
    for route in routes(served[1].app.routes):
        path = getattr(route, "path", "")
        for method in getattr(route, "methods", None) or ["GET", "POST"]:
            for value in IN_A_PATH if "{" in path else [""]:
                address = re.sub(r"\{[^}]*\}", value, path)
                for body in BODIES if method == "POST" else [None]:
                    with http.stream(
                        method, address, content=body, headers={"Content-Type": "application/json"}
                    ) as answer:  # some of them never end
                        assert answer.status_code < 500, (method, address, body)
                    asked += 1
    assert asked > 500


@settings(max_examples=80, deadline=None, derandomize=True)
@given(name=st.sampled_from(PUBLIC), data=st.data())
def test_whatever_values_are_sent_to_an_operation_the_answer_is_its_json_or_a_sentence(
    served: Served, http: httpx.Client, name: str, data: st.DataObject
) -> None:
    values = {field: data.draw(VALUE, field) for field in OPERATIONS.get(name).fields} | TRAINS.get(name, {})
    answer = sent(http, f"mmdemo/api/{name}", values)
    assert answer.status_code == 200 or told(answer)
    answer = sent(http, f"gradio_api/run/{name}", {"data": list(values.values())})
    assert answer.status_code == 200 or told(answer)
    begun = sent(http, f"gradio_api/call/{name}", {"data": list(values.values())})
    if begun.status_code == 200:
        ended = http.get(f"gradio_api/call/{name}/{begun.json()['event_id']}").text
        assert "event: complete" in ended or ("event: error" in ended and "data: null" not in ended), ended
    else:
        assert told(begun)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(name=st.sampled_from(PUBLIC), data=st.data())
def test_whatever_values_an_agent_sends_the_answer_is_json_or_a_sentence(
    served: Served, name: str, data: st.DataObject
) -> None:
    values = {field: data.draw(VALUE, field) for field in OPERATIONS.get(name).fields} | TRAINS.get(name, {})
    values = json.loads(
        json.dumps(values).replace("\\ud800", "\\u0000").replace("Infinity", "1e30").replace("NaN", "0")
    )
    _, answer = agent(served[2], name, values)
    text = answer.content[0].text
    assert not answer.isError or ("Something went wrong" not in text and "Traceback" not in text), text
