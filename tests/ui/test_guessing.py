"""Whoever guesses waits, from wherever; whoever has the right key does not wait for them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.testclient import TestClient

from mmdemo.service.app import App
from mmdemo.settings import Settings, believing_nobody, load_settings
from mmdemo.ui.access.gate import Gate
from mmdemo.ui.access.hosts import Hosts
from mmdemo.ui.access.limits import WRONG_A_MINUTE, Guesses
from mmdemo.ui.access.proxies import Proxies, network_of
from mmdemo.ui.routes import page_routes
from tests.ui.test_who_is_asking import STATUS, role_of, sign_in

Make = Callable[..., App]


def from_where(gate: Gate, address: str, **more: Any) -> TestClient:
    return TestClient(gate, base_url="http://127.0.0.1:7860", client=(address, 5), **more)


def gate_of(app: App) -> Gate:
    from starlette.applications import Starlette

    return Gate(Starlette(routes=page_routes(app)), app, Hosts(app.settings))


@pytest.fixture
def gate(make_app: Make) -> Gate:
    """Of a page with a pass phrase that everybody can reach."""
    return gate_of(make_app("guessed", server_name="0.0.0.0", passphrase="right", samples=False))


def flood(gate: Gate) -> None:
    """Wrong pass phrases from as many addresses as it takes."""
    for i in range(WRONG_A_MINUTE):
        assert sign_in(from_where(gate, f"203.0.113.{i}"), "wrong").status_code in (401, 429)


# Who waits


def test_the_wait_doubles_is_bounded_and_is_forgiven() -> None:
    clock = [0.0]
    guesses = Guesses(lambda: clock[0])
    waits = []
    for _ in range(20):
        guesses.wrong("a")
        waits.append(guesses.wait_s("a"))
        clock[0] += 1000
    assert waits[:8] == [0, 0, 0, 0, 2, 4, 8, 16] and max(waits) == 300
    clock[0] += 4000
    guesses.wrong("a")
    assert guesses.wait_s("a") == 0


def test_many_who_guess_together_wait_and_whoever_was_right_before_does_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = [0.0]
    guesses = Guesses(lambda: clock[0])
    guesses.right("owner's")
    for i in range(WRONG_A_MINUTE):
        guesses.wrong(f"10.0.0.{i}")
    with caplog.at_level(logging.WARNING):
        assert [guesses.wait_s(f"10.1.1.{i}") > 0 for i in range(3)] == [True] * 3
    assert len(caplog.records) == 1 and "wrong pass phrases" in caplog.text
    assert guesses.wait_s("owner's") == 0
    assert guesses.wait_s("10.1.1.1", of_phrase=False) == 0  # an invitation has 256 bits
    looked_at = 0
    for _ in range(600):  # ten minutes of guessing by ever new addresses
        clock[0] += 1
        for i in range(3):
            if not guesses.wait_s(address := f"10.2.{clock[0]}.{i}"):
                guesses.wrong(address)
                looked_at += 1
    assert looked_at <= 10 * WRONG_A_MINUTE


def test_a_right_key_that_others_have_too_does_not_make_wrong_ones_forgotten() -> None:
    guesses = Guesses(lambda: 0.0)
    for _ in range(5):
        guesses.wrong("a")
    guesses.right("a")
    assert guesses.wait_s("a") > 0
    guesses.right("a", forgives=True)
    assert guesses.wait_s("a") == 0


def test_a_flood_of_wrong_phrases_makes_nobody_wait_who_gave_the_right_one_or_is_signed_in(
    gate: Gate, make_app: Make
) -> None:
    home, signed_in = from_where(gate, "198.51.100.1"), from_where(gate, "198.51.100.2")
    assert sign_in(home, "right").status_code == 200
    home.post("/mmdemo/sign-out", json={})
    assert sign_in(signed_in, "right").status_code == 200
    flood(gate)
    assert sign_in(from_where(gate, "198.51.100.9"), "right").status_code == 429
    assert sign_in(home, "right").status_code == 200
    assert role_of(signed_in) == "owner"
    assert role_of(from_where(gate, "198.51.100.1"), headers={"x-mmdemo-passphrase": "right"}) == "owner"
    here = gate_of(make_app("here", samples=False))
    for _ in range(8):  # the owner at this machine
        assert sign_in(from_where(here, "127.0.0.1"), "mmd_wrong").status_code == 401


def test_one_network_guesses_as_one_whatever_address_of_it_comes(gate: Gate) -> None:
    for i in range(5):
        assert sign_in(from_where(gate, f"2001:db8:1:2::{i}"), "wrong").status_code == 401
    assert sign_in(from_where(gate, "2001:db8:1:2:ffff::1"), "right").status_code == 429
    assert sign_in(from_where(gate, "2001:db8:1:3::1"), "right").status_code == 200


# Which address it is


def test_what_somebody_says_of_themselves_is_no_address(gate: Gate) -> None:
    client = from_where(gate, "127.0.0.1")
    told = [
        client.post(
            STATUS, json={}, headers={"x-mmdemo-passphrase": "wrong", "X-Forwarded-For": f"8.8.8.{i}"}
        )
        for i in range(6)
    ]
    assert [answer.status_code for answer in told] == [401] * 5 + [429]


def settled(settings: Settings, peer: str, *said: str) -> str:
    """The network that a request is counted with."""
    scope: dict[str, Any] = {"client": (peer, 1)}
    headers = Headers(raw=[(b"x-forwarded-for", one.encode()) for one in said])
    Proxies(settings).settle(scope, headers)
    return network_of(scope)


@pytest.mark.parametrize(
    ("flags", "peer", "said", "found"),
    [
        ({}, "127.0.0.1", ["8.8.8.8"], "127.0.0.1"),
        ({"server_name": "0.0.0.0"}, "10.0.0.9", ["8.8.8.8"], "10.0.0.9"),
        ({"share": True}, "127.0.0.1", ["1.1.1.1, 8.8.8.8"], "8.8.8.8"),
        ({"share": True}, "127.0.0.1", ["1.1.1.1", "8.8.8.8, 10.1.2.3"], "8.8.8.8"),
        ({"share": True, "server_name": "0.0.0.0"}, "192.168.1.7", ["8.8.8.8"], "192.168.1.7"),
        ({"share": True}, "127.0.0.1", ["8.8.8.8, nonsense"], "127.0.0.1"),
        ({"proxies": "10.0.0.0/8 192.0.2.1"}, "10.0.0.9", ["1.1.1.1, 8.8.8.8, 192.0.2.1"], "8.8.8.8"),
        ({"proxies": "10.0.0.0/8"}, "10.0.0.9", ["9.9.9.9, 192.168.1.1"], "192.168.1.1"),
        ({"proxies": "127.0.0.1"}, "127.0.0.1", ["8.8.8.8:4711"], "8.8.8.8"),
        ({"proxies": "::1"}, "::1", ["[2606:4700:1:2:3::4]:4711"], "2606:4700:1:2::/64"),
        ({"server_name": "::"}, "::ffff:8.8.8.8", [], "8.8.8.8"),
    ],
)
def test_the_address_is_the_last_one_that_is_no_proxy_of_ours(
    tmp_path: Any, flags: dict[str, Any], peer: str, said: list[str], found: str
) -> None:
    assert settled(load_settings({}, workspace=tmp_path, **flags), peer, *said) == found


def test_on_a_space_it_is_what_its_proxy_saw(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "me/demo")
    settings = load_settings({}, workspace=tmp_path)
    assert settled(settings, "10.16.3.4", "1.1.1.1, 8.8.8.8, 10.0.0.7") == "8.8.8.8"


def test_the_server_itself_believes_nobody_and_its_environment_is_as_before(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import os

    import uvicorn

    with believing_nobody():
        config = uvicorn.Config(lambda: None)
    config.load()
    assert "127.0.0.1" not in config.loaded_app.trusted_hosts
    assert "FORWARDED_ALLOW_IPS" not in os.environ and not caplog.text
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "10.0.0.1")
    with believing_nobody():
        assert "FORWARDED_ALLOW_IPS is not used: name the proxies" in caplog.text
    assert os.environ["FORWARDED_ALLOW_IPS"] == "10.0.0.1"


def test_what_is_no_address_of_a_proxy_is_said_at_the_start(tmp_path: Any) -> None:
    from mmdemo.errors import UserError

    with pytest.raises(UserError, match=r"MMDEMO_PROXIES has .proxy\.example."):
        load_settings({"MMDEMO_PROXIES": "10.0.0.1, proxy.example"}, workspace=tmp_path)
