"""Media by the hash of an item: `/mmdemo/media/ID`, `/mmdemo/thumb/ID` and what is made of them. Nothing else
is served from the disk.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    MalformedRangeHeader,
    RangeNotSatisfiable,
    Response,
)
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from mmdemo.asker import current
from mmdemo.errors import GoneError, MmdemoError, UserError
from mmdemo.modality import MODALITIES, Modality
from mmdemo.service.app import App
from mmdemo.service.copies import As, BeingMadeError
from mmdemo.service.operations.requests import shown
from mmdemo.store.tables import Item
from mmdemo.ui.gate import refusal_of
from mmdemo.ui.refusals import refusal
from mmdemo.ui.while_asked import while_asked

THUMB_SIDES = (320, 1280)
RANGE_CURE = "Ask for bytes=FIRST-LAST, of %d bytes in all."
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
OF_ONE = "private, max-age=3600"

Answer = Callable[[Item, Request], Response]  # asked on a thread of its own


class MediaResponse(FileResponse):
    """A file, of which a browser may ask for a part; parts that it does not have are refused as JSON.

    Raises:
        OSError: there is no such file.
    """

    def __init__(self, path: Path, media_type: str | None = None, **more: Any) -> None:
        super().__init__(path, media_type=media_type, stat_result=path.stat(), **more)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or why there is no such part."""
        wanted = Headers(scope=scope).get("range")
        size = self.stat_result.st_size if self.stat_result else 0
        try:
            if wanted is not None:
                self._parse_range_header(wanted, size)
        except (MalformedRangeHeader, RangeNotSatisfiable) as e:
            told = UserError(f"The range {shown(wanted or '')} is none of this file's.", RANGE_CURE % size)
            unsatisfied = isinstance(e, RangeNotSatisfiable)
            headers = {"Content-Range": f"bytes */{size}"} if unsatisfied else None
            await refusal(told, 416 if unsatisfied else 400, headers)(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


def media_routes(app: App) -> list[BaseRoute]:
    """The routes of everything that is shown or heard of an item."""

    def media(item: Item, request: Request) -> Response:
        return MediaResponse(app.ws.media_path(item), media_type(item.suffix), headers=FOREVER)

    def thumb(item: Item, request: Request) -> Response:
        side = THUMB_SIDES[request.query_params.get("s") == "1280"]
        return MediaResponse(app.ws.thumbnail(item, side), "image/webp", headers=FOREVER)

    def played(item: Item, kind: As) -> Response:
        """What browsers play of an item. As long as the copy of it is being made, that it is."""
        try:
            path = app.context.copies.path(item, kind)
        except BeingMadeError as e:
            return refusal_of(e, app.settings, 202)
        return MediaResponse(path, media_type(path.suffix), headers=FOREVER)

    def player(item: Item, request: Request) -> Response:
        """A video as browsers play it."""
        return played(item, "video")

    def frame(item: Item, request: Request) -> Response:
        """What a video shows at `?t=` seconds, as a small picture."""
        given = request.query_params.get("t", "0")
        try:
            time_s = min(max(0.0, float(given)), item.duration_s or 0.0)
        except ValueError as e:
            raise UserError("The time is not a number.", "Give seconds, as in ?t=2.5.") from e
        shown_then = app.ws.video_frame(item, time_s, THUMB_SIDES[False])
        return Response(shown_then, media_type="image/webp", headers=FOREVER)

    def strip(item: Item, request: Request) -> Response:
        """Small frames of a whole video, side by side."""
        headers = {"Cache-Control": "private, max-age=60"}
        return Response(app.video.strip(item), media_type="image/webp", headers=headers)

    def peaks(item: Item, request: Request) -> Response:
        return MediaResponse(app.ws.peaks(item), "application/octet-stream", headers=FOREVER)

    def sound(item: Item, request: Request) -> Response:
        return played(item, "sound")

    def route(answer: Answer, noun: str = "item", has: Callable[[Modality], bool] | None = None) -> Route:
        return Route(f"/mmdemo/{answer.__name__}/{{item}}", _endpoint(app, answer, noun, has))

    return [
        route(media),
        route(thumb),
        route(player, "video", _is_watched),
        route(frame, "video", _is_watched),
        route(strip, "video", _is_watched),
        route(peaks, "recording", _is_heard),
        route(sound, "recording", _is_heard),
    ]


def _is_watched(modality: Modality) -> bool:
    return modality.player == "video"


def _is_heard(modality: Modality) -> bool:
    return modality.has_sound


def _endpoint(
    app: App, answer: Answer, noun: str, has: Callable[[Modality], bool] | None
) -> Callable[..., Any]:
    """An answer for an item, behind its id: an item that there is not, one of another modality and one whose
    file is gone from the disk are each told so.
    """

    async def endpoint(request: Request) -> Response:
        item_id = request.path_params["item"]
        is_id = re.fullmatch(r"[0-9a-f]{64}", item_id)
        try:
            run = app.lanes.media.run
            item = await run(app.ws.visible, item_id) if is_id else None
            removed = bool(is_id) and item is None and await run(app.ws.items.was_removed, item_id)
        except MmdemoError as e:  # too many ask, or the database is away
            return refusal_of(e, app.settings)
        if item is None or (has and not has(MODALITIES.get(item.modality))):
            what = f"This {noun} was removed from the collection." if removed else f"There is no such {noun}."
            return refusal(UserError(what, "Reload the page."), 404)
        try:
            is_theirs = not item.listed or answer.__name__ == "frame"
            is_visitor = not current().may("annotator")
            lane = app.lanes.visitors if is_theirs and is_visitor else app.lanes.media
            async with while_asked(request):
                response = await lane.run(answer, item, request)
            if not item.listed:  # no store on the way may hand it to others
                response.headers["Cache-Control"] = OF_ONE
            return response
        except GoneError as e:
            return refusal_of(e, app.settings, 404)
        except (MmdemoError, OSError) as e:
            if not app.ws.has_media(item):
                gone = f"The file of {item.name} is gone from the workspace."
                return refusal(UserError(gone, "Import it again, or restore a backup."), 404)
            if isinstance(e, MmdemoError):
                return refusal_of(e, app.settings)
            raise

    return endpoint


def media_type(suffix: str) -> str:
    """What a file is sent as: as bytes, unless its modality says that browsers may open it."""
    known = (m.media_types.get(suffix) for m in MODALITIES.values())
    return next((kind for kind in known if kind), "application/octet-stream")
