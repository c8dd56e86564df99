"""An aligner: two frozen towers, a head (or none), and a calibration, under the id of a version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from mmdemo.finite import CURE_OF_MODEL, require_finite
from mmdemo.modality import modality_of
from mmdemo.models.calibration import BASE, BASE_RATE, Calibration, PairFit
from mmdemo.models.heads.residual import Projection, ResidualHead, Sequences
from mmdemo.models.judge import NO_GROUNDS, Grounds, Judge
from mmdemo.models.languages import language_of
from mmdemo.models.negation import negation_note
from mmdemo.models.protocols import MediaTower, Score, Task, TextTower
from mmdemo.models.reliability import CANNOT_TELL, Zones
from mmdemo.store.texts import text_key

NO_SPREAD = 1e-6  # of similarities: less than the rounding of a different vector


@dataclass(frozen=True)
class Towers:
    """The frozen part that all versions of one base share."""

    media: MediaTower
    text: TextTower
    calibration: Calibration  # the base version's own
    version: str  # the base version's id
    grounds: Grounds = NO_GROUNDS  # what its versions judge by


class HeadAligner:
    """Media and texts in one space.

    `probabilities` says how likely texts fit media, for whatever answers: align, search, captions. Where
    `evidence_dim` is not zero, `evidence` says more of a pair than the shared space does, and takes longer:
    it is asked about so many of the nearest as `reranks` says.

    Args:
        version: its id.
        task: the modality pair.
        towers: the frozen towers.
        head: the trained part; None is the base version.
        calibration: from similarity to probability, where nothing more is known of a pair.
        fit: from all that is known of a pair; None: the one that ships for its base.
    """

    fuses = False  # whether its head looks at both sides of a pair together
    evidence_dim = 0  # E, the numbers that `evidence` gives of a pair
    evidence_of_towers = False  # whether they are the same for every version on the same towers
    reranks = 0  # media that are asked about for a text
    reranks_texts = 0  # texts that are asked about for a medium

    def __init__(
        self,
        version: str,
        task: Task,
        towers: Towers,
        head: ResidualHead | None,
        calibration: Calibration,
        fit: PairFit | None = None,
    ) -> None:
        self.version = version
        self.task: Task = task
        self.towers = towers
        self.head = head
        self._projection = Projection(towers.media.dim, head)
        self.calibration = calibration
        self.dim = towers.media.dim
        self.judge = self._judge(fit)

    def _judge(self, fit: PairFit | None) -> Judge:
        """What judges pairs in this version's space, beside the base version where it learned from that."""
        known = judge_of(self.towers.grounds, self._projection, fit)
        alone = PairFit.from_similarity(self.calibration)
        return known or Judge(self.towers.grounds, self._projection, alone)

    @property
    def zones(self) -> Zones:
        """The limits of fits and doesn't fit."""
        return self.judge.fit.zones

    def probabilities(self, features: np.ndarray, texts: np.ndarray) -> np.ndarray:
        """(M, T) probability that each text fits each medium, at one right text in five.

        Args:
            features: (M, F) of the media tower, as they are stored.
            texts: (T, D) of the text tower, before any head, as they are stored.
        """
        return np.asarray(expit(self.judge.log_odds(features, texts)))

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

    def scores(self, features: np.ndarray, texts: Sequence[str]) -> list[Score]:
        """The score of each text for one medium by its (F,) features, in the order given."""
        if not texts:
            return []
        vectors = self.text_vectors(texts)
        similarity = self.project_text(vectors) @ self.project_media(features[None])[0]  # (T,)
        return self.scored(texts, similarity, self.probabilities(features[None], vectors)[0])

    def scored(self, texts: Sequence[str], similarity: np.ndarray, probability: np.ndarray) -> list[Score]:
        """T scores, each with the word of its zone; the base rate where the version can't tell at all, and no
        word where it was not measured what its probabilities are worth.
        """
        same = self._says_the_same(texts, similarity)
        found = []
        for text, s, p in zip(texts, similarity, probability, strict=True):
            doubt = same or self.not_understood(text)
            note = "" if doubt else self.not_read(text)
            sure = BASE_RATE if doubt else round(float(p), 4)
            known = self.measured or bool(doubt)
            word = "" if not known else CANNOT_TELL if doubt or note else self.zones.word(float(p))
            found.append(Score(text, round(float(s), 4), sure, word, doubt, note=note, measured=known))
        return found

    @property
    def measured(self) -> bool:
        """Whether it was measured how often its probabilities are right; else none is shown."""
        return self.judge.fit.reliability is not None

    def cannot_tell(self, text: str) -> str:
        """A sentence, where nothing that is said of a text can be relied on; else empty."""
        return self.not_understood(text) or self.not_read(text)

    def not_read(self, text: str) -> str:
        """A sentence, where a text holds a word that the text tower passes over; else empty."""
        return negation_note(text)

    def not_understood(self, text: str) -> str:
        """A sentence, where a text seems to be in a language that the text tower doesn't know; else empty."""
        language = language_of(text) if self.english_only else ""
        return (
            f"This looks {language}, and the text model knows English only. Write it in English."
            if language
            else ""
        )

    @property
    def english_only(self) -> bool:
        """Whether what is said of a text is said by a text tower that knows no other language."""
        return bool(getattr(self.towers.text, "english_only", False))

    def _says_the_same(self, texts: Sequence[str], similarity: np.ndarray) -> str:
        """A sentence, where the version says the same whatever is asked; else empty."""
        same = self.judge.says_the_same_of
        # Without a background it is seen by the texts that are asked; nobody speaks where all are nought.
        if self.judge.grounds.texts is None and len({text_key(text) for text in texts}) > 1:
            same = same or ("text" if np.any(similarity) and np.ptp(similarity) < NO_SPREAD else "")
        if not same:
            return ""
        what = "text" if same == "text" else modality_of(self.task).noun
        said = f"{self.version} says the same of every {what}, so it can't tell what fits."
        return f"{said} Choose another version."

    def evidence(self, medium: Any, texts: Sequence[str]) -> np.ndarray:
        """(T, E) float32 of what a medium says about texts beside its place in the shared space."""
        return np.empty((len(texts), 0), np.float32)

    def judged(self, evidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """(K,) probability that pairs match, from their (K, E) evidence and (K,) similarity."""
        return self.calibration.probability(similarity)

    def decided(self, evidence: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """(K,) the number by which the answers to one query are ordered and that is shown; as `judged`."""
        return self.judged(evidence, similarity)

    def also(self, evidence: np.ndarray, similarity: np.ndarray) -> dict[str, np.ndarray]:
        """(K,) of each further probability by its name, where there is more than one; as `judged`."""
        return {}

    def told_of(self, medium: Any) -> tuple[str, str]:
        """The language spoken in a decoded medium, and what does not work with it; both may be empty."""
        return "", ""

    def measure(self, evidence: np.ndarray, similarity: np.ndarray) -> str:
        """Which of those orders the answers to one query."""
        return ""

    def probability_of(self, medium: Any, texts: Sequence[str], similarity: np.ndarray) -> np.ndarray:
        """(T,) probability that each text fits a decoded medium, given its (T,) similarity."""
        if self.evidence_dim:
            return self.judged(self.evidence(medium, texts), similarity)
        return self.probabilities(self.media_features([medium]), self.text_vectors(texts))[0]

    def place(self, medium: Any, text: str) -> tuple[float, float] | None:
        """Where in a medium a text is found, start and end in seconds; None: it has no time, or nowhere."""
        return None

    def align(self, medium: Any, texts: Sequence[str]) -> list[Score]:
        """How well each text fits a decoded medium, in the order given."""
        return self.scores(self.media_features([medium])[0], texts)


def judge_of(grounds: Grounds, space: Projection, fit: PairFit | None = None) -> Judge | None:
    """What judges pairs in a version's space, beside the base version where it learned from that.

    Args:
        grounds: of its towers.
        space: the version's.
        fit: its own; None: the one that ships.

    Returns:
        None: there is no fit.
    """
    fit = fit or (grounds.fit if space.head is None else grounds.tuned)
    if fit is None:
        return None
    base = None
    if BASE in fit.weights and grounds.fit is not None:
        base = Judge(grounds, Projection(space.dim, None), grounds.fit)
    return Judge(grounds, space, fit, base)


def encode_texts(tower: TextTower, texts: Sequence[str]) -> np.ndarray:
    """(N, D) float32 unit vectors of N texts by a tower.

    Raises:
        NumberError: one is infinite or not a number; its text is named.
    """
    named = [f"What {tower.id} makes of “{text[:60]}”" for text in texts]
    return require_finite(
        tower.encode(texts), named.__getitem__, "Choose another model, or write another text."
    )
