"""What other sites show beside a link: its words and a picture, of what a stranger may see."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from PIL import Image

from mmdemo.asker import Asker, asking
from mmdemo.media.card import SIZE
from mmdemo.service.app import App
from mmdemo.service.cards import card_of
from mmdemo.service.operations.table import ask
from tests.conftest import png
from tests.ui.conftest import gated


def metas(page: str) -> dict[str, str]:
    """What a page's head says of it, the first of each name."""
    found = re.findall(r'<meta\s+(?:property|name)="((?:og|twitter):[^"]*)"\s+content="([^"]*)"', page)
    return {name: html.unescape(value) for name, value in reversed(found)}


def test_the_page_of_a_link_tells_other_sites_what_it_is_about_however_it_is_packed(
    served: tuple[App, Any, str],
) -> None:
    app, _, address = served
    item = app.ws.items.listed("image", limit=1)[0]
    link = f"{address}?view=align&item={item.id}&text=" + quote('a cat\n"<b>a rocket</b>"')
    plain = httpx.get(link, headers={"accept-encoding": "identity"})
    packed = httpx.get(link, headers={"accept-encoding": "gzip, br"})
    assert packed.headers["content-encoding"] == "gzip" and packed.text == plain.text
    said = metas(plain.text)
    assert said["og:title"] == said["twitter:title"] == "Which of 2 texts fit this picture?"
    assert said["og:description"] == 'a cat · "<b>a rocket</b>"' and "<b>a rocket" not in plain.text
    assert "Gradio" not in {*said.values()} and plain.text.count('"og:image"') == 1
    picture = httpx.get(said["og:image"])
    assert said["og:image"].startswith(f"{address}mmdemo/card?")
    assert picture.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(picture.content)).size == SIZE
    bare = metas(httpx.get(address).text)
    assert bare["og:title"] == "mmdemo" and bare["og:image"] == f"{address}mmdemo/card"
    for name, base in (
        ("localhost", "https://localhost/"),
        ("localhost:4321", address),
        ("evil.example", address),
    ):
        by_proxy = {"x-forwarded-host": name, "x-forwarded-proto": base.partition(":")[0]}
        assert metas(httpx.get(address, headers=by_proxy).text)["og:image"] == f"{base}mmdemo/card"


def test_what_no_page_may_hold_is_on_no_card(served: tuple[App, Any, str]) -> None:
    page = httpx.get(f"{served[2]}?view=align&text=a%00cat%1b%5B31m%C2%8D!").text
    assert metas(page)["og:title"] == "Does this text fit the picture?"
    assert metas(page)["og:description"] == "acat[31m!"


@pytest.fixture
def shared(make_app: Callable[..., App]) -> App:
    return make_app("shared", server_name="0.0.0.0", samples=False)


def test_only_what_a_stranger_may_see_is_on_a_card(shared: App) -> None:
    ws = shared.ws
    item = ws.add_media("image", png((1, 2, 3)), "a.png", source="t")
    with asking(Asker("viewer", session="somebody")):
        private = ws.add_media("image", png((4, 5, 6)), "b.png", source="upload", listed=False)
        assert card_of(ws, f"view=caption&item={private.id}").item is None
    assert card_of(ws, f"view=caption&item={item.id}").item is not None
    client = gated(shared)
    with_it, without = (
        client.get(f"/mmdemo/card?view=caption{more}").content for more in (f"&item={item.id}", "")
    )
    assert with_it != without == client.get(f"/mmdemo/card?view=caption&item={private.id}").content
    ask(shared, "hide", items=[item.id])
    assert client.get(f"/mmdemo/card?view=caption&item={item.id}").content == without


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("view=search&text=a+red+car", "Pictures for “a red car”"),
        ("view=speech&mode=search&by=item", "Recordings like this one"),
        ("view=video&text=a+harp", "Where “a harp” is in this video"),
        ("view=fine-tune&part=runs", "Fine-tuning"),
        ("view=nothing", "mmdemo"),
        ("s=../../etc/passwd", "mmdemo"),
        (f"view=align&text={'x' * 70_000}", "mmdemo"),
        ("view=align&item=%ff%00&text=%ed%a0%80", "Does this text fit the picture?"),
    ],
)
def test_what_a_link_is_about_is_said_of_any_address(shared: App, query: str, title: str) -> None:
    card = card_of(shared.ws, query)
    assert card.title == title and len(card.about) < 1000
    answer = gated(shared).get(f"/mmdemo/card?{query}" if len(query) < 60_000 else "/mmdemo/card")
    assert answer.status_code == 200 and answer.content[:2] == b"\xff\xd8"
