"""Heads that learn on cached features, one or several side by side: seconds on any machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mmdemo.evaluation.measure import cells_in, known_of, measure
from mmdemo.evaluation.pair_arrays import PairArrays
from mmdemo.models.device import Compute
from mmdemo.models.heads.fusion import FusedHead
from mmdemo.models.heads.residual import HeadShape, ResidualHead
from mmdemo.models.heads.saved import make_head
from mmdemo.training.config import BATCH, EpochRecord, Measure, TrainSettings, for_head
from mmdemo.training.label_noise import doubted
from mmdemo.training.losses import Batch, BinaryMatching, CheckedLoss
from mmdemo.training.trainables.side_by_side import SideBySide
from mmdemo.training.trainer import Defaults, Trainer

LEAST_STEPS = 40  # with few labels a pass is a step or two
Heads = ResidualHead | SideBySide


def head_defaults(examples: int, settings: TrainSettings) -> Defaults:
    """How heads are trained on so many examples: with few of these, smaller steps forget less. Several heads
    bear larger ones.
    """
    several = for_head(settings, settings.head or "residual").members > 1
    steps = min(4.5, max(0.7, examples / 100)) if several else min(2.5, max(1.0, examples / 160))
    return Defaults(
        rates={"head": 2e-4 * steps},
        batch=BATCH,
        epochs=10 if several else 14,
        least_steps=LEAST_STEPS,
        warm_up=0.0,  # its last layers start at zero, so the first steps are small by themselves
        takes_rest=True,
        decays_all=True,
    )


class HeadLearning:
    """Heads and the cached tower outputs that they learn from, as `Trainer` trains them.

    Args:
        head: one, or several side by side; on its device, standardised.
        train: the examples.
        settings: the loss, the weight of marked mismatches, and whether labels are trusted are used.
        compute: where, and in which number format.
    """

    measures: Measure = "recall"

    def __init__(self, head: Heads, train: PairArrays, settings: TrainSettings, compute: Compute) -> None:
        self.network: nn.Module = head
        self.extras = nn.Module()  # the state of a run says by which features its head was standardised
        self.extras.register_buffer("mean", head.mean)
        self.extras.register_buffer("std", head.std)
        self.defaults = head_defaults(len(train), settings)
        self._head, self._compute = head, compute
        if not settings.trust_labels:
            mean, std = (values.cpu().numpy() for values in (head.mean, head.std))
            train = doubted(train, mean, std, head.shape.dim)
        self._rows = _Rows(train, compute.device)
        self._train, self._match = train, train.match
        self._loss = CheckedLoss(settings.loss, settings.mark_weight)
        self._matching: nn.Module | None = None  # beside the shared space's loss, of a fused head
        if isinstance(head, ResidualHead) and head.fuses and settings.loss != "matching":
            self._matching = BinaryMatching(settings.mark_weight)

    def __len__(self) -> int:
        return len(self._match)

    def prepare(self, accelerator: Any) -> None:
        """See `Trainable`; one process is enough for a head, so no wrapper is needed."""
        self._loss.to(self._compute.device)

    def has_positive(self, rows: Sequence[int]) -> bool:
        """Without a match there is nothing to pull together."""
        return bool(self._match[list(rows)].any())

    def said(self, row: int) -> str:
        """See `Trainable`."""
        return self._train.said(row)

    def prefetch(self, rows: Sequence[int], at_once: int) -> None:
        """See `Trainable`; features are in memory."""

    def backward(self, rows: Sequence[int], at_once: int, accelerator: Any) -> float:
        """See `Trainable`; a loss compares all pairs of a batch, so it goes through whole."""
        with self._compute.autocast():
            batch = self._rows.batch(self._head, torch.tensor(rows))
            scale, bias = self._head.log_scale.exp().clamp(max=100.0), self._head.bias
            if isinstance(self._head, SideBySide):
                each = zip(batch.members(), scale.unbind(), bias.unbind(), strict=True)
                loss = torch.stack([self._loss(*one) for one in each]).mean()
            else:
                loss = self._loss(batch, scale, bias)
            if self._matching is not None:
                loss = loss + self._matching(batch, scale, bias)
        loss.backward()
        return float(loss.detach())


def train_head(
    train: PairArrays,
    validation: PairArrays | None,
    reference: np.ndarray,
    dim: int,
    settings: TrainSettings,
    compute: Compute,
    state: Path | None = None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[EpochRecord, ResidualHead]]:
    """Train a head, or several that become one, an epoch at a time.

    Args:
        train: the examples to learn from.
        validation: those to watch it on, matches only; None: nothing to watch it on.
        reference: (M, F) features whose mean and spread standardise the head's input.
        dim: D, the shared space.
        settings: how.
        compute: where.
        state: a folder for the state, from which an interrupted run goes on; None: nothing is kept.
        stopped: looked at every step.

    Yields:
        A record of each epoch, and the head as it is then.
    """
    settings.check()
    head = new_head(train, reference, dim, settings, compute)
    check = None
    if validation is not None and len(validation):
        check = recall_of(head, validation, dim)
    learning = HeadLearning(head, train, settings, compute)
    for record in Trainer(learning, settings, "head", compute, state, stopped, check=check).epochs():
        yield record, merged(head)


def trained_head(
    train: PairArrays,
    reference: np.ndarray,
    dim: int,
    settings: TrainSettings,
    compute: Compute,
    share: float = 1.0,
    stopped: Callable[[], bool] = lambda: False,
) -> ResidualHead | None:
    """The head after a share of the epochs of `settings`, at least one; None where it was stopped before.

    For the other arguments see `train_head`.
    """
    settings = replace(settings, patience=0)
    head = new_head(train, reference, dim, settings, compute)
    learned = 0.0

    def over() -> bool:
        return 0 < learned >= share or stopped()

    for record in Trainer(
        HeadLearning(head, train, settings, compute), settings, "head", compute, None, over
    ).epochs():
        learned = record.epoch / record.epochs
    return None if stopped() or not learned else merged(head)


def new_head(
    train: PairArrays, reference: np.ndarray, dim: int, settings: TrainSettings, compute: Compute
) -> Heads:
    """What learns by the settings, untrained, on its device: a head of their kind, or several residual ones.

    Raises:
        UserError: several were asked for of a kind that cannot be merged.
    """
    torch.manual_seed(settings.seed)
    how = for_head(settings, settings.head or "residual")
    shape = HeadShape(train.features.shape[1], dim, how.hidden, how.dropout or 0.0, how.head, how.alone)
    several = how.members > 1
    head = SideBySide(shape, how.members, how.scale) if several else make_head(shape, how.scale)
    head.to(compute.device).standardise(torch.from_numpy(reference).to(compute.device))
    return head


def merged(head: Heads) -> ResidualHead:
    """The head that answers by what was learned: several are merged as they are then."""
    return head.merged() if isinstance(head, SideBySide) else head


def recall_of(head: Heads, pairs: PairArrays, dim: int) -> Callable[[], float]:
    """Measures the mean recall, in percent, of what learns as it is then."""
    known = known_of(pairs, dim)
    return lambda: measure(merged(head), pairs, dim, known=known).mean_recall


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

    def batch(self, head: Heads, rows: Tensor) -> Batch:
        """Those examples as a head sees them, or as several do: then vectors have a first axis of members."""
        device = self.features.device
        if self.frames is not None and isinstance(head, ResidualHead) and head.sees_time:
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
