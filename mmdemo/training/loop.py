"""The loop that trains a head on cached features: read top to bottom.

It knows no page and no database. It yields a record an epoch, looks at a stop flag every step, and keeps
its whole state on disk after every epoch. Randomness starts afresh from (seed, epoch) each epoch, so a
run that was killed and resumed is the run that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from mmdemo.errors import UserError
from mmdemo.models.device import Compute
from mmdemo.models.fusion import FusedHead, pair_logits
from mmdemo.models.heads import HeadShape, Projection, ResidualHead, make_head
from mmdemo.retrieval.metrics import Retrieval, evaluate_retrieval, evaluate_scores
from mmdemo.training.dataset import PairArrays
from mmdemo.training.losses import LOSSES, Batch, BinaryMatching
from mmdemo.training.state import StateKeeper

BATCH = 128  # pairs of a step, where nothing else is asked for
LEAST_STEPS = 40  # with few labels an epoch is a step or two: epochs are added up to this many steps
MOST_EPOCHS = 500
Measure = Literal["recall", "likelihood"]  # what the epochs of a training are compared by, in percent


@dataclass(frozen=True)
class TrainSettings:
    """How to train a head; the defaults are the best of those tried in benchmarks/losses.py."""

    epochs: int = 0  # 0: as many as `default_epochs` says
    learning_rate: float = 0.0  # 0: what `default_learning_rate` says
    weight_decay: float = 0.1
    batch: int = 0  # 0: BATCH; of networks that write, what they take at once
    dropout: float = 0.5
    hidden: int = 512
    loss: str = "infonce"
    mark_weight: float = 4.0
    scale: float = 10.0  # the initial inverse temperature
    head: str = ""  # empty: the first of those that the model's preset names
    alone: bool = False  # whether a fused head answers without the shared space
    part: int = 0  # pairs that a network embeds at once, of a larger batch; 0: the batch
    ema: float = 0.0  # of a network's weights: 0.99 averages over about a hundred steps; 0: no average
    patience: int = 0  # epochs without a better one after which a network's training ends; 0: never
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
            "dropout": (self.dropout, 0.0, 0.95),
            "hidden": (self.hidden, 1, 16_384),
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
    loss: float  # mean training loss of the epoch
    recall: float | None  # held-out mean recall, percent; None where nothing is held out
    seconds: float  # since the run began, pauses left out
    eta_s: float
    likelihood: float | None = None  # of texts it is not trained on: percent a token; of networks that write


def default_epochs(examples: int, batch: int) -> int:
    """14 epochs, or more where they make fewer than LEAST_STEPS steps."""
    return max(14, math.ceil(LEAST_STEPS / math.ceil(examples / batch)))


def default_learning_rate(examples: int) -> float:
    """2e-4 up to 160 examples, growing with them to 5e-4 at 400: with few, smaller steps forget less."""
    return 2e-4 * min(2.5, max(1.0, examples / 160))


def train_head(
    train: PairArrays,
    held_out: PairArrays | None,
    reference: np.ndarray,
    dim: int,
    settings: TrainSettings,
    compute: Compute,
    state: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
    slice_s: float = 0.0,
) -> Iterator[tuple[EpochRecord, ResidualHead]]:
    """Train a head, an epoch at a time.

    Args:
        train: the examples to learn from.
        held_out: those to measure on, matches only; None: nothing to measure on.
        reference: (M, F) features whose mean and spread standardise the head's input.
        dim: D, the shared space.
        settings: how.
        compute: where.
        state: a folder for the state, from which an interrupted run goes on; None: nothing is kept.
        stopped: looked at every step; the epoch that is stopped does not count.
        slice_s: end before an epoch that would take longer than so many seconds in all; 0: never.

    Yields:
        A record of each epoch, and the head as it is then.
    """
    settings.check()
    at_once = settings.batch or BATCH
    epochs = settings.epochs or default_epochs(len(train), at_once)
    rate = settings.learning_rate or default_learning_rate(len(train))
    settings = replace(settings, epochs=epochs, learning_rate=rate, batch=at_once)
    torch.manual_seed(settings.seed)
    kind = settings.head or "residual"
    shape = HeadShape(train.features.shape[1], dim, settings.hidden, settings.dropout, kind, settings.alone)
    head = make_head(shape, settings.scale).to(compute.device)
    head.standardise(torch.from_numpy(reference).to(compute.device))
    loss_of = LOSSES[settings.loss](settings.mark_weight).to(compute.device)
    matching = BinaryMatching(settings.mark_weight)  # beside the shared space's loss, of a fused head
    optimiser = torch.optim.AdamW(
        head.parameters(), settings.learning_rate, weight_decay=settings.weight_decay, fused=compute.fused
    )
    rows = _Rows(train, compute.device)
    steps = math.ceil(len(train) / settings.batch)
    begun, spent = 0, 0.0
    keeper = StateKeeper(state) if state is not None else None
    if keeper is not None and keeper.exists():
        begun, spent = keeper.load(head, optimiser)
    if begun >= epochs:  # killed between the last epoch and the version: measure again and hand the head over
        head.eval()
        recall = measure(head, held_out, dim).mean_recall if held_out is not None and len(held_out) else None
        yield EpochRecord(epochs, epochs, 0.0, recall, spent, 0.0), head
        return
    since = time.perf_counter()
    for epoch in range(begun + 1, epochs + 1):
        took = time.perf_counter() - since
        if slice_s and epoch > begun + 1 and took * (epoch - begun) / (epoch - begun - 1) > slice_s:
            break
        torch.manual_seed(settings.seed * 100_003 + epoch)
        order = torch.randperm(len(train))
        head.train()
        total = 0.0
        for step, chosen in enumerate(order.split(settings.batch)):
            if stopped():
                return
            done = ((epoch - 1) * steps + step) / (epochs * steps)
            for group in optimiser.param_groups:
                group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * done)) / 2
            with compute.autocast():
                batch, scale = rows.batch(head, chosen), head.log_scale.exp().clamp(max=100.0)
                loss = loss_of(batch, scale, head.bias)
                if batch.logits is not None and settings.loss != "matching":
                    loss = loss + matching(batch, scale, head.bias)
            if not torch.isfinite(loss):
                continue  # a batch without a match has nothing to pull together
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimiser.step()
            total += loss.item() * len(chosen)
        head.eval()
        recall = measure(head, held_out, dim).mean_recall if held_out is not None and len(held_out) else None
        seconds = spent + time.perf_counter() - since
        each = (time.perf_counter() - since) / (epoch - begun)
        if keeper is not None:
            keeper.save(head, optimiser, epoch, seconds)
        yield EpochRecord(epoch, epochs, total / len(train), recall, seconds, each * (epochs - epoch)), head
    if keeper is not None:
        keeper.wait()


def measure(head: ResidualHead | None, pairs: PairArrays, dim: int) -> Retrieval:
    """Retrieval over pairs by a head on cached features; None is the base version."""
    if head is not None and next(head.parameters()).device.type != "cpu":
        copy = make_head(head.shape)
        copy.load_state_dict({name: t.cpu() for name, t in head.state_dict().items()})
        head = copy
    projection = Projection(dim, head)
    ids = [str(c) for c in pairs.item_code], [str(c) for c in pairs.text_code]
    if isinstance(head, FusedHead):
        table = pair_logits(head, cells_in(pairs), pairs.features, pairs.texts)
        return evaluate_scores(lambda rows, columns: table[np.ix_(rows, columns)], *ids)
    return evaluate_retrieval(media_vectors(projection, pairs), projection.text(pairs.texts), *ids)


def media_vectors(projection: Projection, pairs: PairArrays) -> np.ndarray:
    """(N, D) vectors of the media of pairs; of spans of videos by their frames."""
    return projection.media(pairs.features) if pairs.frames is None else projection.spans(pairs.frames)


def cells_in(pairs: PairArrays) -> np.ndarray:
    """(N, T, F) features of the parts of pairs' media; of the whole where no parts are known."""
    return pairs.features[:, None] if pairs.cells is None else pairs.cells


class _Rows:
    """The training examples on the device."""

    def __init__(self, arrays: PairArrays, device: torch.device) -> None:
        self.features = torch.from_numpy(arrays.features).to(device)  # (N, F)
        self.frames = arrays.frames
        self.texts = torch.from_numpy(arrays.texts).to(device)  # (N, D)
        self.match = torch.from_numpy(arrays.match).to(device)
        self.item_code = torch.from_numpy(arrays.item_code).to(device)
        self.text_code = torch.from_numpy(arrays.text_code).to(device)
        weight = np.ones(len(arrays), np.float32) if arrays.weight is None else arrays.weight
        self.weight = torch.from_numpy(weight).to(device)
        self.cells = torch.from_numpy(cells_in(arrays)).to(device)

    def batch(self, head: ResidualHead, rows: Tensor) -> Batch:
        device = self.features.device
        if self.frames is not None and head.sees_time:
            frames, there = self.frames.take(rows.numpy()).padded()
            media = head.project_spans(frames.to(device), there.to(device))
        else:
            media = head.project_media(self.features[rows.to(device)])
        rows = rows.to(device)
        text = head.project_text(self.texts[rows])
        logits = None
        if isinstance(head, FusedHead):
            logits = head.pair_logits(self.cells[rows].float(), media, self.texts[rows], text)
        return Batch(
            media=media,
            text=text,
            weight=self.weight[rows],
            logits=logits,
            match=self.match[rows],
            item_code=self.item_code[rows],
            text_code=self.text_code[rows],
        )


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
        kind = {"int": int, "float": float, "bool": bool}.get(str(field.type), str)
        try:
            given[field.name] = kind(float(value) if kind is int else value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError) as e:
            raise UserError(f"{field.name.replace('_', ' ')} is {value!r}.", "Write a number.") from e
    if given.get("learning_rate") == 0 and isinstance(values["learning_rate"], str):
        raise UserError("A learning rate of 0 learns nothing.", "Leave it out, or write one above 0.")
    settings = TrainSettings(**given)
    settings.check()
    return settings
