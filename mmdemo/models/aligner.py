"""An aligner: two frozen towers, a head (or none), and a calibration, under the id of a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmdemo.finite import CURE_OF_MODEL, require_finite
from mmdemo.modality import modality_of
from mmdemo.models.calibration import Calibration
from mmdemo.models.heads.residual import Projection, ResidualHead, Sequences
from mmdemo.models.protocols import MediaTower, Score, Task, TextTower


@dataclass(frozen=True)
class Towers:
    """The frozen part that all versions of one base share."""

    media: MediaTower
    text: TextTower
    calibration: Calibration  # the base version's own
    version: str  # the base version's id


class HeadAligner:
    """Media and texts in one space.

    Where `evidence_dim` is not zero, `evidence` says more of a pair than the shared space does, and takes
    longer: it is asked about so many of the nearest as `reranks` says.

    Args:
        version: its id.
        task: the modality pair.
        towers: the frozen towers.
        head: the trained part; None is the base version.
        calibration: from similarity to probability.
    """

    fuses = False  # whether its head looks at both sides of a pair together
    evidence_dim = 0  # E, the numbers that `evidence` gives of a pair
    evidence_of_towers = False  # whether they are the same for every version on the same towers
    reranks = 0  # media that are asked about for a text
    reranks_texts = 0  # texts that are asked about for a medium

    def __init__(
        self, version: str, task: Task, towers: Towers, head: ResidualHead | None, calibration: Calibration
    ) -> None:
        self.version = version
        self.task: Task = task
        self.towers = towers
        self.head = head
        self._projection = Projection(towers.media.dim, head)
        self.calibration = calibration
        self.dim = towers.media.dim

    def project_media(self, features: np.ndarray) -> np.ndarray:
        """(N, D) float32 unit vectors from (N, F) features of the media tower."""
        return self._projection.media(features)

    def project_spans(self, spans: Sequences) -> np.ndarray:
        """(N, D) float32 unit vectors of spans by the features of their parts."""
        return self._projection.spans(spans)

    def project_text(self, vectors: np.ndarray) -> np.ndarray:
        """(N, D) float32 unit vectors from (N, D) vectors of the text tower."""
        return self._projection.text(vectors)

    def media_features(self, media: Sequence[Any]) -> np.ndarray:
        """(N, F) float32 features of N decoded media, before any head.

        Raises:
            NumberError: the tower makes of one what is infinite or not a number.
        """
        what = f"What {self.towers.media.id} makes of this {modality_of(self.task).noun}"
        return require_finite(self.towers.media.encode(media), what, CURE_OF_MODEL)

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) float32 unit vectors of N texts, before any head.

        Raises:
            NumberError: the tower makes of one what is infinite or not a number; the text is named.
        """
        return encode_texts(self.towers.text, texts)

    def encode_media(self, media: Sequence[Any]) -> np.ndarray:
        """(N, D) float32 unit vectors of N decoded media."""
        return self.project_media(self.media_features(media))

    def encode_text(self, texts: Sequence[str]) -> np.ndarray:
        """(N, D) float32 unit vectors of N texts."""
        return self.project_text(self.text_vectors(texts))

    def scores(self, media_vector: np.ndarray, texts: Sequence[str]) -> list[Score]:
        """The score of each text for one (D,) media vector, in the order given."""
        if not texts:
            return []
        similarity = self.encode_text(texts) @ media_vector  # (T,)
        probability = self.calibration.probability(similarity)
        return [
            Score(text, round(float(s), 4), round(float(p), 4))
            for text, s, p in zip(texts, similarity, probability, strict=True)
        ]

    def evidence(self, medium: Any, texts: Sequence[str]) -> np.ndarray:
        """(T, E) float32 of what a medium says about texts beside its place in the shared space."""
        return np.empty((len(texts), 0), np.float32)

    def judged(self, evidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """(K,) probability that pairs match, from their (K, E) evidence and (K,) similarity."""
        return self.calibration.probability(similarity)

    def decided(self, evidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """(K,) the number by which the answers to one query are ordered and that is shown; as `judged`."""
        return self.judged(evidence, similarity)

    def probability_of(self, medium: Any, texts: Sequence[str], similarity: np.ndarray) -> np.ndarray:
        """(T,) probability that each text fits, given its (T,) similarity in the shared space."""
        return self.judged(self.evidence(medium, texts), similarity)

    def place(self, medium: Any, text: str) -> tuple[float, float] | None:
        """Where in a medium a text is found, start and end in seconds; None: it has no time, or nowhere."""
        return None

    def align(self, medium: Any, texts: Sequence[str]) -> list[Score]:
        """How well each text fits a decoded medium, in the order given."""
        return self.scores(self.encode_media([medium])[0], texts)


def encode_texts(tower: TextTower, texts: Sequence[str]) -> np.ndarray:
    """(N, D) float32 unit vectors of N texts by a tower.

    Raises:
        NumberError: one is infinite or not a number; its text is named.
    """
    named = [f"What {tower.id} makes of “{text[:60]}”" for text in texts]
    return require_finite(
        tower.encode(texts), named.__getitem__, "Choose another model, or write another text."
    )
