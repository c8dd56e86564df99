"""How to train: the settings of a run, and the record of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_type_hints

from mmdemo.errors import RegistryError, UserError
from mmdemo.models.presets import Preset
from mmdemo.records import require_fields

BATCH = 128  # pairs of a step, where nothing else is asked for
MOST_EPOCHS = 500
MOST_AGAIN = 10_000  # times that a run is gone on with
# Where nothing else is asked for, by the draws of docs/experiments.md: how many residual heads learn side by
# side; the channels and the dropout of each of several, and of one alone.
MEMBERS = 5
OF_SEVERAL, OF_ONE = (256, 0.3), (512, 0.5)
Measure = Literal["recall", "likelihood"]  # what the epochs of a training are compared by, in percent


@dataclass(frozen=True)
class Setting:
    """What a setting is to whoever asks for it: the words, and for a number its limits."""

    about: str
    low: float | None = None
    high: float | None = None
    or_zero: bool = False  # whether 0 stands for the default, below `low` or at it
    above: bool = False  # whether `low` itself is none of them


@dataclass(frozen=True)
class TrainSettings:
    """How to train; the defaults of a head are the best of those tried in benchmarks/losses.py.

    Each setting says here what it is, and requests, their limits and docs/api.md read it.
    """

    epochs: Annotated[int, Setting("how many, or 0 for the method's default", 0, MOST_EPOCHS)] = 0
    learning_rate: Annotated[float, Setting("default: the method's", 0.0, 0.1, or_zero=True, above=True)] = (
        0.0  # 0: that default
    )
    weight_decay: Annotated[float, Setting("how fast weights shrink; default 0.1", 0.0, 10.0)] = 0.1
    batch: Annotated[
        int, Setting("pairs a step, over all processes; 0: the method's default", 2, 65_536, or_zero=True)
    ] = 0
    dropout: Annotated[
        float | None, Setting("of a head; default 0.3 of five side by side, 0.5 of one", 0.0, 0.95)
    ] = None
    hidden: Annotated[
        int, Setting("channels of a head; 0: 256 of several side by side, 512 of one", 0, 16_384)
    ] = 0
    members: Annotated[
        int, Setting("heads that learn side by side and are merged; 0: five residual ones, else one", 0, 64)
    ] = 0
    loss: Annotated[str, Setting("infonce, sigmoid, triplet, matching, or one that a package brings")] = (
        "infonce"
    )
    mark_weight: Annotated[
        float, Setting("how much a marked mismatch counts beside another negative; default 4", 1.0, 1000.0)
    ] = 4.0
    trust_labels: Annotated[
        bool, Setting("whether matches count in full that neither the model nor other labels speak for")
    ] = False
    scale: Annotated[
        float, Setting("the inverse temperature that training begins with; default 10", 0.1, 100.0)
    ] = 10.0
    head: Annotated[str, Setting("of those that the model has; empty: its first")] = ""
    alone: Annotated[bool, Setting("whether a fused head answers without the shared space")] = False
    part: Annotated[int, Setting("the micro-batch size: pairs embedded at once; 0: the batch", 0, 65_536)] = 0
    ema: Annotated[
        float, Setting("averages the weights over about 1 / (1 - EMA) steps; 0: not", 0.0, 0.99999)
    ] = 0.0
    patience: Annotated[
        int, Setting("epochs without a better one after which it ends; 0: never", 0, MOST_EPOCHS)
    ] = 0
    seed: Annotated[int, Setting("of every random choice")] = 0
    recompute: Annotated[bool, Setting("less memory, more time")] = False  # on a GPU always
    deterministic: Annotated[bool, Setting("only deterministic algorithms")] = False

    def check(self) -> None:
        """Raises:
        UserError: a value that cannot work, and what would.
        """
        from mmdemo.training.losses import LOSSES

        for name, setting in settings_by_name().items():
            value, low, high = getattr(self, name), setting.low, setting.high
            if value is None or low is None or high is None or (setting.or_zero and value == 0):
                continue
            if not low <= value <= high:
                limits = f"above {low:g} and up to {high:g}" if setting.above else f"from {low:g} to {high:g}"
                told = f"{value:g}" if isinstance(value, float) else str(value)[:20]
                raise UserError(f"{name.replace('_', ' ')} is {told}.", f"Use a number {limits}.")
        if self.loss not in LOSSES:
            raise UserError(f"The loss {self.loss!r} is unknown.", f"Use one of: {', '.join(LOSSES)}.")


@cache
def settings_by_name() -> dict[str, Setting]:
    """What each setting of a run is."""
    hints = get_type_hints(TrainSettings, include_extras=True)
    return {name: get_args(hint)[1] for name, hint in hints.items()}


@dataclass(frozen=True)
class EpochRecord:
    """Where a run is after an epoch; what the page draws."""

    epoch: int  # from 1
    epochs: int
    loss: float | None  # mean training loss of the epoch; None: it was told of before
    validation_recall: float | None  # mean recall of the validation pairs, percent; None: there are too few
    seconds: float  # since the run began, pauses left out
    eta_s: float
    validation_likelihood: float | None = None  # of the validation texts, percent a token; of what writes


def for_head(settings: TrainSettings, kind: str) -> TrainSettings:
    """The settings with what a kind of head makes of those that are left open.

    Raises:
        UserError: several were asked for of a kind that cannot be merged, or there is no such kind.
    """
    from mmdemo.models.heads.residual import HEADS, ResidualHead

    merges = HEADS[kind] is ResidualHead
    if settings.members > 1 and not merges:
        raise UserError(f"{settings.members} heads of the kind {kind} cannot be merged.", "Ask for one.")
    members = settings.members or (MEMBERS if merges else 1)
    hidden, dropout = OF_SEVERAL if members > 1 else OF_ONE
    if settings.dropout is not None:
        dropout = settings.dropout
    return replace(settings, head=kind, members=members, hidden=settings.hidden or hidden, dropout=dropout)


def settings_for(preset: Preset, method: str, settings: TrainSettings) -> TrainSettings:
    """The settings of a run of a model by a method, with the head that it would have.

    Raises:
        UserError: the model cannot be trained so, or a value cannot work.
    """
    if method not in preset.methods:
        raise UserError(
            f"{preset.id} cannot be trained by the method {method!r}.", f"Use: {' or '.join(preset.methods)}."
        )
    chosen = replace(settings, head=settings.head or (preset.heads or ("",))[0])
    if preset.heads and chosen.head not in preset.heads:
        raise UserError(f"{preset.id} has no head {chosen.head!r}.", f"Use: {' or '.join(preset.heads)}.")
    chosen.check()
    return for_head(chosen, chosen.head) if method == "head" else chosen


def settings_from_json(values: dict[str, object]) -> TrainSettings:
    """The settings that `asdict` gave.

    Raises:
        UserError: one is of another type.
    """
    known = {name: values[name] for name in asdict(TrainSettings()) if name in values}
    settings = TrainSettings(**known)  # type: ignore[arg-type]
    try:
        require_fields(settings)
    except RegistryError as e:
        raise UserError(e.what.replace(" of a TrainSettings", ""), e.cure) from e
    return settings


def settings_of_run(values: Mapping[str, Any]) -> TrainSettings:
    """The settings in the row of a run; one of before heads learned side by side is of a single head.

    Raises:
        UserError: one is of another type.
    """
    return settings_from_json({"members": 1} | dict(values))


def require_settings_of_run(preset: Preset, method: str, values: Mapping[str, Any]) -> None:
    """Hold the row of a run, which may come from somebody's backup, to the limits of whoever starts one.

    Raises:
        UserError: the model cannot be trained so, or a value cannot work.
    """
    settings_for(preset, method, settings_of_run(values))
    again = values.get("again", 0)
    if not isinstance(again, int) or not 0 <= again < MOST_AGAIN:
        raise UserError(f"The run was gone on with {str(again)[:20]} times.", "Start a new one.")


def settings_asked_for(values: Mapping[str, Any]) -> TrainSettings:
    """The settings of a request; what is empty is the default.

    Raises:
        UserError: a value that cannot work.
    """
    given = {name: values[name] for name in settings_by_name() if values.get(name) not in (None, "")}
    settings = TrainSettings(**given)
    settings.check()
    return settings
