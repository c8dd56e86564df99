"""What can be asked of the better model that a page offers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from mmdemo.modality import DEFAULT_TASK
from mmdemo.service.app import App
from mmdemo.service.operations.requests import Name, Person, Request, VersionTask
from mmdemo.service.operations.table import operation
from mmdemo.service.operations.versions import VersionsRequest


class OfferRequest(VersionsRequest):
    """Of which task, and whether the Hub may be asked."""

    ask_hub: bool = Field(True, description="whether the Hub is asked if it can be reached")


class TryRequest(Request):
    """A model."""

    task: VersionTask = Field(DEFAULT_TASK)
    model: Name = Field(description="the id of a preset, from offered_model")


class TakeRequest(TryRequest):
    """A model that was tried."""

    annotator: Person = ""
    anyway: bool = Field(False, description="whether it is taken without asking the gate")


@operation("offered_model", role="viewer", quick=True)
def offered_model(app: App, request: OfferRequest) -> dict[str, Any]:
    """The model that may be better and fits this machine, and where trying one stands."""
    return app.offers.offer(request.task, request.ask_hub)


@operation("try_model", role="trainer", quick=True)
def try_model(app: App, request: TryRequest) -> dict[str, Any]:
    """Fetch a model behind the page, and measure it beside the active version on the validation pairs."""
    return app.offers.try_out(request.task, request.model)


@operation("model_trial", role="viewer", quick=True)
def model_trial(app: App, request: VersionsRequest) -> dict[str, Any]:
    """Where trying a model stands."""
    return app.offers.trial(request.task)


@operation("take_model", role="trainer", lane="models")
def take_model(app: App, request: TakeRequest) -> dict[str, Any]:
    """Activate a model that was tried, if the held-out pairs say that it is certainly better, or anyway."""
    return app.offers.take(request.task, request.model, request.annotator, request.anyway)
