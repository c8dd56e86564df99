"""What of the messages of agents comes to the protocol's library, which logs whole what it cannot use."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from mmdemo.ui.refusals import PlainRefusals

SAID = {"note": "mmd_secret"}
CALL = {"name": "align", "arguments": {"file": None, "texts": "a"}}
THERE = "the library"


@pytest.mark.parametrize(
    ("message", "status", "says"),
    [
        ({"id": 1, "method": "ping"}, 200, THERE),
        ({"id": 1, "method": "tools/list", "params": {"cursor": None}}, 200, THERE),
        ({"id": 1, "method": "tools/call", "params": CALL}, 200, THERE),
        ({"id": 1, "method": "tools/list", "result": SAID}, 200, THERE),
        ({"method": "notifications/x", "params": SAID}, 202, ""),
        ({"method": "notifications/progress", "params": SAID}, 202, ""),
        ({"method": "notifications/initialized"}, 202, ""),
        ({"id": 1, "result": SAID}, 202, ""),
        ({"id": 1, "error": {"code": 1, "message": "mmd_secret"}}, 202, ""),
        ({"id": 1, "error": SAID}, 400, "no JSON-RPC message"),
        ({"id": 1, "method": 5, "result": [], "error": {}}, 400, "no JSON-RPC message"),
        ({"id": "a", "method": "mmd_x", "params": SAID}, 200, "'mmd_x' is not served, only ping"),
        ({"id": 0, "method": "prompts/get", "params": {"name": "x"}}, 200, "'prompts/get' is not served"),
        (
            {"id": 1, "method": "tools/call", "params": CALL | {"arguments": ["x"]}},
            200,
            "tools/call are not of",
        ),
        ({"id": 1, "method": "initialize", "params": SAID}, 200, "initialize are not of their form"),
        ({"id": 1, "method": "initialize"}, 200, "initialize are not of their form"),
    ],
)
def test_only_requests_that_are_served_come_to_the_library_that_logs_all_others(
    message: dict[str, Any], status: int, says: str
) -> None:
    page = TestClient(PlainRefusals(PlainTextResponse(THERE)))
    answer = page.post("/gradio_api/mcp/", content=json.dumps({"jsonrpc": "2.0"} | message))
    assert answer.status_code == status, answer.text
    assert answer.text == says if says in ("", THERE) else says in answer.json()["error"]["message"]
    if status == 200 and says != THERE:
        assert answer.json()["id"] == message["id"]
