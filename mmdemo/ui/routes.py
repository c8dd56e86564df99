"""The page's own routes: media by id, uploads, downloads, and one JSON route for everything that its widgets
ask for. `POST /mmdemo/api/NAME` takes the request of an operation as JSON and returns its answer.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import (
    JSONResponse,
    Response,
)
from starlette.routing import BaseRoute, Route

from mmdemo.asker import Role, current
from mmdemo.errors import MmdemoError, UserError
from mmdemo.service.app import App
from mmdemo.service.exchange import download_path
from mmdemo.service.operations.table import OPERATIONS
from mmdemo.service.speech import MOST_LIVE_BYTES
from mmdemo.ui.access.gate import VISIT
from mmdemo.ui.access.hub_sign_in import hub_routes
from mmdemo.ui.access.refused import Refused
from mmdemo.ui.access.sign_in import sign_in_routes
from mmdemo.ui.bodies import json_body
from mmdemo.ui.gate import ask, refusal_of, require_role
from mmdemo.ui.json_answer import answer_as_json
from mmdemo.ui.link_cards import card_route
from mmdemo.ui.look import font_route
from mmdemo.ui.media_routes import MediaResponse, media_routes
from mmdemo.ui.page_words import words_route
from mmdemo.ui.refusals import refusal
from mmdemo.ui.uploads import WaitingImports, receive
from mmdemo.ui.waiting_files import WAITING
from mmdemo.ui.while_asked import while_asked

MAKER = "x-mmdemo-as"  # the `person` who made what is sent


def page_routes(app: App) -> list[BaseRoute]:
    """The routes, to stand before Gradio's own."""
    imports = WaitingImports()

    async def live(request: Request) -> Response:
        """16-bit samples at 16 kHz as the raw body: what is said in them, while it is being said."""
        data = bytearray()
        try:
            require_role("viewer", current())
            async for part in request.stream():
                data += part
                if len(data) > MOST_LIVE_BYTES:
                    raise UserError("The stretch of sound is too long.", "Send half a minute at most.")
            return JSONResponse(await app.lanes.models.run(app.speech.live_words, bytes(data)))
        except MmdemoError as e:
            return refusal_of(e, app.settings)

    async def call(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in OPERATIONS or "page" not in OPERATIONS.get(name).surfaces:
            return refusal(UserError("There is no such operation.", "Reload the page."), 404)
        try:
            body, asked = await json_body(request), OPERATIONS.get(name)
            _require_maker(request, asked.role)
            async with while_asked(request):
                answer = await app.lanes.called(asked.lane).run(ask, app, name, body, "page", current())
            return answer_as_json(answer)
        except MmdemoError as e:
            return refusal_of(e, app.settings)

    async def upload(request: Request) -> Response:
        """A file as the raw body; `?name=` says what it is called and `?batch=` which import it is for."""
        try:
            return JSONResponse(await receive(app, request, imports))
        except MmdemoError as e:
            return refusal_of(e, app.settings)

    async def wait(request: Request) -> Response:
        """Files that a call will name."""
        try:
            return JSONResponse(await WAITING.receive(request, request.scope[VISIT].sender, app.settings))
        except MmdemoError as e:
            return refusal_of(e, app.settings)

    async def no_calls(request: Request) -> Response:
        """How often each endpoint is called: Gradio's API page asks, and it is nobody's to know."""
        return JSONResponse({"functions": {}})

    async def download(request: Request) -> Response:
        path = download_path(request.path_params["token"])
        if path is None or not path.is_file():
            return refusal(UserError("This download has expired.", "Make it again."), 404)
        return MediaResponse(path, filename=path.name, headers={"X-Content-Type-Options": "nosniff"})

    hub = app.settings.hub_sign_in
    return [
        *media_routes(app),
        font_route(),
        words_route(),
        card_route(app),
        *(hub_routes(app, hub) if hub is not None else []),
        *sign_in_routes(app),
        Route("/mmdemo/live", live, methods=["POST"]),
        Route("/mmdemo/upload", upload, methods=["POST"]),
        Route("/mmdemo/download/{token}", download),
        # gradio_client fetches by itself whatever an answer calls a path, from this address.
        Route("/gradio_api/file=mmdemo/download/{token}", download),
        Route("/monitoring/summary", no_calls),
        Route("/gradio_api/upload", wait, methods=["POST"]),
        Route("/mmdemo/api/{name}", call, methods=["POST"]),
    ]


def _require_maker(request: Request, role: Role) -> None:
    """Refuse what somebody else made at this browser; whoever may not ask at all is told that first.

    Raises:
        Refused: it is another's.
    """
    maker = request.headers.get(MAKER, "")
    if maker and current().may(role) and maker != current().person:
        raise Refused(409, "Somebody else made this in this browser.", "It is sent when they sign in again.")
