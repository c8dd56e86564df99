"""A bad request is one sentence and never a 500: on the page's route, on all of Gradio's, for agents."""

from __future__ import annotations

import json
import logging
import math
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from hypothesis import given, settings
from hypothesis import strategies as st

from mmdemo.errors import (
    AccessError,
    DamagedError,
    MmdemoError,
    StorageError,
    UnavailableError,
    UserError,
)
from mmdemo.service.app import App
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.ui.access.gate import Gate
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
    loads = next(number for number, f in served[1].fns.items() if f.name == "tab_of_link")
    body = {"data": [], "fn_index": loads, "session_hash": "x", "trigger_id": None}
    assert sent(http, "gradio_api/run/predict", body).status_code == 200


def test_a_value_that_an_operation_refuses_is_its_sentence_on_a_direct_call_too(http: httpx.Client) -> None:
    assert told(sent(http, "gradio_api/run/label_counts", {"data": ["nope"]})).startswith(
        "There is no task 'nope'."
    )
    assert sent(http, "gradio_api/run/label_counts", {"data": ["image-text"]}).json()["data"][0]["pairs"] > 0


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (UserError("The text is odd.", "Write another."), 400, "Input"),
        (AccessError("It is locked.", "Give the pass phrase."), 401, "Access"),
        (StorageError("The disk is full.", "Free 3 MB."), 507, "Storage"),
        (UnavailableError("The database cannot be reached.", "Try again."), 503, "Unavailable"),
        (DamagedError("The database is damaged.", "Restore a backup."), 500, "Damaged"),
    ],
)
def test_a_refusal_says_what_it_is_about_by_its_status_or_its_title(
    served: Served, monkeypatch: pytest.MonkeyPatch, error: MmdemoError, status: int, title: str
) -> None:
    def refusing(app: App, request: Any) -> None:
        raise error

    operation = replace(OPERATIONS.get("label_counts"), run=refusing)
    monkeypatch.setitem(OPERATIONS._entries, "label_counts", operation)
    with httpx.Client(base_url=served[2], timeout=60) as http:
        for path, body in (
            ("mmdemo/api/label_counts", {"task": "image-text"}),
            ("gradio_api/run/label_counts", {"data": ["image-text"]}),
        ):
            answer = sent(http, path, body)
            assert (answer.status_code, answer.json()["detail"]) == (status, str(error)), path
            assert ("retry-after" in answer.headers) == (status == 503)
    with pytest.raises(AppError) as raised:
        Client(served[2], verbose=False).predict("image-text", api_name="/label_counts")
    assert (raised.value.title, raised.value.message) == (title, str(error))


def test_a_call_by_names_is_refused_for_a_name_too_many_or_too_few(http: httpx.Client) -> None:
    assert (
        told(sent(http, "gradio_api/call/v2/label_counts", {"zz": 1}))
        == "label_counts takes no 'zz'. It takes task."
    )
    assert told(sent(http, "gradio_api/call/v2/label", {"verdict": "match"})).startswith("pair is missing.")
    begun = sent(http, "gradio_api/call/v2/label_counts", {"task": "image-text"}).json()["event_id"]
    assert "event: complete" in http.get(f"gradio_api/call/label_counts/{begun}").text


@pytest.mark.parametrize("way", ["call", "run", "call/v2"])
def test_a_text_that_is_too_long_is_refused_before_its_call_waits(http: httpx.Client, way: str) -> None:
    text = "x" * 100_001
    sent = {"query": text} if way == "call/v2" else {"data": [text]}
    refused = http.post(f"gradio_api/{way}/search", json=sent)
    assert refused.status_code == 400
    assert refused.json()["error"] == "query has 100001 characters, over the limit of 100000."


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


def test_what_goes_wrong_in_our_own_routes_is_a_500_and_no_mistake_of_the_caller(
    served: Served, http: httpx.Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*given: Any, **named: Any) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("mmdemo.ui.routes.download_path", broken)
    monkeypatch.setattr("mmdemo.ui.uploads.check_task", broken)
    monkeypatch.setattr(served[0].speech, "live_words", broken)
    for method, path in (
        ("GET", "mmdemo/download/x"),
        ("GET", "gradio_api/file=mmdemo/download/x"),
        ("POST", "mmdemo/upload"),
        ("POST", "mmdemo/live"),
    ):
        caplog.clear()
        answer = http.request(method, path)
        assert answer.status_code == 500 and answer.json()["detail"] == (
            "Something went wrong in mmdemo. Its log says what."
        )
        assert [record.exc_info is not None for record in caplog.records if record.levelname == "ERROR"] == [
            True
        ]


def test_a_name_that_no_file_can_have_is_a_file_that_there_is_not(
    http: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    for path in ("static/", "assets/", "static/fonts/", "svelte/", "gradio_api/file=", "gradio_api/file/"):
        for name in ("x" * 300, "x" * 5000, "x/" * 3000):
            for method in ("GET", "HEAD"):
                answer = http.request(method, path + name)
                assert answer.status_code in (403, 404, 405), (path, answer.text)
                assert method == "HEAD" or answer.json()["detail"]
    assert not [record for record in caplog.records if record.exc_info]


MANY = dict.fromkeys((str(n) for n in range(101)), 1)
RPC: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
FOR_AGENTS = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (NESTED, "is not JSON"),
        (b'{"a":' * 9_000 + b"1" + b"}" * 9_000, "is not JSON"),
        (json.dumps(RPC | {"params": {}})[:-2].encode() + b'"a":' + NESTED + b"}}", "is not JSON"),
        (b'{"jsonrpc": "2.0", "method": "ping", "id": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"", "is not JSON"),
        (b"[]", "no JSON-RPC message"),
        (b'{"data": []}', "no JSON-RPC message"),
        (b'{"jsonrpc": "2.0", "id": 1}', "without a method"),
        (json.dumps(RPC | {"method": "x" * 101}).encode(), "over 100 characters"),
        (json.dumps(RPC | {"id": "x" * 101}).encode(), "over 100 characters"),
        (json.dumps(RPC | {"params": MANY}).encode(), "over 100 names"),
        (json.dumps(RPC | {"params": {"name": "align", "arguments": MANY}}).encode(), "over 100 names"),
        (json.dumps(RPC | {"id": "\ud800"}).encode(), "character that cannot be sent back"),
        (json.dumps(RPC | {"method": "\ud800"}).encode(), "character that cannot be sent back"),
        (json.dumps(RPC | {"id": math.inf}).encode(), "neither a text nor a whole number"),
        (json.dumps(RPC | {"id": None}).encode(), "neither a text nor a whole number"),
        (json.dumps(RPC | {"params": [1]}).encode(), "are no object"),
    ],
)
def test_a_body_of_an_agent_that_is_no_message_is_refused_in_a_sentence(
    http: httpx.Client, caplog: pytest.LogCaptureFixture, body: bytes, says: str
) -> None:
    answer = http.post("gradio_api/mcp/", content=body, headers=FOR_AGENTS)
    assert answer.status_code == 400 and says in answer.json()["error"]["message"]
    assert not caplog.records
    assert '"result":{}' in http.post("gradio_api/mcp/", json=RPC, headers=FOR_AGENTS).text


def test_every_refusal_says_what_is_wrong_and_what_to_do_under_the_same_names(http: httpx.Client) -> None:
    answers = [
        http.post("mmdemo/api/nope", json={}),
        http.post("mmdemo/api/label", json={}),
        http.get("mmdemo/media/nope"),
        http.get("mmdemo/download/nope"),
        http.get("nope"),
        http.get("static/" + "x" * 300),
        http.put("config"),
        sent(http, "gradio_api/run/nope", {}),
        sent(http, "gradio_api/run/label_counts", {"data": ["nope"]}),
        sent(http, "gradio_api/run/label_counts", b"{"),
        sent(http, "gradio_api/queue/join", {}),
        sent(http, "gradio_api/component_server", {}),
        http.post("gradio_api/upload", json={}),
    ]
    assert answers[9].json()["error"] == "The request is not JSON."
    for answer in answers:
        told = answer.json()
        assert set(told) == {"error", "cure", "detail"}, (answer.url, told)
        assert told["detail"] == f"{told['error']} {told['cure']}".strip()


def test_a_caller_who_goes_away_leaves_no_trace_in_the_log(
    served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last request is answered after those before it were given up, one after the other."""
    given_up = threading.Semaphore(0)
    passed_on = Gate.__call__

    async def watched(*given: Any) -> None:
        try:
            await passed_on(*given)
        finally:
            given_up.release()

    monkeypatch.setattr(Gate, "__call__", watched)
    host = served[2].removeprefix("http://").strip("/")
    name, port = host.split(":")
    for path in (
        "mmdemo/upload",
        "mmdemo/live",
        "mmdemo/api/align",
        "gradio_api/run/align",
        "gradio_api/mcp/",
    ):
        head = (
            f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9999\r\nContent-Type: application/json"
        )
        with socket.create_connection((name, int(port))) as line:
            line.sendall(f"{head}\r\n\r\n{{".encode())
        assert given_up.acquire(timeout=30)
    assert not [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_answer_with_a_number_that_is_none_is_an_error_with_a_sentence(
    served: Served, http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unbounded(app: App, request: Any) -> dict[str, Any]:
        return {"found": [{"score": math.inf}]}

    operation = replace(OPERATIONS.get("label_counts"), run=unbounded)
    monkeypatch.setitem(OPERATIONS._entries, "label_counts", operation)
    sentence = "found score of label_counts is infinite."
    assert told(http.post("mmdemo/api/label_counts", json={})).startswith(sentence)
    assert told(sent(http, "gradio_api/run/label_counts", {"data": []})).startswith(sentence)
    _, answer = agent(served[2], "label_counts", {})
    assert answer.isError and answer.content[0].text.startswith(sentence)


@pytest.mark.slow
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


@pytest.mark.slow
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


def sent_by_an_agent(http: httpx.Client, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """The answer of a tool to arguments as they are. The agents' own library would mend or refuse lone
    surrogates and infinities before it sends them; other agents do not.
    """
    call = RPC | {"method": "tools/call", "params": {"name": name, "arguments": values}}
    answer = http.post("gradio_api/mcp/", content=json.dumps(call).encode(), headers=FOR_AGENTS)
    assert answer.status_code == 200, answer.text
    told = [
        line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith(("data: ", "{"))
    ]
    found: dict[str, Any] = json.loads(told[0])
    return found


@settings(max_examples=60, deadline=None, derandomize=True)
@given(name=st.sampled_from(PUBLIC), data=st.data())
def test_whatever_values_an_agent_sends_the_answer_is_json_or_a_sentence(
    http: httpx.Client, name: str, data: st.DataObject
) -> None:
    values = {field: data.draw(VALUE, field) for field in OPERATIONS.get(name).fields} | TRAINS.get(name, {})
    answer = sent_by_an_agent(http, name, values)
    if "error" in answer:  # what cannot be carried through the protocol is refused by it
        assert answer["error"]["code"] == -32602 and "tools/call are not" in answer["error"]["message"]
        return
    text = answer["result"]["content"][0]["text"]
    refused = answer["result"]["isError"]
    assert "Something went wrong" not in text and "Traceback" not in text, (values, text)
    assert refused or json.loads(text) == answer["result"]["structuredContent"]


def test_an_agent_s_lone_surrogate_and_infinity_are_refused_by_what_is_wrong_with_them(
    http: httpx.Client,
) -> None:
    for name, values, sentence in (
        ("label_counts", {"task": "\ud800"}, r"There is no task '\ud800'."),
        ("search", {"query": "a \ud800"}, "query holds a character that cannot be stored. Remove it."),
        ("search", {"query": "x", "k": math.inf}, "k is"),
    ):
        result = sent_by_an_agent(http, name, values)["result"]
        assert result["isError"] and result["content"][0]["text"].startswith(sentence), result
