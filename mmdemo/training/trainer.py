"""The loop that trains everything: a head on cached features, two encoders on pairs, a network that writes.

What a step learns from is a `Trainable`. The loop knows no page and no database. The randomness of a step
comes from (seed, step), and the state on disk says after which step: a run that was killed, or that goes on
in slices, is the run that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from mmdemo.errors import DataError, UserError
from mmdemo.heavy_imports import heavy
from mmdemo.models.device import Compute
from mmdemo.training.checkpoint import BestKeeper, DamagedState, StateKeeper
from mmdemo.training.config import EpochRecord, Measure, TrainSettings
from mmdemo.training.learner import Learner
from mmdemo.training.losses import RowError
from mmdemo.training.processes import agreed, share_of


@dataclass(frozen=True)
class Defaults:
    """How something is trained, where the settings of a run say nothing else."""

    rates: dict[str, float]  # learning rates, by method
    batch: int  # examples of a step
    epochs: int  # and each goes through few examples several times, so that it has its share of the steps
    least_steps: int  # of a training
    at_once: int = 0  # examples of a step that go through the network together; 0: all
    warm_up: float = 0.1  # of the steps, in which the learning rate rises
    takes_rest: bool = False  # whether the last batch of an epoch may be smaller than the others
    decays_all: bool = False  # whether weight decay concerns biases, norms and scales too


class Trainable(Protocol):
    """A network, its examples, and how a batch of them teaches it."""

    network: nn.Module  # its parameters that require gradients learn
    extras: nn.Module  # other parameters that do, such as a loss's temperature; buffers that a state holds
    defaults: Defaults
    measures: Measure  # what a check of it measures

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def prepare(self, accelerator: Any) -> None:
        """Go to the device, and into the wrapper for several processes where one is needed."""
        ...

    def has_positive(self, rows: Sequence[int]) -> bool:
        """Whether there is anything to learn from these examples together."""
        ...

    def said(self, row: int) -> str:
        """What an example is called in a sentence."""
        ...

    def prefetch(self, rows: Sequence[int], at_once: int) -> None:
        """Those rows will be asked for next, so many at once."""
        ...

    def backward(self, rows: Sequence[int], at_once: int, accelerator: Any) -> float:
        """Add the gradients of a batch over all processes, of which `rows` is this one's share, perhaps empty
        or shorter than another's; returns the loss of the whole.
        """
        ...


def rate_at(step: int, steps: int, warm_up: float = 0.1) -> float:
    """The share of the learning rate at a step: a linear rise, then half a cosine."""
    warm = max(1, round(warm_up * steps)) if warm_up else 0
    if step < warm:
        return (step + 1) / warm
    return (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2


@lru_cache(maxsize=2)  # of this pass, and of the next one while its first step is prepared
def _order(examples: int, seed: int, number: int) -> tuple[int, ...]:
    generator = torch.Generator().manual_seed(seed * 100_003 + number)
    return tuple(torch.randperm(examples, generator=generator).tolist())


@dataclass(frozen=True)
class Plan:
    """How many steps there are, and which examples each takes. After an epoch it is measured and kept."""

    examples: int
    batch: int
    epochs: int
    seed: int
    takes_rest: bool = False
    passes: int = 1  # through the examples, of an epoch

    @property
    def steps_of_pass(self) -> int:
        """Of one pass through the examples."""
        return max(1, (self.examples + (self.batch - 1) * self.takes_rest) // self.batch)

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return self.steps_of_pass * self.passes

    @property
    def total(self) -> int:
        """Steps in all."""
        return self.steps * self.epochs

    def rows(self, step: int) -> Sequence[int]:
        """The examples of a step, counted from 0 over all epochs."""
        number, at = divmod(step, self.steps_of_pass)
        return _order(self.examples, self.seed, number)[at * self.batch : (at + 1) * self.batch]


def make_plan(examples: int, defaults: Defaults, settings: TrainSettings) -> Plan:
    """The plan of some examples by the defaults, of which `settings` knows better."""
    batch = min(settings.batch or defaults.batch, examples)
    plan = Plan(examples, batch, settings.epochs, settings.seed, defaults.takes_rest)
    if settings.epochs:
        return plan
    passes = max(defaults.epochs, math.ceil(defaults.least_steps / plan.steps))
    of_each = math.ceil(passes / defaults.epochs)  # with few examples, measuring takes longer than a pass
    return replace(plan, epochs=math.ceil(passes / of_each), passes=of_each)


MOST_ROLLBACKS = 3  # after a loss that is no number
KEPT_EVERY_S = 20.0  # a state is written at the end of an epoch, and within one this often
KEEPING_SHARE = 0.05  # of the time, that writing states may take: a large network keeps its state less often


def make_accelerator(compute: Compute) -> Any:
    """What carries batches to devices and gradients between processes, as `decide_compute` decided."""
    accelerate = heavy("accelerate")
    precision = "bf16" if compute.dtype is torch.bfloat16 else "no"
    unused = accelerate.DistributedDataParallelKwargs(
        find_unused_parameters=True
    )  # some families have spare layers
    on_cpu = compute.device.type == "cpu"
    return accelerate.Accelerator(cpu=on_cpu, mixed_precision=precision, kwargs_handlers=[unused])


class Trainer:
    """Trains a network in place, an epoch at a time.

    Args:
        trainable: what learns.
        settings: epochs, learning rate, weight decay, batch, part, EMA, patience and seed are used.
        method: whose default learning rate.
        compute: where, and in which number format.
        state: a folder from which an interrupted run goes on; None: nothing is kept.
        stopped: looked at every step; what was learned until then stays.
        told: takes a message for the person who waits.
        check: measures the network as it is, on examples that it is not trained on, in percent.
        slice_s: end after so many seconds, between steps, to be gone on with; 0: never.
        stepped: hears after a step how many are done, of how many, and the seconds that are left.
    """

    def __init__(
        self,
        trainable: Trainable,
        settings: TrainSettings,
        method: str,
        compute: Compute,
        state: Path | None = None,
        stopped: Callable[[], bool] = lambda: False,
        told: Callable[[str], None] = lambda message: None,
        check: Callable[[], float] | None = None,
        slice_s: float = 0.0,
        stepped: Callable[[int, int, float], None] = lambda done, total, left_s: None,
    ) -> None:
        self._trainable, self._settings, self._compute = trainable, settings, compute
        self._stopped, self._told, self._check, self._slice_s = stopped, told, check, slice_s
        self._stepped = stepped
        self._accelerator = make_accelerator(compute)
        self._learner = Learner(trainable.network, trainable.extras, settings.ema)
        defaults = trainable.defaults
        self._rate, self._warm_up = settings.learning_rate or defaults.rates[method], defaults.warm_up
        groups = self._learner.groups(settings.weight_decay, defaults.decays_all)
        self._optimiser = torch.optim.AdamW(groups, lr=self._rate, fused=compute.fused)
        self._plan = make_plan(len(trainable), defaults, settings)
        trainable.prepare(self._accelerator)
        self._keeper = StateKeeper(state) if state is not None else None
        self._best: BestKeeper | None = None
        if state is not None and check is not None:
            self._best = BestKeeper(state, settings.patience, self._accelerator.is_main_process)
        self._at_once = settings.part or defaults.at_once or self._plan.batch
        self._rollbacks, self._begun, self._done, self._spent = 0, 0, 0, 0.0
        self._since = self._kept = time.perf_counter()
        self._keeping_s, self._kept_at = 0.0, -1  # what writing the last state took, and after which step
        self.sliced = False  # whether it finished because its slice did

    @property
    def first(self) -> bool:
        """Whether this process writes: of several that train together, one does."""
        return bool(self._accelerator.is_main_process)

    def epochs(self) -> Iterator[EpochRecord]:
        """Train, or go on.

        Yields:
            A record of each epoch; one without a loss hands over what was finished before.

        Raises:
            DataError: the loss or its gradient is no number, again and again.
            NumberError: an example makes what is no number; it is named.
            UserError: the memory is full, and there is nothing to halve.
            StorageError: the disk refuses the state.
        """
        self._since = self._kept = time.perf_counter()
        if self._keeper is not None and self._keeper.exists():
            try:
                self._done, self._spent = self._keeper.load(self._learner, self._optimiser)
            except DamagedState as e:
                self._told(str(e))
        self._begun = self._kept_at = self._done
        yielded, total, counted = 0, 0.0, 0
        while not self._over() and not self._interrupted():
            loss = self._step()
            if loss is None:
                continue
            rows = len(self._plan.rows(self._done))
            self._done, total, counted = self._done + 1, total + loss * rows, counted + rows
            self._stepped(self._done, self._plan.total, self._left_s)
            at_end = self._done % self._plan.steps == 0
            if at_end:
                yield self._record(total / counted, self._measure())  # told before it is kept: else a kill
                yielded, total, counted = yielded + 1, 0.0, 0  # in between would leave it out for good
            if at_end or time.perf_counter() - self._kept > self._kept_every_s:
                self._keep()
        self._trainable.network.eval()
        self._keep()
        if self._keeper is not None:
            self._keeper.wait()
        self._accelerator.wait_for_everyone()
        if self.sliced:
            return
        self._learner.use_average()
        if self._best is not None:
            self._best.restore(self._learner.weights)
        if not yielded and self._done >= self._plan.steps:
            yield self._record(None, None)

    @property
    def learned_share(self) -> float:
        """The share of the planned epochs that the weights that are kept have learned for."""
        kept = self._done // self._plan.steps - (self._best.waited if self._best is not None else 0)
        return kept / self._plan.epochs

    def _over(self) -> bool:
        return self._done >= self._plan.total or (self._best is not None and self._best.waited_enough)

    def _interrupted(self) -> bool:
        """Whether any process was stopped or is at the end of its slice: then all end, after the same
        step.
        """
        stop = self._stopped()
        over = bool(self._slice_s) and time.perf_counter() - self._since > self._slice_s
        late = over and self._done > self._begun  # a slice holds a step at least
        if self._accelerator.num_processes > 1:
            wishes = torch.tensor([float(stop), float(late)], device=self._accelerator.device)
            stop, late = (self._accelerator.reduce(wishes, "sum") > 0).tolist()
        self.sliced = late and not stop
        return stop or late

    def _share(self, step: int) -> Sequence[int]:
        """The examples of a step that this process embeds."""
        return share_of(self._plan.rows(step))

    def _step(self) -> float | None:
        """One step; its loss, or None where it has to be done again."""
        plan, step = self._plan, self._done
        torch.manual_seed(self._settings.seed * 1_000_003 + step * 64 + self._accelerator.process_index)
        self._trainable.network.train()
        self._optimiser.zero_grad(set_to_none=True)
        if not self._trainable.has_positive(plan.rows(step)):
            return 0.0
        rows = self._share(step)
        if step + 1 < plan.total:
            self._trainable.prefetch(self._share(step + 1), self._at_once)
        try:
            loss = self._trainable.backward(rows, self._at_once, self._accelerator)
        except torch.OutOfMemoryError as e:
            if self._at_once <= 1 or self._accelerator.num_processes > 1:  # the others are in this step too
                raise UserError(
                    f"The memory is full with {self._at_once} at once.", "Start again with fewer at once."
                ) from e
            self._halve(len(rows))
            return None
        except RowError as e:
            raise e.of(self._trainable.said(plan.rows(step)[e.row])) from None
        size = nn.utils.clip_grad_norm_(self._learner.weights.values(), 1.0)
        for value, what in ((loss, "loss"), (float(size), "gradient")):
            if not math.isfinite(value):
                self._roll_back(what)
                return None
        for group in self._optimiser.param_groups:
            group["lr"] = self._rate * rate_at(step, plan.total, self._warm_up)
        self._optimiser.step()
        self._learner.average(step)
        return loss

    def _halve(self, rows: int) -> None:
        """Less goes through the network at once from here on."""
        self._at_once = max(1, min(self._at_once, rows) // 2)
        self._told(f"The memory is full: {self._at_once} pairs are embedded at once from here on.")
        if self._compute.device.type == "cuda":
            torch.cuda.empty_cache()

    def _roll_back(self, what: str) -> None:
        """Go on from the last state more slowly, after a loss or a gradient that is no number."""
        self._rollbacks += 1
        if self._rollbacks > MOST_ROLLBACKS or self._keeper is None or not self._keeper.exists():
            raise DataError(
                f"The {what} is no number at a learning rate of {self._rate:g}.",
                "Choose a lower learning rate and start again.",
            )
        self._keeper.wait()
        self._done, self._spent = self._keeper.load(self._learner, self._optimiser)
        self._kept_at = self._done
        self._rate /= 2
        self._told(f"The {what} was no number: back to the last check-point, at half the learning rate.")

    @property
    def _seconds(self) -> float:
        return self._spent + time.perf_counter() - self._since

    @property
    def _left_s(self) -> float:
        return self._seconds / max(1, self._done) * (self._plan.total - self._done)

    @property
    def _kept_every_s(self) -> float:
        return max(KEPT_EVERY_S, self._keeping_s / KEEPING_SHARE)

    def _keep(self) -> None:
        if self._keeper is not None and self.first and self._kept_at != self._done:
            begun = time.perf_counter()
            self._keeper.save(self._learner, self._optimiser, self._done, self._seconds)
            self._keeping_s, self._kept_at = time.perf_counter() - begun, self._done
        self._kept = time.perf_counter()

    def _measure(self) -> float | None:
        """What the network reaches on validation examples, by the weights that would be kept of it."""
        if self._check is None:
            return None
        self._trainable.network.eval()
        with self._learner.in_place():
            found = agreed(self._check())
            if self._best is not None:
                self._best.offer(self._learner.weights, found)
        return found

    def _record(self, loss: float | None, found: float | None) -> EpochRecord:
        recall, likelihood = (
            found if self._trainable.measures == m else None for m in ("recall", "likelihood")
        )
        epoch = self._done // self._plan.steps
        return EpochRecord(epoch, self._plan.epochs, loss, recall, self._seconds, self._left_s, likelihood)
