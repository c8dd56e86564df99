"""What a training of a network consists of: what learns, the weights that do, and the plan of its steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import nn

from mmdemo.training.loop import Measure, TrainSettings

WARM_UP = 0.1  # of the steps, in which the learning rate rises


class Learnable(Protocol):
    """A network, its examples, and how a batch of them teaches it."""

    network: nn.Module  # its parameters that require gradients learn
    extras: nn.Module  # other parameters that do, such as a loss's temperature
    rates: dict[str, float]  # default learning rates, by method
    batch: int  # examples of a step, where nothing else is asked for
    at_once: int  # of them, that go through the network together; 0: all
    epochs: int  # as many, where nothing else is asked for
    least_steps: int  # with few examples, epochs are added up to so many
    measures: Measure  # what a check of it measures

    def __len__(self) -> int:
        """How many examples there are."""
        ...

    def prepare(self, accelerator: Any) -> None:
        """Go to the device, and into the wrapper for several processes where one is needed."""
        ...

    def teaches(self, rows: Sequence[int]) -> bool:
        """Whether there is anything to learn from these examples together."""
        ...

    def prefetch(self, rows: Sequence[int], at_once: int) -> None:
        """Those rows will be asked for next, so many at once."""
        ...

    def backward(self, rows: Sequence[int], at_once: int, accelerator: Any) -> float:
        """Add the gradients of a batch over all processes, of which `rows` is this one's share; returns its
        loss.
        """
        ...


class Learner(nn.Module):
    """The weights that learn, and their moving average where it was asked for; what a state holds."""

    def __init__(self, learnable: Learnable, ema: float) -> None:
        super().__init__()
        named = {n: p for n, p in learnable.network.named_parameters() if p.requires_grad}
        named |= {f"temperature.{n}": p for n, p in learnable.extras.named_parameters()}
        self.weights = nn.ParameterDict({n.replace(".", "/"): p for n, p in named.items()})
        self._ema = ema
        self.averaged = nn.ParameterDict()
        if ema:
            copies = {
                n: nn.Parameter(p.detach().clone(), requires_grad=False) for n, p in self.weights.items()
            }
            self.averaged = nn.ParameterDict(copies)

    def groups(self, decay: float) -> list[dict[str, Any]]:
        """For the optimiser: matrices decay; biases, norms and the temperature do not."""
        matrices = [p for n, p in self.weights.items() if p.ndim > 1]
        others = [p for n, p in self.weights.items() if p.ndim <= 1]
        return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]

    @torch.no_grad()
    def average(self) -> None:
        """Take the present weights into the average."""
        for name, mean in self.averaged.items():
            mean.lerp_(self.weights[name], 1 - self._ema)

    @torch.no_grad()
    def use_average(self) -> None:
        """The weights are the average from here on."""
        for name, mean in self.averaged.items():
            self.weights[name].copy_(mean)


def rate_at(step: int, steps: int) -> float:
    """The share of the learning rate at a step: a linear rise, then half a cosine."""
    warm = max(1, round(WARM_UP * steps))
    if step < warm:
        return (step + 1) / warm
    return (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm))) / 2


@dataclass(frozen=True)
class Plan:
    """How many steps there are, and which examples each takes."""

    examples: int
    batch: int
    epochs: int
    seed: int

    @property
    def steps(self) -> int:
        """Of an epoch."""
        return max(1, self.examples // self.batch)

    @property
    def total(self) -> int:
        """Steps in all."""
        return self.steps * self.epochs

    def rows(self, step: int) -> list[int]:
        """The examples of a step, counted from 0 over all epochs."""
        epoch, at = divmod(step, self.steps)
        generator = torch.Generator().manual_seed(self.seed * 100_003 + epoch)
        order = torch.randperm(self.examples, generator=generator)
        return [int(row) for row in order[at * self.batch : (at + 1) * self.batch]]


def make_plan(examples: int, batch: int, epochs: int, least_steps: int, settings: TrainSettings) -> Plan:
    """The plan of some examples; batch and epochs are the defaults, of which `settings` knows better."""
    batch = min(settings.batch or batch, examples)
    steps = max(1, examples // batch)
    return Plan(
        examples, batch, settings.epochs or max(epochs, math.ceil(least_steps / steps)), settings.seed
    )
