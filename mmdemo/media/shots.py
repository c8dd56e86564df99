"""Where a video cuts from one shot to the next, from how much each frame differs from the one before.

A cut is a frame that differs much more from the one before it than its neighbours do from theirs, as in
PySceneDetect's adaptive detector: camera moves change many frames a little, a cut changes one frame a lot.
Fades and dissolves are no cuts here.
"""

from __future__ import annotations

import numpy as np

LEAST_CHANGE = 4.0  # of 255: mean absolute difference over the channels
TIMES_NEIGHBOURS = 3.0
NEIGHBOURS = 4  # frames on each side
LEAST_SHOT_S = 0.4


def find_shots(times_s: np.ndarray, changes: np.ndarray, end_s: float) -> np.ndarray:
    """(S, 2) start and end of each shot in seconds; they touch, and cover the video.

    Args:
        times_s: (N,) presentation times of the frames.
        changes: (N,) how much each differs from the one before it.
        end_s: where the last shot ends.
    """
    if not len(times_s):
        return np.zeros((0, 2))
    padded = np.pad(changes, NEIGHBOURS, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * NEIGHBOURS + 1)  # (N, 9)
    around = (windows.sum(1) - changes) / (2 * NEIGHBOURS)
    is_cut = (changes >= LEAST_CHANGE) & (changes >= TIMES_NEIGHBOURS * around)
    is_cut &= changes >= windows.max(1)
    starts = [float(times_s[0])]
    for i in np.flatnonzero(is_cut):
        if times_s[i] - starts[-1] >= LEAST_SHOT_S:
            starts.append(float(times_s[i]))
    return np.column_stack([starts, [*starts[1:], max(end_s, starts[-1])]])
