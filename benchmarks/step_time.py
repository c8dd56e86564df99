"""A step of mmdemo's training loop beside a bare PyTorch loop with the same network, batch and loss.

    python benchmarks/step_time.py

The bare loop is forward, loss, backward, AdamW. mmdemo's also gathers, clips, schedules, looks at the stop
flag, and keeps its whole state on disk; that is in its time. After each step of the one comes a step of the
other, so that whatever else the machine does slows both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import common  # noqa: F401  puts the project on the path
import networks
import torch
from torch.nn.functional import normalize

from mmdemo.models.device import decide_compute
from mmdemo.models.encoders.dual import DualEncoder
from mmdemo.training.config import TrainSettings
from mmdemo.training.losses import Batch, InfoNCE
from mmdemo.training.trainables.encoders import Inputs, PairLearning
from mmdemo.training.trainer import Trainer

BATCH, STEPS = 32, 40
CPU = decide_compute("cpu")


class Fixed:
    """One batch that lies in memory, again and again."""

    def __init__(self, encoder: DualEncoder) -> None:
        pixels = torch.randn(BATCH, 3, 224, 224, generator=torch.Generator().manual_seed(0))
        tokens = encoder.tokens([f"drawing number {i} of a thing" for i in range(BATCH)])
        codes = torch.arange(BATCH)
        self.batch = Inputs(
            {"pixel_values": pixels}, tokens, torch.ones(BATCH, dtype=torch.bool), codes, codes
        )
        self.matches: Sequence[bool] = [True] * (BATCH * STEPS)

    def inputs(self, rows: Sequence[int]) -> Inputs:
        """The batch."""
        return self.batch

    def prefetch(self, rows: Sequence[int]) -> None:
        """Nothing to do."""


class Bare:
    """The plain loop, a step at a time."""

    def __init__(self, encoder: DualEncoder, source: Fixed) -> None:
        self._encoder, self._batch, self._loss = encoder, source.batch, InfoNCE()
        self._scale, self._bias = torch.tensor(10.0, requires_grad=True), torch.tensor(0.0)
        weights = [*encoder.network.requires_grad_(True).train().parameters(), self._scale]
        self._optimiser = torch.optim.AdamW(weights, lr=1e-5, weight_decay=0.1)

    def step(self) -> float:
        """Its seconds."""
        begun, batch, encoder = time.perf_counter(), self._batch, self._encoder
        self._optimiser.zero_grad(set_to_none=True)
        media, text = (
            normalize(encoder.media(batch.media), dim=1),
            normalize(encoder.texts(batch.tokens), dim=1),
        )
        given = Batch(media, text, batch.match, batch.item_code, batch.text_code)
        self._loss(given, self._scale, self._bias).backward()
        self._optimiser.step()
        return time.perf_counter() - begun


def main() -> None:
    """Print the mean times and the ratio."""
    folder = str(networks.save_clip(384, 8, 256, 4))
    own, other = DualEncoder(folder, CPU), DualEncoder(folder, CPU)
    own.network.requires_grad_(True)
    source, spent = Fixed(own), 0.0
    plain = Bare(other, source)
    plain.step()  # warm

    def between(done: int, total: int, left_s: float) -> None:
        nonlocal spent
        spent += plain.step()

    settings = TrainSettings(epochs=1, batch=BATCH, learning_rate=1e-5)
    with tempfile.TemporaryDirectory() as state:
        training = Trainer(
            PairLearning(own, source, settings), settings, "full", CPU, Path(state) / "state", stepped=between
        )
        begun = time.perf_counter()
        list(training.epochs())
        took = time.perf_counter() - begun - spent
    one, two = 1000 * spent / STEPS, 1000 * took / STEPS
    size = sum(p.numel() for p in own.network.parameters()) / 1e6
    print(f"CLIP of {size:.0f} million parameters, batch of {BATCH}, {STEPS} steps of each")
    print(f"bare loop {one:.0f} ms a step, mmdemo's {two:.0f} ms: {two / one:.3f} times")


if __name__ == "__main__":
    main()
