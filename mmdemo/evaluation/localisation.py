"""How well the first moment found lies on the span that a text belongs to.

R@1 at an intersection over union of at least m, and the mean of it, as in QVHighlights (Lei et al. 2021,
arXiv:2107.09609). Where one text has several spans in a video, the one that is met best counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdemo.evaluation.metrics import CURE
from mmdemo.finite import require_finite

IOU_AT = (0.3, 0.5, 0.7)
Span = tuple[float, float]  # start and end in seconds


def overlap(a: Span, b: Span) -> float:
    """Intersection over union of two spans, 0..1."""
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    around = max(a[1], b[1]) - min(a[0], b[0])
    return shared / around if around > 0 else 0.0


def best_overlap(found: Span | None, right: Sequence[Span]) -> float:
    """The greatest overlap of what was found with any right span; 0 where nothing was found."""
    return max((overlap(found, span) for span in right), default=0.0) if found is not None else 0.0


@dataclass(frozen=True)
class Localisation:
    """What each query's first moment shares with its span."""

    iou: np.ndarray  # (Q,) 0..1

    def __post_init__(self) -> None:
        require_finite(self.iou, lambda i: f"The overlap of query {i + 1} with its moment", CURE)

    def scores(self) -> dict[str, np.ndarray]:
        """(Q,) of each figure, 0..1, by its name."""
        return {f"R@1 IoU {m}": (self.iou >= m).astype(float) for m in IOU_AT} | {"mIoU": self.iou}

    def as_json(self) -> dict[str, Any]:
        """Percentages 0-100."""
        means = {name: round(100.0 * float(s.mean()), 2) for name, s in self.scores().items()}
        return {"queries": len(self.iou)} | (means if len(self.iou) else {})
