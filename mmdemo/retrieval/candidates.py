"""What may answer a query, and the order in which it is shown."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mmdemo.models.aligner import HeadAligner
from mmdemo.retrieval.by_words import WordHit
from mmdemo.retrieval.odds import at_search_rate
from mmdemo.retrieval.ranking import sort_keys


@dataclass(frozen=True)
class Candidates:
    """What may answer a query, before it is ordered."""

    ids: list[str]  # C items
    near: np.ndarray  # (C,) similarities
    less: np.ndarray  # (C,) what those are lessened by, of hubs
    words: Mapping[str, WordHit] = field(default_factory=dict)  # of the items that words found
    sounds: Mapping[str, float] = field(default_factory=dict)  # 0..1, of those in which it sounds alike

    def without(self, items: Collection[str]) -> Candidates:
        """Those that are none of some items."""
        kept = [row for row, item in enumerate(self.ids) if item not in items]
        words = {item: hit for item, hit in self.words.items() if item not in items}
        return Candidates(
            [self.ids[row] for row in kept], self.near[kept], self.less[kept], words, self.sounds
        )


@dataclass(frozen=True)
class Answer:
    """One candidate in its place."""

    id: str
    near: float
    number: float  # that is shown, and that orders


def with_crossed(answers: Sequence[Answer], k: int, crossed: Collection[str]) -> list[Answer]:
    """K answers: the first, and all that people crossed, so that they can take it back."""
    room = max(0, k - sum(a.id in crossed for a in answers))
    first = [a for a in answers if a.id not in crossed][:room]
    kept = {a.id for a in first} | set(crossed)
    return [a for a in answers if a.id in kept][:k]


def ordered(
    found: Candidates,
    depth: int,
    decide: Callable[[np.ndarray], np.ndarray],
    beside: Callable[[np.ndarray], np.ndarray],
) -> list[Answer]:
    """Candidates in the order in which they are shown.

    Those that were not decided about come last; their number is that of the shared space, but none is said to
    be likelier than what stands before it.
    """
    near = found.near - found.less
    numbers = np.array(beside(near), np.float64)

    def told(rows: np.ndarray) -> np.ndarray:
        found_here = np.asarray(decide(rows), np.float64)
        numbers[:] = np.minimum(numbers, found_here.min(initial=np.inf))
        numbers[rows] = found_here
        return found_here

    by_words = np.array([found.words[i].score if i in found.words else -np.inf for i in found.ids])
    by_sound = np.array([found.sounds.get(i, -np.inf) for i in found.ids])
    keys = sort_keys(near, depth, told, [by_words, by_sound] if found.ids else [])
    order = np.argsort(-keys, kind="stable").tolist()
    return [Answer(found.ids[i], float(found.near[i]), float(numbers[i])) for i in order]


def beside(aligner: HeadAligner, near: np.ndarray) -> np.ndarray:
    """(C,) the numbers of answers that are not decided about one by one, from their similarities."""
    said = aligner.calibration.probability(near)
    return np.asarray(said if aligner.evidence_of_towers else at_search_rate(said))
