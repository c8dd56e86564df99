"""A step of mmdemo's training loop beside a bare PyTorch loop with the same network, batch and loss.

    python benchmarks/step_time.py

The bare loop is forward, loss, backward, AdamW. mmdemo's also gathers, clips, schedules, looks at the stop
flag, and keeps its whole state on disk; that is in its time. Turns alternate; the ratio is of the medians.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import common  # noqa: F401  puts the project on the path
import networks
import torch
from torch.nn.functional import normalize

from mmdemo.models.device import decide_compute
from mmdemo.models.dual import DualEncoder
from mmdemo.training.contrastive import Inputs, PairLearning
from mmdemo.training.loop import TrainSettings
from mmdemo.training.losses import Batch, InfoNCE
from mmdemo.training.network import NetworkTraining

BATCH, STEPS, TURNS = 32, 12, 5
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


def bare(encoder: DualEncoder, source: Fixed) -> float:
    """Seconds a step of the plain loop."""
    loss_of, batch = InfoNCE(), source.batch
    scale, bias = torch.tensor(10.0, requires_grad=True), torch.tensor(0.0)
    optimiser = torch.optim.AdamW([*encoder.network.parameters(), scale], lr=1e-5, weight_decay=0.1)
    encoder.network.train()
    begun = time.perf_counter()
    for _ in range(STEPS):
        optimiser.zero_grad(set_to_none=True)
        media, text = encoder.media(batch.media), encoder.texts(batch.tokens)
        given = Batch(
            normalize(media, dim=1), normalize(text, dim=1), batch.match, batch.item_code, batch.text_code
        )
        loss_of(given, scale, bias).backward()
        optimiser.step()
    return (time.perf_counter() - begun) / STEPS


def own(encoder: DualEncoder, source: Fixed) -> float:
    """Seconds a step of mmdemo's loop, its check-point included."""
    settings = TrainSettings(epochs=1, batch=BATCH, learning_rate=1e-5)
    with tempfile.TemporaryDirectory() as folder:
        learning = PairLearning(encoder, source, settings)
        training = NetworkTraining(learning, settings, "full", CPU, Path(folder) / "state")
        begun = time.perf_counter()
        list(training.epochs())
        return (time.perf_counter() - begun) / STEPS


def main() -> None:
    """Print the medians and the ratio."""
    encoder = DualEncoder(str(networks.save_clip(384, 8, 256, 4)), CPU)
    encoder.network.requires_grad_(True)
    source = Fixed(encoder)
    bare(encoder, source)  # warm
    times: dict[str, list[float]] = {"bare": [], "own": []}
    for turn in range(TURNS):
        for name, run in (("bare", bare), ("own", own))[:: 1 if turn % 2 else -1]:
            times[name].append(run(encoder, source))
    one, two = statistics.median(times["bare"]), statistics.median(times["own"])
    size = sum(p.numel() for p in encoder.network.parameters()) / 1e6
    print(f"CLIP of {size:.0f} million parameters, batch of {BATCH}, {TURNS} turns of {STEPS} steps")
    print(f"bare loop {one * 1000:.0f} ms a step, mmdemo's {two * 1000:.0f} ms: {two / one:.3f} times")


if __name__ == "__main__":
    main()
