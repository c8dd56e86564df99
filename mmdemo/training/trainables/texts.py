"""How a network that writes learns from texts: recognisers from transcripts, captioners from captions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mmdemo.training.config import Measure
from mmdemo.training.processes import share_of, summed
from mmdemo.training.trainer import Defaults

AT_ONCE = 8  # examples, such as recordings of half a minute, that go through together
EPOCHS = 4
LEAST_STEPS = 40  # with few examples epochs are added up to so many steps


class Writer(Protocol):
    """A network that writes, and learns from examples."""

    model: Any
    rates: dict[str, float]
    at_once: int  # examples that go through the network together

    def loss(self, examples: Sequence[Any]) -> tuple[Tensor, int]:
        """() the loss of some examples, summed over their tokens, and how many tokens that are; gradients
        pass.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write what was learned: the adapter, or the whole network with its parts."""
        ...


def writing_defaults(rates: dict[str, float], at_once: int = AT_ONCE) -> Defaults:
    """How a network that writes is trained."""
    return Defaults(rates, at_once, EPOCHS, LEAST_STEPS, at_once)


class WriterLearning:
    """A network that writes and the examples that it learns from, as `Trainer` trains it.

    A batch goes through in parts, whose gradients add up; the parts may be of several processes.

    Args:
        writer: the network.
        examples: what it learns from.
    """

    measures: Measure = "likelihood"

    def __init__(self, writer: Writer, examples: Sequence[Any]) -> None:
        self.network: nn.Module = writer.model
        self.extras = nn.Module()
        self.defaults = writing_defaults(writer.rates, writer.at_once)
        self._writer = writer
        self._examples = examples

    def __len__(self) -> int:
        return len(self._examples)

    def prepare(self, accelerator: Any) -> None:
        """See `Trainable`; gradients of several processes are added up here, so no wrapper is needed."""

    def has_positive(self, rows: Sequence[int]) -> bool:
        """See `Trainable`."""
        return True

    def said(self, row: int) -> str:
        """See `Trainable`."""
        return f"example {row + 1}"

    def prefetch(self, rows: Sequence[int], at_once: int) -> None:
        """See `Trainable`; examples are prepared when their part is due."""

    def backward(self, rows: Sequence[int], at_once: int, accelerator: Any) -> float:
        """See `Trainable`."""
        total, tokens = 0.0, 0.0
        for i in range(0, len(rows), at_once):
            loss, count = self._writer.loss([self._examples[row] for row in rows[i : i + at_once]])
            if count:
                accelerator.backward(loss)
                total, tokens = total + float(loss.detach()), tokens + count
        learning = [p for p in self.network.parameters() if p.requires_grad]
        if accelerator.num_processes > 1:
            sums = torch.tensor([total, float(tokens)], device=accelerator.device)
            total, tokens = (float(v) for v in accelerator.reduce(sums, "sum"))
            for p in learning:
                p.grad = accelerator.reduce(torch.zeros_like(p) if p.grad is None else p.grad, "sum")
        for p in learning:
            if p.grad is not None:
                p.grad /= max(1, tokens)
        return total / max(1, tokens)


def likelihood_of(writer: Writer, examples: Sequence[Any]) -> Callable[[], float]:
    """Measures how likely the writer, as it is then, finds a token of some texts: the geometric mean, in
    percent. Each of several processes reads its share of them.
    """

    @torch.inference_mode()
    def found() -> float:
        total, tokens = 0.0, 0.0
        own = share_of(examples)
        for i in range(0, len(own), writer.at_once):
            loss, count = writer.loss(own[i : i + writer.at_once])
            total, tokens = total + float(loss), tokens + count
        total, tokens = summed([total, tokens])
        return 100.0 * math.exp(-total / max(1, tokens))

    return found
