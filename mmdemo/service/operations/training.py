"""What can be asked of runs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from mmdemo.asker import current
from mmdemo.modality import DEFAULT_TASK
from mmdemo.models.presets import LOADERS
from mmdemo.service.app import App
from mmdemo.service.operations.requests import (
    Answer,
    AnyVersionTask,
    AnyWhole,
    Name,
    NothingRequest,
    Number,
    OneOf,
    Person,
    Request,
    UserErrorInField,
    VersionTask,
    Whole,
)
from mmdemo.service.operations.table import operation
from mmdemo.service.operations.versions import VersionsRequest
from mmdemo.training.config import settings_asked_for, settings_by_name


def _heads() -> dict[str, None]:
    """Those that some loader's features suit; the table of heads itself would import PyTorch."""
    return dict.fromkeys(head for loader in LOADERS.values() for head in loader.heads)


def _methods() -> dict[str, None]:
    return dict.fromkeys(method for loader in LOADERS.values() for method in loader.methods)


Method = Annotated[str, OneOf("method", _methods)]
Head = Annotated[str, OneOf("head", _heads, empty="")]
AnyMethod = Annotated[str, OneOf("method", _methods, empty="")]
RUN = "a run by its id; empty: the latest"


def _rate(value: float | None) -> float | None:
    if value == 0:
        raise UserErrorInField("of 0 learns nothing.", "Leave it out, or write one above 0.")
    return value


def _setting(name: str, empty: Any = None) -> Any:
    """A field for a setting of a run, which says in TrainSettings what it is; empty: the default there."""
    return Field(empty, description=settings_by_name()[name].about)


class TrainRequest(Request):
    """How to train; what is left out is the default."""

    task: VersionTask = Field(DEFAULT_TASK)
    method: Method = Field("head", description="of those that the model has")
    epochs: AnyWhole = _setting("epochs", 0)
    seed: Whole = _setting("seed", 0)
    learning_rate: Annotated[Number, AfterValidator(_rate)] = _setting("learning_rate")
    weight_decay: Number = _setting("weight_decay")
    batch: AnyWhole = _setting("batch", 0)
    part: AnyWhole = _setting("part", 0)
    dropout: Number = _setting("dropout")
    loss: Name = _setting("loss", "")
    head: Head = _setting("head", "")
    alone: bool = _setting("alone", False)
    ema: Number = _setting("ema")
    patience: AnyWhole = _setting("patience", 0)
    recompute: bool = _setting("recompute", False)
    deterministic: bool = _setting("deterministic", False)
    promote: Literal["when-better", "ask", "never"] = Field(
        "when-better",
        description='"when-better": where the test is certain; "ask": a person decides; "never": no test',
    )
    hidden: AnyWhole = _setting("hidden", 0)
    members: AnyWhole = _setting("members", 0)
    mark_weight: Number = _setting("mark_weight")
    scale: Number = _setting("scale")
    trust_labels: bool = _setting("trust_labels", False)

    def settings(self) -> dict[str, Any]:
        """As a run keeps them.

        Raises:
            UserError: a value that cannot work.
        """
        return asdict(settings_asked_for(self.model_dump()))


class TrainHereRequest(TrainRequest):
    """How to train in this process."""

    method: AnyMethod = Field("", description="default: the first that the model has")


@operation("train", role="trainer", surfaces=("command",))
def train(app: App, request: TrainHereRequest) -> dict[str, Any] | None:
    """Fine-tune on the workspace's labels; promote what is certainly better."""
    return app.training.train(request.task, request.method, request.settings(), request.promote)


class RunAnswer(Answer):
    """A run."""

    run: str


@operation("start_training", role="trainer", public=True, quick=True)
def start_training(app: App, request: TrainRequest) -> RunAnswer:
    """Start a fine-tuning on the labels; its version is promoted when it is certainly better."""
    run = app.training.start(request.task, request.method, request.settings(), request.promote)
    return RunAnswer(run=run)


class RunRequest(Request):
    """A run."""

    run: Name = Field("", description=RUN)
    task: AnyVersionTask = Field("", description="of the latest run; empty: image-text")


class StatusRequest(Request):
    """A run."""

    run: Name = Field("", description=RUN)


class StatusAnswer(Answer):
    """Where a run stands."""

    run: str | None
    status: str = Field(description="none, queued, running, done, stopped or failed")
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    recall: float | None = Field(None, description="the same as validation_recall")
    eta_s: float | None = None
    before: dict[str, Any] | None = Field(None, description="the JSON of evaluate")
    after: dict[str, Any] | None = None
    model: str | None = Field(None, description="the version that it made")
    promoted: bool = False
    message: str = ""
    validation_recall: float | None = Field(None, description="mean recall of the validation pairs, percent")
    gate: dict[str, Any] | None = Field(None, description="what the test of before and after said")


@operation("training_status", role="viewer", public=True, quick=True)
def training_status(app: App, request: StatusRequest) -> StatusAnswer:
    """Where a run stands."""
    return StatusAnswer(**app.context.jobs.status(request.run))


@operation("training", role="viewer", quick=True)
def training(app: App, request: RunRequest) -> dict[str, Any]:
    """Where a run stands, with its curves."""
    return app.context.jobs.status(request.run, request.task or DEFAULT_TASK)


@operation("stop_training", role="trainer", public=True, quick=True)
def stop_training(app: App, request: StatusRequest) -> RunAnswer:
    """Ask a run to stop; what it has learned until then is kept as a version."""
    return RunAnswer(run=app.context.jobs.stop(request.run))


@operation("runs", role="viewer", quick=True)
def runs(app: App, request: VersionsRequest) -> dict[str, Any]:
    """The runs of a task, newest first."""
    return {"runs": app.context.jobs.list(request.task)}


@operation("resume_training", role="trainer", quick=True)
def resume_training(app: App, request: StatusRequest) -> RunAnswer:
    """Go on with a run that was stopped or failed."""
    return RunAnswer(run=app.context.jobs.resume(request.run))


@operation("remove_run", role="owner", quick=True)
def remove_run(app: App, request: StatusRequest) -> dict[str, Any]:
    """Forget a run; its version stays."""
    return {"runs": app.context.jobs.list(app.context.jobs.remove(request.run))}


class DecideRequest(Request):
    """What to do with what a run made."""

    run: Name = Field("", description=RUN)
    promote: bool = Field(False, description="whether its version answers from here on")
    annotator: Person = ""


@operation("decide", role="trainer", quick=True)
def decide(app: App, request: DecideRequest) -> dict[str, Any]:
    """Promote what a run made, or keep the version before it."""
    return {"version": app.training.decide(request.run, request.promote, request.annotator)}


class RollBackRequest(Request):
    """Of which task."""

    task: VersionTask = Field(DEFAULT_TASK)
    annotator: Person = ""


@operation("roll_back", role="trainer", quick=True)
def roll_back(app: App, request: RollBackRequest) -> dict[str, Any]:
    """Activate the parent of the active version."""
    return {"version": app.training.roll_back(request.task, request.annotator)}


@operation("training_data", role="viewer", quick=True)
def training_data(app: App, request: VersionsRequest) -> dict[str, Any]:
    """The labels by side and verdict, what they lack, and how the active model can learn from them."""
    return app.training.data(request.task)


@operation("estimate_training", role="viewer")
def estimate_training(app: App, request: TrainRequest) -> dict[str, Any]:
    """How long a run with these settings would take here."""
    return app.training.estimate(request.task, request.method, request.settings())


@operation("warm_up", role="viewer", quick=True)
def warm_up(app: App, request: NothingRequest) -> dict[str, Any]:
    """The tab was opened: the worker starts before it is needed."""
    if current().may("trainer"):
        app.context.jobs.warm_up()
    return {}
