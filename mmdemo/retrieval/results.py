"""What a search answers with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mmdemo.store.pairs import PairView


@dataclass(frozen=True)
class Result:
    """One answer."""

    item: str
    name: str
    text: str  # a confirmed text of the item, else one it came with
    score: float  # cosine
    probability: float  # calibrated; answers stand in its order
    verdict: str | None  # of a label on this item with the query's own words
    start: float | None = None  # seconds, where the query was found in sound or video
    end: float | None = None


@dataclass(frozen=True)
class Results:
    """The answers, best first, and whether the best is good enough."""

    version: str
    results: tuple[Result, ...]
    threshold: float  # cosine below which nothing in this collection matches
    stale_share: float

    @property
    def no_match(self) -> bool:
        """Whether even the best answer is below the threshold."""
        return not self.results or self.results[0].score < self.threshold

    def as_json(self) -> dict[str, Any]:
        """The JSON of `search`."""
        return {
            "model": self.version,
            "no_match": self.no_match,
            "threshold": round(self.threshold, 4),
            "stale": round(self.stale_share, 3),
            "results": [
                {
                    "item": r.item,
                    "file": r.name,
                    "text": r.text,
                    "score": round(r.score, 4),
                    "probability": round(r.probability, 4),
                    "start": r.start,
                    "end": r.end,
                    "verdict": r.verdict,
                }
                for r in self.results
            ],
        }


def best_text(pairs: Sequence[PairView]) -> str:
    """The text to show with an item: a confirmed one, else one it came with, else none."""
    came_with = (p for p in pairs if p.verdict is None and p.is_own)
    pair = next(chain((p for p in pairs if p.is_confirmed), came_with), None)
    return pair.final_text if pair else ""
