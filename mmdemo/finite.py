"""A number is finite, or it is an error that names the file, the pair or the setting that it comes from.

What is no number compares as false with everything: it is ahead of nothing and behind nothing, so that a rank
counts it as right and a maximum passes it over. So every feature, loss and score comes through here, at the
door of whatever makes, keeps or compares it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mmdemo.errors import NumberError

CURE_OF_MODEL = "Choose another model, or leave the file out where it is this one alone."
Named = str | Callable[[int], str]  # what a row is, as in "A feature of cat.jpg"; a function is given the row


def rows_of_numbers(values: Any) -> np.ndarray:
    """(N,) bool, of (N, ...) values: whether all of a row are finite."""
    array = np.asarray(values)
    found: np.ndarray = np.isfinite(array).all(axis=tuple(range(1, array.ndim)))
    return found


def require_finite(values: Any, named: Named, cure: str) -> np.ndarray:
    """The values as an array, which is given back as it came.

    Args:
        values: (N, ...) or (), numbers.
        named: what they are, at the beginning of a sentence; of several rows the first that is wrong is told.
        cure: what to do about it, as a sentence.

    Raises:
        NumberError: one of them is infinite or not a number.
    """
    array = np.asarray(values)
    rows = array[None] if array.ndim == 0 else array
    good = rows_of_numbers(rows)
    if not good.all():
        row = int(np.argmin(good))
        raise NumberError(_sentence(named, row, rows[row]), cure)
    return array


def require_finite_answer(answer: Any, name: str) -> None:
    """Check the numbers of an answer in JSON, which has no word for others: libraries would write null.

    Args:
        answer: dicts, lists, texts and numbers.
        name: what it answers.

    Raises:
        NumberError: one of them is infinite or not a number; the sentence says which.
    """
    waiting: list[tuple[str, Any]] = [("", answer)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend((f"{place} {key}", one) for key, one in value.items())
        elif isinstance(value, list | tuple):
            waiting.extend((place, one) for one in value)
        elif isinstance(value, float) and not math.isfinite(value):
            raise NumberError(
                _sentence(f"{place.strip() or 'the answer'} of {name}", 0, value), CURE_OF_MODEL
            )


def _sentence(named: Named, row: int, values: np.ndarray | float) -> str:
    what = named if isinstance(named, str) else named(row)
    kind = "not a number" if np.isnan(values).any() else "infinite"
    return f"{what} is {kind}."
