"""How often people agreed with captions like one: counted, never reckoned.

Captions that claim about the same are alike. What ships was counted on drawings and photographs; what people
here said of captions that were proposed to them is added to it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

SURE, LIKELY, PERHAPS = 0.8, 0.65, 0.5  # what a caption claims, 0..1
BOUNDS = (SURE, LIKELY, PERHAPS, 0.0)  # the least that captions of each kind claim
LEAST_COUNTED = 10  # captions, below which there is no sentence
OF_TEN = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "all")


@dataclass(frozen=True)
class Agreed:
    """Captions that claim from `least` on, and less than the next kind."""

    least: float
    right: int  # with so many people agreed
    of: int  # that were judged

    @property
    def sentence(self) -> str:
        """In words; empty: too few were judged."""
        if self.of < LEAST_COUNTED:
            return ""
        share = OF_TEN[round(10 * self.right / self.of)]
        return f"Of ten captions like this one, people agreed with {share}."


def count(judged: Iterable[tuple[float, bool]]) -> tuple[Agreed, ...]:
    """Counted by kind, from what each caption claimed and whether a person agreed."""
    rows = [(kind_of(said), right) for said, right in judged]
    return tuple(
        Agreed(
            least,
            sum(right for kind, right in rows if kind == i),
            sum(kind == i for kind, _ in rows),
        )
        for i, least in enumerate(BOUNDS)
    )


def kind_of(score: float) -> int:
    """Which of the kinds a caption is by what it claims, 0..1."""
    return next(i for i, least in enumerate(BOUNDS) if score >= least)


def together(*counts: Sequence[Agreed]) -> tuple[Agreed, ...]:
    """Several counts as one."""
    return tuple(
        Agreed(rows[0].least, sum(r.right for r in rows), sum(r.of for r in rows))
        for rows in zip(*counts, strict=True)
    )
