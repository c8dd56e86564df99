"""How likely a text fits a medium, from all that is known of the pair.

A cosine by itself is a poor witness: some media are near to every text, and some texts to every medium. So
both sides are compared with a background that has nothing to do with the pair: the highest similarities there
are what the side reaches for nothing. The background is projected once for each version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from mmdemo.models.calibration import (
    BASE,
    CLASSES,
    ENTROPY,
    OVER_MEDIA,
    OVER_TEXTS,
    SIMILARITY,
    PairFit,
)

NEAREST_TEXTS = 0.01  # of the background texts: the highest hundredth says what a medium reaches for nothing
NEAREST_MEDIA = 0.04  # of the background media; there are fewer
NO_DIFFERENCE = 1e-4  # between numbers of unit vectors
SHARPNESS = 20.0  # of a class's word for a text, by their cosine: the best of 5, 10, 15, 20, 30 and 40


@dataclass(frozen=True)
class Grounds:
    """What the versions of one base judge by; what is None is left out of the evidence."""

    fit: PairFit | None = None  # of the base version; None: its `Calibration` alone
    tuned: PairFit | None = None  # the prior of versions that are tuned from it
    texts: np.ndarray | None = None  # (B, D) of the text tower: background texts
    media: np.ndarray | None = None  # (C, F) of the media tower: background media
    # (N, B) probabilities of its classes from (N, F) features, where the media tower has a classifier; the
    # background texts are then those of the classes.
    classes: Callable[[np.ndarray], np.ndarray] | None = None
    # (N,) probabilities of each of its words beside the classes, from (N, F) features; None: there are none.
    things: Callable[[np.ndarray], Mapping[str, np.ndarray]] | None = None


NO_GROUNDS = Grounds()


class Space(Protocol):
    """The shared space of a version."""

    def media(self, features: np.ndarray) -> np.ndarray:
        """(N, D) unit vectors from (N, F) features."""
        ...

    def text(self, vectors: np.ndarray) -> np.ndarray:
        """(N, D) unit vectors from (N, D) vectors of the text tower."""
        ...


class Judge:
    """Measures pairs in one version's space.

    Args:
        grounds: the background, and the classifier.
        space: the version's.
        fit: from what was measured to a probability.
        base: the base version's judge, where the fit asks for its word; None: it doesn't.
    """

    def __init__(self, grounds: Grounds, space: Space, fit: PairFit, base: Judge | None = None) -> None:
        self.grounds = grounds
        self.fit = fit
        self.base = base
        self.space = space

    @cached_property
    def _texts(self) -> np.ndarray | None:
        """(B, D) the background texts in the version's space; None: there are none."""
        return None if self.grounds.texts is None else self.space.text(self.grounds.texts)

    @cached_property
    def _media(self) -> np.ndarray | None:
        """(C, D) the background media in the version's space; None: there are none."""
        return None if self.grounds.media is None else self.space.media(self.grounds.media)

    @cached_property
    def says_the_same_of(self) -> str:
        """text or medium, where the version has one vector for all of them, as a head that collapsed; empty:
        neither, or there is no background to see it by.
        """
        for side, vectors in (("text", self._texts), ("medium", self._media)):
            if vectors is not None and one_vector(vectors):
                return side
        return ""

    def reaches(self, vectors: np.ndarray) -> np.ndarray | None:
        """(M,) what (M, D) media vectors reach on background texts; None: there are none."""
        table = self._with_texts(vectors)
        return None if table is None else nearest(table, NEAREST_TEXTS)

    def reaches_anywhere(self, frames: np.ndarray) -> np.ndarray | None:
        """(1,) what a medium of (N, D) frames reaches on background texts, each at the frame it fits best."""
        table = self._with_texts(frames)
        return None if table is None else nearest(table.max(0, keepdims=True), NEAREST_TEXTS)

    def _with_texts(self, vectors: np.ndarray) -> np.ndarray | None:
        """(M, B) cosines of (M, D) media vectors with the background texts."""
        return None if self._texts is None else vectors @ self._texts.T

    def reached(self, vectors: np.ndarray) -> np.ndarray | None:
        """(T,) what (T, D) text vectors reach on background media; None: there are none."""
        return None if self._media is None else nearest(vectors @ self._media.T, NEAREST_MEDIA)

    def evidence(
        self,
        features: np.ndarray,
        texts: np.ndarray,
        similarity: np.ndarray | None = None,
        reaches: np.ndarray | None = None,
        known: Mapping[str, np.ndarray] | None = None,
    ) -> dict[str, np.ndarray]:
        """What is known of M media with T texts: (M, T) float64 of each name.

        Args:
            features: (M, F) of the media tower.
            texts: (T, D) of the text tower, before any head.
            similarity: (M, T) where it is not the cosine of the two vectors, such as that of a moment: then
                what the base version says is not among it.
            reaches: (M,) what each medium reaches on background texts, by the same measure.
            known: `of_any_head` of the same media and texts, where it was asked before.
        """
        heads = self.space.text(texts)
        vectors = self.space.media(features)
        table = np.asarray(vectors @ heads.T if similarity is None else similarity, dtype=np.float64)
        found = {SIMILARITY: table}
        level = self.reaches(vectors) if reaches is None else reaches
        if level is not None:
            found[OVER_TEXTS] = table - level[:, None]
        level = self.reached(heads)
        if level is not None:
            found[OVER_MEDIA] = table - level[None]
        if known is None:
            known = (self._of_classes if similarity is not None else self.of_any_head)(features, texts)
        return found | dict(known)

    def of_any_head(self, features: np.ndarray, texts: np.ndarray) -> dict[str, np.ndarray]:
        """What is known of M media with T texts whatever the version learned: (M, T) float64 of each name.

        The classifier's word, and the base version's where the fit asks for it; arguments as `evidence`.
        """
        found = self._of_classes(features, texts)
        if self.base is not None:
            found[BASE] = self.base.log_odds(features, texts, found)
        return found

    def _of_classes(self, features: np.ndarray, texts: np.ndarray) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        if self.grounds.classes is not None:
            classes = np.asarray(self.grounds.classes(features), dtype=np.float64).clip(1e-9)
            unsure = -(classes * np.log(classes)).sum(1)  # (M,)
            found[ENTROPY] = np.broadcast_to(unsure[:, None], (len(classes), len(texts)))
            if self.grounds.texts is not None:
                found[CLASSES] = speak_for(classes, texts, self.grounds.texts)
        return found

    def log_odds(
        self, features: np.ndarray, texts: np.ndarray, known: Mapping[str, np.ndarray] | None = None
    ) -> np.ndarray:
        """(M, T) log-odds that each text fits each medium; arguments as `evidence`."""
        return self.fit.log_odds(self.evidence(features, texts, known=known))


def one_vector(vectors: np.ndarray) -> bool:
    """Whether (N, D) unit vectors of different things are all the same."""
    return len(vectors) > 1 and float(np.abs(vectors - vectors[0]).max()) < NO_DIFFERENCE


def nearest(similarity: np.ndarray, share: float) -> np.ndarray:
    """(N,) mean of the highest of (N, B) similarities: of that share of them, at least one."""
    count = max(1, round(share * similarity.shape[1]))
    return np.asarray(np.partition(similarity, -count, axis=1)[:, -count:].mean(1), dtype=np.float64)


def speak_for(classes: np.ndarray, texts: np.ndarray, names: np.ndarray) -> np.ndarray:
    """(M, T) log of how much more the likely classes of M media speak for T texts than all classes do.

    The mean of vectors that a medium's own vector is made of blurs what a sure classifier knows; here a text
    is near to one likely class, however far from the others.

    Args:
        classes: (M, B) probabilities.
        texts: (T, D) unit vectors.
        names: (B, D) those of the classes.
    """
    near = np.exp(SHARPNESS * (names @ texts.T).astype(np.float64))  # (B, T)
    return np.asarray(np.log((classes @ near / near.mean(0)).clip(1e-9)))
