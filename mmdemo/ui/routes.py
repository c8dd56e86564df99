"""The page's own routes: media by id, and one JSON route for everything that its widgets ask for.

`/mmdemo/media/ID` and `/mmdemo/thumb/ID` serve files by their hash and nothing else. `POST
/mmdemo/api/NAME` takes the request of an operation as JSON and returns its answer.
"""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    JSONResponse,
    MalformedRangeHeader,
    RangeNotSatisfiable,
    Response,
)
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from mmdemo.errors import AccessError, MmdemoError, UserError
from mmdemo.modality import MODALITIES
from mmdemo.service.app import App
from mmdemo.service.exchange import download_path
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.ui.gate import HEADER, Caller, ask
from mmdemo.ui.uploads import receive

log = logging.getLogger(__name__)
THUMB_SIDES = (320, 1280)
MAX_JSON_BYTES = 2_000_000
LONGEST_NUMBER = 400  # digits: Python reads no more than 4300, and every bound has far fewer
MAX_LIVE_BYTES = 2 * 16_000 * 31
RANGE_CURE = "Ask for bytes=FIRST-LAST, of %d bytes in all."
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}


class MediaResponse(FileResponse):
    """A file, of which a browser may ask for a part; parts that it does not have are refused as JSON."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file, or why there is no such part."""
        wanted = Headers(scope=scope).get("range")
        if wanted is not None and self.stat_result is None:
            self.stat_result = Path(self.path).stat()
            self.set_stat_headers(self.stat_result)
        size = self.stat_result.st_size if self.stat_result else 0
        try:
            if wanted is not None:
                self._parse_range_header(wanted, size)
        except (MalformedRangeHeader, RangeNotSatisfiable) as e:
            told = {
                "error": f"The range {(wanted or '')[:60]!r} is none of this file's.",
                "cure": RANGE_CURE % size,
            }
            unsatisfied = isinstance(e, RangeNotSatisfiable)
            headers = {"Content-Range": f"bytes */{size}"} if unsatisfied else None
            await JSONResponse(told, 416 if unsatisfied else 400, headers)(scope, receive, send)
            return
        await super().__call__(scope, receive, send)


def page_routes(app: App) -> list[BaseRoute]:
    """The routes, to stand before Gradio's own."""

    async def media(request: Request) -> Response:
        item = _item(app, request)
        if item is None:
            return JSONResponse({"error": "There is no such item."}, 404)
        kind = media_type(item.suffix)
        return MediaResponse(app.ws.media_path(item), media_type=kind, headers=FOREVER)

    async def thumb(request: Request) -> Response:
        item = _item(app, request)
        if item is None:
            return JSONResponse({"error": "There is no such item."}, 404)
        side = THUMB_SIDES[request.query_params.get("s") == "1280"]
        try:
            path = await run_in_threadpool(app.ws.thumbnail, item, side)
        except MmdemoError as e:
            return _refusal(e)
        return MediaResponse(path, media_type="image/webp", headers=FOREVER)

    async def player(request: Request) -> Response:
        """A video as browsers play it."""
        item = _item(app, request)
        if item is None or MODALITIES.get(item.modality).player != "video":
            return JSONResponse({"error": "There is no such video."}, 404)
        try:
            path = await run_in_threadpool(app.ws.playable, item)
        except MmdemoError as e:
            return _refusal(e)
        return MediaResponse(path, media_type=media_type(path.suffix), headers=FOREVER)

    async def frame(request: Request) -> Response:
        """What a video shows at `?t=` seconds, as a small picture."""
        item = _item(app, request)
        if item is None or MODALITIES.get(item.modality).player != "video":
            return JSONResponse({"error": "There is no such video."}, 404)
        try:
            time_s = min(max(0.0, float(request.query_params.get("t", "0"))), item.duration_s or 0.0)
        except ValueError:
            return JSONResponse({"error": "The time is not a number."}, 400)
        try:
            path = await run_in_threadpool(app.ws.video_frame, item, time_s, THUMB_SIDES[False])
        except MmdemoError as e:
            return _refusal(e)
        return MediaResponse(path, media_type="image/webp", headers=FOREVER)

    async def strip(request: Request) -> Response:
        """Small frames of a whole video, side by side."""
        item = _item(app, request)
        if item is None:
            return JSONResponse({"error": "There is no such video."}, 404)
        try:
            data = await run_in_threadpool(app.video.strip, item)
        except MmdemoError as e:
            return _refusal(e)
        return Response(data, media_type="image/webp", headers={"Cache-Control": "private, max-age=60"})

    async def peaks(request: Request) -> Response:
        item = _item(app, request)
        if item is None or not MODALITIES.get(item.modality).has_sound:
            return JSONResponse({"error": "There is no such recording."}, 404)
        path = await run_in_threadpool(app.ws.peaks, item)
        return MediaResponse(path, media_type="application/octet-stream", headers=FOREVER)

    async def sound(request: Request) -> Response:
        item = _item(app, request)
        if item is None or not MODALITIES.get(item.modality).has_sound:
            return JSONResponse({"error": "There is no such recording."}, 404)
        path = await run_in_threadpool(app.ws.sound, item)
        kind = media_type(path.suffix)
        return MediaResponse(path, media_type=kind, headers=FOREVER)

    async def live(request: Request) -> Response:
        """16-bit samples at 16 kHz as the raw body: what is said in them, while it is being said."""
        data = bytearray()
        async for part in request.stream():
            data += part
            if len(data) > MAX_LIVE_BYTES:
                return _refusal(UserError("The stretch of sound is too long.", "Send half a minute at most."))
        try:
            return JSONResponse(await run_in_threadpool(app.speech.live_words, bytes(data)))
        except MmdemoError as e:
            return _refusal(e)

    async def call(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in OPERATIONS or "page" not in OPERATIONS.get(name).surfaces:
            return JSONResponse({"error": "There is no such operation."}, 404)
        try:
            body = await _json_body(request)
            answer = await run_in_threadpool(ask, app, name, body, "page", _caller(request))
            return JSONResponse(answer)
        except MmdemoError as e:
            return _refusal(e)
        except Exception:
            log.exception("%s failed", name)
            return JSONResponse(
                {"error": "Something went wrong in mmdemo.", "cure": "Its log says what."}, 500
            )

    async def upload(request: Request) -> Response:
        """A file as the raw body; `?name=` says what it is called and `?batch=` which import it is for."""
        try:
            return JSONResponse(await receive(app, request, _caller(request)))
        except MmdemoError as e:
            return _refusal(e)

    async def download(request: Request) -> Response:
        path = download_path(request.path_params["token"])
        if path is None:
            return JSONResponse({"error": "This download has expired. Make it again."}, 404)
        return MediaResponse(path, filename=path.name, headers={"X-Content-Type-Options": "nosniff"})

    return [
        Route("/mmdemo/media/{item}", media),
        Route("/mmdemo/thumb/{item}", thumb),
        Route("/mmdemo/player/{item}", player),
        Route("/mmdemo/frame/{item}", frame),
        Route("/mmdemo/strip/{item}", strip),
        Route("/mmdemo/peaks/{item}", peaks),
        Route("/mmdemo/sound/{item}", sound),
        Route("/mmdemo/live", live, methods=["POST"]),
        Route("/mmdemo/upload", upload, methods=["POST"]),
        Route("/mmdemo/download/{token}", download),
        # gradio_client fetches by itself whatever an answer calls a path, from this address.
        Route("/gradio_api/file=mmdemo/download/{token}", download),
        Route("/mmdemo/api/{name}", call, methods=["POST"]),
    ]


def _caller(request: Request) -> Caller:
    return Caller(request.headers.get(HEADER))


def media_type(suffix: str) -> str:
    """What a file is sent as: as bytes, unless its modality says that browsers may open it."""
    known = (m.media_types.get(suffix) for m in MODALITIES.values())
    return next((kind for kind in known if kind), "application/octet-stream")


def _item(app: App, request: Request) -> Any:
    item_id = request.path_params["item"]
    return app.ws.items.get(item_id) if re.fullmatch(r"[0-9a-f]{64}", item_id) else None


async def _json_body(request: Request) -> dict[str, Any]:
    if "application/json" not in request.headers.get("content-type", ""):
        raise UserError(
            "The request is not JSON.", "Send a JSON object."
        )  # a foreign page's form cannot do that
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_JSON_BYTES:
            raise UserError(
                f"The request is over the limit of {MAX_JSON_BYTES // 1_000_000} MB.", "Send less at once."
            )
    try:
        body = json.loads(bytes(data) or b"{}", parse_int=lambda digits: int(digits[:LONGEST_NUMBER]))
    except (ValueError, RecursionError) as e:
        raise UserError("The request is not JSON.", "Send a JSON object.") from e
    if not isinstance(body, dict):
        raise UserError("The request is not a JSON object.", "Send a JSON object.")
    return body


def _refusal(error: MmdemoError) -> JSONResponse:
    status = 401 if isinstance(error, AccessError) else 400 if isinstance(error, UserError) else 507
    return JSONResponse({"error": error.what, "cure": error.cure}, status)


def read_asset(name: str) -> str:
    """A script or style sheet of the page."""
    return (Path(__file__).resolve().parent / name).read_text(encoding="utf-8")
