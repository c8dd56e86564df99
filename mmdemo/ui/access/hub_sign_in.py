"""Signing in with Hugging Face, where a Space offers that: OpenID Connect with a state and PKCE (RFC 7636).

The owner of the Space is the owner here; everybody else is a viewer with a name. A Space is told how by
variables, where its README says `hf_oauth: true`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import secrets
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from mmdemo.errors import AccessError, MmdemoError, reason
from mmdemo.service.access import Admitted
from mmdemo.service.app import App
from mmdemo.service.let_in_by import HUB
from mmdemo.settings import HubSignIn
from mmdemo.ui.access.gate import VISIT
from mmdemo.ui.access.refused import Refused
from mmdemo.ui.access.sign_in import move, move_of
from mmdemo.ui.refusals import refusal

log = logging.getLogger(__name__)
BEGIN, CALLBACK = "/mmdemo/hub/sign-in", "/mmdemo/hub/callback"
KEPT_S = 600.0  # for which somebody may take to sign in there
MOST_BEGUN = 1000  # then the oldest goes of the network that began most
ASKED_S = 10.0  # that Hugging Face may take to answer
AGAIN = "Sign in once more."


@dataclass(frozen=True)
class _Begun:
    session: str  # whose browser it was
    verifier: str
    address: str  # of their network
    at_s: float


def hub_routes(app: App, hub: HubSignIn) -> list[BaseRoute]:
    """The routes by which somebody goes to Hugging Face, and comes back."""
    begun: OrderedDict[str, _Begun] = OrderedDict()

    async def begin(request: Request) -> Response:
        visit = request.scope[VISIT]
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        begun[state] = _Begun(visit.session, verifier, visit.address, time.monotonic())
        if len(begun) > MOST_BEGUN:
            ((most, _),) = Counter(one.address for one in begun.values()).most_common(1)
            del begun[next(key for key, one in begun.items() if one.address == most)]
        visit.keep()
        asked = {
            "response_type": "code",
            "client_id": hub.client,
            "redirect_uri": _callback(hub),
            "scope": hub.scopes,
            "state": state,
            "code_challenge": _challenge(verifier),
            "code_challenge_method": "S256",
        }
        return RedirectResponse(f"{hub.address}/oauth/authorize?{urlencode(asked)}", 303)

    async def come_back(request: Request) -> Response:
        visit = request.scope[VISIT]
        try:
            known = begun.pop(request.query_params.get("state", ""), None)
            own = known is not None and hmac.compare_digest(known.session.encode(), visit.session.encode())
            if known is None or not own or time.monotonic() - known.at_s > KEPT_S:
                raise AccessError("This is no sign-in that began in this browser.", AGAIN)
            if "code" not in request.query_params:
                raise AccessError("Hugging Face did not sign you in.", AGAIN)
            name = await _name_of(hub, request.query_params["code"], known.verifier)
            owns = bool(hub.owner) and name.lower() == hub.owner.lower()
            to, shown = move_of(visit), Admitted("owner" if owns else "viewer", name, HUB)
            who, browser = await run_in_threadpool(app.access.begin, shown, to)
            move(visit, to, who, browser)
        except MmdemoError as e:
            return refusal(e)
        return RedirectResponse("/", 303)

    return [Route(BEGIN, begin), Route(CALLBACK, come_back)]


async def _name_of(hub: HubSignIn, code: str, verifier: str) -> str:
    """The name of whom a code is of, which can be asked once.

    Raises:
        AccessError: it is nobody's.
        Refused: Hugging Face does not answer.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": _callback(hub),
        "code_verifier": verifier,
    }
    try:
        async with httpx.AsyncClient(timeout=ASKED_S) as http:
            token = await http.post(f"{hub.address}/oauth/token", data=form, auth=(hub.client, hub.secret))
            given = _json(token).get("access_token")
            headers = {"Authorization": f"Bearer {given}"}
            told = _json(await http.get(f"{hub.address}/oauth/userinfo", headers=headers))
    except httpx.HTTPError as e:
        log.warning("Hugging Face could not be asked who signs in: %s", reason(e))
        raise Refused(503, "Hugging Face does not answer.", "Try again in a while.") from e
    name = told.get("preferred_username")
    if not isinstance(name, str) or not name:
        raise AccessError("Hugging Face did not say who you are.", AGAIN)
    return name[:100]


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        told = answer.json() if answer.is_success else {}
    except ValueError:
        told = {}
    if not isinstance(told, dict) or not told:
        raise AccessError("Hugging Face did not sign you in.", AGAIN)
    return told


def _callback(hub: HubSignIn) -> str:
    return f"https://{hub.host}{CALLBACK}"


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
