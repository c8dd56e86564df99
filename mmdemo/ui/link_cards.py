"""What other sites show beside a link to the page: words in the page's head, and a picture.

The page comes as it is kept (`kept_page.py`), without a packing; what stands behind its head is packed here
once, and only the head anew for each link.
"""

from __future__ import annotations

import html
import logging
import re
import struct
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from urllib.parse import parse_qsl, urlencode

from PIL import Image
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmdemo.errors import MmdemoError
from mmdemo.media.card import draw_card
from mmdemo.service.app import App
from mmdemo.service.cards import ABOUT, NAME, Card, card_of
from mmdemo.ui.access.served import path_of
from mmdemo.ui.gate import refusal_of
from mmdemo.ui.look import FONTS, read_asset
from mmdemo.ui.page_words import language_choice

log = logging.getLogger(__name__)
PATH = "/mmdemo/card"
SAID = ("s", "view", "mode", "item", "text")  # of an address, what its card is of
LONGEST_TEXT = 500  # characters of its texts in the address of the picture
MOST_PICTURES, MOST_PAGES = 64, 16  # kept, of 0.1 MB each, and pages in two parts
OWN = re.compile(rb"<meta\s+(?:property=\"og:|name=\"twitter:)[^>]*>\s*")  # Gradio's, of its own
BODY = re.compile(rb"<body[^>]*>")
# In each language, none being chosen. What Gradio is given for the head it writes there by a script.
WITHOUT_SCRIPTS = read_asset("without_scripts.html").encode()
# While Gradio draws its own waiting sign, before its scripts have brought the page's rules.
FIRST_RULES = (
    b"<style>.gradio-container, .gradio-container .main.fillable"
    b" { max-width: none !important; padding: 0 !important; }</style>"
)
NOT_IN_HTML = re.compile(r"[^\t\n\x20-\x7e\xa0-\U0010ffff]")  # what steers a terminal, which no page may hold
KEPT_S = 600  # by a browser or a site: then what was hidden since is not shown any more
GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


@dataclass(frozen=True)
class _Page:
    """The page in two parts, between which the words of a card come."""

    head: bytes
    rest: bytes
    packed: bytes  # the rest, as deflate writes it

    def with_words(self, words: bytes, packs: bool) -> bytes:
        """The whole, perhaps as gzip: the rest is packed already."""
        head = self.head + words
        if not packs:
            return head + self.rest
        pack = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
        begun = pack.compress(head) + pack.flush(zlib.Z_FULL_FLUSH)
        crc = zlib.crc32(self.rest, zlib.crc32(head))
        return GZIP + begun + self.packed + struct.pack("<II", crc, (len(head) + len(self.rest)) & 0xFFFFFFFF)


class LinkCards:
    """The page with the card of its link, in front of what keeps the page.

    Args:
        behind: that.
        app: the open workspace.
    """

    def __init__(self, behind: ASGIApp, app: App) -> None:
        self._behind = behind
        self._app = app
        self._pages: OrderedDict[bytes, _Page] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the page; everything else is for what stands behind."""
        if scope["type"] != "http" or scope["method"] != "GET" or path_of(scope).rstrip("/"):
            await self._behind(scope, receive, send)
            return
        headers, sent = Headers(scope=scope), list[Message]()

        async def keep(message: Message) -> None:
            sent.append(message)

        plain = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
        await self._behind({**scope, "headers": plain}, receive, keep)
        if sent[0]["status"] != 200:
            for message in sent:
                await send(message)
            return
        query = scope["query_string"].decode("latin-1")
        words = _words(await self._card(query), _address(scope, headers), query).encode()
        packs = "gzip" in headers.get("accept-encoding", "")
        page = self._page(b"".join(message.get("body", b"") for message in sent[1:]))
        body = page.with_words(words, packs)
        own = (b"content-length", b"content-encoding", b"vary")
        told = [(name, value) for name, value in sent[0]["headers"] if name.lower() not in own]
        told += [(b"content-length", str(len(body)).encode()), (b"vary", b"Accept-Encoding")]
        if packs:
            told.append((b"content-encoding", b"gzip"))
        await send({**sent[0], "headers": told})
        await send({"type": "http.response.body", "body": body})

    async def _card(self, query: str) -> Card:
        if not query:
            return Card()
        try:
            return await self._app.lanes.quick.run(card_of, self._app.ws, query)
        except MmdemoError as e:  # the page opens all the same, and tells it
            log.info("a link has no card: %s", e)
            return Card()

    def _page(self, whole: bytes) -> _Page:
        """The page in two parts; those that were asked for last are kept."""
        found = self._pages.pop(whole, None)
        if found is None:
            at = whole.find(b"<meta charset")
            at = whole.find(b">", at) + 1 if at >= 0 else 0
            rest = (
                language_choice().encode()
                + FIRST_RULES
                + BODY.sub(lambda body: body[0] + WITHOUT_SCRIPTS, OWN.sub(b"", whole[at:]), count=1)
            )
            pack = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
            found = _Page(whole[:at], rest, pack.compress(rest) + pack.flush())
        self._pages[whole] = found
        if len(self._pages) > MOST_PAGES:
            self._pages.popitem(last=False)
        return found


def _address(scope: Scope, headers: Headers) -> str:
    """The page's own address, by the name that a proxy was asked under or else this server: the gate passes
    on no other than names that it knows.
    """
    host = headers.get("x-forwarded-host") or headers.get("host", "")
    secure = scope.get("scheme") == "https" or headers.get("x-forwarded-proto", "").startswith("https")
    root = str(scope.get("root_path") or "").rstrip("/")
    return f"http{'s' * secure}://{host}{root}/"


def _words(card: Card, address: str, query: str) -> str:
    said = {name: value[:LONGEST_TEXT] for name, value in parse_qsl(query[:100_000]) if name in SAID}
    picture = address + PATH.lstrip("/") + (f"?{urlencode(said)}" if said else "")
    tags = {"title": card.title, "description": card.about, "image": picture}
    of_site = {"og:type": "website", "og:site_name": NAME, "og:image:width": "1200", "og:image:height": "630"}
    of_site["og:image:alt"] = card.title
    lines = [_meta("property", name, value) for name, value in of_site.items()]
    lines += [_meta("property", f"og:{name}", value) for name, value in tags.items()]
    lines += [_meta("name", f"twitter:{name}", value) for name, value in tags.items()]
    return "".join([*lines, _meta("name", "twitter:card", "summary_large_image")])


def _meta(kind: str, name: str, value: str) -> str:
    return f'<meta {kind}="{name}" content="{html.escape(NOT_IN_HTML.sub("", value))}">'


def card_route(app: App) -> BaseRoute:
    """The picture of a link, drawn once in a while."""
    drawn: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
    lock = Lock()

    def picture(query: str) -> bytes:
        card = card_of(app.ws, query)
        with lock:  # one at a time is drawn
            if (found := drawn.get(card.key)) is None:
                title = card.title if card.title != NAME else ABOUT
                found = draw_card(NAME, title, card.texts, _picture_of(app, card), FONTS)
                drawn[card.key] = found
                if len(drawn) > MOST_PICTURES:
                    drawn.popitem(last=False)
            drawn.move_to_end(card.key)
            return found

    async def card(request: Request) -> Response:
        try:
            data = await app.lanes.media.run(picture, request.scope["query_string"].decode("latin-1"))
        except MmdemoError as e:
            return refusal_of(e, app.settings)
        kept = {"Cache-Control": f"public, max-age={KEPT_S}", "X-Content-Type-Options": "nosniff"}
        return Response(data, media_type="image/jpeg", headers=kept)

    return Route(PATH, card)


def _picture_of(app: App, card: Card) -> Image.Image | None:
    if card.item is None:
        return None
    try:
        with Image.open(app.ws.thumbnail(card.item, 1280)) as opened:
            return opened.convert("RGB")
    except (MmdemoError, OSError) as e:  # its file is gone: the words are there
        log.info("%s has no picture on its card: %s", card.item.id, e)
        return None
