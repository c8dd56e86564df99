"""When each word is said: borders of words moved from where attention puts them to where the sound pauses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from mmdemo.media.audio import RATE_HZ

SNAP_S = 0.35  # how far a border may move
SNAP_LEAST_S, SNAP_SHARE = 0.04, 1.5  # for a short pause: this, and this share of its length
SNAP_ENDS_S = 0.6  # how far the first start and the last end may move
LEAST_WORD_S = 0.04
QUIET_DB = 28.0  # so far below the loud parts is a pause
LEAST_PAUSE = 5  # hundredths of a second


@dataclass(frozen=True)
class Word:
    """A word and when it is said."""

    word: str
    start: float  # seconds
    end: float  # seconds
    probability: float  # of the recogniser, 0..1


def snap_to_energy(words: Sequence[Word], samples: np.ndarray, end_s: float) -> list[Word]:
    """Word times moved to the pauses near them.

    The attention is blurred by about a tenth of a second; a pause between two words is not. Each pause
    belongs to the border of two words that is nearest to it, and gives the first word its end and the second
    its start. A short pause, which may be the closure before a t within a word, moves a border only a little.
    """
    if not words:
        return []
    runs = _runs(_loud(samples))
    if not runs:
        return list(words)
    out = [replace(w, start=min(w.start, end_s), end=min(max(w.end, w.start), end_s)) for w in words]
    borders = np.array([(a.end + b.start) / 2 for a, b in pairwise(out)])
    taken: dict[int, tuple[float, float, float]] = {}  # border: distance and pause
    for (_, quiet), (loud, _) in pairwise(runs):
        start, end = quiet / 100, loud / 100
        if not len(borders):
            break
        away = np.maximum(0.0, np.maximum(start - borders, borders - end))
        i = int(np.lexsort((np.abs(borders - (start + end) / 2), away))[0])
        if (
            away[i] <= min(SNAP_S, SNAP_LEAST_S + SNAP_SHARE * (end - start))
            and away[i] < taken.get(i, (9e9,))[0]
        ):
            taken[i] = (float(away[i]), start, end)
    for i, (_, start, end) in taken.items():
        out[i] = replace(out[i], end=start)
        out[i + 1] = replace(out[i + 1], start=end)
    first, last = runs[0][0] / 100, runs[-1][1] / 100
    if abs(out[0].start - first) <= SNAP_ENDS_S:
        out[0] = replace(out[0], start=first)
    if abs(out[-1].end - last) <= SNAP_ENDS_S:
        out[-1] = replace(out[-1], end=last)
    for i, (was, now) in enumerate(zip(words, out, strict=True)):  # a pause that was another word's
        if now.end - now.start < LEAST_WORD_S:
            out[i] = replace(now, start=min(was.start, now.end), end=max(was.end, now.start))
    for i in range(len(out) - 1):  # no two words at once
        middle = min(out[i].end, max(out[i].start, out[i + 1].start))
        out[i] = replace(out[i], end=middle)
        out[i + 1] = replace(out[i + 1], start=max(out[i + 1].start, middle), end=max(out[i + 1].end, middle))
    return [replace(w, start=float(w.start), end=float(w.end)) for w in out]


def placed(words: Sequence[Word], samples: np.ndarray, offset_s: float) -> list[Word]:
    """Words of some samples at the sound's energy, moved by where the samples begin."""
    return [
        replace(w, start=round(w.start + offset_s, 3), end=round(w.end + offset_s, 3))
        for w in snap_to_energy(words, samples, len(samples) / RATE_HZ)
    ]


def _loud(samples: np.ndarray) -> np.ndarray:
    step = RATE_HZ // 100
    frames = samples[: len(samples) // step * step].reshape(-1, step)
    level = 10 * np.log10((frames.astype(np.float64) ** 2).mean(1) + 1e-10)
    if not len(level):
        return np.zeros(0, bool)
    return level > np.percentile(level, 95) - QUIET_DB


def _runs(loud: np.ndarray) -> list[tuple[int, int]]:
    """First and one past the last frame of each stretch of sound, pauses too short to be any closed."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud.astype(np.int8), [0]])))
    runs: list[tuple[int, int]] = []
    for first, last in edges.reshape(-1, 2):
        if runs and first - runs[-1][1] < LEAST_PAUSE:
            runs[-1] = (runs[-1][0], int(last))
        else:
            runs.append((int(first), int(last)))
    return [r for r in runs if r[1] - r[0] >= 2]


def without_marks(words: Sequence[Word]) -> list[Word]:
    """Marks such as commas joined to the word before them."""
    out: list[Word] = []
    for word in words:
        if not any(c.isalnum() for c in word.word):
            if out:
                out[-1] = replace(out[-1], word=out[-1].word + word.word)
            continue
        out.append(word)
    return out
