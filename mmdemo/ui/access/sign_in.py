"""The routes by which somebody signs in with a key, and out again."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from mmdemo.asker import mark_of
from mmdemo.errors import AccessError, MmdemoError, UserError
from mmdemo.service.access import Admitted, new_session
from mmdemo.service.app import App
from mmdemo.ui.access.askers import Visit
from mmdemo.ui.access.gate import ASKERS, VISIT
from mmdemo.ui.refusals import json_body, refusal
from mmdemo.ui.waiting_files import WAITING

LONGEST_KEY = 1000


async def let_in(app: App, visit: Visit, who: Admitted) -> Admitted:
    """Sign somebody in with a new session; returns who they are then. What they brought as nobody, or as the
    same, stays theirs; what somebody else brought is not handed on, and goes in its time.

    Raises:
        StorageError: it cannot be noted, and nothing has changed.
    """
    who, browser = visit.browser.with_one_more(who)
    same = visit.brought and (visit.who.by, visit.who.name) in (("", ""), (who.by, who.name))
    session = new_session()

    def note() -> None:
        app.access.begin(session, who)
        if same:
            app.ws.scratch.hand_over(mark_of(visit.session), mark_of(session), who.role)
            WAITING.hand_over(visit.session, session)
        if visit.who.by:
            app.access.end(visit.session)

    await run_in_threadpool(note)
    visit.becomes(who, session, browser)
    return who


def sign_in_routes(app: App) -> list[BaseRoute]:
    """The routes, which stand behind the gate."""

    one_at_a_time = asyncio.Lock()

    async def sign_in(request: Request) -> Response:
        """Take `{"key": KEY}`: who shows a right one is what it says from then on."""
        visit, askers = request.scope[VISIT], request.scope[ASKERS]
        try:
            key = (await json_body(request)).get("key")
            if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY:
                raise UserError("There is no key.", "Give the pass phrase or the key of an invitation.")
            async with one_at_a_time:  # many that come at once are many guesses
                askers.require_patience(visit, key)
                who = await run_in_threadpool(app.access.admit, key)
                if who is None:
                    askers.wrong(visit, key)
                    raise AccessError(
                        "This key opens nothing.", "Check it; an invitation may be used up or over."
                    )
            askers.right(visit, who)
            who = await let_in(app, visit, who)
        except MmdemoError as e:
            return refusal(e)
        return JSONResponse({"role": who.role, "name": who.name, "person": visit.asker.person})

    async def sign_out(request: Request) -> Response:
        visit = request.scope[VISIT]
        try:
            if visit.who.by:
                await run_in_threadpool(app.access.end, visit.session)
        except MmdemoError as e:
            return refusal(e)
        visit.becomes(Admitted(), new_session(), visit.browser)
        return JSONResponse({"role": visit.asker.role, "name": ""})

    return [
        Route("/mmdemo/sign-in", sign_in, methods=["POST"]),
        Route("/mmdemo/sign-out", sign_out, methods=["POST"]),
    ]
