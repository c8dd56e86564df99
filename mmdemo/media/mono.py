"""Several channels to one, without losing what is in them: the mean, unless channels cancel each other out.

A plug that is wired the wrong way round, or a balanced line that was recorded as two channels, makes one
channel minus the other; their mean is silence. Then channels are turned by their sign before the mean.
"""

from __future__ import annotations

import numpy as np

CANCELLED = 0.25  # of the power that there could be: with less left in the mean, it is mixed otherwise
MEMORY = 0.9  # of what was heard before, for each piece that comes


class MonoMix:
    """Mixes pieces of one recording, one after another.

    Args:
        channels: how many it has.
    """

    def __init__(self, channels: int) -> None:
        self._signs = np.ones(channels, np.float32)
        self._power = np.zeros((channels, channels))  # of each channel with each, lately

    def mix(self, piece: np.ndarray) -> np.ndarray:
        """(N,) float32 of (N, C) samples."""
        channels = piece.shape[1]
        if channels == 1:
            return piece[:, 0]
        centred = piece.astype(np.float64)
        centred -= centred.mean(0)
        # What is infinite is refused by whoever asked; it must not stay in the memory.
        self._power = np.nan_to_num(MEMORY * self._power + centred.T @ centred, posinf=0.0, neginf=0.0)
        if self._left(self._signs) < CANCELLED * np.sqrt(self._power.diagonal()).sum() ** 2:
            signs = self._best()
            if self._left(self._signs) < CANCELLED * self._left(signs):
                self._signs = signs
        return piece @ self._signs / np.float32(channels)

    def _left(self, signs: np.ndarray) -> float:
        return float(signs @ self._power @ signs)

    def _best(self) -> np.ndarray:
        """(C,) signs of the direction in which there is most power; most of them are plus."""
        main = np.linalg.eigh(self._power)[1][:, -1]
        signs = np.where(main < 0, -1, 1).astype(np.float32)
        return signs if signs.sum() >= 0 and (signs.sum() > 0 or signs[0] > 0) else -signs
