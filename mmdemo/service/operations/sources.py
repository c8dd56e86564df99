"""What can be asked of a number on the page."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from mmdemo.modality import DEFAULT_TASK
from mmdemo.service.app import App
from mmdemo.service.operations.requests import Name, OneOf, Request, Share, VersionTask
from mmdemo.service.operations.table import operation
from mmdemo.service.sources.table import SOURCES, Asked

Kind = Annotated[str, OneOf("kind of number", lambda: SOURCES)]


class NumberRequest(Request):
    """A number on the page; what does not matter to its kind is left out."""

    kind: Kind = Field(description="of number")
    task: VersionTask = Field(DEFAULT_TASK)
    version: Name = Field("", description="that said it")
    run: Name = Field("", description="that measured it")
    of: Name = Field("", description="the figure, or where a caption comes from")
    against: Name = Field("", description="the version that it is compared with")
    split: Name = Field("", description="of the pairs that it was measured on")
    value: Share = Field(None, description="the number itself, where it is a probability")


@operation("measured_on", role="viewer", quick=True)
def measured_on(app: App, request: NumberRequest) -> dict[str, Any]:
    """What a number on the page is, and what it was measured on."""
    values = request.model_dump(exclude={"kind"})
    return SOURCES.get(request.kind)(Asked(app.ws, **values)).as_json()
