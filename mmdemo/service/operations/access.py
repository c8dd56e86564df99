"""What the owner can ask: whom to let in, as what, and who was."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import Field

from mmdemo.asker import Role
from mmdemo.service.app import App
from mmdemo.service.operations.requests import Answer, Count, Id, Name, NothingRequest, OneOf, Request
from mmdemo.service.operations.table import operation
from mmdemo.store.grants import INVITATION, TOKEN
from mmdemo.store.tables import Grant, now

LONGEST_NAME = 100
LONGEST_DAYS = 366
RoleName = Annotated[str, OneOf("role", lambda: get_args(Role))]
OWNERS: Any = ("page", "command")


class TokenRequest(Request):
    """For whom, and for how long."""

    role: RoleName = Field("annotator", description="what it lets one do")
    name: Name = Field("", description="whom it is for; their labels bear it", max_length=LONGEST_NAME)
    days: Count = Field(30, ge=1, le=LONGEST_DAYS, description="for how many it can be used")


class InviteRequest(TokenRequest):
    """The same, and for how many."""

    days: Count = Field(7, ge=1, le=LONGEST_DAYS, description="within which it can be opened")
    uses: Count = Field(1, ge=1, le=1000, description="how many people may open it")


class KeyAnswer(Answer):
    """A new key, which is told this once."""

    id: int
    key: str = Field(description="of a token: what a script sends as Authorization: Bearer KEY")
    link: str = Field(description="of an invitation: what to add to the page's address; of a token empty")
    role: str
    name: str
    expires: str


class RevokeRequest(Request):
    """Which one."""

    grant: Id = Field(description="its id, from the list")


@operation("invite", role="owner", quick=True, surfaces=OWNERS)
def invite(app: App, request: InviteRequest) -> KeyAnswer:
    """Make an invitation: a link that lets one or several people in as what it says."""
    return _made(app, INVITATION, request, request.uses)


@operation("make_token", role="owner", quick=True, surfaces=OWNERS)
def make_token(app: App, request: TokenRequest) -> KeyAnswer:
    """Make a token with which a script may do what a role may."""
    return _made(app, TOKEN, request, None)


@operation("grants", role="owner", quick=True, surfaces=OWNERS)
def grants(app: App, request: NothingRequest) -> dict[str, Any]:
    """The invitations and tokens, newest first; their keys are not kept."""
    return {"grants": [_shown(grant) for grant in app.ws.grants.listed()]}


@operation("revoke", role="owner", quick=True, surfaces=OWNERS)
def revoke(app: App, request: RevokeRequest) -> dict[str, Any]:
    """Take an invitation or a token back: whoever it let in is a viewer again."""
    return _shown(app.access.revoke(request.grant))


def _made(app: App, kind: str, request: TokenRequest, uses: int | None) -> KeyAnswer:
    grant, key = app.access.grant(kind, request.role, request.name.strip(), request.days, uses)  # type: ignore[arg-type]
    facts = {
        "role": grant.role,
        "name": grant.name,
        "expires": grant.expires_at.isoformat(timespec="seconds"),
    }
    return KeyAnswer(id=grant.id, key=key, link=f"#sign-in={key}" if kind == INVITATION else "", **facts)


def _shown(grant: Grant) -> dict[str, Any]:
    over = grant.expires_at <= now() or grant.uses_left == 0
    state = "revoked" if grant.revoked_at else "used up or over" if over else "open"
    return {
        "id": grant.id,
        "kind": grant.kind,
        "role": grant.role,
        "name": grant.name,
        "state": state,
        "used": grant.used,
        "uses_left": grant.uses_left,
        "expires": grant.expires_at.isoformat(timespec="seconds"),
    }
