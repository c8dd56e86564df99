"""Short links to what is on a page."""

from __future__ import annotations

from pydantic import Field

from mmdemo.asker import current
from mmdemo.service.app import App
from mmdemo.service.operations.requests import Answer, Request
from mmdemo.service.operations.table import operation


class StateRequest(Request):
    """What is on a page."""

    state: str = Field(description="as its address says it after the question mark", max_length=100_000)


class LinkRequest(Request):
    """Which link."""

    link: str = Field(description="its id", max_length=100)


class LinkAnswer(Answer):
    """A short link."""

    link: str = Field(description="its id: the page's address with ?s=ID opens what was shared")


class StateAnswer(Answer):
    """What a link stands for."""

    state: str | None = Field(description="as an address says it; null: there is no such link here")


@operation("shorten", role="viewer", quick=True)
def shorten(app: App, request: StateRequest) -> LinkAnswer:
    """Keep what is on a page under a short link."""
    return LinkAnswer(link=app.ws.short_links.keep(request.state, current()))


@operation("short_link", role="viewer", quick=True)
def short_link(app: App, request: LinkRequest) -> StateAnswer:
    """What a short link stands for."""
    return StateAnswer(state=app.ws.short_links.state(request.link))
