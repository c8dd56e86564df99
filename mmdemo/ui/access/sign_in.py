"""The routes by which somebody signs in with a key, and out again."""

from __future__ import annotations

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from mmdemo.errors import AccessError, MmdemoError, UserError
from mmdemo.service.access import Admitted, Browser, Move, new_session
from mmdemo.service.app import App
from mmdemo.ui.access.askers import Visit
from mmdemo.ui.access.gate import ASKERS, VISIT
from mmdemo.ui.bodies import json_body
from mmdemo.ui.refusals import refusal
from mmdemo.ui.waiting_files import WAITING

LONGEST_KEY = 1000


def move_of(visit: Visit) -> Move:
    """From the session of a browser to a new one."""
    return Move(visit.session, visit.who, visit.brought, visit.browser, new_session())


def move(visit: Visit, to: Move, who: Admitted, browser: Browser) -> None:
    """Have a browser bring its new session, which is noted. What somebody else brought is not handed on, and
    goes in its time.
    """
    if to.takes_along(who):
        WAITING.hand_over(to.before, to.session)
    visit.becomes(who, to.session, browser)


def sign_in_routes(app: App) -> list[BaseRoute]:
    """The routes, which stand behind the gate."""

    one_at_a_time = asyncio.Lock()

    async def sign_in(request: Request) -> Response:
        """Take `{"key": KEY}`: who shows a right one is what it says from then on. With `"own": true` it only
        tells whether they are in by this one already.
        """
        visit, askers = request.scope[VISIT], request.scope[ASKERS]
        try:
            asked = await json_body(request)
            key = asked.get("key")
            if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY:
                raise UserError("There is no key.", "Give the pass phrase or the key of an invitation.")
            own = app.access.is_in_by(visit.who, key)
            if own or asked.get("own"):  # an invitation that is opened again by whom it let in is not used up
                answer = {"role": visit.who.role, "name": visit.who.name, "person": visit.asker.person}
                return JSONResponse(answer | {"own": own})
            async with one_at_a_time:  # many that come at once are many guesses
                askers.require_patience(visit, key)
                to = move_of(visit)
                found = await run_in_threadpool(app.access.sign_in, key, to)
                if found is None:
                    askers.wrong(visit, key)
                    raise AccessError(
                        "This pass phrase or invitation is not right, or it was used up or is over.",
                        "Check it. Ask for a new one.",
                    )
            who, browser = found
            askers.right(visit, who)
            move(visit, to, who, browser)
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
