"""Where a video goes from one shot to the next: by a cut, a fade through black, or a dissolve.

A cut is a frame that differs much more from the one before it than its neighbours do from theirs, as in
PySceneDetect's adaptive detector: camera moves change many frames a little, a cut changes one frame a lot. A
fade leaves some frames without any picture; the next shot begins in the middle of them. In a dissolve a frame
is the mean of one before and one after it, though those differ: no camera move looks like that.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

LEAST_CHANGE = 4.0  # of 255: mean absolute difference over the channels
TIMES_NEIGHBOURS = 3.0
NEIGHBOURS = 4  # frames on each side
LEAST_SHOT_S = 0.4
EMPTY = 6.0  # of 255: the spread of the values of a frame without a picture
BLACK = 40.0  # of 255: a frame whose mean is above is none of a fade
THINNED = 3  # of the rows and columns of a frame every third tells a dissolve
DISSOLVE_S = 0.32  # from the first to the last of the three frames that are compared
LEAST_MIXED = 9.0  # of 255: how much the outer two differ
LEAST_FRAMES = 6  # that look mixed; a few do when the camera moves (with GAP the best of 36 settings)
GAP = 1  # frames between mixed ones that belong to one dissolve
MIXED_SHARE = 0.3  # of that, by which the middle one may differ from their mean


@dataclass(frozen=True)
class Signs:
    """What a frame says of where shots end."""

    change: float = 0.0  # mean absolute difference to the frame before it, 0..255; 0 for the first
    empty: float = 0.0  # 1 where there is nothing but black
    mixed: float = 0.0  # how much two frames around it differ of which it is the mean, else 0

    def row(self) -> tuple[float, float, float]:
        """As one row of an array."""
        return self.change, self.empty, self.mixed


class SignReader:
    """Reads the signs of small frames that come one after another; holds a third of a second of them."""

    def __init__(self) -> None:
        self._before: np.ndarray | None = None
        self._last: deque[tuple[float, np.ndarray]] = deque()

    def read(self, time_s: float, small: np.ndarray) -> Signs:
        """The signs of an (h, w, 3) int16 frame; `mixed` is of the frame half a window ago."""
        before = self._before if self._before is not None else small
        self._before = small
        self._last.append((time_s, small[::THINNED, ::THINNED]))
        while len(self._last) > 2 and self._last[1][0] <= time_s - DISSOLVE_S:
            self._last.popleft()
        thin = self._last[-1][1]
        empty = float(thin.mean()) < BLACK and float(thin.std()) < EMPTY
        return Signs(float(np.abs(small - before).mean()), float(empty), self._mixed(time_s))

    def _mixed(self, time_s: float) -> float:
        first, last = self._last[0], self._last[-1]
        if last[0] - first[0] < 0.6 * DISSOLVE_S:
            return 0.0
        apart = float(np.abs(last[1] - first[1]).mean())
        if apart < LEAST_MIXED:
            return 0.0
        middle = min(self._last, key=lambda f: abs(f[0] - (first[0] + last[0]) / 2))
        off = float(np.abs(middle[1] - (first[1] + last[1]) / 2).mean())
        return apart if off < MIXED_SHARE * apart else 0.0


def find_shots(times_s: np.ndarray, signs: np.ndarray, end_s: float) -> np.ndarray:
    """(S, 2) start and end of each shot in seconds; they touch, and cover the video.

    Args:
        times_s: (N,) presentation times of the frames.
        signs: (N, 3) rows of `Signs`.
        end_s: where the last shot ends.
    """
    if not len(times_s):
        return np.zeros((0, 2))
    changes, empty, mixed = signs[:, 0], signs[:, 1] > 0, signs[:, 2]
    padded = np.pad(changes, NEIGHBOURS, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)  # (N, 9)
    around = (windows.sum(1) - changes) / (2 * NEIGHBOURS)
    is_cut = (changes >= LEAST_CHANGE) & (changes >= TIMES_NEIGHBOURS * around)
    is_cut &= changes >= windows.max(1)
    found = [float(times_s[i]) for i in np.flatnonzero(is_cut & ~empty)]
    near = [*found]
    for first, stop in _runs(empty):
        if first > 0 and stop < len(times_s):
            found.append(float(times_s[first] + times_s[stop]) / 2)
            near += [float(times_s[first]), float(times_s[stop])]
    for first, stop in _joined(_runs(mixed > 0)):
        if int((mixed[first:stop] > 0).sum()) < LEAST_FRAMES:
            continue
        middle = float(times_s[first] + times_s[stop - 1]) / 2 - DISSOLVE_S / 2
        if all(abs(middle - other) > LEAST_SHOT_S + DISSOLVE_S for other in near):
            found.append(middle)
    starts = [float(times_s[0])]
    for start in sorted(found):
        if start - starts[-1] >= LEAST_SHOT_S:
            starts.append(start)
    return np.column_stack([starts, [*starts[1:], max(end_s, starts[-1])]])


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _joined(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Runs that are at most GAP frames apart as one."""
    out: list[tuple[int, int]] = []
    for first, stop in runs:
        if out and first - out[-1][1] <= GAP:
            out[-1] = out[-1][0], stop
        else:
            out.append((first, stop))
    return out
