"""Memory of a contrastive step over 1,024 pairs with gradient caching, beside a plain one over 64.

    python benchmarks/gradient_caching.py

Each step is a process of its own, whose highest memory is read; the network is a CLIP of the size of
ViT-B/32 with random weights. The gradients of 1,024 pairs in parts of 64 are compared with those of the whole
on a small CLIP, for which the whole fits in memory.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from functools import partial
from pathlib import Path

import common  # noqa: F401  puts the project on the path
import networks
import torch
from torch import Tensor

from mmdemo.models.device import decide_compute
from mmdemo.models.encoders.dual import DualEncoder
from mmdemo.training.losses import InfoNCE
from mmdemo.training.trainables.encoders import Both, Inputs, Temperature, backward
from mmdemo.training.trainer import make_accelerator

SMALL, LARGE = 64, 1024
CPU = decide_compute("cpu")


def step(encoder: DualEncoder, pairs: int, part: int) -> dict[str, Tensor]:
    """One optimiser step, each part's pictures made when they are asked for; returns the gradients."""

    def inputs(rows: range) -> Inputs:
        pixels = [torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(i)) for i in rows]
        tokens = encoder.tokens([f"drawing number {i}" for i in rows])
        codes = torch.tensor(rows)
        match = torch.ones(len(rows), dtype=torch.bool)
        return Inputs({"pixel_values": torch.cat(pixels)}, tokens, match, codes, codes)

    network = encoder.network.requires_grad_(True)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-5, fused=CPU.fused)
    parts = [partial(inputs, range(i, i + part)) for i in range(0, pairs, part)]
    backward(Both(encoder), parts, InfoNCE(), Temperature(10.0), make_accelerator(CPU))
    optimiser.step()
    return {n: p.grad for n, p in network.named_parameters() if p.grad is not None}


def peak_mb(folder: Path, pairs: int) -> int:
    """The highest memory of a process that does one step."""
    command = [sys.executable, __file__, str(folder), str(pairs)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    """Print both peaks, their ratio, and how far the gradients are apart."""
    if len(sys.argv) == 3:
        step(DualEncoder(sys.argv[1], CPU), int(sys.argv[2]), SMALL)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    encoder = DualEncoder(str(networks.save_clip(64, 2, 64, 2)), CPU)
    whole = step(encoder, LARGE, LARGE)
    encoder = DualEncoder(encoder.name, CPU)
    parts = step(encoder, LARGE, SMALL)
    apart = max(float((whole[n] - parts[n]).abs().max()) for n in whole)
    print(f"gradients of {LARGE} pairs in parts of {SMALL} and of the whole: at most {apart:.1e} apart")
    folder = networks.save_clip(768, 12, 512, 12)
    small, large = peak_mb(folder, SMALL), peak_mb(folder, LARGE)
    print(f"{SMALL} pairs: {small} MB; {LARGE} pairs in parts: {large} MB: {large / small:.2f} times")


if __name__ == "__main__":
    main()
