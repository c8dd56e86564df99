"""From how well each frame fits a text to the moments that it describes.

The curve is smoothed within each shot and never across a cut. A moment is a shot, or the part of a long shot
where the curve stands above the middle between its least and its greatest value; neighbouring moments that
fit nearly as well are one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

SMOOTH_S = 0.75  # the standard deviation of the smoothing
FLAT = 0.08  # cosine: a shot whose curve varies less is one moment
LONG_S = 6.0  # a shorter shot is one moment, whatever its curve does
FAR_BELOW = 0.15  # cosine: a moment so far below the best is not shown
ATTENTION = 0.05  # cosine: the temperature of the weights of frames
JOINED = 0.02  # cosine: neighbours that differ less are one moment


@dataclass(frozen=True)
class Moment:
    """A stretch of a video."""

    start: float  # seconds
    end: float
    score: float  # the cosine of its frames, see `pooled`


def similarity_curve(times: np.ndarray, scores: np.ndarray, shots: np.ndarray) -> np.ndarray:
    """(N,) cosines of frames, smoothed within their shots.

    Args:
        times: (N,) seconds, rising.
        scores: (N,) cosines.
        shots: (S, 2) start and end in seconds.
    """
    out = np.array(scores, dtype=np.float32)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    for start, stop in shot_rows(times, shots):
        if stop - start > 1:
            out[start:stop] = gaussian_filter1d(
                scores[start:stop].astype(np.float32), SMOOTH_S / max(step, 1e-3), mode="nearest"
            )
    return out


def shot_rows(times: np.ndarray, shots: np.ndarray) -> list[tuple[int, int]]:
    """First row and one past the last of the frames of each shot; empty ones too."""
    starts = np.searchsorted(times, shots[:, 0] - 1e-4)
    return list(zip(starts.tolist(), [*starts[1:].tolist(), len(times)], strict=True))


def find_moments(times: np.ndarray, curve: np.ndarray, shots: np.ndarray, count: int = 5) -> list[Moment]:
    """The best moments of a video, best first.

    Args:
        times: (N,) seconds of the frames, rising.
        curve: (N,) of `similarity_curve`.
        shots: (S, 2) start and end in seconds; they touch.
        count: how many at most.
    """
    found: list[Moment] = []
    for (start, stop), (begin_s, end_s) in zip(shot_rows(times, shots), shots.tolist(), strict=True):
        if stop > start:
            found += _moments_of_shot(times[start:stop], curve[start:stop], begin_s, end_s)
    if not found:
        return []
    found.sort(key=lambda m: -m.score)
    best = found[0].score
    return _joined([m for m in found if m.score >= best - FAR_BELOW])[:count]


def moments_of(times: np.ndarray, scores: np.ndarray, shots: np.ndarray, count: int = 1) -> list[Moment]:
    """The best moments by the (N,) cosines of frames, best first; other arguments as `find_moments`."""
    return find_moments(times, similarity_curve(times, scores, shots), shots, count)


def best_scores(times: np.ndarray, scores: np.ndarray, shots: np.ndarray) -> np.ndarray:
    """(T,) the score of the best moment for each of T texts, by (N, T) cosines of frames; as `moments_of`."""
    if len(shots) > 1 or float(shots[-1, 1] - shots[0, 0]) >= LONG_S:
        found = [moments_of(times, column, shots) for column in scores.T]
        return np.array([best[0].score if best else -1.0 for best in found])
    curve = np.stack([similarity_curve(times, column, shots) for column in scores.T], axis=1)  # (N, T)
    weights = np.exp((curve - curve.max(0)) / ATTENTION)
    return np.asarray((weights * curve).sum(0) / weights.sum(0))


def pooled(scores: np.ndarray) -> float:
    """The cosines of a moment's frames as one: the more a frame fits the text, the more it counts.

    This is text-conditioned attention over frames (as in Gorti et al. 2022, arXiv:2203.15086) without
    weights to train.
    """
    weights = np.exp((scores - scores.max()) / ATTENTION)
    return float((weights * scores).sum() / weights.sum())


def _moments_of_shot(times: np.ndarray, curve: np.ndarray, begin_s: float, end_s: float) -> list[Moment]:
    low, high = float(curve.min()), float(curve.max())
    if end_s - begin_s < LONG_S or high - low < FLAT:
        return [Moment(begin_s, end_s, pooled(curve))]
    above = curve >= (low + high) / 2
    edges = np.flatnonzero(np.diff(np.concatenate([[0], above.astype(np.int8), [0]]))).reshape(-1, 2)
    out = []
    for first, last in edges.tolist():
        start = begin_s if first == 0 else float(times[first])
        end = end_s if last == len(times) else float(times[last])
        out.append(Moment(start, end, pooled(curve[first:last])))
    return out


def _joined(moments: Sequence[Moment]) -> list[Moment]:
    """Moments that touch and fit alike, as one; best first."""
    line: list[Moment] = []
    for m in sorted(moments, key=lambda m: m.start):
        last = line[-1] if line else None
        if last is not None and m.start - last.end < 1e-3 and abs(m.score - last.score) < JOINED:
            share = (last.end - last.start) / max(1e-6, m.end - last.start)
            line[-1] = Moment(last.start, m.end, share * last.score + (1 - share) * m.score)
        else:
            line.append(m)
    return sorted(line, key=lambda m: -m.score)
