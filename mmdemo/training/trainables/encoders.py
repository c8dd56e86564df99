"""How two encoders learn from pairs: any loss, several processes, batches beyond memory.

Every process embeds its share of a global batch; the vectors are gathered with their gradients and each
computes the loss of the whole batch, so that several processes learn what one would. A batch that does not
fit in memory is embedded in parts, twice: first without, then with gradients (GradCache, Gao et al. 2021,
arXiv:2101.06983).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmdemo.models.device import give_back_memory
from mmdemo.training.config import BATCH, Measure, TrainSettings
from mmdemo.training.losses import Batch, CheckedLoss
from mmdemo.training.processes import joined, lengths_of
from mmdemo.training.trainer import Defaults

LEAST_STEPS = 20  # with few pairs epochs are added up to so many steps


Known = tuple[Tensor, Tensor, Tensor, Tensor | None]  # match, item and text codes, weight; each (N,)


@dataclass(frozen=True)
class Inputs:
    """What goes into both encoders for N pairs, and what is known of them."""

    media: dict[str, Tensor]  # each (N, ...)
    tokens: dict[str, Tensor]  # each (N, T)
    match: Tensor  # (N,) bool
    item_code: Tensor  # (N,) int64
    text_code: Tensor  # (N,) int64
    weight: Tensor | None = None  # (N,) how sure each label is; None: all are

    def __len__(self) -> int:
        return len(self.match)

    @property
    def known(self) -> Known:
        """What is known of the pairs, without the inputs."""
        return self.match, self.item_code, self.text_code, self.weight


class Source(Protocol):
    """Where pairs come from."""

    matches: Sequence[bool]  # of each pair; the others are marked mismatches

    def inputs(self, rows: Sequence[int]) -> Inputs:
        """The pairs of those rows."""
        ...

    def said(self, row: int) -> str:
        """What a pair is called in a sentence."""
        ...

    def prefetch(self, rows: Sequence[int]) -> None:
        """Those rows will be asked for next."""
        ...


class Both(nn.Module):
    """Both encoders as one module, for the wrappers that want one.

    Args:
        encoder: a `DualEncoder`, or anything with `network`, `media` and `texts`.
    """

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.network = encoder.network
        self._encoder = encoder

    def forward(self, media: dict[str, Tensor], tokens: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """(N, D) unit vectors of both sides."""
        return normalize(self._encoder.media(media), dim=1), normalize(self._encoder.texts(tokens), dim=1)


class Temperature(nn.Module):
    """The scale and bias of the losses; every process computes the same gradient for them."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(-scale / 2))

    def forward(self) -> tuple[Tensor, Tensor]:
        """The two."""
        return self.log_scale.exp().clamp(max=100.0), self.bias


def pair_defaults(encoder: Any) -> Defaults:
    """How two encoders are trained: each family has its own learning rates and epochs."""
    return Defaults(encoder.rates, BATCH, encoder.epochs, LEAST_STEPS)


class PairLearning:
    """Two encoders and the pairs that they learn from, as `Trainer` trains them.

    Args:
        encoder: whose parameters that require gradients learn.
        source: the pairs.
        settings: the loss, the weight of marked mismatches and the scale are used.
    """

    measures: Measure = "recall"

    def __init__(self, encoder: Any, source: Source, settings: TrainSettings) -> None:
        self.network: nn.Module = Both(encoder)
        self._temperature = Temperature(settings.scale)
        self.extras: nn.Module = self._temperature
        self.defaults = pair_defaults(encoder)
        self._source = source
        self._loss = CheckedLoss(settings.loss, settings.mark_weight)
        self._both: nn.Module = self.network

    def __len__(self) -> int:
        return len(self._source.matches)

    def prepare(self, accelerator: Any) -> None:
        """See `Trainable`."""
        self._loss.to(accelerator.device)
        self._temperature.to(accelerator.device)
        self._both = accelerator.prepare_model(self.network)

    def has_positive(self, rows: Sequence[int]) -> bool:
        """Without a match there is nothing to pull together."""
        return any(self._source.matches[i] for i in rows)

    def said(self, row: int) -> str:
        """See `Trainable`."""
        return self._source.said(row)

    def prefetch(self, rows: Sequence[int], at_once: int) -> None:
        """See `Trainable`."""
        self._source.prefetch(rows[:at_once])

    def backward(self, rows: Sequence[int], at_once: int, accelerator: Any) -> float:
        """See `Trainable`; a share that is shorter than another embeds a pair more, which does not count."""
        lengths = lengths_of(len(rows))
        rows = [*rows, *[0] * (max(lengths) - len(rows))]
        pieces = [rows[i : i + at_once] for i in range(0, len(rows), at_once)]

        def load(i: int) -> Inputs:
            inputs = self._source.inputs(pieces[i])
            if len(pieces) > 1:
                self._source.prefetch(pieces[(i + 1) % len(pieces)])
            return inputs

        parts = [partial(load, i) for i in range(len(pieces))]
        return backward(self._both, parts, self._loss, self._temperature, accelerator, lengths)


def gathered(batch: Batch, lengths: Sequence[int]) -> Batch:
    """The batch of all processes, whose shares have these lengths; gradients flow back to each one's."""
    if len(lengths) == 1:
        return batch

    def together(t: Tensor) -> Tensor:
        return joined(t, lengths)

    known = [together(t.long()) for t in (batch.match, batch.item_code, batch.text_code)]
    weight = None if batch.weight is None else together(batch.weight)
    return Batch(together(batch.media), together(batch.text), known[0].bool(), known[1], known[2], weight)


def backward(
    both: nn.Module,
    parts: Sequence[Callable[[], Inputs]],
    loss_of: nn.Module,
    temperature: Temperature,
    accelerator: Any,
    lengths: Sequence[int] = (0,),
) -> float:
    """Add the gradients of one global batch to the parameters; returns its loss.

    Args:
        both: the encoders, perhaps wrapped for several processes.
        parts: each gives some pairs of this process's share, which are embedded together; of several each is
            asked twice, so that the inputs of one lie in memory at a time.
        loss_of: one of LOSSES.
        temperature: the scale and bias.
        accelerator: of accelerate.
        lengths: of each process's share; what the parts hold behind this one's does not count.
    """
    device = accelerator.device

    def loss(media: Tensor, text: Tensor, known: Sequence[Known]) -> Tensor:
        match = torch.cat([m for m, _, _, _ in known]).to(device)
        item_code = torch.cat([i for _, i, _, _ in known]).to(device)
        text_code = torch.cat([t for _, _, t, _ in known]).to(device)
        weights = [w for _, _, _, w in known if w is not None]
        weight = torch.cat(weights).to(device) if weights else None
        batch = gathered(Batch(media, text, match, item_code, text_code, weight), lengths)
        found: Tensor = loss_of(batch, *temperature())
        return found

    if len(parts) == 1:
        inputs = parts[0]()
        media, text = both(inputs.media, inputs.tokens)
        total = loss(media, text, [inputs.known])
        accelerator.backward(total)
        return float(total.detach())
    seed = int(torch.randint(2**31, ()))  # of each part: dropout falls alike in both passes, on any device
    made, known = [], []
    for i, part in enumerate(parts):
        inputs = part()
        torch.manual_seed(seed + i)
        with torch.no_grad():
            made.append(both(inputs.media, inputs.tokens))
        known.append(inputs.known)
    media = torch.cat([m for m, _ in made]).requires_grad_()
    text = torch.cat([t for _, t in made]).requires_grad_()
    total = loss(media, text, known)
    accelerator.backward(total)
    assert media.grad is not None and text.grad is not None
    begin = 0
    for i, part in enumerate(parts):
        inputs = part()
        rows = slice(begin, begin := begin + len(inputs))
        torch.manual_seed(seed + i)
        with _unsynchronised(both, i < len(parts) - 1, accelerator):
            m, t = both(inputs.media, inputs.tokens)
            ((m * media.grad[rows]).sum() + (t * text.grad[rows]).sum()).backward()
        del inputs, m, t
        give_back_memory(device)
    return float(total.detach())


def _unsynchronised(both: nn.Module, wanted: bool, accelerator: Any) -> Any:
    return accelerator.no_sync(both) if wanted else nullcontext()
