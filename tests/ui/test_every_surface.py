"""Every surface of the running app asks for the role of an operation: the page, the API by name and by
number, and the agents' tools.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import httpx
import pytest
from mcp.types import ClientRequestType

from mmdemo.asker import IN_WORDS, ROLES, Role
from mmdemo.models.aligner import Towers
from mmdemo.service.app import App
from mmdemo.service.operations.table import OPERATIONS, ask
from mmdemo.settings import load_settings
from mmdemo.ui import shell
from mmdemo.ui.start_words import owner_link
from tests.ui.conftest import agent
from tests.ui.test_who_is_asking import bearer
from tests.waiting import free_port


@pytest.fixture(scope="module")
def public(
    tmp_path_factory: pytest.TempPathFactory, loaded: dict[str, Towers]
) -> Iterator[tuple[App, str, Any]]:
    """A page that others can reach, served."""
    folder = tmp_path_factory.mktemp("public")
    settings = load_settings(
        {},
        workspace=folder,
        device="cpu",
        server_port=free_port(),
        server_name="127.0.0.1",
        hosts="my.example",
    )
    app, address, page = shell.serve(settings, block=False)
    yield app, address, page
    page.close(verbose=False)
    app.close()


def key_of(app: App, role: Role) -> dict[str, str]:
    """The headers of a script with that role; of a viewer none."""
    return {} if role == "viewer" else bearer(app.access.grant("token", role, "", 1, None)[1])


def ended(http: httpx.Client, name: str, headers: dict[str, str]) -> str:
    """How a queued call without values ends."""
    begun = http.post(f"gradio_api/call/{name}", json={"data": []}, headers=headers)
    return http.get(f"gradio_api/call/{name}/{begun.json()['event_id']}", headers=headers).text


@pytest.mark.parametrize("role", ROLES)
def test_each_operation_asks_for_its_role_on_every_surface(public: tuple[App, str, Any], role: Role) -> None:
    """The refusal of a role comes before any other: whoever gets another answer was let through."""
    app, address, page = public
    headers = key_of(app, role)
    numbers = {f.name: number for number, f in page.fns.items()}
    with httpx.Client(base_url=address, timeout=60) as http:
        for name, operation in OPERATIONS.items():
            may = ROLES.index(role) >= ROLES.index(operation.role)
            if may and (name == "warm_up" or operation.role == "owner"):
                continue  # a test need not start a worker, nor make backups
            body = {"nobody": "takes this"}
            if "page" in operation.surfaces:
                answer = http.post(f"mmdemo/api/{name}", json=body, headers=headers)
                assert (answer.status_code == 401) is not may, (name, answer.text)
            if "api" not in operation.surfaces:
                continue
            said = http.post(f"gradio_api/run/{name}", json={"data": [None] * 99}, headers=headers)
            assert said.status_code == 400, (name, said.text)  # too many values, whoever asks
            if may:
                continue
            refusal = f"This is for {IN_WORDS[operation.role].all}, and you are {IN_WORDS[role].one}."
            assert refusal in http.post(f"gradio_api/run/{name}", json={"data": []}, headers=headers).text, (
                name
            )
            assert refusal in ended(http, name, headers), name
            by_number = {"data": [], "fn_index": numbers[name], "session_hash": f"s{name}"}
            http.post("gradio_api/queue/join", json=by_number, headers=headers)
            told = http.get(
                "gradio_api/queue/data", params={"session_hash": f"s{name}"}, headers=headers
            ).text
            assert refusal in told, name
            _, refused = agent(address, name, {}, token=headers.get("Authorization", "")[7:])
            assert refused.isError and refusal in refused.content[0].text, name


def test_every_function_of_the_page_is_an_operation_or_known(public: tuple[App, str, Any]) -> None:
    """What Gradio runs by its number passes no table of ours: each is in the table, or opens a tab."""
    names = {f.name for f in public[2].fns.values()}
    operations = {name for name, o in OPERATIONS.items() if "api" in o.surfaces}
    assert names - operations <= {"tab_of_link", None, "select", "<lambda>", "fn"} and operations <= names
    tools, _ = agent(public[1], "label_counts", {"task": "image-text"})
    assert {tool.name for tool in tools} == operations


@pytest.mark.parametrize("forwarded", [{}, {"X-Forwarded-For": "203.0.113.9"}])
def test_of_the_agents_protocol_only_tools_are_served(
    public: tuple[App, str, Any], forwarded: dict[str, str]
) -> None:
    """Every method that the protocol has is asked for, with what each of them needs: Gradio's handler of
    prompts/get would call the last endpoint of the page, edit_pair, as whoever is at this machine.
    """
    methods = {get_args(kind.model_fields["method"].annotation)[0] for kind in get_args(ClientRequestType)}
    assert {"prompts/get", "resources/read", "completion/complete", "resources/subscribe"} < methods
    asked = {"name": "x", "arguments": {}, "uri": "mmdemo://x", "level": "info", "taskId": "x"}
    asked |= {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "x", "value": "x"}}
    headers = {"Accept": "application/json, text/event-stream"} | forwarded
    with httpx.Client(base_url=public[1], timeout=60, headers=headers) as http:
        for method in methods - {"initialize", "ping", "tools/list", "tools/call"}:
            message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": asked}
            answer = http.post("gradio_api/mcp/", json=message)
            assert '"code":-32601' in answer.text, (method, answer.text)
    assert not public[2].mcp_server_obj.mcp_server.notification_handlers


def test_every_role_is_asked_for_by_some_operation_and_export_is_the_trainer_s() -> None:
    assert {o.role for o in OPERATIONS.values()} == set(get_args(Role))
    assert OPERATIONS.get("export").role == "trainer"
    for name in (
        "backup",
        "restore",
        "publish_version",
        "remove_version",
        "remove_run",
        "invite",
        "make_token",
        "grants",
        "revoke",
    ):
        assert OPERATIONS.get(name).role == "owner", name


def test_an_invitation_is_a_whole_link_at_the_address_by_which_people_reach_the_page(
    public: tuple[App, str, Any],
) -> None:
    app = public[0]
    made = ask(app, "invite", role="annotator")  # as the command line makes it
    assert made["link"] == f"https://my.example/?view=label#sign-in={made['key']}" and made["note"] == ""
    assert ask(app, "invite", role="trainer")["link"].startswith("https://my.example/#sign-in=")
    token = ask(app, "make_token")
    assert token["link"] == "" and f"'Authorization: Bearer {token['key']}'" in token["note"]
    assert "Client('https://my.example/', headers=" in token["note"]
    assert made["workspace"] == token["workspace"] == str(app.ws.folder)


def test_a_start_that_others_can_reach_prints_the_owner_s_link(
    public: tuple[App, str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    app, address, _ = public
    link = owner_link(app, address)
    assert re.fullmatch(re.escape(address) + r"#sign-in=mmd_[\w-]{43}", link)
    with httpx.Client(base_url=address, timeout=60) as http:
        key = link.partition("=")[2]
        assert http.post("mmdemo/sign-in", json={"key": key}).json()["role"] == "owner"
        assert http.post("mmdemo/api/grants", json={}).status_code == 200
