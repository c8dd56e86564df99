"""Long sound in pieces that fit in memory, cut where nobody speaks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mmdemo.media.audio import RATE_HZ

PIECE_S = (30.0, 300.0)  # a transcript's first piece, so that there is something to read soon, and the others


def pieces(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The sound in pieces that are cut where nobody speaks."""
    held = np.zeros(0, np.float32)
    size_s = PIECE_S[0]
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= (size_s + 2) * RATE_HZ:
            cut = _quietest(held, size_s)
            yield held[:cut]
            held = held[cut:]
            size_s = PIECE_S[1]
    if len(held):
        yield held


def _quietest(samples: np.ndarray, size_s: float) -> int:
    """Where to cut: the middle of the quietest half second in the last 10 s of a piece."""
    step = RATE_HZ // 100
    first = round((size_s - 10) * RATE_HZ) // step
    last = round(size_s * RATE_HZ) // step
    power = (samples[: last * step].reshape(-1, step).astype(np.float64) ** 2).mean(1)
    smooth = np.convolve(power, np.ones(50) / 50, mode="same")
    return int((first + smooth[first:last].argmin()) * step)
