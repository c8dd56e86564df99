"""The page's own routes: media by id, uploads, downloads, and one JSON route for everything that its widgets
ask for. `POST /mmdemo/api/NAME` takes the request of an operation as JSON and returns its answer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    Response,
)
from starlette.routing import BaseRoute, Route

from mmdemo.asker import current
from mmdemo.errors import MmdemoError, UserError
from mmdemo.service.app import App
from mmdemo.service.exchange import download_path
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.service.speech import MOST_LIVE_BYTES
from mmdemo.ui.gate import HEADER, Caller, ask, require_role
from mmdemo.ui.lanes import MODELS, lane_of
from mmdemo.ui.media_routes import MediaResponse, media_routes
from mmdemo.ui.refusals import read_body, refusal
from mmdemo.ui.uploads import receive
from mmdemo.ui.waiting_files import WAITING

MAX_JSON_MB = 2
LONGEST_NUMBER = 400  # digits: Python reads no more than 4300, and every bound has far fewer


def page_routes(app: App) -> list[BaseRoute]:
    """The routes, to stand before Gradio's own."""

    async def live(request: Request) -> Response:
        """16-bit samples at 16 kHz as the raw body: what is said in them, while it is being said."""
        data = bytearray()
        try:
            require_role(app.settings, "viewer", _caller(request))
            async for part in request.stream():
                data += part
                if len(data) > MOST_LIVE_BYTES:
                    raise UserError("The stretch of sound is too long.", "Send half a minute at most.")
            return JSONResponse(await MODELS.run(app.speech.live_words, bytes(data)))
        except MmdemoError as e:
            return refusal(e)

    async def call(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in OPERATIONS or "page" not in OPERATIONS.get(name).surfaces:
            return refusal(UserError("There is no such operation.", "Reload the page."), 404)
        try:
            body = await _json_body(request)
            answer = await lane_of(OPERATIONS.get(name)).run(ask, app, name, body, "page", _caller(request))
            return JSONResponse(answer)
        except MmdemoError as e:
            return refusal(e)

    async def upload(request: Request) -> Response:
        """A file as the raw body; `?name=` says what it is called and `?batch=` which import it is for."""
        try:
            return JSONResponse(await receive(app, request, _caller(request)))
        except MmdemoError as e:
            return refusal(e)

    async def wait(request: Request) -> Response:
        """Files that a call will name."""
        try:
            return JSONResponse(await WAITING.receive(request, current(), app.settings.max_upload_mb))
        except MmdemoError as e:
            return refusal(e)

    async def nothing(request: Request) -> Response:
        return refusal(UserError("There is no such file.", "Check the address."), 404)

    async def download(request: Request) -> Response:
        path = download_path(request.path_params["token"])
        if path is None or not path.is_file():
            return refusal(UserError("This download has expired.", "Make it again."), 404)
        return MediaResponse(path, filename=path.name, headers={"X-Content-Type-Options": "nosniff"})

    return [
        *media_routes(app),
        Route("/mmdemo/live", live, methods=["POST"]),
        Route("/mmdemo/upload", upload, methods=["POST"]),
        Route("/mmdemo/download/{token}", download),
        # gradio_client fetches by itself whatever an answer calls a path, from this address.
        Route("/gradio_api/file=mmdemo/download/{token}", download),
        Route("/gradio_api/upload", wait, methods=["POST"]),
        Route("/gradio_api/file={path:path}", nothing),  # Gradio's own would serve its folder to everybody
        Route("/gradio_api/file/{path:path}", nothing),
        Route("/mmdemo/api/{name}", call, methods=["POST"]),
    ]


def _caller(request: Request) -> Caller:
    return Caller(request.headers.get(HEADER))


async def _json_body(request: Request) -> dict[str, Any]:
    if "application/json" not in request.headers.get("content-type", ""):
        raise UserError(
            "The request is not JSON.", "Send a JSON object."
        )  # a foreign page's form cannot do that
    data = await read_body(request, MAX_JSON_MB)
    try:
        body = json.loads(data or b"{}", parse_int=lambda digits: int(digits[:LONGEST_NUMBER]))
    except (ValueError, RecursionError) as e:
        raise UserError("The request is not JSON.", "Send a JSON object.") from e
    if not isinstance(body, dict):
        raise UserError("The request is not a JSON object.", "Send a JSON object.")
    return body


def read_asset(name: str) -> str:
    """A script or style sheet of the page."""
    return (Path(__file__).resolve().parent / name).read_text(encoding="utf-8")
