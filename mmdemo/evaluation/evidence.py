"""What two versions reached on the same pairs, as the gate takes it: what is compared, and by whose vote."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from mmdemo.errors import DataError
from mmdemo.evaluation.metrics import RECALL_AT, Retrieval
from mmdemo.labeling.snapshot import Example
from mmdemo.store.texts import short_id, text_key

SPREAD = 0.7  # of an item's difference in log rank, before one was measured


@dataclass(frozen=True)
class Unit:
    """What is compared, and how its mean difference is said."""

    name: str
    said: Callable[[float], str]  # "right answers stand 12 % nearer to the top", of a mean difference
    spread: float | None = None  # of an item's difference, before one was measured; None: cannot be said


def nearer(mean: float) -> float:
    """By how many percent right answers stand nearer to the top, of a mean difference in log rank."""
    size = 100.0 * (1 - math.exp(-abs(mean)))
    return size if mean >= 0 else -size


def _nearer(mean: float) -> str:
    where = "nearer to" if mean >= 0 else "further from"
    return f"right answers stand {abs(nearer(mean)):.0f} % {where} the top"


def _errors(mean: float) -> str:
    return f"{abs(100 * mean):.1f} words of 100 {'fewer' if mean >= 0 else 'more'} are wrong"


def _bleu(mean: float) -> str:
    return f"captions score {abs(100 * mean):.1f} points {'more' if mean >= 0 else 'less'} BLEU-4"


LOG_RANKS = Unit("log rank", _nearer, SPREAD)
WORD_ERRORS = Unit("word errors", _errors)
CAPTION_SCORES = Unit("BLEU-4", _bleu)


@dataclass(frozen=True)
class Evidence:
    """What two versions reached on the same N pairs."""

    items: tuple[str, ...]  # N; equal ones have one vote together
    before: np.ndarray  # (N,) in the unit, less is better
    after: np.ndarray  # (N,)
    score: tuple[
        np.ndarray, np.ndarray
    ]  # (N,) before and after, more is better: what must not fall in the mean
    chance: np.ndarray | None = None  # (N, 2) mean and variance of the unit by chance; None: not known
    unit: Unit = LOG_RANKS
    of: str = "validation items"  # what the items are, in words

    def votes(self) -> np.ndarray:
        """(n,) float64 mean difference of each item, above 0 where it got better.

        Raises:
            DataError: a value is not a finite number.
        """
        return _by_item(self.items, np.asarray(self.before, float) - np.asarray(self.after, float))

    def scores(self) -> tuple[float, float]:
        """The mean score before and after."""
        return float(np.mean(self.score[0])), float(np.mean(self.score[1]))

    def above_chance(self) -> float | None:
        """How many standard errors the better version's answers stand above those of chance."""
        if self.chance is None or not self.items:
            return None
        sd = math.sqrt(float(self.chance[:, 1].mean()))
        best = max(
            float(_by_item(self.items, self.chance[:, 0] - x).mean()) for x in (self.before, self.after)
        )
        return best / sd * math.sqrt(len(set(self.items))) if sd > 0 else 0.0


def _by_item(items: Sequence[str], values: np.ndarray) -> np.ndarray:
    wrong = ~np.isfinite(values)
    if wrong.any():
        item = items[int(np.argmax(wrong))]
        raise DataError(
            f"What was measured on the item {short_id(item)} is not a finite number.",
            "Import its file again, or train with a smaller learning rate.",
        )
    number: dict[str, int] = {}
    codes = np.array([number.setdefault(i, len(number)) for i in items], np.int64)
    counts = np.bincount(codes, minlength=len(number))
    return np.bincount(codes, values, minlength=len(number)) / counts if len(number) else np.zeros(0)


def rank_evidence(before: Retrieval, after: Retrieval, examples: Sequence[Example]) -> Evidence:
    """The evidence of two retrievals over the same examples, in their order.

    Of a text that is a class, only the way from the item to the text counts: any of its items is right.
    """
    media, keys = [e.medium for e in examples], [text_key(e.text) for e in examples]
    closed = np.array([e.closed for e in examples], bool)
    answers = {(m, k) for m, k in zip(media, keys, strict=True)}
    of_text, of_medium = Counter(k for _, k in answers), Counter(m for m, _ in answers)
    chance = np.array(
        [
            _mean_of(by_chance(len(of_medium), of_text[k]), by_chance(len(of_text), of_medium[m]), one.closed)
            for m, k, one in zip(media, keys, examples, strict=True)
        ]
    ).reshape(len(examples), 2)

    def log_ranks(found: Retrieval) -> np.ndarray:
        there, back = found.text_to_media.first, found.media_to_text.first
        with np.errstate(divide="ignore", invalid="ignore"):
            both = np.where(closed, np.log(back), (np.log(there) + np.log(back)) / 2)
        return np.asarray(both, float)

    def recall(found: Retrieval) -> np.ndarray:
        return np.asarray(
            np.where(closed, found.media_to_text.first <= RECALL_AT[0], found.recall_by_query())
        )

    return Evidence(
        tuple(e.item for e in examples),
        log_ranks(before),
        log_ranks(after),
        (recall(before), recall(after)),
        chance,
    )


def _mean_of(there: tuple[float, float], back: tuple[float, float], closed: bool) -> tuple[float, float]:
    if closed:
        return back
    # the two ways' ranks of one pair move together, so the variance of their mean is not halved
    return (there[0] + back[0]) / 2, (there[1] + back[1]) / 2


@lru_cache(maxsize=4096)
def by_chance(gallery: int, right: int) -> tuple[float, float]:
    """Mean and variance of ln(rank of the first right answer) when `gallery` answers are in any order."""
    ranks = np.arange(1, gallery - right + 2)
    beyond = np.cumprod((gallery - right - ranks + 1) / (gallery - ranks + 1))  # P(rank > r)
    share = np.concatenate([[1.0], beyond[:-1]]) - beyond
    logs = np.log(ranks)
    mean = float(share @ logs)
    return mean, max(0.0, float(share @ logs**2) - mean**2)
