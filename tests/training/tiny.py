"""Two small networks and pairs of random numbers, on which the loop of networks is tested."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mmdemo.models.device import decide_compute
from mmdemo.training.config import EpochRecord, TrainSettings
from mmdemo.training.trainables.encoders import Inputs, PairLearning
from mmdemo.training.trainer import Trainer

CPU = decide_compute("cpu")
SETTINGS = TrainSettings(epochs=3, batch=8, learning_rate=1e-2, scale=10.0)


class Tiny:
    """Two small networks with dropout, as an encoder has them."""

    rates, epochs = {"full": 1e-2}, 3

    def __init__(self, fails_over: int = 0, nan_at: int = 0) -> None:
        torch.manual_seed(4)
        self.network = nn.ModuleDict(
            {
                "media": nn.Sequential(nn.Linear(6, 12), nn.Dropout(0.3), nn.Linear(12, 5)),
                "text": nn.Sequential(nn.Linear(7, 12), nn.Dropout(0.3), nn.Linear(12, 5)),
            }
        )
        self.fails_over, self.nan_at, self.calls = fails_over, nan_at, 0

    def media(self, batch: dict[str, Tensor]) -> Tensor:
        self.calls += 1
        if self.fails_over and len(batch["x"]) > self.fails_over:
            raise torch.OutOfMemoryError("no memory left")
        found: Tensor = self.network["media"](batch["x"])
        return found * float("nan") if self.calls == self.nan_at else found

    def texts(self, tokens: dict[str, Tensor]) -> Tensor:
        found: Tensor = self.network["text"](tokens["y"])
        return found


class Rows:
    """Pairs of random numbers; some share an item or a text, some are marked mismatches."""

    def __init__(self, count: int = 16) -> None:
        generator = torch.Generator().manual_seed(1)
        self.x, self.y = (
            torch.randn(count, 6, generator=generator),
            torch.randn(count, 7, generator=generator),
        )
        self.matches: Sequence[bool] = [i % 5 != 4 for i in range(count)]

    def prefetch(self, rows: Sequence[int]) -> None:
        pass

    def said(self, row: int) -> str:
        return f"pair {row}"

    def inputs(self, rows: Sequence[int]) -> Inputs:
        at = torch.tensor(list(rows))
        match = torch.tensor([self.matches[i] for i in rows])
        return Inputs({"x": self.x[at]}, {"y": self.y[at]}, match, at // 2, at // 3)


def weights(tiny: Tiny) -> dict[str, np.ndarray]:
    return {n: p.detach().numpy().copy() for n, p in tiny.network.named_parameters()}


def same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], atol: float = 0.0) -> bool:
    return all(np.allclose(a[n], b[n], rtol=0, atol=atol) for n in a)


def run(tiny: Tiny, settings: TrainSettings = SETTINGS, **how: object) -> list[EpochRecord]:
    learning = PairLearning(tiny, Rows(), settings)
    return list(Trainer(learning, settings, "full", CPU, **how).epochs())  # type: ignore[arg-type]
