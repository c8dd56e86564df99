"""What a visitor looks at is found by nobody else, whichever way they ask, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from mmdemo.asker import Asker, asking, is_gone
from mmdemo.errors import UserError
from mmdemo.service.app import App
from mmdemo.service.exchange import new_folder
from mmdemo.service.operations.table import ask
from mmdemo.store.tables import Item, Scratch, now
from mmdemo.ui.media_routes import media_routes
from mmdemo.ui.uploads import _keep
from mmdemo.ui.while_asked import while_asked
from tests.conftest import TASK, drawing, png
from tests.media.test_image import saved
from tests.ui.conftest import awaited, gated

ONE, OTHER = Asker("viewer", session="one"), Asker("viewer", session="other")
TRAINER = Asker("trainer", session="one")
LATE = timedelta(days=2)


class Asks:
    """Notes for every request who is asking, as the gate does."""

    def __init__(self, app: ASGIApp, who: Asker) -> None:
        self.app, self.who = app, who

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with asking(self.who):
            await self.app(scope, receive, send)


def client_of(app: App, who: Asker) -> TestClient:
    return TestClient(Asks(Starlette(routes=media_routes(app)), who))


def brought(app: App, who: Asker, path: Path) -> Item:
    with asking(who):
        return app.media.keep(path)


def found(app: App, who: Asker, query: str = "a mosquito", **more: Any) -> set[str]:
    with asking(who):
        return {
            row["item"] for row in ask(app, "search", query=query, k=200, everything=True, **more)["results"]
        }


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A picture that the collection does not have."""
    path = tmp_path / "mine.png"
    with Image.open(drawing("mosquito")) as picture:
        path.write_bytes(saved(picture.convert("RGB").rotate(3), "PNG"))
    return path


def test_others_find_it_by_no_search_even_after_the_next_index_update(app: App, mine: Path) -> None:
    item = brought(app, ONE, mine)
    rows = {f: f.stat().st_size for f in (app.ws.folder / "vectors").glob("*.f*")}
    alike = found(app, ONE, query="", item=item.id)  # a search by it made its vector
    assert alike and item.id not in alike
    app.context.keeper.update()
    for who in (ONE, OTHER, Asker("owner")):
        assert item.id not in found(app, who)
    assert {f: f.stat().st_size for f in (app.ws.folder / "vectors").glob("*.f*")} == rows


def test_others_reach_it_by_no_address_and_no_operation(app: App, mine: Path) -> None:
    item = brought(app, ONE, mine)
    for way in ("media", "thumb"):
        own = client_of(app, ONE).get(f"/mmdemo/{way}/{item.id}")
        assert own.status_code == 200 and own.headers["cache-control"].startswith("private")
        foreign = client_of(app, OTHER).get(f"/mmdemo/{way}/{item.id}")
        assert foreign.status_code == 404 and foreign.json()["error"] == "There is no such item."
    kept = app.ws.items.listed("image", limit=1)[0]
    assert client_of(app, OTHER).get(f"/mmdemo/media/{kept.id}").headers["cache-control"].startswith("public")
    asked: list[tuple[str, dict[str, Any]]] = [
        ("align", {"item": item.id, "texts": "a"}),
        ("caption", {"item": item.id}),
        ("search", {"item": item.id}),
        ("explain", {"item": item.id, "texts": "a"}),
        ("medium", {"item": item.id}),
        ("label_result", {"item": item.id, "text": "a", "verdict": "match"}),
        ("add_to_collection", {"item": item.id}),
    ]
    for name, values in asked:
        with asking(OTHER), pytest.raises(UserError, match="There is no item"):
            ask(app, name, **values)


def test_no_list_of_the_collection_has_it(app: App, mine: Path, tmp_path: Path) -> None:
    def counted() -> dict[str, Any]:
        return {k: v for k, v in ask(app, "data", task="image-text").items() if k != "free_bytes"}

    before = counted()
    item = brought(app, ONE, mine)
    assert counted() == before
    for name in ("samples", "items", "queue"):
        assert item.id not in str(ask(app, name, task="image-text"))
    ask(app, "export", task="image-text", format="jsonl", out=str(tmp_path / "out"))
    assert not [f for f in (tmp_path / "out").rglob("*") if item.id[:8] in f.name or f.name == "mine.png"]


def test_who_may_train_adds_it_and_then_all_find_it(app: App, mine: Path) -> None:
    item = brought(app, TRAINER, mine)
    with asking(TRAINER):
        assert ask(app, "add_to_collection", item=item.id) == {"item": item.id, "name": "mine.png"}
    app.context.keeper.update()
    assert item.id in found(app, OTHER)
    assert app.ws.scratch.sweep(at=now() + LATE) == [] and app.ws.media_path(item).is_file()


def test_a_label_on_ones_own_upload_keeps_it(app: App, mine: Path) -> None:
    annotator = Asker("annotator", session="one")
    item = brought(app, annotator, mine)
    with asking(annotator):
        ask(app, "label_result", item=item.id, text="a tilted mosquito", verdict="match")
    app.context.keeper.update()
    assert item.id in found(app, OTHER) and app.ws.scratch.sweep(at=now() + LATE) == []


def test_what_is_being_looked_through_is_not_swept(
    app: App, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = brought(app, ONE, mine)
    with app.ws.database.write() as session:
        session.execute(update(Scratch).values(until=now() - LATE))
    monkeypatch.setattr(app.context.frame_jobs, "is_on", lambda key: key == item.id)
    assert app.context.sweep() == []
    monkeypatch.undo()
    assert app.context.sweep() == [item.id]


def test_what_visitors_look_at_keeps_no_picture_of_the_collection_waiting(
    app: App, mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item, go, draw = brought(app, ONE, mine), threading.Event(), app.ws.thumbnail
    listed = app.ws.pairs.browse(TASK, limit=1)[0].item

    def slowly(of: Item, side_px: int) -> Path:
        if of.id == item.id:
            go.wait(60)
        return draw(of, side_px)

    monkeypatch.setattr(app.ws, "thumbnail", slowly)

    def client(who: Asker) -> httpx.AsyncClient:
        page = Asks(Starlette(routes=media_routes(app)), who)
        return httpx.AsyncClient(transport=httpx.ASGITransport(page), base_url="http://page", timeout=60)

    async def asked() -> set[int]:
        async with client(ONE) as visitor, client(Asker("annotator", session="n")) as annotator:
            waiting = [asyncio.ensure_future(visitor.get(f"/mmdemo/thumb/{item.id}")) for _ in range(9)]
            try:
                shown = await asyncio.wait_for(annotator.get(f"/mmdemo/thumb/{listed}"), 20)
            finally:
                go.set()
            return {shown.status_code, *(one.status_code for one in await asyncio.gather(*waiting))}

    assert awaited(asked()) == {200}


def test_what_is_carried_out_knows_when_its_connection_was_closed() -> None:
    async def asked() -> list[bool]:
        messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        known = []
        async with while_asked(Request({"type": "http"}, messages.get)):
            known.append(await asyncio.to_thread(is_gone))
            messages.put_nowait({"type": "http.request", "body": b""})
            messages.put_nowait({"type": "http.disconnect"})
            while not messages.empty():
                await asyncio.sleep(0)
            known.append(await asyncio.to_thread(is_gone))
        return [*known, is_gone()]

    assert awaited(asked()) == [False, True, False]


def test_what_waits_for_an_import_or_a_download_goes_after_a_day_and_no_upload_looks_for_it(app: App) -> None:
    forgotten = new_folder()
    (forgotten / "export.zip").write_bytes(b"x")
    os.utime(forgotten, (0, 0))
    sent = gated(app).post("/mmdemo/upload", params={"name": "a.png", "task": TASK}, content=png())
    assert sent.status_code == 200 and forgotten.is_dir()
    app.context.sweep()
    assert not forgotten.exists()


@pytest.mark.slow
def test_many_requests_leave_nothing_behind(app: App, tmp_path: Path) -> None:
    def state() -> tuple[set[str], int, int]:
        gc.collect()
        names = ("media", "scratch", "cache", "vectors")
        files = {str(f) for name in names for f in (app.ws.folder / name).rglob("*") if f.is_file()}
        size = sum(Path(f).stat().st_size for f in files)
        return files, size, len(list(Path("/proc/self/fd").iterdir()))

    def request(number: int) -> None:
        path = tmp_path / f"{number}.png"
        path.write_bytes(png((number, 7, 7)))
        with asking(ONE):
            item = app.media.keep(path)
            ask(app, "align", item=item.id, texts="a colour")
            ask(app, "search", item=item.id)
        assert client_of(app, ONE).get(f"/mmdemo/thumb/{item.id}").status_code == 200

    request(200)
    app.ws.scratch.sweep(at=now() + LATE)
    files, size, descriptors = state()
    for number in range(25):
        request(number)
    assert state()[0] > files
    assert len(app.ws.scratch.sweep(at=now() + LATE)) == 25
    assert state() == (files, size, descriptors)


def test_the_page_offers_it_to_those_who_may(make_app: Callable[..., App], mine: Path) -> None:
    app = make_app("offers", samples=False)
    for who, may in ((ONE, False), (TRAINER, True)):
        with asking(who):
            assert _keep(app, mine, "mine.png", "image-text")["may_add"] is may
