"""The loop that trains a head on cached features: read top to bottom.

It knows no page and no database. It yields a record an epoch, looks at a stop flag every step, and keeps
its whole state on disk after every epoch. Randomness starts afresh from (seed, epoch) each epoch, so a
run that was killed and resumed is the run that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmdemo.evaluation.measure import cells_in, measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.device import Compute
from mmdemo.models.heads.fusion import FusedHead
from mmdemo.models.heads.residual import HeadShape, ResidualHead
from mmdemo.models.heads.saved import make_head
from mmdemo.training.checkpoint import StateKeeper
from mmdemo.training.config import BATCH, EpochRecord, TrainSettings
from mmdemo.training.losses import LOSSES, Batch, BinaryMatching

LEAST_STEPS = 40  # with few labels an epoch is a step or two: epochs are added up to this many steps


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
