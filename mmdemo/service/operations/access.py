"""What the owner can ask: whom to let in, as what, and who was."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, get_args

from pydantic import Field

from mmdemo.asker import Role, current
from mmdemo.service.app import App
from mmdemo.service.let_in_by import GRANT, HUB, OWNER, PHRASE, LetInBy
from mmdemo.service.operations.requests import Answer, Count, Id, Name, NothingRequest, OneOf, Request
from mmdemo.service.operations.table import operation
from mmdemo.store.grants import INVITATION, TOKEN
from mmdemo.store.names import shown_name
from mmdemo.store.page_address import noted_address
from mmdemo.store.sessions import OF_A_MARK
from mmdemo.store.tables import Grant, SignedIn, now

LONGEST_NAME = 100
LONGEST_DAYS = 366
RoleName = Annotated[str, OneOf("role", lambda: get_args(Role))]
LET_IN_BY = {
    OWNER: "the link of the start",
    PHRASE: "the pass phrase",
    GRANT: "invitation",
    HUB: "Hugging Face",
}
ADD_ADDRESS = "No page was served from this workspace yet: add the link to the page's address."
SEND_TOKEN = (
    "A script sends it with each request, as curl -H 'Authorization: Bearer {key}', "
    "or Client('{address}', headers={{'Authorization': 'Bearer {key}'}}) of gradio_client."
)
LANDS_ON: dict[str, str] = {"annotator": "?view=label"}  # what an invitation opens; else the first tab
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
    link: str = Field(
        description="of an invitation: what to open, for annotators the Label tab; of a token empty"
    )
    role: str
    name: str
    expires: str
    note: str = Field(description="how a token is sent, or what is to be done with a link; empty: nothing")
    workspace: str = Field(description="whose pages it opens, at this machine; empty: asked from elsewhere")


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
    """The invitations and tokens, newest first, and who is signed in by each; their keys are not kept."""
    people: dict[str, list[str]] = {}
    for row in app.ws.sessions.listed():
        people.setdefault(row.let_in_by, []).append(row.name)
    listed = app.ws.grants.listed()
    by = {one.id: str(LetInBy(GRANT, one.digest, one.id)) for one in listed}
    return {"grants": [_shown(one) | {"people": people.get(by[one.id], [])} for one in listed]}


@operation("revoke", role="owner", quick=True, surfaces=OWNERS)
def revoke(app: App, request: RevokeRequest) -> dict[str, Any]:
    """Take an invitation or a token back: whoever it let in is a viewer again."""
    return _shown(app.access.revoke(request.grant))


class EndRequest(Request):
    """Which one."""

    session: Name = Field(description="its id, from the list")


@operation("sessions", role="owner", quick=True, surfaces=OWNERS)
def sessions(app: App, request: NothingRequest) -> dict[str, Any]:
    """Who is signed in, the last used first."""
    return {"sessions": [_signed_in(row) for row in app.ws.sessions.listed()]}


@operation("end_session", role="owner", quick=True, surfaces=OWNERS)
def end_session(app: App, request: EndRequest) -> dict[str, Any]:
    """Sign somebody out, in every copy of their session."""
    return _signed_in(app.access.end_called(request.session))


def _signed_in(row: SignedIn) -> dict[str, Any]:
    by = LetInBy.parse(row.let_in_by)
    return {
        "id": row.mark[:OF_A_MARK],
        "role": row.role,
        "name": row.name,
        "by": LET_IN_BY.get(by.kind, by.kind) + (f" {by.grant}" if by.kind == GRANT else ""),
        "made": _told(row.created_at),
        "last_used": _told(row.used_at),
        "expires": _told(row.ends_at),
        "own": row.mark == current().mark,
    }


def _told(at: datetime | None) -> str | None:
    """A time in UTC, for people and scripts; None: never."""
    return at.isoformat(timespec="seconds") if at else None


def _made(app: App, kind: str, request: TokenRequest, uses: int | None) -> KeyAnswer:
    grant, key = app.access.grant(kind, request.role, shown_name(request.name), request.days, uses)  # type: ignore[arg-type]
    facts = {
        "role": grant.role,
        "name": grant.name,
        "expires": grant.expires_at.isoformat(timespec="seconds"),
    }
    address = noted_address(app.ws.folder)
    if kind == TOKEN:
        link, note = "", SEND_TOKEN.format(key=key, address=address or "ADDRESS")
    else:
        link = f"{address}{LANDS_ON.get(grant.role, '')}#sign-in={key}"
        note = "" if address else ADD_ADDRESS
    folder = str(app.ws.folder) if current().at_this_machine else ""
    return KeyAnswer(id=grant.id, key=key, link=link, note=note, workspace=folder, **facts)


def _shown(grant: Grant) -> dict[str, Any]:
    over = "used" if grant.uses_left == 0 else "over" if grant.expires_at <= now() else ""
    state = "revoked" if grant.revoked_at else over or "open"
    return {
        "id": grant.id,
        "kind": grant.kind,
        "role": grant.role,
        "name": grant.name,
        "state": state,
        "used": grant.used,
        "uses_left": grant.uses_left,
        "made": _told(grant.created_at),
        "last_used": _told(grant.used_at),
        "expires": _told(grant.expires_at),
    }
