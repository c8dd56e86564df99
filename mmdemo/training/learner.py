"""The weights that learn, and their moving average: what a state of a run holds.

The average is of the weights after each step, m <- d m + (1 - d) w, with d = min(decay, (1 + t) / (10 + t))
at step t, as in TensorFlow's ExponentialMovingAverage: without that warm-up a decay of 0.99 would keep two
thirds of the untrained weights after forty steps, which is all that a head has.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


class Learner(nn.Module):
    """The parameters of a network that require gradients, by name, and their average where one is wanted.

    Args:
        network: whose parameters that require gradients learn.
        extras: other parameters that do, such as a loss's temperature; buffers that a state holds.
        ema: the decay of the average; 0: none is kept.
    """

    def __init__(self, network: nn.Module, extras: nn.Module, ema: float) -> None:
        super().__init__()
        named = {n: p for n, p in network.named_parameters() if p.requires_grad}
        named |= {f"temperature.{n}": p for n, p in extras.named_parameters()}
        self.weights = nn.ParameterDict({n.replace(".", "/"): p for n, p in named.items()})
        self.kept = nn.Module()
        for name, buffer in extras.named_buffers():
            self.kept.register_buffer(name.replace(".", "/"), buffer)
        self._ema = ema
        self.averaged = nn.ParameterDict()
        if ema:
            copies = {
                n: nn.Parameter(p.detach().clone(), requires_grad=False) for n, p in self.weights.items()
            }
            self.averaged = nn.ParameterDict(copies)

    def groups(self, decay: float, decays_all: bool) -> list[dict[str, Any]]:
        """For the optimiser: matrices decay; biases, norms and the temperature do not, unless all do."""
        if decays_all:
            return [{"params": list(self.weights.values()), "weight_decay": decay}]
        matrices = [p for n, p in self.weights.items() if p.ndim > 1]
        others = [p for n, p in self.weights.items() if p.ndim <= 1]
        return [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]

    @torch.no_grad()
    def average(self, step: int) -> None:
        """Take the weights after a step, counted from 0, into the average."""
        decay = min(self._ema, (1 + step) / (10 + step))
        for name, mean in self.averaged.items():
            mean.lerp_(self.weights[name], 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within this block the network has the averaged weights, by which it is measured and kept."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def use_average(self) -> None:
        """The weights are the average from here on."""
        for name, mean in self.averaged.items():
            self.weights[name].copy_(mean)

    def _swap(self) -> None:
        for name, mean in self.averaged.items():
            own = self.weights[name]
            own.data, mean.data = mean.data, own.data
