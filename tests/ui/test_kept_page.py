"""The page is made once for everybody, and is the one that its address and its browser ask for."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from starlette.types import Message, Receive, Scope, Send

from mmdemo.asker import Asker, asking, current
from mmdemo.service.app import App
from mmdemo.ui.kept_page import MOST_KEPT, KeptPage
from tests.ui.conftest import agent, awaited


class Maker:
    """An application that counts how often it makes the page, and sends it with what it was asked."""

    def __init__(self, *headers: tuple[bytes, bytes], status: int = 200) -> None:
        self.made: list[str] = []
        self._headers, self._status = list(headers), status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make it."""
        asked = f"{scope['path']}?{scope['query_string'].decode()} {dict(scope['headers'])}"
        self.made.append(asked)
        await asyncio.sleep(0)  # others come meanwhile
        await send({"type": "http.response.start", "status": self._status, "headers": list(self._headers)})
        await send({"type": "http.response.body", "body": asked.encode()})


def asks(page: KeptPage, *asked: tuple[str, dict[str, str]]) -> list[bytes]:
    """What each of some who come at once is sent: an address, with headers."""

    asker = current()

    async def together() -> list[bytes]:
        with asking(asker):  # another thread
            return await asyncio.gather(*(one_asks(page, *a) for a in asked))

    return awaited(together())


async def one_asks(page: KeptPage, address: str, headers: dict[str, str]) -> bytes:
    path, _, query = address.partition("?")
    scope: Scope = {"type": "http", "method": "GET", "scheme": "http", "path": path}
    scope |= {"query_string": query.encode()}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    sent: list[Message] = []

    async def send(message: Message) -> None:
        if "headers" in message:
            message["headers"].append((b"set-cookie", b"of-one"))  # as the gate does
        sent.append(message)

    await page(scope, asyncio.Event().wait, send)  # type: ignore[arg-type]
    cookies = [name for name, _ in sent[0]["headers"]].count(b"set-cookie")
    assert cookies == 1
    return b"".join(message["body"] for message in sent[1:])


def test_the_page_is_made_once_for_all_who_come_at_once_and_knows_of_none_of_them() -> None:
    maker = Maker()
    page = KeptPage(maker, lambda: None)
    asked = [(f"/?view=v{i}", {"host": "here", "cookie": f"secret={i}"}) for i in range(50)]
    assert len(set(asks(page, *asked))) == 1
    assert len(maker.made) == 1 and "secret" not in maker.made[0] and "view" not in maker.made[0]


@pytest.mark.parametrize("path", ["/config/", "/gradio_api/info", "/gradio_api/openapi.json?x=1"])
def test_what_is_told_of_the_page_is_made_once_too_however_it_is_asked_for(path: str) -> None:
    page = KeptPage(maker := Maker(), lambda: None)
    packings = ("gzip, br;q=0.9", "br,gzip", "br, x-mine, gzip")
    asks(page, *((path, {"accept-encoding": packing}) for packing in packings))
    assert len(maker.made) == 1


def test_of_a_part_of_the_tools_nothing_is_kept() -> None:
    page = KeptPage(maker := Maker(), lambda: None)
    asks(page, *[("/gradio_api/mcp/schema?tools=align", {}), ("/gradio_api/mcp/schema", {})] * 2)
    assert len(maker.made) == 3


def test_another_name_or_packing_is_another_page() -> None:
    maker = Maker()
    page = KeptPage(maker, lambda: None)
    here = {"host": "here"}
    there, packed = {"host": "there"}, {"host": "here", "accept-encoding": "br"}
    others = [("/", {"host": f"name{i}"}) for i in range(3 * MOST_KEPT)]
    asked = [("/", here), ("/", there), ("/", packed), ("/config", here), *others]
    assert len(set(asks(page, *asked))) == len(asked) == len(maker.made)
    assert len(page._kept) == MOST_KEPT


def test_a_page_that_was_asked_for_again_stays_however_many_names_somebody_invents() -> None:
    page = KeptPage(maker := Maker(), lambda: None)
    own = ("/", {"host": "here"})
    asks(page, own)
    asks(page, own)
    asks(page, *(("/", {"host": "here", "x-forwarded-host": f"name{i}"}) for i in range(2 * MOST_KEPT)))
    made = len(maker.made)
    asks(page, own)
    assert len(maker.made) == made and len(page._kept) == MOST_KEPT


STRANGERS = [Asker("viewer", f"stranger{i}") for i in range(2)]


def invented(times: int) -> list[tuple[str, dict[str, str]]]:
    return [("/", {"host": f"name{i}"}) for i in range(2 * MOST_KEPT)] * times


def test_names_that_strangers_invent_push_out_no_page_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often they ask for theirs, and for those of others too."""
    monkeypatch.setattr("mmdemo.ui.kept_page.PAUSES", 0)
    page, own = KeptPage(maker := Maker(), lambda: None), ("/", {"host": "here"})
    for asker in (Asker(), Asker("viewer", "visitor")):
        with asking(asker):
            asks(page, own)
        for stranger in STRANGERS * 2:
            with asking(stranger):
                asks(page, own, *invented(2))
        made = len(maker.made)
        with asking(asker):
            asks(page, own)
        assert len(maker.made) == made and len(page._kept) == MOST_KEPT
        own = ("/config", {"host": "here"})


def test_who_comes_to_a_page_that_is_not_kept_waits_for_one_of_each_stranger_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mmdemo.ui.kept_page.PAUSES", 0)
    page = KeptPage(maker := Maker(), lambda: None)

    async def comes(asker: Asker, *asked: tuple[str, dict[str, str]]) -> None:
        with asking(asker):
            await asyncio.gather(*(one_asks(page, *a) for a in asked))

    async def all_come() -> int:
        waiting = [asyncio.create_task(comes(stranger, *invented(1))) for stranger in STRANGERS]
        while page._making.waiting < 2 * MOST_KEPT:
            await asyncio.sleep(0)
        made = len(maker.made)
        await comes(Asker("viewer", "visitor"), ("/", {"host": "here"}))
        before = len(maker.made) - made
        await asyncio.gather(*waiting)
        return before

    assert awaited(all_come()) <= 5


def test_a_page_that_failed_or_is_made_of_something_else_by_now_is_made_again() -> None:
    state = [0]
    page = KeptPage(failing := Maker(status=500), lambda: state[0])
    asks(page, ("/", {}))
    asks(page, ("/", {}))
    assert len(failing.made) == 2
    page = KeptPage(maker := Maker(), lambda: state[0])
    asks(page, ("/", {}))
    state[0] = 1
    asks(page, ("/", {}))
    assert len(maker.made) == 2


def test_the_page_that_is_served_names_the_address_that_it_was_asked_under(
    served: tuple[App, Any, str],
) -> None:
    _, _, address = served
    by_name = address.replace("127.0.0.1", "localhost")
    for own, other in ((address, by_name), (by_name, address), (address, by_name)):
        page = httpx.get(own)
        assert page.status_code == 200 and own.rstrip("/") in page.text and other not in page.text
        assert page.headers["set-cookie"] and page.headers["x-frame-options"] == "SAMEORIGIN"


def test_which_tools_there_are_is_made_once_for_all_agents(
    served: tuple[App, Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tools, _ = agent(served[2], "label_counts", {"task": "image-text"})

    def made_anew(*of: Any) -> Any:
        raise AssertionError("a tool is described again")

    monkeypatch.setattr(served[1].mcp_server_obj, "get_block_fn_from_endpoint_name", made_anew)
    again, told = agent(served[2], "label_counts", {"task": "image-text"})
    assert again == tools and len(tools) > 5 and not told.isError
