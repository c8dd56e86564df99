"""An aligner whose probability of a pair comes from a head that looks at both sides together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdemo.models.aligner import HeadAligner, Towers
from mmdemo.models.calibration import Calibration
from mmdemo.models.heads.fusion import CALIBRATION, FusedHead, pair_logits
from mmdemo.models.protocols import Score, Task
from mmdemo.models.reliability import Zones

RERANKED = 50  # of the shared space's nearest, that are looked at with the text


@dataclass(frozen=True)
class FusedInput:
    """What is kept of a medium for a fused head."""

    cells: np.ndarray  # (T, F) features of its parts
    features: np.ndarray  # (F,) of the whole


def cells_of(tower: Any, media: Sequence[Any], features: np.ndarray) -> np.ndarray:
    """(N, T, F) features of the parts of media, where their tower tells parts; else of the whole."""
    if hasattr(tower, "cells"):
        return np.asarray(tower.cells(media))
    return np.asarray(features[:, None])


class FusedAligner(HeadAligner):
    """An aligner whose probability of a pair is the fused head's; search stays in the shared space."""

    fuses = True
    measured = True  # by the calibration of pairs that its version learned
    evidence_dim = 1  # the head's logit
    reranks = RERANKED
    reranks_texts = RERANKED

    def __init__(
        self,
        version: str,
        task: Task,
        towers: Towers,
        head: FusedHead,
        calibration: Calibration,
        of_pairs: Calibration = CALIBRATION,
    ) -> None:
        super().__init__(version, task, towers, head, calibration)
        self._fused = head
        self.of_pairs = of_pairs

    @property
    def zones(self) -> Zones:
        """Those of a calibrated probability: the shared space's were read from another one."""
        return Zones()

    def evidence(self, medium: Any, texts: Sequence[str]) -> np.ndarray:
        """(T, 1) the head's logits; `medium` is decoded, or what `FusedInput` keeps of it."""
        if not isinstance(medium, FusedInput):
            features = self.media_features([medium])
            medium = FusedInput(cells_of(self.towers.media, [medium], features)[0], features[0])
        base = self.text_vectors(texts)
        return pair_logits(self._fused, medium.cells[None], medium.features[None], base).T

    def judged(self, evidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """(K,) probability that pairs match, by their (K, 1) logits."""
        return self.of_pairs.probability(evidence[:, 0] / 10)

    def align(self, medium: Any, texts: Sequence[str]) -> list[Score]:
        """How well each text fits: the similarity of the shared space, the probability of the fused head."""
        if not texts:
            return []
        features = self.media_features([medium])
        looked = FusedInput(cells_of(self.towers.media, [medium], features)[0], features[0])
        similarity = self.encode_text(texts) @ self.project_media(features)[0]
        probability = self.probability_of(looked, texts, similarity)
        return self.scored(texts, similarity, probability)
