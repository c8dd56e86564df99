"""How to train: the settings of a run, and the record of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal

from mmdemo.errors import UserError
from mmdemo.models.heads.residual import HEADS, ResidualHead
from mmdemo.models.presets import Preset
from mmdemo.training.losses import LOSSES

BATCH = 128  # pairs of a step, where nothing else is asked for
MOST_EPOCHS = 500
# Where nothing else is asked for, by the draws of docs/experiments.md: how many residual heads learn side by
# side; the channels and the dropout of each of several, and of one alone.
MEMBERS = 5
OF_SEVERAL, OF_ONE = (256, 0.3), (512, 0.5)
Measure = Literal["recall", "likelihood"]  # what the epochs of a training are compared by, in percent


@dataclass(frozen=True)
class TrainSettings:
    """How to train; the defaults of a head are the best of those tried in benchmarks/losses.py."""

    epochs: int = 0  # 0: as many as the default of what is trained
    learning_rate: float = 0.0  # 0: the default of what is trained, by its method
    weight_decay: float = 0.1
    batch: int = 0  # 0: BATCH; of networks that write, what they take at once
    dropout: float | None = None  # None: that of several heads side by side, or of one
    hidden: int = 0  # channels of a head; 0: those of several side by side, or of one
    members: int = 0  # heads that learn side by side and are merged; 0: MEMBERS of residual ones, else one
    loss: str = "infonce"
    mark_weight: float = 4.0
    scale: float = 10.0  # the initial inverse temperature
    head: str = ""  # empty: the first of those that the model's preset names
    alone: bool = False  # whether a fused head answers without the shared space
    part: int = 0  # pairs that a network embeds at once, of a larger batch; 0: the batch
    ema: float = 0.0  # of the weights: 0.99 averages over about a hundred steps; 0: no average
    patience: int = 0  # epochs without a better one, on validation pairs, after which it ends; 0: never
    seed: int = 0
    recompute: bool = False  # a network's activations are computed again instead of kept; on a GPU always
    deterministic: bool = False  # only algorithms that give the same each time, where a device has them

    def check(self) -> None:
        """Raises:
        UserError: a value that cannot work, and what would.
        """
        bounds = {
            "epochs": (self.epochs, 0, MOST_EPOCHS),
            "learning_rate": (self.learning_rate, 0.0, 0.1),
            "weight_decay": (self.weight_decay, 0.0, 10.0),
            "batch": (self.batch or BATCH, 2, 65_536),
            "dropout": (self.dropout or 0.0, 0.0, 0.95),
            "hidden": (self.hidden, 0, 16_384),
            "members": (self.members, 0, 64),
            "mark_weight": (self.mark_weight, 1.0, 1000.0),
            "scale": (self.scale, 0.1, 100.0),
            "part": (self.part, 0, 65_536),
            "ema": (self.ema, 0.0, 0.99999),
            "patience": (self.patience, 0, MOST_EPOCHS),
        }
        for name, (value, low, high) in bounds.items():
            if not low <= value <= high:
                raise UserError(
                    f"{name.replace('_', ' ')} is {value:g}.", f"Use a number from {low:g} to {high:g}."
                )
        if self.loss not in LOSSES:
            raise UserError(f"The loss {self.loss!r} is unknown.", f"Use one of: {', '.join(LOSSES)}.")


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
    """The settings that `asdict` gave."""
    known = {name: values[name] for name in asdict(TrainSettings()) if name in values}
    return TrainSettings(**known)  # type: ignore[arg-type]


def settings_from_words(values: Mapping[str, object]) -> TrainSettings:
    """The settings that somebody wrote, as text or already as numbers; what is empty is the default.

    Raises:
        UserError: something is no number, or no number that could work.
    """
    given: dict[str, Any] = {}
    for field in fields(TrainSettings):
        value = values.get(field.name)
        if value is None or value == "":
            continue
        kind = {"int": int, "float": float, "float | None": float, "bool": bool}.get(str(field.type), str)
        try:
            given[field.name] = kind(float(value) if kind is int else value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError) as e:
            raise UserError(f"{field.name.replace('_', ' ')} is {value!r}.", "Write a number.") from e
    if given.get("learning_rate") == 0 and isinstance(values["learning_rate"], str):
        raise UserError("A learning rate of 0 learns nothing.", "Leave it out, or write one above 0.")
    settings = TrainSettings(**given)
    settings.check()
    return settings
